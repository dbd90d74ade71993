// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes the x86_64 board's ACPI tables: CPUs, interrupts, power and devices. Parts that are
 * the same on every board are in dsdt.asl; devices describe themselves and are written to a
 * second table, an SSDT.
 *
 * Source: ACPI specification 6.5, section 5.2.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <linux/ranchu_pc.h>

#include "boards/acpi.h"
#include "boards/aml.h"
#include "devices/pc.h"
#include "machine/machine.h"

/* dsdt_aml_code[] */
#include "boards/dsdt.hex"

#define HEADER			36	/* bytes before a table's own */
#define RSDP_SIZE		36
#define RSDP_FIRST_SUM		20	/* bytes of ACPI 1.0 */
#define FACS_SIZE		64
#define FADT_SIZE		276
#define TABLES			3	/* tables in the XSDT */

#define FADT_WBINVD		(1 << 0)
#define FADT_PROC_C1		(1 << 2)
#define FADT_NO_SLEEP_BUTTON	(1 << 5)
#define FADT_TIMER_32		(1 << 8)
#define FADT_RESET_REG		(1 << 10)
#define BOOT_LEGACY		(1 << 0)
#define BOOT_NO_VGA		(1 << 2)
#define BOOT_NO_RTC		(1 << 5)
#define RESET_VALUE		0x0e
#define NO_C_STATE		0xfff
#define SPACE_PORTS		1

#define MADT_PCAT		1	/* the board has PICs as well */
#define MADT_LAPIC		0
#define MADT_IOAPIC		1
#define MADT_OVERRIDE		2
#define MADT_NMI		4
#define LEVEL_HIGH		0x0d
#define TIMER_GSI		2

#define PORTS_MAX		255	/* ports in a descriptor */

/**
 * struct tables - the tables that are being written
 * @visitor: visitor of the devices
 * @aml: the bytes so far
 * @gpa: guest physical address of the first one
 */
struct tables {
	struct vmm_visitor visitor;
	struct vmm_aml aml;
	u64 gpa;
};

static void put8(struct tables *t, u64 value)
{
	vmm_aml_put(&t->aml, value, 1);
}

static void put16(struct tables *t, u64 value)
{
	vmm_aml_put(&t->aml, value, 2);
}

static void put32(struct tables *t, u64 value)
{
	vmm_aml_put(&t->aml, value, 4);
}

static void put64(struct tables *t, u64 value)
{
	vmm_aml_put(&t->aml, value, 8);
}

static void put_zeros(struct tables *t, unsigned int count)
{
	while (count--)
		put8(t, 0);
}

static void align(struct tables *t, unsigned int to)
{
	while (t->aml.len % to && !t->aml.full)
		put8(t, 0);
}

/* Sets the checksum byte at @at so that the sum of @len bytes is 0. */
static void sum(struct tables *t, size_t begin, size_t len, size_t at)
{
	u8 total = 0;
	size_t i;

	if (t->aml.full)
		return;
	t->aml.bytes[begin + at] = 0;
	for (i = 0; i < len; i++)
		total += t->aml.bytes[begin + i];
	t->aml.bytes[begin + at] = -total;
}

static size_t table_begin(struct tables *t, const char *signature, u8 revision)
{
	size_t begin;

	align(t, 16);
	begin = t->aml.len;
	vmm_aml_bytes(&t->aml, signature, 4);
	put32(t, 0);				/* length, later */
	put8(t, revision);
	put8(t, 0);				/* sum, later */
	vmm_aml_bytes(&t->aml, "RANCHU", 6);
	vmm_aml_bytes(&t->aml, "PC\0\0\0\0\0", 8);
	put32(t, 1);
	vmm_aml_bytes(&t->aml, "VMMC", 4);
	put32(t, 1);
	return begin;
}

/* Returns the guest physical address of the table. */
static u64 table_end(struct tables *t, size_t begin)
{
	size_t len = t->aml.len - begin;
	unsigned int i;

	if (t->aml.full)
		return 0;
	for (i = 0; i < 4; i++)
		t->aml.bytes[begin + 4 + i] = len >> 8 * i;
	sum(t, begin, len, 9);
	return t->gpa + begin;
}

static u64 write_dsdt(struct tables *t)
{
	align(t, 16);
	vmm_aml_bytes(&t->aml, dsdt_aml_code, sizeof(dsdt_aml_code));
	return t->gpa + t->aml.len - sizeof(dsdt_aml_code);
}

