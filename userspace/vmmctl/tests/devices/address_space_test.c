// SPDX-License-Identifier: GPL-2.0-only
/*
 * The goldfish address space on the x86_64 board: configuration space and registers, as a guest's
 * driver uses them, and host memory in its area. KVM is replaced by a record of calls.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/pci_regs.h>

#include "devices/address_space.h"
#include "host/address_wire.h"
#include "host/unix.h"
#include "machine/machine.h"
#include "pci/host.h"
#include "tests/tap.h"

#define PAGE	4096ULL
#define RAM	(16 * MIB)

/* Numbers of registers, as in the specification. */
#define COMMAND		0
#define STATUS		4
#define PAGE_SIZE_REG	8
#define SIZE_LOW	12
#define SIZE_HIGH	16
#define OFFSET_LOW	20
#define OFFSET_HIGH	24
#define PING		28
#define PING_LOW	32
#define PING_HIGH	36
#define HANDLE		40
#define START_LOW	44
#define START_HIGH	48
#define PING_WITH_DATA	52

#define ALLOCATE	1
#define DEALLOCATE	2
#define GEN_HANDLE	3
#define DESTROY_HANDLE	4
#define TELL_PING_ADDR	5

#define UNKNOWN		38	/* ENOSYS of Linux */

/* ---- a machine without KVM ---- */

static void line_set(struct vmm_line *line, bool raised)
{
	(void)line;
	(void)raised;
}

static int line_attach(struct vmm_line *line)
{
	(void)line;
	return 0;
}

static const struct vmm_line_ops line_ops = { .set = line_set, .attach = line_attach };

static struct vmm_config cfg;
static struct vmm_vm vm;
static struct vmm_pci_bus *bus;
static struct vmm_device *dev;

/* Memslots of the guest, by number. */
static struct {
	u64 gpa;
	u64 size;
	void *hva;
} slots[64];

static int refuse_memory;

static int record_memory(void *arg, u32 slot, u64 gpa, u64 size, void *hva)
{
	(void)arg;
	if (!tap_check(slot < ARRAY_SIZE(slots)) || (size && refuse_memory))
		return -EINVAL;
	tap_check(!size != !slots[slot].size);
	slots[slot].gpa = gpa;
	slots[slot].size = size;
	slots[slot].hva = hva;
	return 0;
}

static unsigned int shown(void)
{
	unsigned int count = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(slots); i++)
		count += !!slots[i].size;
	return count;
}

static struct vmm_pci_wires recording;

/* Options of the next machine: the socket of a program, and a disk in its slot. */
static const char *socket_path;
static const char *disk_path;

/* On failure returns false; RAM, loop and eventfd remain. */
static bool machine_open_only(void)
{
	memset(slots, 0, sizeof(slots));
	refuse_memory = 0;
	cfg = (struct vmm_config){
		.pipe = VMM_PIPE_NONE, .sync = VMM_SYNC_NONE, .memory = RAM, .vmgenid = true,
		.screen_width = 320, .screen_height = 480, .screen_depth = 32,
		.address_space = true, .address_socket = socket_path,
	};
	if (disk_path) {
		cfg.disks = 1;
		cfg.disk[0] = (struct vmm_disk){
			.path = disk_path, .block_size = 512, .queues = 1, .user = true,
			.transport.slot = VMM_ADDRESS_SLOT,
		};
	}
	vm = (struct vmm_vm){
		.cfg = &cfg, .line_ops = &line_ops, .fd = -1, .end_fd = vmm_event_create(),
	};
	vmm_board_pc(&vm.board, &cfg);
	vm.loop = vmm_loop_create();
	return tap_check(!vmm_mem_add(&vm.mem, 0, RAM)) && !vmm_board_create(&vm);
}

static bool machine_open(void)
{
	struct vmm_pci_host *host;
	unsigned int i;

	if (!tap_check(machine_open_only()))
		return false;
	for (i = 0; i < vm.board.devices; i++) {
		if (vm.board.dev[i].ops == &vmm_address_space_ops)
			dev = &vm.board.dev[i];
	}
	host = vmm_pci_host_find(&vm);
	bus = &host->bus;
	recording = vmm_pci_kvm;
	recording.memory = record_memory;
	bus->wires = &recording;
	return tap_check(dev);
}

static void machine_close(void)
{
	vmm_board_destroy(&vm);
	tap_equal(shown(), 0);
	vmm_mem_destroy(&vm.mem);
	vmm_loop_destroy(vm.loop);
	close(vm.end_fd);
	dev = NULL;
}

static u32 config(unsigned int offset, unsigned int len)
{
	return vmm_pci_config_read(bus, 11, offset, len);
}

