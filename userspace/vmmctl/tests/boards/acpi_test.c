// SPDX-License-Identifier: GPL-2.0-only
/*
 * The x86_64 board and its ACPI tables: the test follows them as a kernel does, and checks them
 * with Intel's compiler.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boards/acpi.h"
#include "boards/aml.h"
#include "machine/machine.h"
#include "tests/tap.h"

#define GPA	0xe0000
#define SIZE	0x20000

static struct vmm_board board;
static struct vmm_config cfg = { .cpus = 1, .rtc = true };
static u8 tables[SIZE];

static u64 get(const u8 *from, unsigned int at, unsigned int len)
{
	u64 value = 0;

	while (len--)
		value = value << 8 | from[at + len];
	return value;
}

static u8 sum(const u8 *bytes, size_t len)
{
	u8 total = 0;

	while (len--)
		total += *bytes++;
	return total;
}

static void build(unsigned int cpus)
{
	cfg.cpus = cpus;
	memset(tables, 0xee, sizeof(tables));
	vmm_board_pc(&board, &cfg);
	tap_equal(vmm_acpi_build(&board, &cfg, tables, sizeof(tables), GPA), 0);
}

/* The table at a guest's address, or NULL. */
static const u8 *table_at(u64 gpa)
{
	if (!tap_check(gpa >= GPA && gpa < GPA + SIZE - 36))
		return NULL;
	return tables + (gpa - GPA);
}

/* Finds a table in the XSDT. */
static const u8 *table_find(const char *signature)
{
	const u8 *xsdt = table_at(get(tables, 24, 8));
	unsigned int i;

	for (i = 36; xsdt && i < get(xsdt, 4, 4); i += 8) {
		const u8 *table = table_at(get(xsdt, i, 8));

		if (table && !memcmp(table, signature, 4))
			return table;
	}
	return NULL;
}

static void check_table(const u8 *table)
{
	u64 len;

	if (!tap_check(table))
		return;
	tap_context("%.4s", (const char *)table);
	len = get(table, 4, 4);
	tap_check(len >= 36 && len <= SIZE - (size_t)(table - tables));
	tap_equal(sum(table, len), 0);
	tap_equal((table - tables) % 16, 0);
}

static void sums_are_right(void)
{
	static const unsigned int cpus[] = { 1, 2, 4, 9, VMM_MAX_CPUS };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cpus); i++) {
		build(cpus[i]);
		tap_context("root");
		tap_check(!memcmp(tables, "RSD PTR ", 8));
		tap_equal(sum(tables, 20), 0);
		tap_equal(sum(tables, 36), 0);
		tap_equal(tables[15], 2);
		check_table(table_at(get(tables, 24, 8)));
		check_table(table_find("FACP"));
		check_table(table_find("APIC"));
		check_table(table_find("SSDT"));
		check_table(table_at(get(table_find("FACP"), 140, 8)));
	}
}

static void power_is_described(void)
{
	const u8 *fadt;

	build(1);
	fadt = table_find("FACP");
	if (!tap_check(fadt))
		return;
	tap_equal(get(fadt, 4, 4), 276);
	tap_equal(get(fadt, 8, 1), 6);
	tap_equal(get(fadt, 40, 4), get(fadt, 140, 8));
	tap_check(!memcmp(table_at(get(fadt, 36, 4)), "FACS", 4));
	tap_equal(get(fadt, 36, 4) % 64, 0);
	tap_equal(get(fadt, 46, 2), 9);
	tap_equal(get(fadt, 48, 4), 0);
	tap_equal(get(fadt, 56, 4), 0x600);
	tap_equal(get(fadt, 64, 4), 0x604);
	tap_equal(get(fadt, 76, 4), 0x608);
	tap_equal(get(fadt, 88, 4), 0x04000204);
	tap_equal(get(fadt, 108, 1), 0x32);
	/* No keyboard controller, no VGA; a clock. */
	tap_equal(get(fadt, 109, 2), 0x0005);
	tap_equal(get(fadt, 112, 4), 0x525);
	tap_equal(get(fadt, 116, 4), 0x01000801);
	tap_equal(get(fadt, 120, 8), 0xcf9);
	tap_equal(get(fadt, 128, 1), 0x0e);
	tap_equal(get(fadt, 148, 4), 0x02002001);
	tap_equal(get(fadt, 152, 8), 0x600);
	tap_equal(get(fadt, 172, 4), 0x02001001);
	tap_equal(get(fadt, 176, 8), 0x604);
	tap_equal(get(fadt, 208, 4), 0x03002001);
	tap_equal(get(fadt, 212, 8), 0x608);
	cfg.rtc = false;
	build(1);
	fadt = table_find("FACP");
	tap_equal(get(fadt, 108, 1), 0);
	tap_equal(get(fadt, 109, 2), 0x0025);
	cfg.rtc = true;
}

