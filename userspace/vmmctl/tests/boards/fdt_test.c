// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device tree, property by property. All numbers and strings are written
 * out here from the board's description, none is from the board table. Nodes
 * must not have further properties or children.
 */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <libfdt.h>

#include "boards/boards.h"
#include "boot/boot.h"
#include "tests/tap.h"

#define CLOCK	0x8000
#define GIC	0x8001

/* Configurations; every case runs for all of them. */
static const struct setup {
	unsigned int cpus;
	enum vmm_gic gic;
	u64 memory;
	const char *append;
	u64 initrd_size;
	const char *system;
	const char *vendor;
} setups[] = {
	{ 1, VMM_GIC_V2, 1 * GIB, "", 0, NULL, NULL },
	{ 1, VMM_GIC_V3, 1 * GIB, "console=ttyAMA0", 0x123456, NULL, NULL },
	{ 2, VMM_GIC_V2, 256 * MIB, "quiet", 0x1000, "/dev/block/a", NULL },
	{ 2, VMM_GIC_V3, 256 * MIB, "", 0x1000, NULL, "/dev/block/b" },
	{ 8, VMM_GIC_V2, 30 * GIB, "a b c", 0, "/dev/block/a", "/dev/block/b" },
	{ 8, VMM_GIC_V3, 30 * GIB, "a b c", 0x10000000, "/dev/block/a", "/dev/block/b" },
	{ 4, VMM_GIC_V2, 5 * GIB, "", 1, NULL, NULL },
	{ 32, VMM_GIC_V3, 5 * GIB, "", 1, NULL, NULL },
};

static u64 blob[VMM_FDT_SIZE / sizeof(u64)];
static const struct vmm_config without;	/* a clock, as the reference */
static const struct vmm_config with = { .rtc = true };
static const struct vmm_config with_generation = { .vmgenid = true };
static const struct vmm_config with_panic = { .pvpanic = VMM_PVPANIC_ON };
static const struct vmm_config without_panic = { .pvpanic = VMM_PVPANIC_OFF };
static const struct vmm_config with_detector = { .stall_detector = true };
static struct vmm_board board;

/* Of the tests of --dma-pool. */
static u64 pool;

static bool build(const struct setup *s)
{
	const struct vmm_config cfg = {
		.cpus = s->cpus, .memory = s->memory, .append = s->append,
		.fstab_system = s->system, .fstab_vendor = s->vendor,
		.access_platform = pool, .dma_pool = pool,
	};
	const struct vmm_layout layout = { .initrd = 0x48000000, .initrd_size = s->initrd_size };

	tap_context("%u cpus, GICv%d", s->cpus, s->gic);
	memset(blob, 0xa5, sizeof(blob));
	return tap_equal(vmm_fdt_build(&board, &cfg, s->gic, &layout, blob, sizeof(blob)), 0) &&
	       tap_equal(fdt_check_header(blob), 0);
}

/* Properties and children that the checks of a node asked for. */
static int node;
static int props_seen;

static void node_open(const char *path)
{
	node = fdt_path_offset(blob, path);
	props_seen = 0;
	if (node < 0)
		tap_that(false, __FILE__, __LINE__, path);
}

static void node_close(int children)
{
	int found = 0;
	int i;

	if (node < 0)
		return;
	fdt_for_each_property_offset(i, blob, node)
		found++;
	tap_equal(found, props_seen);
	found = 0;
	fdt_for_each_subnode(i, blob, node)
		found++;
	tap_equal(found, children);
}

static void want_bytes(const char *name, const void *want, int len)
{
	int have_len = -1;
	const void *have = fdt_getprop(blob, node, name, &have_len);

	props_seen++;
	if (!have || have_len != len || memcmp(have, want, len))
		tap_that(false, __FILE__, __LINE__, name);
}

/* @list as C writes it: strings with a NUL between them. */
#define want_strings(name, list)	want_bytes(name, list, sizeof(list))