static void set_config(unsigned int offset, u32 value, unsigned int len)
{
	vmm_pci_config_write(bus, 11, offset, value, len);
}

static void decode(bool on)
{
	set_config(PCI_COMMAND, on ? PCI_COMMAND_MEMORY : 0, 2);
}

static u64 control(void)
{
	return config(PCI_BASE_ADDRESS_0, 4) & ~15U;
}

static u64 area(void)
{
	return (u64)config(PCI_BASE_ADDRESS_2, 4) << 32 | (config(PCI_BASE_ADDRESS_1, 4) & ~15U);
}

static u32 rd(unsigned int reg)
{
	return vmm_pci_read(bus, false, control() + reg, 4);
}

static void wr(unsigned int reg, u32 value)
{
	vmm_pci_write(bus, false, control() + reg, value, 4);
}

static u32 command(u32 number)
{
	wr(COMMAND, number);
	return rd(STATUS);
}

static u32 allocate(u64 size)
{
	wr(SIZE_LOW, size);
	wr(SIZE_HIGH, size >> 32);
	return command(ALLOCATE);
}

static u64 offset(void)
{
	return (u64)rd(OFFSET_HIGH) << 32 | rd(OFFSET_LOW);
}

static u64 size(void)
{
	return (u64)rd(SIZE_HIGH) << 32 | rd(SIZE_LOW);
}

static u32 release(u64 at)
{
	wr(OFFSET_LOW, at);
	wr(OFFSET_HIGH, at >> 32);
	return command(DEALLOCATE);
}

/* As a driver opens a file; @gpa is its ping page. */
static u32 open_handle(u64 gpa)
{
	u32 handle;

	tap_equal(command(GEN_HANDLE), 0);
	handle = rd(HANDLE);
	wr(HANDLE, handle);
	wr(PING_LOW, gpa);
	wr(PING_HIGH, gpa >> 32);
	tap_equal(command(TELL_PING_ADDR), 0);
	tap_check(rd(PING_LOW) == (u32)gpa && rd(PING_HIGH) == gpa >> 32);
	return handle;
}

static u64 counted(const char *name)
{
	static struct vmm_report report;
	unsigned int i;

	memset(&report, 0, sizeof(report));
	dev->ops->stats(dev, &report);
	for (i = 0; i < report.count; i++) {
		if (!strcmp(report.names[i], name))
			return report.values[i];
	}
	tap_check(!"there is such a counter");
	return 0;
}

static void with_machine(void (*fn)(void))
{
	if (machine_open()) {
		decode(true);
		fn();
	}
	machine_close();
}

/* ---- the function ---- */

static void look_at_function(void)
{
	tap_equal(config(PCI_VENDOR_ID, 4), 0xf153607d);
	tap_equal(config(PCI_CLASS_REVISION, 4), 0x00ff0001);
	tap_equal(config(PCI_STATUS, 2) & PCI_STATUS_CAP_LIST, 0);
	tap_equal(config(PCI_INTERRUPT_PIN, 1), 0);
	decode(false);
	tap_equal(config(PCI_BASE_ADDRESS_0, 4) & 15, 0);
	tap_equal(config(PCI_BASE_ADDRESS_1, 4) & 15, 4);
	/* At power-on the area is above all RAM, 16 GiB aligned, inside the window. */
	tap_equal(area(), 0x800000000ULL);
	set_config(PCI_BASE_ADDRESS_0, ~0U, 4);
	tap_equal(config(PCI_BASE_ADDRESS_0, 4), 0xfffff000);
	set_config(PCI_BASE_ADDRESS_1, ~0U, 4);
	set_config(PCI_BASE_ADDRESS_2, ~0U, 4);
	tap_equal(config(PCI_BASE_ADDRESS_1, 4), 4);
	tap_equal(config(PCI_BASE_ADDRESS_2, 4), 0xfffffffc);
	tap_equal(config(PCI_BASE_ADDRESS_3, 4), 0);
}

static void it_is_the_function_guests_look_for(void)
{
	with_machine(look_at_function);
}

static void look_at_sizes(void)
{
	static const u8 lengths[] = { 1, 2, 8 };
	unsigned int i;

	wr(START_LOW, 0x12345678);
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		tap_equal(vmm_pci_read(bus, false, control() + START_LOW, lengths[i]), 0);
		vmm_pci_write(bus, false, control() + START_LOW, 0x11, lengths[i]);
		tap_equal(rd(START_LOW), 0x12345678);
	}
	for (i = 1; i < 4; i++) {
		tap_equal(vmm_pci_read(bus, false, control() + START_LOW + i, 4), 0);
		vmm_pci_write(bus, false, control() + START_LOW + i, ~0U, 4);
	}
	tap_equal(rd(START_LOW), 0x12345678);
	tap_equal(rd(START_HIGH), 0);
	/* A command of 8 bytes is ignored. */
	vmm_pci_write(bus, false, control(), GEN_HANDLE, 8);
	tap_equal(rd(HANDLE), 0);
	for (i = 56; i < 0x1000; i += 4) {
		wr(i, ~0U);
		if (rd(i))
			tap_check(!"a register that there is not reads as 0");
	}
	tap_equal(vmm_pci_read(bus, false, area(), 4), 0);
	vmm_pci_write(bus, false, area(), ~0U, 4);
}