static void every_cpu_is_listed(void)
{
	unsigned int cpus;

	for (cpus = 1; cpus <= VMM_MAX_CPUS; cpus++) {
		unsigned int at = 44, seen = 0, ioapics = 0, overrides = 0;
		const u8 *madt;

		build(cpus);
		madt = table_find("APIC");
		tap_context("%u CPUs", cpus);
		tap_equal(get(madt, 36, 4), 0xfee00000);
		while (at < get(madt, 4, 4)) {
			const u8 *e = madt + at;

			if (!tap_check(e[1]))
				return;
			if (e[0] == 0) {
				tap_equal(e[2], seen);
				tap_equal(e[3], seen);
				tap_equal(get(e, 4, 4), 1);
				seen++;
			} else if (e[0] == 1) {
				tap_equal(get(e, 4, 4), 0xfec00000);
				ioapics++;
			} else if (e[0] == 2) {
				tap_equal(get(e, 8, 2), e[3] ? 0xd : 0);
				tap_equal(get(e, 4, 4), e[3] ? e[3] : 2);
				overrides++;
			}
			at += e[1];
		}
		tap_equal(at, get(madt, 4, 4));
		tap_equal(seen, cpus);
		tap_equal(ioapics, 1);
		tap_equal(overrides, 4);
	}
}

/* The AML bytes of a goldfish device's registers and interrupt. */
static void devices_are_described(void)
{
	static const u8 pipe[] = {
		'G', 'F', 'S', 'H', '0', '0', '0', '3', 0,
	};
	static const u8 pipe_crs[] = {
		0x86, 0x09, 0x00, 0x01, 0x00, 0x10, 0x00, 0xff, 0x00, 0x20, 0x00, 0x00,
		0x89, 0x06, 0x00, 0x09, 0x01, 0x12, 0x00, 0x00, 0x00, 0x79,
	};
	static const u8 com1[] = {
		0x47, 0x01, 0xf8, 0x03, 0xf8, 0x03, 0x01, 0x08, 0x22, 0x10, 0x00, 0x79,
	};
	static const u8 com1_hid[] = { 0x0c, 0x41, 0xd0, 0x05, 0x01 };
	const u8 *ssdt;
	size_t len;

	build(1);
	ssdt = table_find("SSDT");
	len = get(ssdt, 4, 4);
	tap_check(memmem(ssdt, len, pipe, sizeof(pipe)));
	tap_check(memmem(ssdt, len, pipe_crs, sizeof(pipe_crs)));
	tap_check(memmem(ssdt, len, com1, sizeof(com1)));
	tap_check(memmem(ssdt, len, com1_hid, sizeof(com1_hid)));
}

/* The DSDT's _PRT has the same interrupt for a slot's pin A as the bus. */
static void pins_are_wired_as_described(void)
{
	u8 entry[] = { 0x12, 0x0b, 4, 0x0c, 0xff, 0xff, 0, 0, 0, 0, 0x0a, 0 };
	unsigned int found = 0;
	const u8 *dsdt, *at;
	unsigned int slot;
	size_t len;

	build(1);
	dsdt = table_at(get(table_find("FACP"), 140, 8));
	len = get(dsdt, 4, 4);
	for (at = dsdt; (at = memmem(at, dsdt + len - at, entry, 6)); at++)
		found++;
	tap_equal(found, VMM_PCI_SLOTS - 1);
	for (slot = 1; slot < VMM_PCI_SLOTS; slot++) {
		tap_context("slot %u", slot);
		entry[6] = slot;
		entry[11] = board.pci.gsi[slot % VMM_PCI_PINS];
		tap_check(memmem(dsdt, len, entry, sizeof(entry)));
	}
}

