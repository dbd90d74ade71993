// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: the registers of every device that vmmctl serves itself, as two vCPUs
 * may write and read them: any offset, any length, any order, and RAM with anything in
 * it. The last quarter of the input is what the second vCPU does meanwhile. Then the
 * guest is reset, and each device must read as at power-on.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/devices.h"
#include "host/display.h"
#include "machine/machine.h"
#include "fuzz.h"

#define PLUGGED		8	/* transports with a device, from the last one down */
#define RAM		(16 * MIB)
#define LOW		0x300	/* bytes in front of a transport with all that matters */

static struct {
	struct vmm_config cfg;
	struct vmm_vm vm;
	struct vmm_device *bank;
	int tick_fd;
	int socks[8];
	unsigned int clients;
	int listen_fd;
	char dir[64];
	char disk[80];
	char sock[80];
	u32 fresh[PLUGGED][0x140 / 4];
} fuzz;

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
	vmm_event_clear(fuzz.tick_fd);
	return 1;
}

/* What would be a WARN in the kernel breaks a device here; no guest may bring it about. */
static void log_line(void *arg, const char *line, size_t len)
{
	MUST(!memmem(line, len, "a bug of vmmctl", 15));
}

/* What devices want of the main thread. The tick is served last, because it comes last. */
static void main_thread(void)
{
	vmm_display_refresh(fuzz.vm.host.display);
	vmm_event_signal(fuzz.tick_fd);
	MUST(!vmm_loop_add(fuzz.vm.loop, fuzz.tick_fd, tick, NULL));
	MUST(vmm_loop_run(fuzz.vm.loop) == 1);
	vmm_loop_del(fuzz.vm.loop, fuzz.tick_fd);
}

static void clean_up(void)
{
	unlink(fuzz.disk);
	unlink(fuzz.sock);
	rmdir(fuzz.dir);
}