static void want_string(const char *name, const char *text)
{
	want_bytes(name, text, strlen(text) + 1);
}

static void want_cells_n(const char *name, const u32 *cells, int count)
{
	u32 want[16];
	int i;

	for (i = 0; i < count; i++)
		want[i] = htobe32(cells[i]);
	want_bytes(name, want, count * 4);
}

#define want_cells(name, ...)							\
	want_cells_n(name, (const u32[]){ __VA_ARGS__ },			\
		     sizeof((const u32[]){ __VA_ARGS__ }) / sizeof(u32))

static void for_all(void (*fn)(const struct setup *s))
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(setups); i++) {
		if (build(&setups[i]))
			fn(&setups[i]);
	}
}

static void check_root(const struct setup *s)
{
	(void)s;
	node_open("/");
	want_string("compatible", "ranchu");
	want_cells("#address-cells", 2);
	want_cells("#size-cells", 2);
	want_cells("interrupt-parent", GIC);
	/* 32 transports, 7 devices, 8 nodes of the board's own. */
	node_close(32 + 7 + 8);
}

static void root_is_right(void)
{
	for_all(check_root);
}

static void check_general(const struct setup *s)
{
	node_open("/apb-pclk");
	want_string("compatible", "fixed-clock");
	want_cells("#clock-cells", 0);
	want_cells("clock-frequency", 24000000);
	want_string("clock-output-names", "clk24mhz");
	want_cells("phandle", CLOCK);
	node_close(0);
	node_open("/memory");
	want_string("device_type", "memory");
	want_cells("reg", 0, 0x40000000, (u32)(s->memory >> 32), (u32)s->memory);
	node_close(0);
	node_open("/chosen");
	if (*s->append)
		want_string("bootargs", s->append);
	want_string("stdout-path", "/pl011@9000000");
	if (s->initrd_size) {
		want_cells("linux,initrd-start", 0x48000000);
		want_cells("linux,initrd-end", (u32)(0x48000000 + s->initrd_size));
	}
	node_close(0);
}

static void general_nodes_are_right(void)
{
	for_all(check_general);
}

static void check_psci(const struct setup *s)
{
	(void)s;
	node_open("/psci");
	want_strings("compatible", "arm,psci-0.2\0arm,psci");
	want_string("method", "hvc");
	want_cells("cpu_suspend", 0xc4000001);
	want_cells("cpu_off", 0x84000002);
	want_cells("cpu_on", 0xc4000003);
	want_cells("migrate", 0xc4000005);
	node_close(0);
}

static void psci_is_right(void)
{
	for_all(check_psci);
}

static void check_cpus(const struct setup *s)
{
	char path[32];
	unsigned int i;

	node_open("/cpus");
	want_cells("#address-cells", 1);
	want_cells("#size-cells", 0);
	node_close(s->cpus);
	for (i = 0; i < s->cpus; i++) {
		/* Clusters of 16. */
		u32 mpidr = i < 16 ? i : 0x100 + i - 16;

		snprintf(path, sizeof(path), "/cpus/cpu@%x", mpidr);
		node_open(path);
		want_string("device_type", "cpu");
		want_string("compatible", "arm,arm-v8");
		if (s->cpus > 1)
			want_string("enable-method", "psci");
		want_cells("reg", mpidr);
		node_close(0);
	}
}

static void cpus_are_right(void)
{
	for_all(check_cpus);
}

static void check_timer(const struct setup *s)
{
	static const u32 masks[9] = { [1] = 0x104, [2] = 0x304, [4] = 0xf04, [8] = 0xff04 };
	u32 flag = s->gic == VMM_GIC_V2 ? masks[s->cpus] : 4;

	node_open("/timer");
	want_strings("compatible", "arm,armv8-timer\0arm,armv7-timer");
	want_cells("interrupts", 1, 13, flag, 1, 14, flag, 1, 11, flag, 1, 10, flag);
	node_close(0);
}