static void only_accesses_of_4_bytes_count(void)
{
	with_machine(look_at_sizes);
}

static void look_at_registers(void)
{
	static const u8 kept[] = {
		SIZE_LOW, SIZE_HIGH, OFFSET_LOW, OFFSET_HIGH, PING_LOW, PING_HIGH, HANDLE,
		START_LOW, START_HIGH,
	};
	static const u32 wrong[] = { 0, 1, 4095, 4097, 12288, 0x80000000, ~0U, 131072, 2048 };
	u32 page = sysconf(_SC_PAGESIZE);
	unsigned int i;

	tap_equal(rd(PAGE_SIZE_REG), page);
	for (i = 0; i < ARRAY_SIZE(kept); i++) {
		tap_equal(rd(kept[i]), 0);
		wr(kept[i], 0x1000 + i);
	}
	for (i = 0; i < ARRAY_SIZE(kept); i++)
		tap_equal(rd(kept[i]), 0x1000 + i);
	wr(STATUS, 5);
	tap_equal(rd(STATUS), 0);
	tap_equal(rd(COMMAND), 0);
	tap_equal(rd(PING), 0);
	wr(PAGE_SIZE_REG, 65536);
	tap_equal(rd(PAGE_SIZE_REG), 65536);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		wr(PAGE_SIZE_REG, wrong[i]);
		tap_equal(rd(PAGE_SIZE_REG), 65536);
	}
	tap_equal(allocate(1), 0);
	tap_equal(size(), 65536);
	/* Never less than a page of the host. */
	wr(PAGE_SIZE_REG, 4096);
	tap_equal(rd(PAGE_SIZE_REG), page);
	for (i = 6; i < 200; i++)
		tap_equal(command(i), UNKNOWN);
	tap_equal(command(0), UNKNOWN);
	tap_equal(command(~0U), UNKNOWN);
}

static void registers_are_as_in_the_sheet(void)
{
	with_machine(look_at_registers);
}

/* ---- blocks ---- */

static void look_at_blocks(void)
{
	u64 at;

	tap_equal(allocate(4096), 0);
	tap_equal(size(), 8192);
	at = offset();
	tap_equal(at, 16 * GIB - 8192);
	tap_equal(release(at + 1), EINVAL);
	tap_equal(release(at + 4096), EINVAL);
	tap_equal(release(0), EINVAL);
	tap_equal(release(~0ULL), EINVAL);
	tap_equal(release(16 * GIB), EINVAL);
	tap_equal(release(at), 0);
	tap_equal(release(at), EINVAL);
	tap_equal(allocate(0), EINVAL);
	tap_equal(allocate(1ULL << 63), ENOMEM);
	tap_equal(offset(), ~0ULL);
	tap_equal(size(), 1ULL << 63);
	tap_equal(allocate(~0ULL), ENOMEM);
	tap_equal(allocate(16 * GIB + 1), ENOMEM);
	tap_equal(allocate(16 * GIB), ENOMEM);
	tap_equal(counted("allocated"), 1);
	tap_equal(counted("refused"), 4);
	tap_equal(allocate(15 * GIB), 0);
	tap_equal(offset(), GIB - 4096);
}

static void blocks_are_given_out_and_taken_back(void)
{
	with_machine(look_at_blocks);
}

/* ---- handles and pings ---- */

static void look_at_handles(void)
{
	static u8 seen[VMM_ADDRESS_HANDLES + 1];
	u32 handle;
	u32 i;

	memset(seen, 0, sizeof(seen));
	for (i = 0; i < VMM_ADDRESS_HANDLES; i++) {
		tap_equal(command(GEN_HANDLE), 0);
		handle = rd(HANDLE);
		if (handle > VMM_ADDRESS_HANDLES || seen[handle]++)
			tap_check(!"each handle is another one");
	}
	tap_equal(command(GEN_HANDLE), ENOMEM);
	tap_equal(rd(HANDLE), ~0U);
	tap_equal(command(DESTROY_HANDLE), EINVAL);
	wr(HANDLE, 0);
	tap_equal(command(DESTROY_HANDLE), EINVAL);
	wr(HANDLE, VMM_ADDRESS_HANDLES + 1);
	tap_equal(command(DESTROY_HANDLE), EINVAL);
	tap_equal(command(TELL_PING_ADDR), EINVAL);
	wr(HANDLE, 77);
	tap_equal(command(DESTROY_HANDLE), 0);
	tap_equal(command(DESTROY_HANDLE), EINVAL);
	tap_equal(command(GEN_HANDLE), 0);
	tap_equal(rd(HANDLE), 77);
	tap_equal(command(GEN_HANDLE), ENOMEM);
}