static void host_open(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd;

	snprintf(fuzz.dir, sizeof(fuzz.dir), "/tmp/vmmctl-fuzz-XXXXXX");
	MUST(mkdtemp(fuzz.dir));
	atexit(clean_up);
	snprintf(fuzz.disk, sizeof(fuzz.disk), "%s/disk", fuzz.dir);
	snprintf(fuzz.sock, sizeof(fuzz.sock), "%s/sock", fuzz.dir);
	fd = open(fuzz.disk, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	MUST(fd >= 0 && !ftruncate(fd, MIB));
	close(fd);
	memcpy(at.sun_path, fuzz.sock, strlen(fuzz.sock));
	fuzz.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	MUST(!bind(fuzz.listen_fd, (struct sockaddr *)&at, sizeof(at)));
	MUST(!listen(fuzz.listen_fd, 64));
}

/* Registers of a transport as the guest sees them; the configuration's front, too. */
static void look(unsigned int plugged, u32 *regs)
{
	u64 base = (u64)(fuzz.bank->count - 1 - plugged) * fuzz.bank->size;
	unsigned int i;

	for (i = 0; i < sizeof(fuzz.fresh[0]) / 4; i++)
		regs[i] = vmm_device_read(fuzz.bank, base + i * 4, 4);
}

static void machine_open(void)
{
	struct vmm_vm *vm = &fuzz.vm;
	unsigned int i;

	fuzz.cfg = (struct vmm_config){
		.pipe = VMM_PIPE_NONE,
		.sync = VMM_SYNC_NONE,
		.memory = RAM,
		.cpus = 2,
		.disks = 1,
		.disk = { { .path = fuzz.disk, .block_size = 512, .queues = 2, .user = true,
			    .transport.slot = -1 } },
		.builtins = 6,
		.builtin = {
			{ VMM_BUILTIN_RNG, NULL },
			{ VMM_BUILTIN_BALLOON, NULL },
			{ VMM_BUILTIN_CONSOLE, fuzz.sock },
			{ VMM_BUILTIN_KEYBOARD, fuzz.sock },
			{ VMM_BUILTIN_MULTITOUCH, fuzz.sock },
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
	*vm = (struct vmm_vm){ .cfg = &fuzz.cfg, .line_ops = &line_ops, .fd = -1 };
	vmm_log_also(log_line, NULL);
	/* It has all models of the first one, and more. */
	vmm_board_virt(&vm->board, vm->cfg);
	vm->loop = vmm_loop_create();
	vm->end_fd = vmm_event_create();
	vm->host.display = vmm_display_open(fuzz.cfg.screen_width, fuzz.cfg.screen_height);
	MUST(vm->host.display);
	MUST(!vmm_mem_add(&vm->mem, vm->board.ram[0].base, RAM));
	MUST(!vmm_board_create(vm) && !vmm_threads_start(vm));
	fuzz.tick_fd = vmm_event_create();
	for (i = 0; i < vm->board.devices; i++) {
		if (vm->board.dev[i].count > 1)
			fuzz.bank = &vm->board.dev[i];
	}
	MUST(fuzz.bank);
	for (i = 0; i < PLUGGED; i++)
		look(i, fuzz.fresh[i]);
}

/* What people ask of devices from outside, while the guest does as it likes. */
static void steer(struct input *in)
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
		vmm_board_command(&fuzz.vm, command[0], command[1], command[2], NULL);
}

/* Bytes for devices that somebody is connected to. */
static void peers(struct input *in)
{
	char bytes[16];
	unsigned int i;
	int fd;

	while (fuzz.clients < ARRAY_SIZE(fuzz.socks) &&
	       (fd = accept4(fuzz.listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		fuzz.socks[fuzz.clients++] = fd;
	if (!fuzz.clients)
		return;
	i = take(in, 1) % fuzz.clients;
	for (fd = 0; fd < (int)sizeof(bytes); fd++)
		bytes[fd] = take(in, 1);
	send(fuzz.socks[i], bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
	while (recv(fuzz.socks[i], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

/* A place in RAM that rings and buffers are likely to be put at. */
static u32 ram_address(u32 value)
{
	return fuzz.vm.board.ram[0].base + (value & 0xf) * 0x400 + (value >> 4 & 3);
}

static void poke_ram(struct input *in)
{
	u8 *to = vmm_mem_ptr(&fuzz.vm.mem, ram_address(take(in, 1)), 0x1000);
	unsigned int at = take(in, 1);
	unsigned int i;

	for (i = 0; i < 16; i++)
		__atomic_store_n(&to[at + i], take(in, 1), __ATOMIC_RELAXED);
}

/* A buffer of a split ring as a driver makes one, more or less. */
static void descriptor(struct input *in)
{
	u32 where = take(in, 1);
	u8 *to = vmm_mem_ptr(&fuzz.vm.mem, ram_address(where & 0xf), 0x1000);
	u64 address = ram_address(take(in, 1));
	u32 len = take(in, 2);
	u32 flags = take(in, 1) << 16 | take(in, 1);

	to += (where >> 4) * 16;
	memcpy(to, &address, 8);
	memcpy(to + 8, &len, 4);
	memcpy(to + 12, &flags, 4);
}

/* A transport is brought up: features, queues with places in RAM, DRIVER_OK. */
static void bring_up(struct input *in)
{
	u64 base = (u64)(fuzz.bank->count - 1 - take(in, 1) % PLUGGED) * fuzz.bank->size;
	unsigned int how = take(in, 1);
	unsigned int queue;

	vmm_device_write(fuzz.bank, base + 0x70, 0, 4);
	vmm_device_write(fuzz.bank, base + 0x70, 3, 4);
	vmm_device_write(fuzz.bank, base + 0x24, 1, 4);
	vmm_device_write(fuzz.bank, base + 0x20, 1 | (how & 4), 4);
	vmm_device_write(fuzz.bank, base + 0x24, 0, 4);
	vmm_device_write(fuzz.bank, base + 0x20, (how & 3) << 28, 4);
	vmm_device_write(fuzz.bank, base + 0x70, 11, 4);
	for (queue = 0; queue < (how & 8 ? 4 : 2); queue++) {
		vmm_device_write(fuzz.bank, base + 0x30, queue, 4);
		vmm_device_write(fuzz.bank, base + 0x38, 1 << (how >> 4 & 7), 4);
		vmm_device_write(fuzz.bank, base + 0x80, ram_address(take(in, 1) & 0xf), 4);
		vmm_device_write(fuzz.bank, base + 0x90, ram_address(take(in, 1) & 0xf), 4);
		vmm_device_write(fuzz.bank, base + 0xa0, ram_address(take(in, 1) & 0xf), 4);
		vmm_device_write(fuzz.bank, base + 0x44, 1, 4);
	}
	vmm_device_write(fuzz.bank, base + 0x70, 15, 4);
	vmm_device_write(fuzz.bank, base + 0x50, 0, 4);
}

static void mmio(struct input *in, bool write)
{
	struct vmm_board *board = &fuzz.vm.board;
	struct vmm_device *dev = &board->dev[take(in, 1) % board->devices];
	u64 offset = take(in, 2);
	unsigned int len = 1 << (offset >> 14);
	u64 value;

	offset &= 0x3fff;
	if (dev == fuzz.bank)
		offset = (u64)(dev->count - 1 - (offset >> 10) % PLUGGED) * dev->size +
			 (offset & 0x3ff) % LOW;
	if (!write) {
		value = vmm_device_read(dev, offset, len);
		MUST(len == 8 || !(value >> 8 * len));
		return;
	}
	value = take(in, 1);
	if (value & 0x80)
		value = ram_address(value & 0x7f);
	else if (value & 0x40)
		value = value << 26 | take(in, 2);
	vmm_device_write(dev, offset, value, len);
}

static void act(struct input *in, bool first)
{
	unsigned int what = take(in, 1) & 7;

	if (what == 0)
		mmio(in, false);
	else if (what == 1)
		bring_up(in);
	else if (what == 2)
		poke_ram(in);
	else if (what == 3)
		descriptor(in);
	else if (what == 4 && first)
		main_thread();
	else if (what == 5 && first)
		peers(in);
	else if (what == 6 && first)
		steer(in);
	else
		mmio(in, true);
}

static void *second_vcpu(void *arg)
{
	struct input *in = arg;

	while (in->left)
		act(in, false);
	return NULL;
}

static void reset(void)
{
	u32 now[sizeof(fuzz.fresh[0]) / 4];
	unsigned int i;
	u8 *ram = vmm_mem_ptr(&fuzz.vm.mem, fuzz.vm.board.ram[0].base, RAM);

	vmm_board_pause(&fuzz.vm);
	vmm_board_resume(&fuzz.vm);
	vmm_board_reset(&fuzz.vm);
	main_thread();
	vmm_event_clear(fuzz.vm.end_fd);
	for (i = 0; i < PLUGGED; i++) {
		look(i, now);
		MUST(!memcmp(now, fuzz.fresh[i], sizeof(now)));
	}
	memset(ram, 0, 0x10000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size - size / 4 };
	struct input other = { data + in.left, size / 4 };
	pthread_t thread;

	if (!fuzz.bank) {
		host_open();
		machine_open();
	}
	MUST(!pthread_create(&thread, NULL, second_vcpu, &other));
	while (in.left)
		act(&in, true);
	pthread_join(thread, NULL);
	reset();
	return 0;
}