static void timer_is_right(void)
{
	for_all(check_timer);
}

static void check_intc(const struct setup *s)
{
	node_open("/intc");
	want_cells("#interrupt-cells", 3);
	want_bytes("interrupt-controller", "", 0);
	want_cells("phandle", GIC);
	if (s->gic == VMM_GIC_V2) {
		want_string("compatible", "arm,cortex-a15-gic");
		want_cells("reg", 0, 0x08000000, 0, 0x10000, 0, 0x08010000, 0, 0x10000);
	} else {
		want_string("compatible", "arm,gic-v3");
		want_cells("#address-cells", 2);
		want_cells("#size-cells", 2);
		want_bytes("ranges", "", 0);
		want_cells("reg", 0, 0x08000000, 0, 0x10000, 0, 0x080a0000, 0, s->cpus * 0x20000);
	}
	node_close(0);
}

static void intc_is_right(void)
{
	for_all(check_intc);
}

static void check_device(const char *path, const char *compatible, int compatible_len, u32 base,
			 u32 size, u32 spi)
{
	node_open(path);
	want_bytes("compatible", compatible, compatible_len);
	want_cells("reg", 0, base, 0, size);
	want_cells("interrupts", 0, spi, 4);
}

#define want_device(path, compatible, base, size, spi) \
	check_device(path, compatible, sizeof(compatible), base, size, spi)

static void check_devices(const struct setup *s)
{
	(void)s;
	want_device("/pl011@9000000", "arm,pl011\0arm,primecell", 0x9000000, 0x1000, 1);
	want_cells("clocks", CLOCK, CLOCK);
	want_strings("clock-names", "uartclk\0apb_pclk");
	node_close(0);
	want_device("/goldfish_fb@9010000", "google,goldfish-fb\0generic,goldfish-fb",
		    0x9010000, 0x100, 2);
	node_close(0);
	want_device("/goldfish_battery@9020000",
		    "google,goldfish-battery\0generic,goldfish-battery", 0x9020000, 0x1000, 3);
	node_close(0);
	want_device("/goldfish_audio@9030000", "google,goldfish-audio\0generic,goldfish-audio",
		    0x9030000, 0x100, 4);
	node_close(0);
	want_device("/goldfish-events@9040000",
		    "google,goldfish-events-keypad\0generic,goldfish-events-keypad",
		    0x9040000, 0x1000, 5);
	node_close(0);
	want_device("/goldfish_pipe@a010000", "google,android-pipe\0generic,android-pipe",
		    0xa010000, 0x2000, 6);
	node_close(0);
	want_device("/goldfish_sync@a020000", "google,goldfish-sync\0generic,goldfish-sync",
		    0xa020000, 0x2000, 7);
	node_close(0);
}

static void devices_are_right(void)
{
	for_all(check_devices);
}

/* The same tree with one more node, in order of addresses. */
static void check_clock(const struct setup *s)
{
	int after;

	(void)s;
	node_open("/");
	tap_check(fdt_path_offset(blob, "/pl031@9050000") > 0);
	want_device("/pl031@9050000", "arm,pl031\0arm,primecell", 0x9050000, 0x1000, 8);
	want_cells("clocks", CLOCK);
	want_string("clock-names", "apb_pclk");
	node_close(0);
	after = fdt_next_subnode(blob, fdt_path_offset(blob, "/pl031@9050000"));
	tap_equal(after, fdt_path_offset(blob, "/goldfish-events@9040000"));
	/* Without the node, the tree is equal to that of a board without a clock. */
	tap_equal(fdt_del_node(blob, fdt_path_offset(blob, "/pl031@9050000")), 0);
	tap_equal(fdt_pack(blob), 0);
}

