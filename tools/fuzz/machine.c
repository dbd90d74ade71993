// SPDX-License-Identifier: GPL-2.0-only
/*
 * A machine without KVM for fuzz targets: see machine.h.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/devices.h"
#include "devices/goldfish.h"
#include "devices/pc.h"
#include "host/display.h"
#include "machine.h"
#include "pci/host.h"
#include "virtio/pci.h"

#define LOW	0x300	/* bytes in front of a transport with all that matters */

/* The host's side: a folder with a disk, and a socket that devices connect to. */
static struct {
	char dir[64];
	char disk[80];
	char sock[80];
	int listen_fd;
	s64 seconds;
	int socks[8];
	unsigned int clients;
} host;

static void line_set(struct vmm_line *line, bool raised)
{
}

static int line_attach(struct vmm_line *line)
{
	return 0;
}

static const struct vmm_line_ops line_ops = { .set = line_set, .attach = line_attach };

static int tick(void *arg)
{
	struct machine *m = arg;

	vmm_event_clear(m->tick_fd);
	return 1;
}

/* What would be a WARN in the kernel breaks a device here; no guest may bring it about. */
static void log_line(void *arg, const char *line, size_t len)
{
	MUST(!memmem(line, len, "a bug of vmmctl", 15));
}

static s64 host_time(void *arg)
{
	return __atomic_load_n(&host.seconds, __ATOMIC_RELAXED);
}

static u64 host_ticks(void *arg)
{
	return 0;
}

static void clean_up(void)
{
	unlink(host.disk);
	unlink(host.sock);
	rmdir(host.dir);
}