static void handles_are_bounded(void)
{
	with_machine(look_at_handles);
}

static void look_at_numbers(void)
{
	u32 first, second;

	tap_equal(command(GEN_HANDLE), 0);
	first = rd(HANDLE);
	tap_equal(command(DESTROY_HANDLE), 0);
	tap_equal(command(GEN_HANDLE), 0);
	second = rd(HANDLE);
	tap_check(first != second);
}

static void a_number_is_not_used_again_at_once(void)
{
	with_machine(look_at_numbers);
}

static void look_at_pings(void)
{
	u8 *ram = vmm_mem_ptr(&vm.mem, 0, RAM);
	u8 before[64];
	u32 handle;

	memset(ram + 0x5000, 0xa5, 64);
	memcpy(before, ram + 0x5000, 64);
	handle = open_handle(0x5000);
	wr(PING, handle);
	tap_equal(counted("pings"), 1);
	tap_check(!memcmp(before, ram + 0x5000, 64));
	wr(PING_WITH_DATA, handle);
	tap_equal(counted("pings_with_data"), 1);
	tap_check(!memcmp(before, ram + 0x5000, 64));
	/* An unknown handle. */
	wr(PING, 0);
	wr(PING, handle + 1);
	wr(PING, ~0U);
	tap_equal(counted("bad_pings"), 3);
	/* The page was not set, or is not RAM. */
	tap_equal(command(GEN_HANDLE), 0);
	wr(PING, rd(HANDLE));
	tap_equal(counted("bad_pings"), 4);
	wr(PING, open_handle(RAM));
	wr(PING, open_handle(RAM - 39));
	wr(PING, open_handle(~0ULL));
	wr(PING, open_handle(~0ULL - 38));
	wr(PING, open_handle(1ULL << 63));
	wr(PING, open_handle(area()));
	tap_equal(counted("bad_pings"), 10);
	wr(PING, open_handle(RAM - 40));
	wr(PING, open_handle(1));
	tap_equal(counted("bad_pings"), 10);
	tap_equal(counted("pings"), 3);
	wr(HANDLE, handle);
	tap_equal(command(DESTROY_HANDLE), 0);
	wr(PING, handle);
	tap_equal(counted("bad_pings"), 11);
	tap_equal(counted("unanswered"), 0);
}

static void a_ping_without_a_service_changes_nothing(void)
{
	with_machine(look_at_pings);
}

/* ---- the registers alone, with a service that answers ---- */

static struct {
	u8 page[VMM_ADDRESS_PAGE];
	unsigned int fetches;
	unsigned int stores;
	unsigned int closed;
	u64 freed;
	u32 handle;
	bool answers;
} host;

static bool fake_fetch(void *arg, u64 gpa, u8 *page)
{
	(void)arg;
	host.fetches++;
	memcpy(page, host.page, sizeof(host.page));
	return gpa == 0x1000;
}

static void fake_store(void *arg, u64 gpa, const u8 *page)
{
	(void)arg;
	tap_equal(gpa, 0x1000);
	host.stores++;
	memcpy(host.page, page, sizeof(host.page));
}

static bool fake_ping(void *arg, u32 handle, u64 start, u8 *page)
{
	(void)arg;
	host.handle = handle;
	tap_equal(start, 0x800000000ULL);
	tap_equal(page[0], 'q');
	/* Later writes of the guest to the page are not read. */
	host.page[0] = 'x';
	page[0] = 'a';
	return host.answers;
}

static void fake_closed(void *arg, u32 handle)
{
	(void)arg;
	tap_equal(handle, 1);
	host.closed++;
}

static void fake_freed(void *arg, u64 at, u64 bytes)
{
	(void)arg;
	tap_equal(at, 16 * GIB - bytes);
	host.freed += bytes;
}

static const struct vmm_address_ops fake_ops = {
	.fetch = fake_fetch, .store = fake_store, .ping = fake_ping, .closed = fake_closed,
	.freed = fake_freed,
};