static void a_clock_is_added(void)
{
	static u64 reference[VMM_FDT_SIZE / sizeof(u64)];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(setups); i++) {
		vmm_board_ranchu(&board, &without);
		if (!build(&setups[i]))
			continue;
		tap_equal(fdt_pack(blob), 0);
		memcpy(reference, blob, sizeof(blob));
		vmm_board_ranchu(&board, &with);
		if (!build(&setups[i]))
			continue;
		check_clock(&setups[i]);
		tap_equal(fdt_totalsize(blob), fdt_totalsize(reference));
		tap_check(!memcmp(blob, reference, fdt_totalsize(reference)));
	}
	vmm_board_ranchu(&board, &without);
}

static void a_generation_is_added(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(setups); i++) {
		vmm_board_ranchu(&board, &with_generation);
		if (!build(&setups[i]))
			continue;
		node_open("/vmgenid@a030000");
		want_string("compatible", "microsoft,vmgenid");
		want_cells("reg", 0, 0xa030000, 0, 0x10000);
		want_cells("interrupts", 0, 9, 1);
		node_close(0);
	}
	vmm_board_ranchu(&board, &without);
}

/* A device that is added on request, and has no interrupt. */
struct added {
	const char *path;
	const char *compatible;
	u32 base;
	u32 size;
	const struct vmm_config *on;
	const struct vmm_config *off;
};

/* Checks the node against its binding. Without the node, the tree is as without the option. */
static void check_added(const struct added *added, const char *next)
{
	node_open(added->path);
	want_string("compatible", added->compatible);
	want_cells("reg", 0, added->base, 0, added->size);
	node_close(0);
	if (node < 0)
		return;
	tap_equal(fdt_next_subnode(blob, node), fdt_path_offset(blob, next));
	tap_equal(fdt_del_node(blob, fdt_path_offset(blob, added->path)), 0);
	tap_equal(fdt_pack(blob), 0);
}

static void it_is_added_on(void (*fill)(struct vmm_board *, const struct vmm_config *),
			   const struct added *added, const char *next)
{
	static u64 reference[2][VMM_FDT_SIZE / sizeof(u64)];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(setups); i++) {
		fill(&board, &without);
		if (!build(&setups[i]) || !tap_equal(fdt_pack(blob), 0))
			continue;
		memcpy(reference[0], blob, sizeof(blob));
		fill(&board, added->off);
		if (!build(&setups[i]) || !tap_equal(fdt_pack(blob), 0))
			continue;
		memcpy(reference[1], blob, sizeof(blob));
		fill(&board, added->on);
		if (!build(&setups[i]))
			continue;
		check_added(added, next);
		tap_equal(fdt_totalsize(blob), fdt_totalsize(reference[0]));
		tap_check(!memcmp(blob, reference[0], fdt_totalsize(blob)));
		tap_check(!memcmp(blob, reference[1], fdt_totalsize(blob)));
	}
	vmm_board_ranchu(&board, &without);
}

static void a_panic_is_told(void)
{
	static const struct added pvpanic = {
		"/pvpanic-mmio@9060000", "qemu,pvpanic-mmio", 0x9060000, 2,
		&with_panic, &without_panic,
	};

	it_is_added_on(vmm_board_ranchu, &pvpanic, "/goldfish-events@9040000");
	it_is_added_on(vmm_board_virt, &pvpanic, "/pl061@9030000");
}

/* The device has the binding's defaults, so the node omits them. */
static void stuck_vcpus_are_found(void)
{
	static const struct added detector = {
		"/vmwdt@9070000", "qemu,vcpu-stall-detector", 0x9070000, 0x1000,
		&with_detector, &without,
	};

	it_is_added_on(vmm_board_ranchu, &detector, "/goldfish-events@9040000");
	it_is_added_on(vmm_board_virt, &detector, "/pl061@9030000");
}

