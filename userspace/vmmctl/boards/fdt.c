// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes the board's device tree: one function for each node. Devices describe themselves; the
 * other nodes are in this file.
 *
 * Nodes are written in the order of the reference's finished tree, because drivers probe in
 * that order, and guests rely on the lowest virtio transport being first.
 *
 * Source: platform_external_qemu hw/arm/ranchu.c (866554d0017e); the timer's
 * strings and flags and the GICv3 node as hw/arm/virt.c of the same repository
 * (50d63dd1e1e3) has them, because KVM's timer lines are level.
 */
#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <libfdt.h>
#include <linux/input-event-codes.h>

#include "boot/boot.h"
#include "virtio/virtio.h"

#define PHANDLE_CLOCK	0x8000
#define PHANDLE_GIC	0x8001
#define PHANDLE_GPIO	0x8002
#define PHANDLE_FRAME	0x8003
#define PHANDLE_POOL	0x8004
#define CLOCK_HZ	24000000
#define DMA_POOL_ALIGN	0x200000
#define IRQ_TYPE_SPI	0
#define IRQ_TYPE_PPI	1

/* PSCI 0.2 function ids; those with a 64-bit form use it. */
#define PSCI_CPU_SUSPEND	0xc4000001
#define PSCI_CPU_OFF		0x84000002
#define PSCI_CPU_ON		0xc4000003
#define PSCI_MIGRATE		0xc4000005

/**
 * struct tree - the tree being written
 * @visitor: visitor of the devices
 * @blob: buffer
 * @err: first libfdt error, sticky, so that nodes need no checks
 * @board: the board
 * @cfg: CPUs, memory, command line
 * @gic: version of the interrupt controller
 * @layout: has the address of the initrd
 * @console: path of the node that is the console, or ""
 * @gpio: there is a node of a GPIO controller
 */
struct tree {
	struct vmm_visitor visitor;
	void *blob;
	int err;
	const struct vmm_board *board;
	const struct vmm_config *cfg;
	enum vmm_gic gic;
	const struct vmm_layout *layout;
	char console[64];
	bool gpio;
};

static void tree_try(struct tree *t, int err)
{
	if (!t->err)
		t->err = err;
}

static void node_begin(struct tree *t, const char *name)
{
	tree_try(t, fdt_begin_node(t->blob, name));
}

static void node_begin_at(struct tree *t, const char *name, u64 unit)
{
	char full[64];

	snprintf(full, sizeof(full), "%s@%llx", name, unit);
	node_begin(t, full);
}

static void node_end(struct tree *t)
{
	tree_try(t, fdt_end_node(t->blob));
}

static void prop_empty(struct tree *t, const char *name)
{
	tree_try(t, fdt_property(t->blob, name, NULL, 0));
}

static void prop_string(struct tree *t, const char *name, const char *value)
{
	tree_try(t, fdt_property_string(t->blob, name, value));
}

/* A list of one or two strings; @second may be NULL. */
static void prop_strings(struct tree *t, const char *name, const char *first, const char *second)
{
	char list[128];
	size_t a = strlen(first) + 1;
	size_t b = second ? strlen(second) + 1 : 0;

	if (a + b > sizeof(list)) {
		tree_try(t, -FDT_ERR_NOSPACE);
		return;
	}
	memcpy(list, first, a);
	if (b)
		memcpy(list + a, second, b);
	tree_try(t, fdt_property(t->blob, name, list, a + b));
}

/* @count 32-bit cells */
static void prop_cells(struct tree *t, const char *name, int count, ...)
{
	__be32 cells[16];
	va_list args;
	int i;

	va_start(args, count);
	for (i = 0; i < count; i++)
		cells[i] = htobe32(va_arg(args, u32));
	va_end(args);
	tree_try(t, fdt_property(t->blob, name, cells, count * sizeof(cells[0])));
}

static void prop_reg(struct tree *t, u64 base, u64 size)
{
	prop_cells(t, "reg", 4, (u32)(base >> 32), (u32)base, (u32)(size >> 32), (u32)size);
}