/* daffd814-6eba-4d8c-8a91-bc9bbf4aa301: properties, each a name and a value. */
static const u8 properties[16] = {
	0x14, 0xd8, 0xff, 0xda, 0xba, 0x6e, 0x8c, 0x4d,
	0x8a, 0x91, 0xbc, 0x9b, 0xbf, 0x4a, 0xa3, 0x01,
};

static void write_pair(struct tables *t, const char *name, const char *value)
{
	size_t pair = vmm_aml_package(&t->aml, 2);

	vmm_aml_string(&t->aml, name);
	vmm_aml_string(&t->aml, value);
	vmm_aml_end(&t->aml, pair);
}

/*
 * For drivers that have only device tree strings.
 *
 * Source: Linux 6.12 Documentation/firmware-guide/acpi/enumeration.rst, "Device Tree
 * namespace link device ID"
 */
static void write_compatible(struct tables *t, const char *compatible)
{
	size_t list, pairs;

	vmm_aml_name(&t->aml, "_CID");
	vmm_aml_string(&t->aml, "PRP0001");
	vmm_aml_name(&t->aml, "_DSD");
	list = vmm_aml_package(&t->aml, 2);
	vmm_aml_uuid(&t->aml, properties);
	pairs = vmm_aml_package(&t->aml, 1);
	write_pair(t, "compatible", compatible);
	vmm_aml_end(&t->aml, pairs);
	vmm_aml_end(&t->aml, list);
}

static void write_device(struct vmm_visitor *visitor, const struct vmm_description *d)
{
	struct tables *t = (struct tables *)visitor;
	size_t device, list;

	if (!d->hid)
		return;
	device = vmm_aml_device(&t->aml, d->name);
	vmm_aml_hid(&t->aml, d->hid);
	if (d->by_compatible)
		write_compatible(t, d->compatible[0]);
	if (d->text) {
		vmm_aml_name(&t->aml, "_STR");
		vmm_aml_unicode(&t->aml, d->text);
	}
	vmm_aml_name(&t->aml, "_CRS");
	list = vmm_aml_resources(&t->aml);
	if (d->space == VMM_PORTS)
		vmm_aml_ports(&t->aml, d->base, d->size < PORTS_MAX ? d->size : PORTS_MAX);
	else
		vmm_aml_memory(&t->aml, d->base, d->size);
	if (d->trigger == VMM_IRQ_EDGE_RISING)
		vmm_aml_irq(&t->aml, d->irq);
	else if (d->trigger)
		vmm_aml_interrupt(&t->aml, d->irq);
	vmm_aml_resources_end(&t->aml, list);
	vmm_aml_end(&t->aml, device);
}

#define PROPERTIES	5	/* properties of a partition */

static void write_property(struct tables *t, const char *partition, const char *key,
			   const char *value)
{
	char name[64];

	snprintf(name, sizeof(name), "android.%s%s%s%s", partition ? "fstab." : "",
		 partition ? partition : "", partition ? "." : "", key);
	write_pair(t, name, value);
}

static void write_partition(struct tables *t, const char *name, const char *compatible,
			    const char *dev)
{
	if (!dev)
		return;
	write_property(t, name, "compatible", compatible);
	write_property(t, name, "dev", dev);
	write_property(t, name, "type", "ext4");
	write_property(t, name, "mnt_flags", "ro");
	write_property(t, name, "fsmgr_flags", "wait");
}

/* The contents of the firmware node of the ranchu board's device tree. */
static void write_android(struct tables *t, const struct vmm_config *cfg)
{
	unsigned int partitions = !!cfg->fstab_system + !!cfg->fstab_vendor;
	size_t device, list, pairs;

	if (!partitions)
		return;
	device = vmm_aml_device(&t->aml, "ANDT");
	vmm_aml_hid(&t->aml, "ANDR0001");
	vmm_aml_name(&t->aml, "_STR");
	vmm_aml_unicode(&t->aml, "android device tree");
	vmm_aml_name(&t->aml, "_DSD");
	list = vmm_aml_package(&t->aml, 2);
	vmm_aml_uuid(&t->aml, properties);
	pairs = vmm_aml_package(&t->aml, 2 + PROPERTIES * partitions);
	write_property(t, NULL, "compatible", "android,firmware");
	write_property(t, NULL, "fstab.compatible", "android,fstab");
	write_partition(t, "system", "android,system", cfg->fstab_system);
	write_partition(t, "vendor", "android,vendor", cfg->fstab_vendor);
	vmm_aml_end(&t->aml, pairs);
	vmm_aml_end(&t->aml, list);
	vmm_aml_end(&t->aml, device);
}