static void check_virtio(const struct setup *s)
{
	char path[32];
	u32 i;

	(void)s;
	for (i = 0; i < 32; i++) {
		snprintf(path, sizeof(path), "/virtio_mmio@%x", 0xa000000 + i * 0x200);
		node_open(path);
		want_string("compatible", "virtio,mmio");
		want_cells("reg", 0, 0xa000000 + i * 0x200, 0, 0x200);
		want_cells("interrupts", 0, 16 + i, 1);
		node_close(0);
	}
}

static void virtio_is_right(void)
{
	for_all(check_virtio);
}

static void check_fstab_entry(const char *path, const char *compatible, const char *dev)
{
	if (!dev)
		return;
	node_open(path);
	want_string("compatible", compatible);
	want_string("dev", dev);
	want_string("type", "ext4");
	want_string("mnt_flags", "ro");
	want_string("fsmgr_flags", "wait");
	node_close(0);
}

/* The first disk has the highest transport. */
static void disks_are_in_the_fstab(void)
{
	const struct vmm_config cfg = {
		.cpus = 1, .memory = GIB, .append = "", .disks = 3,
		.disk = { { .path = "x", .transport.slot = -1 },
			  { .path = "v", .fstab = "vendor", .transport.slot = -1 },
			  { .path = "s", .fstab = "system", .transport.slot = -1 } },
	};
	const struct vmm_layout layout = { };

	memset(blob, 0xa5, sizeof(blob));
	if (!tap_equal(vmm_fdt_build(&board, &cfg, VMM_GIC_V3, &layout, blob, sizeof(blob)), 0))
		return;
	check_fstab_entry("/firmware/android/fstab/system", "android,system",
			  "/dev/block/platform/a003a00.virtio_mmio/by-name/system");
	check_fstab_entry("/firmware/android/fstab/vendor", "android,vendor",
			  "/dev/block/platform/a003c00.virtio_mmio/by-name/vendor");
}

/* A disk with slot=, and disks that skip this transport. */
static void disks_in_other_transports_are_in_the_fstab(void)
{
	const struct vmm_config cfg = {
		.cpus = 1, .memory = GIB, .append = "", .disks = 3,
		.disk = { { .path = "x", .transport.slot = 30 },
			  { .path = "v", .fstab = "vendor", .transport.slot = -1 },
			  { .path = "s", .fstab = "system", .transport.slot = 7 } },
		.backend[VMM_BACKEND_NET] = { { .path = "t", .transport.slot = 31 } },
		.backends[VMM_BACKEND_NET] = 1,
	};
	const struct vmm_layout layout = { };

	memset(blob, 0xa5, sizeof(blob));
	if (!tap_equal(vmm_fdt_build(&board, &cfg, VMM_GIC_V3, &layout, blob, sizeof(blob)), 0))
		return;
	check_fstab_entry("/firmware/android/fstab/system", "android,system",
			  "/dev/block/platform/a000e00.virtio_mmio/by-name/system");
	check_fstab_entry("/firmware/android/fstab/vendor", "android,vendor",
			  "/dev/block/platform/a003a00.virtio_mmio/by-name/vendor");
}

/* Seeds are in the tree if there are any, and are those of the layout. */
static void seeds_are_in_the_tree(void)
{
	const struct vmm_config cfg = { .cpus = 1, .memory = GIB, .append = "" };
	struct vmm_layout layout = { .seeded = true, .kaslr_seed = 0x0123456789abcdef };
	const u8 *prop;
	int len = 0;

	memset(layout.rng_seed, 0x5a, sizeof(layout.rng_seed));
	if (!tap_equal(vmm_fdt_build(&board, &cfg, VMM_GIC_V3, &layout, blob, sizeof(blob)), 0))
		return;
	prop = fdt_getprop(blob, fdt_path_offset(blob, "/chosen"), "rng-seed", &len);
	tap_equal(len, VMM_RNG_SEED);
	tap_check(prop && !memcmp(prop, layout.rng_seed, VMM_RNG_SEED));
	prop = fdt_getprop(blob, fdt_path_offset(blob, "/chosen"), "kaslr-seed", &len);
	tap_equal(len, 8);
	tap_check(prop && !memcmp(prop, "\x01\x23\x45\x67\x89\xab\xcd\xef", 8));
}