/*
 * For a device that uses guest memory: it is coherent with the caches. The reference's tree
 * does not have this, because its guests' drivers do not use the DMA API.
 */
static void prop_dma(struct tree *t)
{
	if (t->board->coherent || t->cfg->access_platform)
		prop_empty(t, "dma-coherent");
	if (t->cfg->dma_pool)
		prop_cells(t, "memory-region", 1, PHANDLE_POOL);
}

static void write_device(struct vmm_visitor *visitor, const struct vmm_description *d)
{
	struct tree *t = (struct tree *)visitor;

	if (d->console)
		snprintf(t->console, sizeof(t->console), "/%s@%llx", d->node, d->base);
	node_begin_at(t, d->node, d->base);
	prop_strings(t, "compatible", d->compatible[0], d->compatible[1]);
	prop_reg(t, d->base, d->size);
	if (d->trigger)
		prop_cells(t, "interrupts", 3, IRQ_TYPE_SPI, d->irq, d->trigger);
	if (d->dma)
		prop_dma(t);
	if (d->clocks[0]) {
		prop_cells(t, "clocks", d->clocks[1] ? 2 : 1, PHANDLE_CLOCK, PHANDLE_CLOCK);
		prop_strings(t, "clock-names", d->clocks[0], d->clocks[1]);
	}
	if (d->gpio) {
		prop_cells(t, "#gpio-cells", 1, 2);
		prop_empty(t, "gpio-controller");
		prop_cells(t, "phandle", 1, PHANDLE_GPIO);
		t->gpio = true;
	}
	node_end(t);
}

/* Rows of transports first, then the other devices from the top address down. */
static void write_devices(struct tree *t)
{
	const struct vmm_board *board = t->board;
	unsigned int i;

	for (i = 0; i < board->devices; i++) {
		if (board->dev[i].count > 1)
			board->dev[i].ops->describe(&board->dev[i], &t->visitor);
	}
	for (i = board->devices; i-- > 0;) {
		if (board->dev[i].count == 1)
			board->dev[i].ops->describe(&board->dev[i], &t->visitor);
	}
}

/* Addresses of child nodes are those of the parent bus. */
static void prop_ranges(struct tree *t)
{
	prop_cells(t, "#address-cells", 1, 2);
	prop_cells(t, "#size-cells", 1, 2);
	prop_empty(t, "ranges");
}

static void write_frame(struct tree *t)
{
	const struct vmm_gic_map *gic = &t->board->gic;

	if (!gic->frame_size)
		return;
	node_begin_at(t, "v2m", gic->frame);
	prop_string(t, "compatible", "arm,gic-v2m-frame");
	prop_empty(t, "msi-controller");
	prop_reg(t, gic->frame, gic->frame_size);
	prop_cells(t, "phandle", 1, PHANDLE_FRAME);
	node_end(t);
}

static void write_intc_v2(struct tree *t)
{
	const struct vmm_gic_map *gic = &t->board->gic;

	node_begin(t, "intc");
	prop_string(t, "compatible", "arm,cortex-a15-gic");
	prop_cells(t, "#interrupt-cells", 1, 3);
	prop_empty(t, "interrupt-controller");
	if (gic->frame_size)
		prop_ranges(t);
	prop_cells(t, "reg", 8, 0, (u32)gic->dist, 0, (u32)gic->dist_size,
		   0, (u32)gic->cpu, 0, (u32)gic->cpu_size);
	prop_cells(t, "phandle", 1, PHANDLE_GIC);
	write_frame(t);
	node_end(t);
}

static void write_intc_v3(struct tree *t)
{
	const struct vmm_gic_map *gic = &t->board->gic;

	node_begin(t, "intc");
	prop_string(t, "compatible", "arm,gic-v3");
	prop_cells(t, "#interrupt-cells", 1, 3);
	prop_empty(t, "interrupt-controller");
	prop_ranges(t);
	prop_cells(t, "reg", 8, 0, (u32)gic->dist, 0, (u32)gic->dist_size, 0, (u32)gic->redist, 0,
		   (u32)(t->cfg->cpus * gic->redist_size));
	prop_cells(t, "phandle", 1, PHANDLE_GIC);
	write_frame(t);
	node_end(t);
}