static u64 write_ssdt(struct tables *t, const struct vmm_board *board,
		      const struct vmm_config *cfg)
{
	size_t begin = table_begin(t, "SSDT", 2);
	size_t scope = vmm_aml_scope(&t->aml, "\\_SB");
	unsigned int i;

	for (i = 0; i < board->devices; i++)
		board->dev[i].ops->describe(&board->dev[i], &t->visitor);
	write_android(t, cfg);
	vmm_aml_end(&t->aml, scope);
	return table_end(t, begin);
}

/* FACS has the waking vector, which is not used: this board does not sleep. */
static u64 write_facs(struct tables *t)
{
	size_t begin;

	align(t, FACS_SIZE);
	begin = t->aml.len;
	vmm_aml_bytes(&t->aml, "FACS", 4);
	put32(t, FACS_SIZE);
	put_zeros(t, 24);
	put8(t, 2);				/* version */
	put_zeros(t, FACS_SIZE - 33);
	return t->gpa + begin;
}

/* Writes the address of a register of @bits bits in ports; 0 bits for none. */
static void put_register(struct tables *t, u64 port, unsigned int bits, unsigned int access)
{
	put8(t, bits ? SPACE_PORTS : 0);
	put8(t, bits);
	put8(t, 0);
	put8(t, access);
	put64(t, port);
}

static void write_fadt_registers(struct tables *t, u64 dsdt)
{
	put64(t, 0);				/* FACS: has its 32-bit field */
	put64(t, dsdt);
	put_register(t, RANCHU_PC_PM_PORT, 32, 2);
	put_register(t, 0, 0, 0);
	put_register(t, RANCHU_PC_PM_PORT + 4, 16, 2);
	put_register(t, 0, 0, 0);
	put_register(t, 0, 0, 0);
	put_register(t, RANCHU_PC_PM_PORT + 8, 32, 3);
	put_register(t, 0, 0, 0);		/* no general purpose events */
	put_register(t, 0, 0, 0);
	put_register(t, 0, 0, 0);		/* sleep control and status: none */
	put_register(t, 0, 0, 0);
	put64(t, 0);				/* hypervisor */
}

static u64 write_fadt(struct tables *t, const struct vmm_config *cfg, u64 dsdt, u64 facs)
{
	size_t begin = table_begin(t, "FACP", 6);

	put32(t, facs);
	put32(t, dsdt);
	put16(t, 0);				/* power profile: unspecified */
	put16(t, RANCHU_PC_SCI_GSI);
	put32(t, 0);				/* no SMI, so ACPI is always on */
	put32(t, 0);
	put32(t, RANCHU_PC_PM_PORT);
	put32(t, 0);
	put32(t, RANCHU_PC_PM_PORT + 4);
	put32(t, 0);
	put32(t, 0);
	put32(t, RANCHU_PC_PM_PORT + 8);
	put64(t, 0);				/* general purpose events */
	put8(t, 4);				/* bytes of events, control, timer */
	put8(t, 2);
	put8(t, 0);
	put8(t, 4);
	put32(t, 0);
	put16(t, NO_C_STATE);
	put16(t, NO_C_STATE);
	put64(t, 0);				/* flush, duty; the alarm's day and month */
	put8(t, cfg->rtc ? VMM_CMOS_CENTURY : 0);
	put16(t, BOOT_LEGACY | BOOT_NO_VGA | (cfg->rtc ? 0 : BOOT_NO_RTC));
	put8(t, 0);
	put32(t, FADT_WBINVD | FADT_PROC_C1 | FADT_NO_SLEEP_BUTTON | FADT_TIMER_32 |
		 FADT_RESET_REG);
	put_register(t, RANCHU_PC_RESET_PORT, 8, 1);
	put8(t, RESET_VALUE);
	put16(t, 0);
	put8(t, 0);				/* minor version */
	write_fadt_registers(t, dsdt);
	return table_end(t, begin);
}

static void write_override(struct tables *t, u8 irq, u32 gsi, u16 flags)
{
	put8(t, MADT_OVERRIDE);
	put8(t, 10);
	put8(t, 0);				/* ISA */
	put8(t, irq);
	put32(t, gsi);
	put16(t, flags);
}