static void host_open(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd;

	snprintf(host.dir, sizeof(host.dir), "/tmp/vmmctl-fuzz-XXXXXX");
	MUST(mkdtemp(host.dir));
	atexit(clean_up);
	snprintf(host.disk, sizeof(host.disk), "%s/disk", host.dir);
	snprintf(host.sock, sizeof(host.sock), "%s/sock", host.dir);
	fd = open(host.disk, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	MUST(fd >= 0 && !ftruncate(fd, MIB));
	close(fd);
	memcpy(at.sun_path, host.sock, strlen(host.sock));
	host.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	MUST(!bind(host.listen_fd, (struct sockaddr *)&at, sizeof(at)));
	MUST(!listen(host.listen_fd, 64));
}

/**
 * machine_config - ask for every device that vmmctl serves itself
 * @cfg: filled; the host's files are created
 */
void machine_config(struct vmm_config *cfg)
{
	if (!*host.dir)
		host_open();
	*cfg = (struct vmm_config){
		.pipe = VMM_PIPE_NONE,
		.sync = VMM_SYNC_NONE,
		.memory = MACHINE_RAM,
		.cpus = 2,
		.disks = 1,
		.disk = { { .path = host.disk, .block_size = 512, .queues = 2, .user = true,
			    .transport.slot = -1 } },
		.builtins = 6,
		.builtin = {
			{ VMM_BUILTIN_RNG, NULL },
			{ VMM_BUILTIN_BALLOON, NULL },
			{ VMM_BUILTIN_CONSOLE, host.sock },
			{ VMM_BUILTIN_KEYBOARD, host.sock },
			{ VMM_BUILTIN_MULTITOUCH, host.sock },
			{ VMM_BUILTIN_SOUND, NULL },
		},
		.virtio_packed = true,
		.rtc = true,
		.vmgenid = true,
		.stall_detector = true,
		.battery = true,
		.hw_keyboard = true,
		.hw_touch = VMM_TOUCH_MULTI,
		.screen_width = 320,
		.screen_height = 480,
		.screen_depth = 32,
		.address_space = true,
	};
}

/**
 * machine_open - create a machine
 * @m: filled; its @cfg is set
 * @board: fills its board
 */
void machine_open(struct machine *m,
		  void (*board)(struct vmm_board *board, const struct vmm_config *cfg))
{
	struct vmm_vm *vm = &m->vm;
	struct vmm_pci_host *pci;
	unsigned int i;

	*vm = (struct vmm_vm){ .cfg = &m->cfg, .line_ops = &line_ops, .fd = -1 };
	vmm_log_also(log_line, NULL);
	board(&vm->board, vm->cfg);
	vm->loop = vmm_loop_create();
	vm->end_fd = vmm_event_create();
	m->tick_fd = vmm_event_create();
	vm->host.display = vmm_display_open(m->cfg.screen_width, m->cfg.screen_height);
	MUST(vm->host.display);
	MUST(!vmm_mem_add(&vm->mem, vm->board.ram[0].base, m->cfg.memory));
	MUST(!vmm_board_create(vm) && !vmm_threads_start(vm));
	for (i = 0; i < vm->board.devices; i++) {
		if (vm->board.dev[i].count > 1)
			m->bank = &vm->board.dev[i];
	}
	pci = vmm_pci_host_find(vm);
	if (!pci)
		return;
	m->bus = &pci->bus;
	m->wires.map = &vm->board.pci;
	m->bus->wires = &pci_wires_ops;
	m->bus->arg = &m->wires;
}

/**
 * machine_set_time - make the input the host's clock
 * @m: the machine
 * @seconds: what all its clocks show as the time from now on
 */
void machine_set_time(struct machine *m, s64 seconds)
{
	unsigned int i;

	__atomic_store_n(&host.seconds, seconds, __ATOMIC_RELAXED);
	for (i = 0; i < m->vm.board.devices; i++) {
		const struct vmm_device *dev = &m->vm.board.dev[i];

		if (dev->ops == &vmm_pl031_ops)
			((struct vmm_pl031 *)dev->state)->now = host_time;
		else if (dev->ops == &vmm_goldfish_rtc_ops)
			((struct vmm_goldfish_rtc *)dev->state)->now = host_time;
		else if (dev->ops == &vmm_stall_detector_ops)
			((struct vmm_stall *)dev->state)->now = host_time;
		else if (dev->ops == &vmm_cmos_ops)
			((struct vmm_cmos *)dev->state)->now = host_time;
		else if (dev->ops == &vmm_acpi_pm_ops)
			((struct vmm_acpi_pm *)dev->state)->now = host_ticks;
	}
}

/**
 * machine_turn - do what devices want of the main thread
 * @m: the machine
 *
 * The tick is served last, because it comes last.
 */
void machine_turn(struct machine *m)
{
	vmm_display_refresh(m->vm.host.display);
	vmm_event_signal(m->tick_fd);
	MUST(!vmm_loop_add(m->vm.loop, m->tick_fd, tick, m));
	MUST(vmm_loop_run(m->vm.loop) == 1);
	vmm_loop_del(m->vm.loop, m->tick_fd);
}

/**
 * machine_reset - reset the guest, whatever it has done
 * @m: the machine
 */
void machine_reset(struct machine *m)
{
	vmm_board_pause(&m->vm);
	vmm_board_resume(&m->vm);
	vmm_board_reset(&m->vm);
	machine_turn(m);
	vmm_event_clear(m->vm.end_fd);
	m->vm.end = VMM_END_NONE;
	if (m->bus)
		pci_wires_must_be_free(&m->wires);
}

/**
 * machine_steer - do what people ask of devices from outside, while the guest does as it likes
 * @m: the machine
 * @in: which, and how often
 */
void machine_steer(struct machine *m, struct input *in)
{
	static const char *const commands[][3] = {
		{ "battery", "set", "capacity 42" }, { "battery", "set", "capacity 43" },
		{ "battery", "set", "ac off" }, { "battery", "set", "ac on" },
		{ "battery", "show", NULL }, { "events", "text", "Hello, world" },
		{ "events", "send", "EV_KEY:KEY_A:1 EV_SYN:SYN_REPORT:0" },
		{ "events", "mouse", "100 100 0 1" }, { "events", "mouse", "9 9 0 0" },
		{ "fb", "rotate", NULL }, { "pl061", "power-button", NULL },
		{ "virtio_mmio", "jack", "mic off" }, { "virtio_mmio", "jack", "mic on" },
	};
	const char *const *command = commands[take(in, 1) % ARRAY_SIZE(commands)];
	unsigned int times = take(in, 1) + 1;

	while (times--)
		vmm_board_command(&m->vm, command[0], command[1], command[2], NULL);
}

/**
 * machine_peers - send bytes to devices that have a connection
 * @in: which of them, and the bytes
 */
void machine_peers(struct input *in)
{
	char bytes[16];
	unsigned int i;
	int fd;

	while (host.clients < ARRAY_SIZE(host.socks) &&
	       (fd = accept4(host.listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		host.socks[host.clients++] = fd;
	if (!host.clients)
		return;
	i = take(in, 1) % host.clients;
	for (fd = 0; fd < (int)sizeof(bytes); fd++)
		bytes[fd] = take(in, 1);
	send(host.socks[i], bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
	while (recv(host.socks[i], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

/**
 * machine_ram_address - find a place in RAM that rings and buffers are likely to be put at
 * @m: the machine
 * @value: which
 *
 * Return: its guest physical address
 */
u32 machine_ram_address(const struct machine *m, u32 value)
{
	return m->vm.board.ram[0].base + (value & 0xf) * 0x400 + (value >> 4 & 3);
}

/**
 * machine_poke_ram - write bytes to such a place
 * @m: the machine
 * @in: the place and the bytes
 */
void machine_poke_ram(struct machine *m, struct input *in)
{
	u8 *to = vmm_mem_ptr(&m->vm.mem, machine_ram_address(m, take(in, 1)), 0x1000);
	unsigned int at = take(in, 1);
	unsigned int i;

	for (i = 0; i < 16; i++)
		__atomic_store_n(&to[at + i], take(in, 1), __ATOMIC_RELAXED);
}

/**
 * machine_clear_ram - write zeros to all such places
 * @m: the machine; no device runs
 */
void machine_clear_ram(struct machine *m)
{
	memset(vmm_mem_ptr(&m->vm.mem, m->vm.board.ram[0].base, 0x10000), 0, 0x10000);
}

/**
 * machine_descriptor - write a buffer of a split ring as a driver makes one, more or less
 * @m: the machine
 * @in: the buffer
 */
void machine_descriptor(struct machine *m, struct input *in)
{
	u32 where = take(in, 1);
	u8 *to = vmm_mem_ptr(&m->vm.mem, machine_ram_address(m, where & 0xf), 0x1000);
	u64 address = machine_ram_address(m, take(in, 1));
	u32 len = take(in, 2);
	u32 flags = take(in, 1) << 16 | take(in, 1);

	to += (where >> 4) * 16;
	memcpy(to, &address, 8);
	memcpy(to + 8, &len, 4);
	memcpy(to + 12, &flags, 4);
}

/* A queue of a transport of version 1 has one place, a page's. */
static void legacy_queue(struct machine *m, u64 base, u32 place)
{
	vmm_device_write(m->bank, base + 0x28, VMM_PAGE_SIZE, 4);
	vmm_device_write(m->bank, base + 0x3c, VMM_PAGE_SIZE, 4);
	vmm_device_write(m->bank, base + 0x40, machine_ram_address(m, place) / VMM_PAGE_SIZE, 4);
}

/* Registers of an MMIO transport: features, queues with places in RAM, DRIVER_OK. */
static void bring_up_mmio(struct machine *m, struct input *in)
{
	struct vmm_device *bank = m->bank;
	u64 base = (u64)(bank->count - 1 - take(in, 1) % MACHINE_PLUGGED) * bank->size;
	unsigned int how = take(in, 1);
	unsigned int queue;

	vmm_device_write(bank, base + 0x70, 0, 4);
	vmm_device_write(bank, base + 0x70, 3, 4);
	vmm_device_write(bank, base + 0x24, 1, 4);
	vmm_device_write(bank, base + 0x20, 1 | (how & 4), 4);
	vmm_device_write(bank, base + 0x24, 0, 4);
	vmm_device_write(bank, base + 0x20, (how & 3) << 28, 4);
	vmm_device_write(bank, base + 0x70, 11, 4);
	for (queue = 0; queue < (how & 8 ? 4 : 2); queue++) {
		vmm_device_write(bank, base + 0x30, queue, 4);
		vmm_device_write(bank, base + 0x38, 1 << (how >> 4 & 7), 4);
		if (vmm_device_read(bank, base + 4, 4) == 1) {
			legacy_queue(m, base, take(in, 1) & 0xf);
			continue;
		}
		vmm_device_write(bank, base + 0x80, machine_ram_address(m, take(in, 1) & 0xf), 4);
		vmm_device_write(bank, base + 0x90, machine_ram_address(m, take(in, 1) & 0xf), 4);
		vmm_device_write(bank, base + 0xa0, machine_ram_address(m, take(in, 1) & 0xf), 4);
		vmm_device_write(bank, base + 0x44, 1, 4);
	}
	vmm_device_write(bank, base + 0x70, 15, 4);
	vmm_device_write(bank, base + 0x50, 0, 4);
}

/* A slot with a virtio device, or one that is empty if there is none. */
static unsigned int virtio_slot(const struct machine *m, u32 which)
{
	unsigned int slot = which % VMM_PCI_SLOTS;
	unsigned int i;

	for (i = 0; i < VMM_PCI_SLOTS; i++, slot = (slot + 1) % VMM_PCI_SLOTS) {
		if (m->bus->slot[slot] && m->bus->slot[slot]->initial[0] == 0xf4 &&
		    m->bus->slot[slot]->initial[1] == 0x1a)
			break;
	}
	return slot;
}

/* The address of a BAR of memory. */
static u64 bar_address(struct machine *m, unsigned int slot, unsigned int bar)
{
	u32 low = vmm_pci_config_read(m->bus, slot, 0x10 + 4 * bar, 4);
	u32 high = low & 4 ? vmm_pci_config_read(m->bus, slot, 0x14 + 4 * bar, 4) : 0;

	return (u64)high << 32 | (low & ~15U);
}

/* The same for a function of a PCI bus, with messages. */
static void bring_up_pci(struct machine *m, struct input *in)
{
	unsigned int slot = virtio_slot(m, take(in, 1));
	unsigned int how = take(in, 1);
	const struct vmm_pci_function *fn = m->bus->slot[slot];
	u64 regs = bar_address(m, slot, VMM_VIRTIO_PCI_REGS);
	u64 msix = bar_address(m, slot, VMM_VIRTIO_PCI_MSIX);
	unsigned int queue;

	vmm_pci_config_write(m->bus, slot, 4, 7, 2);
	if (fn && how & 1)
		vmm_pci_config_write(m->bus, slot, fn->msix_cap + 2, 0x8000, 2);
	vmm_pci_write(m->bus, false, regs + 0x14, 0, 1);
	vmm_pci_write(m->bus, false, regs + 0x14, 3, 1);
	vmm_pci_write(m->bus, false, regs + 0x08, 1, 4);
	vmm_pci_write(m->bus, false, regs + 0x0c, 1 | (how & 4) | (how & 8 ? 0x100 : 0), 4);
	vmm_pci_write(m->bus, false, regs + 0x08, 0, 4);
	vmm_pci_write(m->bus, false, regs + 0x0c, (how & 3) << 28, 4);
	vmm_pci_write(m->bus, false, regs + 0x14, 11, 1);
	for (queue = 0; queue < (how & 0x80 ? 4 : 2); queue++) {
		vmm_pci_write(m->bus, false, msix + 16 * queue, m->wires.map->messages.base, 8);
		vmm_pci_write(m->bus, false, msix + 16 * queue + 8, 0x40 + queue, 4);
		vmm_pci_write(m->bus, false, msix + 16 * queue + 12, 0, 4);
		vmm_pci_write(m->bus, false, regs + 0x16, queue, 2);
		vmm_pci_write(m->bus, false, regs + 0x18, 1 << (how >> 4 & 7), 2);
		vmm_pci_write(m->bus, false, regs + 0x1a, queue, 2);
		vmm_pci_write(m->bus, false, regs + 0x20,
			      machine_ram_address(m, take(in, 1) & 0xf), 8);
		vmm_pci_write(m->bus, false, regs + 0x28,
			      machine_ram_address(m, take(in, 1) & 0xf), 8);
		vmm_pci_write(m->bus, false, regs + 0x30,
			      machine_ram_address(m, take(in, 1) & 0xf), 8);
		vmm_pci_write(m->bus, false, regs + 0x1c, 1, 2);
	}
	vmm_pci_write(m->bus, false, regs + 0x14, 15, 1);
}

/**
 * machine_bring_up - bring a virtio device up, as a driver does
 * @m: the machine
 * @in: which one, and how
 */
void machine_bring_up(struct machine *m, struct input *in)
{
	if (m->bank)
		bring_up_mmio(m, in);
	else
		bring_up_pci(m, in);
}

/* An offset in a device; in that of all transports, one near registers that matter. */
static u64 offset_in(const struct machine *m, const struct vmm_device *dev, u64 offset)
{
	if (dev != m->bank)
		return offset;
	return (u64)(dev->count - 1 - (offset >> 10) % MACHINE_PLUGGED) * dev->size +
	       (offset & 0x3ff) % LOW;
}

/**
 * machine_access - read or write a register
 * @m: the machine
 * @in: which device, where, how many bytes, and for a write what
 * @write: it is a write
 */
void machine_access(struct machine *m, struct input *in, bool write)
{
	struct vmm_board *board = &m->vm.board;
	struct vmm_device *dev = &board->dev[take(in, 1) % board->devices];
	u64 offset = take(in, 2);
	unsigned int len = 1 << (offset >> 14);
	u64 value;

	offset = offset_in(m, dev, offset & 0x3fff);
	if (!write) {
		value = vmm_device_read(dev, offset, len);
		MUST(len == 8 || !(value >> 8 * len));
		return;
	}
	value = take(in, 1);
	if (value & 0x80)
		value = machine_ram_address(m, value & 0x7f);
	else if (value & 0x40)
		value = value << 26 | take(in, 2);
	vmm_device_write(dev, offset, value, len);
}