/* KVM puts 16 vCPUs into the lowest byte of MPIDR, then increments the next byte. */
static u32 cpu_mpidr(unsigned int cpu)
{
	return cpu / 16 << 8 | cpu % 16;
}

static void write_cpu(struct tree *t, unsigned int cpu)
{
	node_begin_at(t, "cpu", cpu_mpidr(cpu));
	prop_string(t, "device_type", "cpu");
	prop_string(t, "compatible", "arm,arm-v8");
	if (t->cfg->cpus > 1)
		prop_string(t, "enable-method", "psci");
	prop_cells(t, "reg", 1, cpu_mpidr(cpu));
	node_end(t);
}

static void write_cpus(struct tree *t)
{
	unsigned int i;

	node_begin(t, "cpus");
	prop_cells(t, "#address-cells", 1, 1);
	prop_cells(t, "#size-cells", 1, 0);
	for (i = 0; i < t->cfg->cpus; i++)
		write_cpu(t, i);
	node_end(t);
}

/* Secure physical, physical, virtual and hypervisor timer, in this order. */
static void write_timer(struct tree *t)
{
	u32 flags = VMM_IRQ_LEVEL_HIGH;

	/* Only GICv2 has a CPU mask in the cell; with GICv3 it must be 0. */
	if (t->gic == VMM_GIC_V2)
		flags |= ((1U << t->cfg->cpus) - 1) << 8;
	node_begin(t, "timer");
	prop_strings(t, "compatible", "arm,armv8-timer", "arm,armv7-timer");
	prop_cells(t, "interrupts", 12, IRQ_TYPE_PPI, 13, flags, IRQ_TYPE_PPI, 14, flags,
		   IRQ_TYPE_PPI, 11, flags, IRQ_TYPE_PPI, 10, flags);
	if (t->board->coherent)
		prop_empty(t, "always-on");
	node_end(t);
}

#define PCI_CELLS	7	/* cells of a window: PCI address (3), CPU address (2), size (2) */
#define PCI_PIN_CELLS	10	/* cells of a pin: PCI (4), controller (1), interrupt (5) */

/* Writes a window's cells: kind, PCI address, CPU address, size. */
static unsigned int pci_window(u32 *cell, u32 kind, const struct vmm_pci_window *window)
{
	if (!window->size)
		return 0;
	cell[0] = htobe32(kind);
	cell[1] = htobe32(window->base >> 32);
	cell[2] = htobe32(window->base);
	cell[3] = cell[1];
	cell[4] = cell[2];
	cell[5] = htobe32(window->size >> 32);
	cell[6] = htobe32(window->size);
	return PCI_CELLS;
}

static void prop_pci_windows(struct tree *t)
{
	const struct vmm_pci_window *window = t->board->pci.window;
	u32 cells[2 * PCI_CELLS];
	unsigned int n;

	n = pci_window(cells, 0x02000000, &window[VMM_PCI_MEMORY]);
	n += pci_window(cells + n, 0x03000000, &window[VMM_PCI_MEMORY64]);
	tree_try(t, fdt_property(t->blob, "ranges", cells, n * sizeof(cells[0])));
}

/* Writes pin A, the only one that functions have, of each slot up to the mask. */
static void prop_pci_pins(struct tree *t)
{
	u32 cells[VMM_PCI_PINS * PCI_PIN_CELLS];
	u32 *cell = cells;
	unsigned int i;

	for (i = 0; i < VMM_PCI_PINS; i++, cell += PCI_PIN_CELLS) {
		const u32 pin[PCI_PIN_CELLS] = {
			i << 11, 0, 0, 1, PHANDLE_GIC, 0, 0,
			IRQ_TYPE_SPI, t->board->pci.gsi[i], VMM_IRQ_LEVEL_HIGH,
		};
		unsigned int j;

		for (j = 0; j < PCI_PIN_CELLS; j++)
			cell[j] = htobe32(pin[j]);
	}
	tree_try(t, fdt_property(t->blob, "interrupt-map", cells, sizeof(cells)));
	prop_cells(t, "interrupt-map-mask", 4, (VMM_PCI_PINS - 1) << 11, 0, 0, 7);
}