static u64 write_madt(struct tables *t, const struct vmm_config *cfg)
{
	static const u8 levels[] = { RANCHU_PC_SCI_GSI, RANCHU_PC_PCI_GSI_A, RANCHU_PC_PCI_GSI_B };
	size_t begin = table_begin(t, "APIC", 5);
	unsigned int i;

	put32(t, RANCHU_PC_LAPIC_BASE);
	put32(t, MADT_PCAT);
	for (i = 0; i < cfg->cpus; i++) {
		put8(t, MADT_LAPIC);
		put8(t, 8);
		put8(t, i);
		put8(t, i);			/* the APIC's id */
		put32(t, 1);			/* enabled */
	}
	put8(t, MADT_IOAPIC);
	put8(t, 12);
	put8(t, 0);
	put8(t, 0);
	put32(t, RANCHU_PC_IOAPIC_BASE);
	put32(t, 0);
	write_override(t, 0, TIMER_GSI, 0);
	for (i = 0; i < sizeof(levels); i++)
		write_override(t, levels[i], levels[i], LEVEL_HIGH);
	put8(t, MADT_NMI);
	put8(t, 6);
	put8(t, 0xff);				/* all CPUs */
	put16(t, 0);
	put8(t, 1);
	return table_end(t, begin);
}

static u64 write_xsdt(struct tables *t, const u64 tables[TABLES])
{
	size_t begin = table_begin(t, "XSDT", 1);
	unsigned int i;

	for (i = 0; i < TABLES; i++)
		put64(t, tables[i]);
	return table_end(t, begin);
}

/* The root pointer is first in memory; it is written last. */
static void write_rsdp(struct tables *t, u64 xsdt)
{
	size_t end = t->aml.len;

	t->aml.len = 0;
	vmm_aml_bytes(&t->aml, "RSD PTR ", 8);
	put8(t, 0);
	vmm_aml_bytes(&t->aml, "RANCHU", 6);
	put8(t, 2);				/* revision */
	put32(t, 0);				/* no 32-bit list */
	put32(t, RSDP_SIZE);
	put64(t, xsdt);
	put32(t, 0);
	sum(t, 0, RSDP_FIRST_SUM, 8);
	sum(t, 0, RSDP_SIZE, 32);
	t->aml.len = end;
}

/* Text in AML is ASCII. */
static int check_partition(const char *option, const char *path)
{
	const char *c;

	for (c = path; c && *c; c++) {
		if (*c & 0x80)
			return vmm_error(-EINVAL, "%s: only ASCII characters are possible",
					 option);
	}
	return 0;
}

/**
 * vmm_acpi_build - write all tables
 * @board: its devices need not be created
 * @cfg: has CPUs, clock, Android's partitions
 * @to: the buffer
 * @size: bytes
 * @gpa: guest physical address of @to, 64-byte aligned
 *
 * Return: 0, or -errno after a message: -ENOSPC if @size is too small
 */
int vmm_acpi_build(const struct vmm_board *board, const struct vmm_config *cfg, void *to,
		   size_t size, u64 gpa)
{
	struct tables t = {
		.visitor.device = write_device,
		.aml = { .bytes = to, .size = size },
		.gpa = gpa,
	};
	u64 tables[TABLES];
	u64 dsdt;
	int err = check_partition("--fstab-system", cfg->fstab_system);

	if (!err)
		err = check_partition("--fstab-vendor", cfg->fstab_vendor);
	if (err)
		return err;
	put_zeros(&t, RSDP_SIZE);
	dsdt = write_dsdt(&t);
	tables[0] = write_fadt(&t, cfg, dsdt, write_facs(&t));
	tables[1] = write_madt(&t, cfg);
	tables[2] = write_ssdt(&t, board, cfg);
	write_rsdp(&t, write_xsdt(&t, tables));
	if (t.aml.full)
		return vmm_error(-ENOSPC, "the ACPI tables need more than %zu bytes", size);
	return 0;
}

/**
 * vmm_acpi_load - write all tables into guest RAM
 * @vm: has RAM and a board
 * @rsdp: filled: guest physical address of the root pointer
 *
 * Return: 0, or -ENOSPC after a message
 */
int vmm_acpi_load(const struct vmm_vm *vm, u64 *rsdp)
{
	void *to = vmm_mem_ptr(&vm->mem, RANCHU_PC_ACPI_BASE, RANCHU_PC_ACPI_SIZE);

	*rsdp = RANCHU_PC_ACPI_BASE;
	return vmm_acpi_build(&vm->board, vm->cfg, to, RANCHU_PC_ACPI_SIZE, RANCHU_PC_ACPI_BASE);
}