/* Android's partitions, as its driver looks for them. */
static void partitions_are_described(void)
{
	static const u8 properties[] = {
		0x14, 0xd8, 0xff, 0xda, 0xba, 0x6e, 0x8c, 0x4d,
		0x8a, 0x91, 0xbc, 0x9b, 0xbf, 0x4a, 0xa3, 0x01,
	};
	static const char system[] = "android.fstab.system.dev\0\x0d/dev/block/vda";
	static const char vendor[] = "android.fstab.vendor.dev\0\x0d/dev/block/vde";
	static const char firmware[] = "android.compatible\0\015android,firmware";
	const u8 *ssdt;

	build(1);
	ssdt = table_find("SSDT");
	tap_check(!memmem(ssdt, get(ssdt, 4, 4), "ANDR0001", 9));
	cfg.fstab_system = "/dev/block/vda";
	build(1);
	ssdt = table_find("SSDT");
	tap_check(memmem(ssdt, get(ssdt, 4, 4), "ANDR0001", 9));
	tap_check(memmem(ssdt, get(ssdt, 4, 4), properties, sizeof(properties)));
	tap_check(memmem(ssdt, get(ssdt, 4, 4), firmware, sizeof(firmware)));
	tap_check(memmem(ssdt, get(ssdt, 4, 4), system, sizeof(system)));
	tap_check(!memmem(ssdt, get(ssdt, 4, 4), "android,vendor", 14));
	cfg.fstab_vendor = "/dev/block/vde";
	build(1);
	ssdt = table_find("SSDT");
	tap_check(memmem(ssdt, get(ssdt, 4, 4), vendor, sizeof(vendor)));
	/* A name with characters that ACPI cannot express is refused. */
	cfg.fstab_vendor = "/dev/\xc3\xa4";
	tap_equal(vmm_acpi_build(&board, &cfg, tables, sizeof(tables), GPA), -EINVAL);
	cfg.fstab_vendor = NULL;
	cfg.fstab_system = NULL;
}

/* Each size that is too small is refused, and nothing is written after the buffer. */
static void small_buffers_are_refused(void)
{
	size_t size, needed = 0;

	build(1);
	for (size = 0; size < 4096 && !needed; size += 97) {
		memset(tables, 0xee, sizeof(tables));
		if (!vmm_acpi_build(&board, &cfg, tables, size, GPA))
			needed = size;
		tap_equal(tables[size], 0xee);
	}
	tap_check(needed > 1000);
}

/* ---- Intel's compiler ---- */

#define TABLES	"for t in dsdt ssdt facp apic; do "

static char dir[32];

static void write_table(const char *name, const u8 *table)
{
	char path[64];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s.aml", dir, name);
	out = fopen(path, "w");
	if (tap_check(out))
		tap_check(fwrite(table, get(table, 4, 4), 1, out) == 1);
	fclose(out);
}

static bool run(const char *command)
{
	char line[512];

	snprintf(line, sizeof(line), "cd %s && %s", dir, command);
	return !system(line);
}

/* iasl disassembles the tables of a board and compiles the result without a warning. */
static void check_with_iasl(const struct vmm_config *other)
{
	const struct vmm_config saved = cfg;

	snprintf(dir, sizeof(dir), "/tmp/vmmctl-acpi-XXXXXX");
	if (!tap_check(mkdtemp(dir)))
		return;
	cfg = *other;
	build(other->cpus);
	cfg = saved;
	write_table("dsdt", table_at(get(table_find("FACP"), 140, 8)));
	write_table("ssdt", table_find("SSDT"));
	write_table("facp", table_find("FACP"));
	write_table("apic", table_find("APIC"));
	tap_check(run(TABLES "iasl -d $t.aml >$t.log 2>&1 || exit 1; done"));
	tap_check(run("! grep -il 'warning\\|error\\|invalid\\|checksum.*should' *.log | grep ."));
	tap_check(run(TABLES "iasl -we -p new-$t $t.dsl >$t.new 2>&1 || exit 1; done"));
	tap_check(run("! grep -h ' [1-9][0-9]* Warnings\\| [1-9][0-9]* Errors' *.new"));
	/* Encoded lengths may differ in the DSDT, but the FADT must be equal. */
	tap_check(run("cmp -s facp.aml new-facp.aml -i 36 || cmp facp.aml new-facp.aml -i 36"));
	tap_check(run("grep -q '\"goldfish pipe\"' ssdt.dsl"));
	tap_check(run("grep -q 'EisaId (\"PNP0501\")' ssdt.dsl"));
	run("rm -f *");
	rmdir(dir);
}