static void write_pci(struct tree *t)
{
	const struct vmm_pci_window *ecam = &t->board->pci.ecam;

	if (!ecam->size)
		return;
	node_begin_at(t, "pcie", t->board->pci.window[VMM_PCI_MEMORY].base);
	prop_string(t, "compatible", "pci-host-ecam-generic");
	prop_string(t, "device_type", "pci");
	prop_cells(t, "#address-cells", 1, 3);
	prop_cells(t, "#size-cells", 1, 2);
	prop_cells(t, "#interrupt-cells", 1, 1);
	prop_cells(t, "bus-range", 2, 0, (u32)(ecam->size >> 20) - 1);
	prop_reg(t, ecam->base, ecam->size);
	prop_pci_windows(t);
	prop_pci_pins(t);
	prop_cells(t, "msi-parent", 1, PHANDLE_FRAME);
	prop_dma(t);
	node_end(t);
}

static void write_keys(struct tree *t)
{
	if (!t->gpio)
		return;
	node_begin(t, "gpio-keys");
	prop_string(t, "compatible", "gpio-keys");
	node_begin(t, "power");
	prop_string(t, "label", "power");
	prop_cells(t, "linux,code", 1, KEY_POWER);
	prop_cells(t, "gpios", 3, PHANDLE_GPIO, t->board->power_key, 0);
	node_end(t);
	node_end(t);
}

static void write_psci(struct tree *t)
{
	node_begin(t, "psci");
	prop_strings(t, "compatible", "arm,psci-0.2", "arm,psci");
	prop_string(t, "method", "hvc");
	prop_cells(t, "cpu_suspend", 1, PSCI_CPU_SUSPEND);
	prop_cells(t, "cpu_off", 1, PSCI_CPU_OFF);
	prop_cells(t, "cpu_on", 1, PSCI_CPU_ON);
	prop_cells(t, "migrate", 1, PSCI_MIGRATE);
	node_end(t);
}

static void write_clock(struct tree *t)
{
	node_begin(t, "apb-pclk");
	prop_string(t, "compatible", "fixed-clock");
	prop_cells(t, "#clock-cells", 1, 0);
	prop_cells(t, "clock-frequency", 1, CLOCK_HZ);
	prop_string(t, "clock-output-names", "clk24mhz");
	prop_cells(t, "phandle", 1, PHANDLE_CLOCK);
	node_end(t);
}

static void write_memory(struct tree *t)
{
	node_begin(t, "memory");
	prop_string(t, "device_type", "memory");
	prop_reg(t, t->board->ram[0].base, t->cfg->memory);
	node_end(t);
}

/*
 * The guest's kernel chooses the address. Source: Linux, reserved-memory.yaml and
 * shared-dma-pool.yaml of Documentation/devicetree/bindings/reserved-memory.
 */
static void write_dma_pool(struct tree *t)
{
	u64 size = t->cfg->dma_pool;

	if (!size)
		return;
	node_begin(t, "reserved-memory");
	prop_cells(t, "#address-cells", 1, 2);
	prop_cells(t, "#size-cells", 1, 2);
	prop_empty(t, "ranges");
	node_begin(t, "restricted-dma");
	prop_string(t, "compatible", "restricted-dma-pool");
	prop_cells(t, "size", 2, (u32)(size >> 32), (u32)size);
	prop_cells(t, "alignment", 2, 0, DMA_POOL_ALIGN);
	prop_cells(t, "phandle", 1, PHANDLE_POOL);
	node_end(t);
	node_end(t);
}