static void a_service_is_called(void)
{
	struct vmm_address_space *as = calloc(1, sizeof(*as));

	memset(&host, 0, sizeof(host));
	as->ops = &fake_ops;
	vmm_address_space_init(as);
	vmm_address_space_write(as, COMMAND, GEN_HANDLE);
	vmm_address_space_write(as, PING_LOW, 0x1000);
	vmm_address_space_write(as, COMMAND, TELL_PING_ADDR);
	vmm_address_space_write(as, START_HIGH, 8);
	host.page[0] = 'q';
	vmm_address_space_write(as, PING, 1);
	tap_equal(host.handle, 1);
	tap_equal(host.fetches, 1);
	tap_equal(host.stores, 0);
	tap_equal(host.page[0], 'x');
	host.page[0] = 'q';
	host.answers = true;
	vmm_address_space_write(as, PING, 1);
	tap_equal(host.fetches, 2);
	tap_equal(host.stores, 1);
	tap_equal(host.page[0], 'a');
	vmm_address_space_write(as, SIZE_LOW, 1);
	vmm_address_space_write(as, COMMAND, ALLOCATE);
	vmm_address_space_write(as, COMMAND, DEALLOCATE);
	tap_equal(host.freed, as->host_page);
	/* Refused commands are not reported to the service. */
	vmm_address_space_write(as, COMMAND, DEALLOCATE);
	tap_equal(host.freed, as->host_page);
	vmm_address_space_write(as, COMMAND, DESTROY_HANDLE);
	vmm_address_space_write(as, COMMAND, DESTROY_HANDLE);
	tap_equal(host.closed, 1);
	vmm_address_space_fini(as);
	free(as);
}

/* ---- reset, save and load ---- */

static void look_at_reset(void)
{
	unsigned int i;

	for (i = 0; i < 100; i++) {
		allocate(i * 5000 + 1);
		open_handle(0x1000);
	}
	vmm_board_reset(&vm);
	decode(true);
	for (i = STATUS; i < 56; i += 4)
		tap_equal(rd(i), i == PAGE_SIZE_REG ? (u32)sysconf(_SC_PAGESIZE) : 0);
	tap_equal(command(DESTROY_HANDLE), EINVAL);
	tap_equal(open_handle(0x1000), 1);
	tap_equal(allocate(16 * GIB - 4095), 0);
}

static void a_reset_frees_all(void)
{
	with_machine(look_at_reset);
}

static void fill(void)
{
	u64 at = 0;
	unsigned int i;

	wr(START_LOW, 0x77);
	for (i = 0; i < 50; i++) {
		open_handle(0x1000 * i);
		allocate(i * 5000 + 1);
		if (i == 20)
			at = offset();
	}
	tap_equal(release(at), 0);
	wr(HANDLE, 7);
	tap_equal(command(DESTROY_HANDLE), 0);
}

static void look_at_state(void)
{
	struct vmm_state first, second;
	u32 regs[14];
	unsigned int i;

	fill();
	tap_equal(allocate(1), 0);
	for (i = 1; i < 14; i++)
		regs[i] = rd(4 * i);
	tap_equal(vmm_device_save(dev, &first), 0);
	vmm_board_reset(&vm);
	tap_equal(vmm_device_load(dev, &first), 0);
	decode(true);
	tap_equal(vmm_device_save(dev, &second), 0);
	tap_check(first.len == second.len && !memcmp(first.bytes, second.bytes, first.len));
	for (i = 1; i < 14; i++)
		tap_equal(rd(4 * i), regs[i]);
	/* The device continues with the loaded state. */
	tap_equal(release((u64)regs[6] << 32 | regs[5]), 0);
	wr(HANDLE, 7);
	tap_equal(command(DESTROY_HANDLE), EINVAL);
	wr(HANDLE, 8);
	tap_equal(command(DESTROY_HANDLE), 0);
	wr(PING, 9);
	tap_equal(counted("pings"), 1);
	tap_equal(open_handle(0), 51);
	vmm_state_free(&first);
	vmm_state_free(&second);
}

static void what_is_saved_goes_on(void)
{
	with_machine(look_at_state);
}

/* Changes each byte of a state in turn: it is refused, or is a valid state. */
static void look_at_bad_states(void)
{
	struct vmm_state state, bad, after;
	unsigned int refused = 0;
	size_t i;

	fill();
	tap_equal(vmm_device_save(dev, &state), 0);
	for (i = 0; i < state.len; i++) {
		bad = (struct vmm_state){ .bytes = state.bytes, .len = state.len };
		state.bytes[i] ^= i & 1 ? 0xff : 0x01;
		dev->ops->reset(dev);
		if (vmm_device_load(dev, &bad)) {
			refused++;
			/* As after a reset. */
			decode(true);
			tap_equal(open_handle(0x1000), 1);
			tap_equal(allocate(16 * GIB - 4095), 0);
		} else {
			tap_equal(vmm_device_save(dev, &after), 0);
			tap_check(after.len == state.len);
			vmm_state_free(&after);
		}
		state.bytes[i] ^= i & 1 ? 0xff : 0x01;
	}
	tap_check(refused > 100);
	vmm_state_free(&state);
}