static void check_firmware(const struct setup *s)
{
	node_open("/firmware");
	node_close(1);
	node_open("/firmware/android");
	want_string("compatible", "android,firmware");
	want_string("hardware", "ranchu");
	node_close(1);
	node_open("/firmware/android/fstab");
	want_string("compatible", "android,fstab");
	node_close((s->system ? 1 : 0) + (s->vendor ? 1 : 0));
	check_fstab_entry("/firmware/android/fstab/system", "android,system", s->system);
	check_fstab_entry("/firmware/android/fstab/vendor", "android,vendor", s->vendor);
}

static void firmware_is_right(void)
{
	for_all(check_firmware);
}

/* The order of nodes in the reference's tree. */
static void check_order(const struct setup *s)
{
	static const char *const tail[] = {
		"goldfish_sync@a020000", "goldfish_pipe@a010000", "goldfish-events@9040000",
		"goldfish_audio@9030000", "goldfish_battery@9020000", "goldfish_fb@9010000",
		"pl011@9000000", "intc", "cpus", "timer", "psci", "apb-pclk", "memory", "chosen",
		"firmware",
	};
	unsigned int i = 0;
	char name[32];
	int child;

	(void)s;
	fdt_for_each_subnode(child, blob, 0) {
		const char *have = fdt_get_name(blob, child, NULL);

		snprintf(name, sizeof(name), "virtio_mmio@%x", 0xa000000 + i * 0x200);
		if (i < 32)
			tap_check(!strcmp(have, name));
		else if (i < 32 + ARRAY_SIZE(tail))
			tap_check(!strcmp(have, tail[i - 32]));
		i++;
	}
	tap_equal(i, 32 + ARRAY_SIZE(tail));
}

static void order_is_right(void)
{
	for_all(check_order);
}

/*
 * Warnings of dtc for each tree that describes the board as the reference does: two nodes have
 * a "reg" and no unit address in their name, and the GICv2 has no
 * #address-cells, which later conventions require.
 */
static const char *const dtc_expected[] = {
	"Warning (unit_address_vs_reg): /intc: node has a reg or ranges property, but no unit name",
	"Warning (unit_address_vs_reg): /memory: node has a reg or ranges property, but no unit name",
	"Warning (interrupt_provider): /intc: Missing #address-cells in interrupt provider",
};

static bool dtc_line_expected(const char *line, enum vmm_gic gic)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(dtc_expected); i++) {
		if (strstr(line, "interrupt_provider") && gic != VMM_GIC_V2)
			continue;
		if (strstr(line, dtc_expected[i]))
			return true;
	}
	return false;
}

static void check_dtc(const struct setup *s)
{
	char path[] = "/tmp/vmmctl-fdt-XXXXXX";
	char command[128];
	char line[512];
	int fd = mkstemp(path);
	FILE *dtc;

	tap_equal(write(fd, blob, fdt_totalsize(blob)), fdt_totalsize(blob));
	close(fd);
	snprintf(command, sizeof(command), "dtc -I dtb -O dts -o /dev/null %s 2>&1", path);
	dtc = popen(command, "r");
	while (dtc && fgets(line, sizeof(line), dtc)) {
		line[strcspn(line, "\n")] = '\0';
		tap_that(dtc_line_expected(line, s->gic), __FILE__, __LINE__, line);
	}
	tap_check(dtc && !pclose(dtc));
	unlink(path);
}