static void write_chosen(struct tree *t)
{
	const struct vmm_layout *l = t->layout;

	node_begin(t, "chosen");
	if (*t->cfg->append)
		prop_string(t, "bootargs", t->cfg->append);
	if (*t->console)
		prop_string(t, "stdout-path", t->console);
	if (l->seeded) {
		tree_try(t, fdt_property(t->blob, "rng-seed", l->rng_seed, sizeof(l->rng_seed)));
		tree_try(t, fdt_property_u64(t->blob, "kaslr-seed", l->kaslr_seed));
	}
	if (l->initrd_size) {
		prop_cells(t, "linux,initrd-start", 1, (u32)l->initrd);
		prop_cells(t, "linux,initrd-end", 1, (u32)(l->initrd + l->initrd_size));
	}
	node_end(t);
}

/* Returns the guest's device path of the disk with a partition; NULL if there is none. */
static const char *fstab_disk(struct tree *t, const char *name, char *path, size_t size)
{
	unsigned int i;
	u64 base;

	for (i = 0; i < t->cfg->disks; i++) {
		if (!t->cfg->disk[i].fstab || strcmp(t->cfg->disk[i].fstab, name))
			continue;
		base = vmm_virtio_disk_base(t->board, t->cfg, i);
		if (!base)
			tree_try(t, -FDT_ERR_BADVALUE);
		snprintf(path, size, "/dev/block/platform/%llx.virtio_mmio/by-name/%s", base,
			 name);
		return path;
	}
	return NULL;
}

static void write_fstab_entry(struct tree *t, const char *name, const char *compatible,
			      const char *dev)
{
	char path[80];

	if (!dev)
		dev = fstab_disk(t, name, path, sizeof(path));
	if (!dev)
		return;
	node_begin(t, name);
	prop_string(t, "compatible", compatible);
	prop_string(t, "dev", dev);
	prop_string(t, "type", "ext4");
	prop_string(t, "mnt_flags", "ro");
	prop_string(t, "fsmgr_flags", "wait");
	node_end(t);
}

static void write_firmware(struct tree *t)
{
	node_begin(t, "firmware");
	node_begin(t, "android");
	prop_string(t, "compatible", "android,firmware");
	prop_string(t, "hardware", "ranchu");
	node_begin(t, "fstab");
	prop_string(t, "compatible", "android,fstab");
	write_fstab_entry(t, "system", "android,system", t->cfg->fstab_system);
	write_fstab_entry(t, "vendor", "android,vendor", t->cfg->fstab_vendor);
	node_end(t);
	node_end(t);
	node_end(t);
}

static void write_root(struct tree *t)
{
	node_begin(t, "");
	prop_string(t, "compatible", t->board->compatible);
	prop_cells(t, "#address-cells", 1, 2);
	prop_cells(t, "#size-cells", 1, 2);
	prop_cells(t, "interrupt-parent", 1, PHANDLE_GIC);
	write_devices(t);
	if (t->gic == VMM_GIC_V3)
		write_intc_v3(t);
	else
		write_intc_v2(t);
	write_pci(t);
	write_keys(t);
	write_cpus(t);
	write_timer(t);
	write_psci(t);
	write_clock(t);
	write_memory(t);
	write_dma_pool(t);
	write_chosen(t);
	write_firmware(t);
	node_end(t);
}

/**
 * vmm_fdt_build - write the board's device tree
 * @board: its devices need not be created
 * @cfg: cpus, memory, command line, fstab entries
 * @gic: VMM_GIC_V2 or VMM_GIC_V3
 * @layout: has the address of the initrd
 * @blob: buffer
 * @size: bytes of it
 *
 * Return: 0, or -ENOSPC if @size is too small (a very long command line)
 */
int vmm_fdt_build(const struct vmm_board *board, const struct vmm_config *cfg, enum vmm_gic gic,
		  const struct vmm_layout *layout, void *blob, int size)
{
	struct tree t = {
		.visitor.device = write_device,
		.blob = blob,
		.board = board,
		.cfg = cfg,
		.gic = gic,
		.layout = layout,
	};

	tree_try(&t, fdt_create(blob, size));
	tree_try(&t, fdt_finish_reservemap(blob));
	write_root(&t);
	tree_try(&t, fdt_finish(blob));
	if (t.err)
		return vmm_error(-ENOSPC, "cannot build the device tree: %s", fdt_strerror(t.err));
	return 0;
}