static void a_state_that_cannot_be_is_refused(void)
{
	char text[64];

	tap_listen();
	with_machine(look_at_bad_states);
	tap_heard(text, sizeof(text));
}

/* ---- host memory ---- */

static struct vmm_address_memory memory;
static struct vmm_pci_function fn;
static struct vmm_pci_bus memory_bus;

#define BASE	0x800000000ULL

static void memory_new(void)
{
	unsigned int i;

	memset(slots, 0, sizeof(slots));
	refuse_memory = 0;
	recording = (struct vmm_pci_wires){ .memory = record_memory };
	memory_bus = (struct vmm_pci_bus){ .wires = &recording };
	pthread_mutex_init(&memory_bus.lock, NULL);
	fn = (struct vmm_pci_function){ .bus = &memory_bus };
	fn.bar[1].at = BASE;
	memory = (struct vmm_address_memory){ .fn = &fn, .bar = 1 };
	for (i = 0; i < VMM_ADDRESS_MAPPINGS; i++)
		memory.mapping[i].slot = 4 + i;
}

static void memory_end(void)
{
	vmm_address_memory_drop(&memory, 0, VMM_ADDRESS_AREA);
	tap_equal(shown(), 0);
	pthread_mutex_destroy(&memory_bus.lock);
}

static void memory_move(u64 at)
{
	pthread_mutex_lock(&memory_bus.lock);
	fn.bar[1].at = at;
	vmm_address_memory_move(&memory);
	pthread_mutex_unlock(&memory_bus.lock);
}

static int memory_file(u64 bytes, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	tap_check(fd >= 0 && !ftruncate(fd, bytes) && !fcntl(fd, F_ADD_SEALS, seals));
	return fd;
}

static int add(u64 at, u64 bytes, int fd, u64 file_offset)
{
	const struct vmm_address_map map = {
		.offset = at, .size = bytes, .fd = fd, .file_offset = file_offset,
	};

	return vmm_address_memory_add(&memory, &map);
}

static void memory_is_where_the_area_is(void)
{
	u64 page = sysconf(_SC_PAGESIZE);
	int fd = memory_file(4 * page, F_SEAL_SHRINK);

	memory_new();
	tap_equal(pwrite(fd, "hello", 5, 2 * page), 5);
	tap_equal(add(8 * page, 2 * page, fd, 2 * page), 0);
	tap_equal(slots[4].gpa, BASE + 8 * page);
	tap_equal(slots[4].size, 2 * page);
	tap_check(!memcmp(slots[4].hva, "hello", 5));
	memcpy(slots[4].hva, "guest", 5);
	memory_move(2 * BASE);
	tap_equal(slots[4].gpa, 2 * BASE + 8 * page);
	memory_move(VMM_PCI_NOWHERE);
	tap_equal(shown(), 0);
	/* Memory that is added now is mapped later. */
	tap_equal(add(0, page, fd, 0), 0);
	tap_equal(shown(), 0);
	memory_move(BASE);
	tap_equal(shown(), 2);
	tap_equal(slots[5].gpa, BASE);
	tap_check(!memcmp(slots[4].hva, "guest", 5));
	tap_equal(vmm_address_memory_remove(&memory, page), -ENOENT);
	tap_equal(vmm_address_memory_remove(&memory, 8 * page), 0);
	tap_equal(vmm_address_memory_remove(&memory, 8 * page), -ENOENT);
	tap_equal(shown(), 1);
	memory_end();
	close(fd);
}