/* Nodes that only the second board has. */
static void check_virt(const struct setup *s)
{
	node_open("/");
	want_string("compatible", "linux,ranchu");
	tap_check(fdt_path_offset(blob, "/pcie@10000000") > 0);
	node_open("/intc/v2m@8020000");
	want_string("compatible", "arm,gic-v2m-frame");
	want_bytes("msi-controller", "", 0);
	want_cells("reg", 0, 0x8020000, 0, 0x1000);
	want_cells("phandle", 0x8003);
	node_close(0);
	node_open("/intc");
	want_cells("#address-cells", 2);
	want_cells("#size-cells", 2);
	want_bytes("ranges", "", 0);
	want_device("/pl031@9010000", "arm,pl031\0arm,primecell", 0x9010000, 0x1000, 2);
	want_device("/pl061@9030000", "arm,pl061\0arm,primecell", 0x9030000, 0x1000, 7);
	want_cells("clocks", CLOCK);
	want_string("clock-names", "apb_pclk");
	want_cells("#gpio-cells", 2);
	want_bytes("gpio-controller", "", 0);
	want_cells("phandle", 0x8002);
	node_close(0);
	node_open("/gpio-keys");
	want_string("compatible", "gpio-keys");
	node_close(1);
	node_open("/gpio-keys/power");
	want_string("label", "power");
	want_cells("linux,code", 116);
	want_cells("gpios", 0x8002, 3, 0);
	node_close(0);
	want_device("/goldfish_pipe@a060000", "google,android-pipe\0generic,android-pipe",
		    0xa060000, 0x2000, 20);
	node_close(0);
	node_open("/virtio_mmio@a003e00");
	want_string("compatible", "virtio,mmio");
	want_cells("reg", 0, 0xa003e00, 0, 0x200);
	want_cells("interrupts", 0, 32 + 31, 1);
	want_bytes("dma-coherent", "", 0);
	node_close(0);
	node_open("/timer");
	want_bytes("always-on", "", 0);
	tap_check(s->gic == VMM_GIC_V2 || s->gic == VMM_GIC_V3);
}

static void check_virt_pci(const struct setup *s)
{
	static const u32 pins[4][10] = {
		{ 0x0000, 0, 0, 1, GIC, 0, 0, 0, 3, 4 },
		{ 0x0800, 0, 0, 1, GIC, 0, 0, 0, 4, 4 },
		{ 0x1000, 0, 0, 1, GIC, 0, 0, 0, 5, 4 },
		{ 0x1800, 0, 0, 1, GIC, 0, 0, 0, 6, 4 },
	};
	u32 want[40];
	unsigned int i;

	(void)s;
	for (i = 0; i < ARRAY_SIZE(want); i++)
		want[i] = htobe32(pins[i / 10][i % 10]);
	node_open("/pcie@10000000");
	want_string("compatible", "pci-host-ecam-generic");
	want_string("device_type", "pci");
	want_cells("#address-cells", 3);
	want_cells("#size-cells", 2);
	want_cells("#interrupt-cells", 1);
	want_cells("bus-range", 0, 15);
	want_cells("reg", 0, 0x3f000000, 0, 0x1000000);
	want_cells("ranges", 0x02000000, 0, 0x10000000, 0, 0x10000000, 0, 0x2eff0000,
		   0x03000000, 0x80, 0, 0x80, 0, 0x80, 0);
	want_bytes("interrupt-map", want, sizeof(want));
	want_cells("interrupt-map-mask", 0x1800, 0, 0, 7);
	want_cells("msi-parent", 0x8003);
	want_bytes("dma-coherent", "", 0);
	node_close(0);
}

static void the_second_board_is_right(void)
{
	vmm_board_virt(&board, &with);
	for_all(check_virt);
	for_all(check_virt_pci);
	for_all(check_cpus);
	for_all(check_general);
	for_all(check_firmware);
	vmm_board_ranchu(&board, &without);
}

static void check_pool(const struct setup *s)
{
	(void)s;
	node_open("/reserved-memory");
	want_cells("#address-cells", 2);
	want_cells("#size-cells", 2);
	want_bytes("ranges", "", 0);
	node_close(1);
	node_open("/reserved-memory/restricted-dma");
	want_string("compatible", "restricted-dma-pool");
	want_cells("size", 0, 0x800000);
	want_cells("alignment", 0, 0x200000);
	want_cells("phandle", 0x8004);
	node_close(0);
}