/* The board with the fewest devices, one with partitions, and one with everything. */
static void iasl_has_no_complaint(void)
{
	static const struct vmm_config boards[] = {
		{ .cpus = 1, .pvpanic = VMM_PVPANIC_OFF },
		{ .cpus = 4, .rtc = true, .fstab_system = "/dev/block/vda",
		  .fstab_vendor = "/dev/block/vde" },
		{ .cpus = VMM_MAX_CPUS, .rtc = true, .pvpanic = VMM_PVPANIC_ON, .pstore = "/pstore",
		  .address_space = true, .fstab_system = "/dev/block/vda" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(boards); i++)
		check_with_iasl(&boards[i]);
}

/* ---- the board ---- */

static const struct {
	enum vmm_space space;
	u64 addr;
	unsigned int len;
	const char *name;
} places[] = {
	{ VMM_PORTS, 0x3f8, 1, "uart16550" },
	{ VMM_PORTS, 0x3ff, 1, "uart16550" },
	{ VMM_PORTS, 0x400, 1, NULL },
	{ VMM_PORTS, 0x60, 1, NULL },
	{ VMM_PORTS, 0x64, 1, "i8042" },
	{ VMM_PORTS, 0x70, 1, "cmos" },
	{ VMM_PORTS, 0x71, 1, "cmos" },
	{ VMM_PORTS, 0x72, 1, NULL },
	{ VMM_PORTS, 0x505, 1, "pvpanic" },
	{ VMM_PORTS, 0x600, 2, "acpi_pm" },
	{ VMM_PORTS, 0x608, 4, "acpi_pm" },
	{ VMM_PORTS, 0x60c, 1, NULL },
	{ VMM_PORTS, 0xcf9, 1, "reset" },
	{ VMM_PORTS, 0xff001000, 4, NULL },
	{ VMM_MMIO, 0x3f8, 1, NULL },
	{ VMM_MMIO, 0xfeffffff, 1, NULL },
	{ VMM_MMIO, 0xff000000, 8, "vmgenid" },
	{ VMM_MMIO, 0xff000fff, 1, "vmgenid" },
	{ VMM_MMIO, 0xff001000, 4, "pipe" },
	{ VMM_MMIO, 0xff002fff, 1, "pipe" },
	{ VMM_MMIO, 0xff003000, 1, NULL },
	{ VMM_MMIO, 0xff010000, 4, "battery" },
	{ VMM_MMIO, 0xff011000, 4, "events" },
	{ VMM_MMIO, 0xff012000, 4, "fb" },
	{ VMM_MMIO, 0xff012100, 4, NULL },
	{ VMM_MMIO, 0xff013000, 4, "audio" },
	{ VMM_MMIO, 0xff014000, 4, "sync" },
	{ VMM_MMIO, 0xff016000, 4, "rtc" },
	{ VMM_MMIO, 0xff017000, 4, "rotary" },
	{ VMM_MMIO, 0xff018000, 4, NULL },
};

static void addresses_find_their_device(void)
{
	unsigned int i;

	vmm_board_pc(&board, &cfg);
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		const struct vmm_device *dev = vmm_board_find(&board, places[i].space,
							      places[i].addr, places[i].len);

		tap_context("0x%llx", places[i].addr);
		if (!places[i].name)
			tap_check(!dev);
		else
			tap_check(dev && !strcmp(dev->ops->name, places[i].name));
	}
}

/* The default is on; the user can switch it off. */
static void a_panic_is_told_by_default(void)
{
	cfg.pvpanic = VMM_PVPANIC_OFF;
	vmm_board_pc(&board, &cfg);
	tap_check(!vmm_board_find(&board, VMM_PORTS, 0x505, 1));
	cfg.pvpanic = VMM_PVPANIC_ON;
	vmm_board_pc(&board, &cfg);
	tap_check(vmm_board_find(&board, VMM_PORTS, 0x505, 1));
	cfg.pvpanic = VMM_PVPANIC_AUTO;
}

static void interrupts_are_apart(void)
{
	unsigned int users[24] = { 0 };
	unsigned int i;

	vmm_board_pc(&board, &cfg);
	for (i = 0; i < board.devices; i++) {
		tap_check(board.dev[i].irq < 24);
		users[board.dev[i].irq]++;
	}
	/* Devices without an interrupt have 0, which is the timer's. */
	for (i = 1; i < 24; i++) {
		tap_context("interrupt %u", i);
		tap_check(users[i] <= 1);
		if (i >= 16)
			tap_equal(users[i], 1);
	}
}

static const struct tap_case cases[] = {
	{ "every address finds its device", addresses_find_their_device },
	{ "a panic is told by default", a_panic_is_told_by_default },
	{ "no interrupt is used twice", interrupts_are_apart },
	{ "sums and lengths are right", sums_are_right },
	{ "the FADT describes power", power_is_described },
	{ "the MADT lists every CPU", every_cpu_is_listed },
	{ "the SSDT describes devices", devices_are_described },
	{ "the DSDT wires PCI slots' pins as the bus does", pins_are_wired_as_described },
	{ "the SSDT describes Android's partitions", partitions_are_described },
	{ "buffers that are too small are refused", small_buffers_are_refused },
	{ "iasl takes all of it apart and puts it together again", iasl_has_no_complaint },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