static void a_file_that_could_do_harm_is_refused(void)
{
	u64 page = sysconf(_SC_PAGESIZE);
	int loose = memory_file(4 * page, F_SEAL_GROW);
	int fd = memory_file(4 * page, F_SEAL_SHRINK);
	int fixed = memory_file(4 * page, F_SEAL_SHRINK | F_SEAL_WRITE);
	int null = open("/dev/zero", O_RDWR | O_CLOEXEC);
	int huge = memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);

	memory_new();
	tap_equal(add(0, page, loose, 0), -EPERM);
	tap_equal(add(0, page, null, 0), -EPERM);
	tap_equal(add(0, page, -1, 0), -EPERM);
	tap_equal(add(0, page, fixed, 0), -EPERM);
	if (huge >= 0) {
		tap_check(!ftruncate(huge, 4 * MIB) && !fcntl(huge, F_ADD_SEALS, F_SEAL_SHRINK));
		tap_equal(add(0, page, huge, 0), -EPERM);
		close(huge);
	}
	tap_equal(add(0, 0, fd, 0), -EINVAL);
	tap_equal(add(0, 5 * page, fd, 0), -EINVAL);
	tap_equal(add(0, page, fd, 4 * page), -EINVAL);
	tap_equal(add(0, 2 * page, fd, 3 * page), -EINVAL);
	tap_equal(add(0, page, fd, -page), -EINVAL);
	tap_equal(add(0, -page, fd, page), -EINVAL);
	tap_equal(add(0, 1ULL << 63, fd, 1ULL << 63), -EINVAL);
	tap_equal(add(1, page, fd, 0), -EINVAL);
	tap_equal(add(0, page + 1, fd, 0), -EINVAL);
	tap_equal(add(0, page, fd, 512), -EINVAL);
	tap_equal(shown(), 0);
	refuse_memory = 1;
	tap_equal(add(0, page, fd, 0), -EINVAL);
	refuse_memory = 0;
	tap_equal(add(0, page, fd, 0), 0);
	memory_end();
	close(fd);
	close(fixed);
	close(loose);
	close(null);
}

static void pieces_are_bounded_and_do_not_overlap(void)
{
	u64 page = sysconf(_SC_PAGESIZE);
	int fd = memory_file(4 * page, F_SEAL_SHRINK);
	unsigned int i;

	memory_new();
	for (i = 0; i < VMM_ADDRESS_MAPPINGS; i++)
		tap_equal(add(4 * i * page, 2 * page, fd, page), 0);
	tap_equal(add(1000 * page, page, fd, 0), -ENOSPC);
	tap_equal(add(4 * page, page, fd, 0), -EEXIST);
	tap_equal(add(5 * page, page, fd, 0), -EEXIST);
	tap_equal(add(3 * page, 2 * page, fd, 0), -EEXIST);
	tap_equal(add(3 * page, 4 * page, fd, 0), -EEXIST);
	tap_equal(add(3 * page, page, fd, 0), -ENOSPC);
	tap_equal(shown(), VMM_ADDRESS_MAPPINGS);
	/* Mappings in the range are removed, and their neighbours stay. */
	tap_equal(vmm_address_memory_drop(&memory, 2 * page, 2 * page), 0);
	tap_equal(vmm_address_memory_drop(&memory, 5 * page, 4 * page), 2);
	tap_equal(shown(), VMM_ADDRESS_MAPPINGS - 2);
	tap_equal(add(6 * page, page, fd, 0), 0);
	memory_end();
	close(fd);
}

/* ---- a program at the socket, in the same loop ---- */

static struct {
	int sock;
	int done_fd;
	u64 handle;
	pthread_t vcpu;
	struct vmm_address_packet last;
	unsigned int freed;
} program;

static char path[64];

static void program_maps(const struct vmm_address_packet *ping)
{
	u64 page = sysconf(_SC_PAGESIZE);
	struct vmm_address_packet packet = {
		.word = htole32(VMM_ADDRESS_MAP), .number = ping->number,
		.size = htole64(2 * page),
	};
	u64 at;
	int fd = memory_file(4 * page, F_SEAL_SHRINK);

	/* Like the guest's driver: the first field is the block's guest address. */
	memcpy(&at, ping->page, sizeof(at));
	packet.offset = htole64(le64toh(at) - le64toh(ping->offset));
	tap_equal(pwrite(fd, "of the host", 11, 0), 11);
	tap_equal(vmm_unix_send_files(program.sock, &packet, sizeof(packet), &fd, 1, 0), 0);
	packet = (struct vmm_address_packet){
		.word = htole32(VMM_ADDRESS_ANSWER), .number = ping->number, .page = "yes",
	};
	tap_equal(send(program.sock, &packet, sizeof(packet), 0), sizeof(packet));
	close(fd);
}

static int program_reads(void *arg)
{
	struct vmm_address_packet *packet = &program.last;

	(void)arg;
	if (recv(program.sock, packet, sizeof(*packet), MSG_DONTWAIT) != sizeof(*packet))
		return 0;
	if (le32toh(packet->word) == VMM_ADDRESS_PING_OF)
		program_maps(packet);
	program.freed += le32toh(packet->word) == VMM_ADDRESS_FREED;
	return 0;
}

static int stop(void *arg)
{
	(void)arg;
	vmm_event_clear(program.done_fd);
	return 1;
}