/* Nodes that use the pool have dma-coherent, on both boards. */
static void check_pool_is_used(const struct setup *s)
{
	static const char * const nodes[] = { "/virtio_mmio@a003e00", "/pcie@10000000" };
	unsigned int i;

	(void)s;
	for (i = 0; i < ARRAY_SIZE(nodes); i++) {
		node_open(nodes[i]);
		want_bytes("dma-coherent", "", 0);
		want_cells("memory-region", 0x8004);
	}
}

static void check_pool_is_used_by_mmio(const struct setup *s)
{
	(void)s;
	node_open("/virtio_mmio@a000000");
	want_bytes("dma-coherent", "", 0);
	want_cells("memory-region", 0x8004);
}

static void check_no_pool(const struct setup *s)
{
	(void)s;
	tap_check(fdt_path_offset(blob, "/reserved-memory") == -FDT_ERR_NOTFOUND);
}

static void a_restricted_pool_is_described(void)
{
	for_all(check_no_pool);
	pool = 8 * MIB;
	for_all(check_pool);
	for_all(check_pool_is_used_by_mmio);
	vmm_board_virt(&board, &with);
	for_all(check_pool);
	for_all(check_pool_is_used);
	vmm_board_ranchu(&board, &without);
	pool = 0;
}

static void dtc_is_content(void)
{
	if (system("dtc --version >/dev/null 2>&1")) {
		tap_skip("no dtc here");
		return;
	}
	for_all(check_dtc);
	vmm_board_ranchu(&board, &with);
	for_all(check_dtc);
	vmm_board_ranchu(&board, &with_panic);
	for_all(check_dtc);
	vmm_board_ranchu(&board, &with_detector);
	for_all(check_dtc);
	vmm_board_virt(&board, &with);
	pool = 8 * MIB;
	for_all(check_dtc);
	pool = 0;
	for_all(check_dtc);
	vmm_board_ranchu(&board, &without);
}

static void long_command_line_is_refused(void)
{
	static char append[2 * VMM_FDT_SIZE];
	const struct vmm_config cfg = { .cpus = 1, .memory = 1 * GIB, .append = append };
	const struct vmm_layout layout = { 0 };

	memset(append, 'x', sizeof(append) - 1);
	tap_check(vmm_fdt_build(&board, &cfg, VMM_GIC_V2, &layout, blob, sizeof(blob)) < 0);
}

static const struct tap_case cases[] = {
	{ "root", root_is_right },
	{ "clock, memory, chosen", general_nodes_are_right },
	{ "psci", psci_is_right },
	{ "cpus", cpus_are_right },
	{ "timer", timer_is_right },
	{ "intc", intc_is_right },
	{ "devices", devices_are_right },
	{ "a clock is added on request", a_clock_is_added },
	{ "so is the generation", a_generation_is_added },
	{ "and where a panic is told, on either board", a_panic_is_told },
	{ "and where stuck vCPUs are found, likewise", stuck_vcpus_are_found },
	{ "virtio transports", virtio_is_right },
	{ "firmware and fstab", firmware_is_right },
	{ "disks are in the fstab", disks_are_in_the_fstab },
	{ "disks in other transports are, too", disks_in_other_transports_are_in_the_fstab },
	{ "seeds are in the tree", seeds_are_in_the_tree },
	{ "order of nodes", order_is_right },
	{ "the second board", the_second_board_is_right },
	{ "a restricted DMA pool is what virtio devices have", a_restricted_pool_is_described },
	{ "dtc has nothing new to say", dtc_is_content },
	{ "a command line that is too long is refused", long_command_line_is_refused },
};

int main(void)
{
	vmm_board_ranchu(&board, &without);
	return tap_run(cases, ARRAY_SIZE(cases));
}