/* A guest that allocates a block, and sends a ping that requests memory in it. */
static void *vcpu_pings(void *arg)
{
	u8 *ram = vmm_mem_ptr(&vm.mem, 0x6000, VMM_ADDRESS_PAGE);
	u64 at;

	(void)arg;
	wr(START_LOW, area());
	wr(START_HIGH, area() >> 32);
	tap_equal(allocate(3 * sysconf(_SC_PAGESIZE)), 0);
	at = htole64(area() + offset());
	memcpy(ram, &at, sizeof(at));
	wr(PING, open_handle(0x6000));
	tap_check(!memcmp(ram, "yes", 4));
	vmm_event_signal(program.done_fd);
	return NULL;
}

static void *vcpu_frees(void *arg)
{
	(void)arg;
	tap_equal(command(DEALLOCATE), 0);
	tap_equal(shown(), 0);
	vmm_event_signal(program.done_fd);
	return NULL;
}

static void with_vcpu(void *(*fn)(void *arg))
{
	tap_check(!pthread_create(&program.vcpu, NULL, fn, NULL));
	tap_equal(vmm_loop_run(vm.loop), 1);
	pthread_join(program.vcpu, NULL);
}

static void serve_guest(void)
{
	unsigned int i;

	program.sock = vmm_unix_dial_packets(path);
	program.done_fd = vmm_event_create();
	tap_check(program.sock >= 0 && !vmm_loop_add(vm.loop, program.sock, program_reads, NULL) &&
		  !vmm_loop_add(vm.loop, program.done_fd, stop, NULL));
	/* The connection was accepted. */
	vmm_event_signal(program.done_fd);
	tap_equal(vmm_loop_run(vm.loop), 1);
	with_vcpu(vcpu_pings);
	tap_equal(shown(), 1);
	for (i = 0; i < ARRAY_SIZE(slots); i++) {
		if (!slots[i].size)
			continue;
		tap_equal(slots[i].gpa, area() + offset());
		tap_check(!memcmp(slots[i].hva, "of the host", 11));
	}
	/* The guest moves the area. */
	decode(false);
	tap_equal(shown(), 0);
	decode(true);
	tap_equal(shown(), 1);
	with_vcpu(vcpu_frees);
	/* FREED was sent before the vCPU ended, but the loop may have stopped earlier. */
	for (i = 0; i < 10 && !program.freed; i++)
		program_reads(NULL);
	tap_equal(program.freed, 1);
	tap_equal(counted("unanswered"), 0);
	vmm_loop_del(vm.loop, program.sock);
	vmm_loop_del(vm.loop, program.done_fd);
	close(program.sock);
	close(program.done_fd);
}

static void a_program_serves_a_guest(void)
{
	memset(&program, 0, sizeof(program));
	snprintf(path, sizeof(path), "/tmp/vmmctl-area-%d", getpid());
	socket_path = path;
	with_machine(serve_guest);
	socket_path = NULL;
	tap_check(access(path, F_OK));
}

static void a_slot_that_is_taken_is_said(void)
{
	char disk[] = "/tmp/vmmctl-disk-XXXXXX";
	int fd = mkstemp(disk);
	char text[256];

	tap_check(fd >= 0 && !ftruncate(fd, MIB));
	close(fd);
	disk_path = disk;
	tap_listen();
	tap_check(!machine_open_only());
	tap_heard(text, sizeof(text));
	tap_check(strstr(text, "--device address-space: slot 11 has another device"));
	disk_path = NULL;
	unlink(disk);
	vmm_mem_destroy(&vm.mem);
	vmm_loop_destroy(vm.loop);
	close(vm.end_fd);
}

static const struct tap_case cases[] = {
	{ "it is the function guests look for", it_is_the_function_guests_look_for },
	{ "only accesses of 4 bytes count", only_accesses_of_4_bytes_count },
	{ "registers are as in the sheet", registers_are_as_in_the_sheet },
	{ "blocks are given out and taken back", blocks_are_given_out_and_taken_back },
	{ "handles are bounded", handles_are_bounded },
	{ "a number is not used again at once", a_number_is_not_used_again_at_once },
	{ "a ping without a service changes nothing", a_ping_without_a_service_changes_nothing },
	{ "a service is called", a_service_is_called },
	{ "a reset frees all", a_reset_frees_all },
	{ "what is saved goes on", what_is_saved_goes_on },
	{ "a state that cannot be is refused", a_state_that_cannot_be_is_refused },
	{ "memory is where the area is", memory_is_where_the_area_is },
	{ "a file that could do harm is refused", a_file_that_could_do_harm_is_refused },
	{ "pieces are bounded and do not overlap", pieces_are_bounded_and_do_not_overlap },
	{ "a program serves a guest", a_program_serves_a_guest },
	{ "a slot that is taken is said", a_slot_that_is_taken_is_said },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
