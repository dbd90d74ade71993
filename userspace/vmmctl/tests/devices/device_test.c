// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules for every device: the same tests for all devices of the board, with all virtio devices that
 * do not need the host's kernel. Also the saved state of devices that have one.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>

#include "devices/devices.h"
#include "devices/goldfish.h"
#include "devices/pc.h"
#include "host/display.h"
#include "tests/tap.h"

/* ---- a machine without KVM ---- */

/* Levels of the lines, and the number of changes. */
static bool level[256];
static unsigned int changes;

static void line_set(struct vmm_line *line, bool raised)
{
	level[line->number] = raised;
	changes++;
}

static int line_attach(struct vmm_line *line)
{
	(void)line;
	return 0;
}

static const struct vmm_line_ops line_ops = { .set = line_set, .attach = line_attach };

static struct vmm_config cfg;
static struct vmm_vm vm;
static char dir[64];
static char disk[80];
static char sock[80];
static int listener = -1;

static void host_open(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd;

	snprintf(dir, sizeof(dir), "/tmp/vmmctl-device-XXXXXX");
	if (!tap_check(mkdtemp(dir)))
		return;
	snprintf(disk, sizeof(disk), "%s/disk", dir);
	fd = open(disk, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	tap_check(fd >= 0 && !ftruncate(fd, MIB));
	close(fd);
	snprintf(sock, sizeof(sock), "%s/sock", dir);
	memcpy(at.sun_path, sock, strlen(sock));
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	tap_check(!bind(listener, (struct sockaddr *)&at, sizeof(at)) && !listen(listener, 64));
}

static void host_close(void)
{
	close(listener);
	unlink(sock);
	unlink(disk);
	rmdir(dir);
}

/* The clock does not run, so that two reads return the same. */
static s64 no_time(void *arg)
{
	(void)arg;
	return 1700000000;
}

static u64 no_ticks(void *arg)
{
	(void)arg;
	return 1700000000;
}

static s64 real_time(void *arg)
{
	(void)arg;
	return time(NULL);
}

static void stop_the_clock(void)
{
	unsigned int i;

	for (i = 0; i < vm.board.devices; i++) {
		void *state = vm.board.dev[i].state;

		if (vm.board.dev[i].ops == &vmm_pl031_ops)
			((struct vmm_pl031 *)state)->now = no_time;
		else if (vm.board.dev[i].ops == &vmm_goldfish_rtc_ops)
			((struct vmm_goldfish_rtc *)state)->now = no_time;
		else if (vm.board.dev[i].ops == &vmm_stall_detector_ops)
			((struct vmm_stall *)state)->now = no_time;
		else if (vm.board.dev[i].ops == &vmm_cmos_ops)
			((struct vmm_cmos *)state)->now = no_time;
		else if (vm.board.dev[i].ops == &vmm_acpi_pm_ops)
			((struct vmm_acpi_pm *)state)->now = no_ticks;
	}
}

/* The current board; all tests run on each. */
static void (*board)(struct vmm_board *board, const struct vmm_config *cfg) = vmm_board_ranchu;

static bool machine_open(void)
{
	bool ok;

	memset(level, 0, sizeof(level));
	changes = 0;
	cfg = (struct vmm_config){
		.pipe = VMM_PIPE_NONE,
		.sync = VMM_SYNC_NONE,
		.memory = 16 * MIB,
		.cpus = 2,
		.rtc = true,
		.pvpanic = VMM_PVPANIC_ON,
		.stall_detector = true,
		.vmgenid = true,
		.battery = true,
		.hw_keyboard = true,
		.hw_touch = VMM_TOUCH_MULTI,
		.screen_width = 320,
		.screen_height = 480,
		.screen_depth = 32,
		.address_space = true,
		.disks = 1,
		.disk = { { .path = disk, .block_size = 512, .queues = 2, .user = true,
			    .transport.slot = -1 } },
		.builtins = 7,
		.builtin = {
			{ .kind = VMM_BUILTIN_RNG },
			{ .kind = VMM_BUILTIN_BALLOON },
			{ .kind = VMM_BUILTIN_CONSOLE, .path = sock },
			{ .kind = VMM_BUILTIN_KEYBOARD, .path = sock },
			{ .kind = VMM_BUILTIN_MULTITOUCH, .path = sock },
			{ .kind = VMM_BUILTIN_SOUND },
			{ .kind = VMM_BUILTIN_RNG },
		},
	};
	vm = (struct vmm_vm){
		.cfg = &cfg, .line_ops = &line_ops, .fd = -1, .end_fd = vmm_event_create(),
	};
	board(&vm.board, &cfg);
	vm.loop = vmm_loop_create();
	vm.host.display = vmm_display_open(cfg.screen_width, cfg.screen_height);
	ok = tap_check(vm.host.display) &&
	     tap_check(!vmm_mem_add(&vm.mem, vm.board.ram[0].base, cfg.memory)) &&
	     tap_check(!vmm_board_create(&vm));
	if (ok)
		stop_the_clock();
	return ok;
}

static void machine_close(void)
{
	vmm_board_destroy(&vm);
	vmm_display_close(vm.host.display);
	vmm_mem_destroy(&vm.mem);
	vmm_loop_destroy(vm.loop);
	close(vm.end_fd);
}

static void with_every_device_here(void (*fn)(struct vmm_device *dev))
{
	unsigned int i;

	if (machine_open()) {
		for (i = 0; i < vm.board.devices; i++) {
			tap_context("%s", vm.board.dev[i].ops->name);
			fn(&vm.board.dev[i]);
		}
	}
	machine_close();
}

/* Runs @fn on every device of a fresh machine, on each board. */
static void with_every_device(void (*fn)(struct vmm_device *dev))
{
	with_every_device_here(fn);
	board = vmm_board_pc;
	with_every_device_here(fn);
	board = vmm_board_virt;
	with_every_device_here(fn);
	board = vmm_board_ranchu;
}

/* ---- accesses of a guest ---- */

static u32 random_next(u32 *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static const u64 values[] = { 0, 1, 2, 3, 4, 7, 0x10, 0x7f, 0xffff, 0x80000000, ~0ULL };

/* Random offsets, lengths and values in random order: each access returns. */
static void disturb(struct vmm_device *dev, u32 seed, unsigned int times)
{
	u64 size = dev->size * dev->count;

	while (times--) {
		/* Most registers of most devices are at low offsets. */
		u64 offset = random_next(&seed) % (random_next(&seed) & 1 ? 0x60 : size + 16);
		unsigned int len = random_next(&seed) % 10;

		if (random_next(&seed) & 1)
			vmm_device_write(dev, offset, values[random_next(&seed) %
							     ARRAY_SIZE(values)], len);
		else if (len < 8)
			tap_check(!(vmm_device_read(dev, offset, len) >> 8 * len));
		else
			vmm_device_read(dev, offset, len);
	}
}

static void check_accesses(struct vmm_device *dev)
{
	u64 size = dev->size * dev->count;
	unsigned int len;
	u64 offset;

	/* Not every byte, because a PCI window is larger than any device. */
	for (offset = 0; offset < size + 8; offset += offset < 0x10000 ? 1 : 0xffff) {
		for (len = 0; len <= 9; len++)
			vmm_device_read(dev, offset, len);
	}
	tap_equal(vmm_device_read(dev, size, 4), 0);
	tap_equal(vmm_device_read(dev, ~0ULL, 4), 0);
	vmm_device_write(dev, ~0ULL, 1, 4);
	disturb(dev, 1, 20000);
}

static void any_access_is_answered(void)
{
	with_every_device(check_accesses);
}

/* ---- reset ---- */

static void snapshot(struct vmm_device *dev, u8 *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		bytes[i] = vmm_device_read(dev, i, 1);
}

/* Counts the open files of this process. */
static unsigned int open_files(void)
{
	unsigned int count = 0;
	int fd;

	for (fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void check_reset(struct vmm_device *dev)
{
	static u8 fresh[0x4000], after[0x4000];
	size_t len = dev->size * dev->count < sizeof(fresh) ? dev->size * dev->count :
							      sizeof(fresh);
	unsigned int files = open_files();

	dev->ops->reset(dev);
	snapshot(dev, fresh, len);
	disturb(dev, 2, 20000);
	dev->ops->reset(dev);
	snapshot(dev, after, len);
	tap_check(!memcmp(fresh, after, len));
	dev->ops->reset(dev);
	dev->ops->reset(dev);
	snapshot(dev, after, len);
	tap_check(!memcmp(fresh, after, len));
	tap_equal(open_files(), files);
	tap_check(!level[dev->irq]);
}

static void a_reset_is_a_power_on(void)
{
	with_every_device(check_reset);
}

/* Lists the inodes of the first files. */
static void list_files(u64 inode[64])
{
	struct stat st;
	unsigned int i;

	for (i = 0; i < 64; i++)
		inode[i] = fstat(i, &st) ? 0 : st.st_ino;
}

/* Accepts a connection that other tests have left, or returns -1. */
static int next_client(void)
{
	return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static void drop_clients(void)
{
	int fd;

	while ((fd = next_client()) >= 0)
		close(fd);
}

/* Files are the same before and after: a reset does not close or open any. */
static void resets_keep_files(void)
{
	u64 before[64], after[64];
	unsigned int i;

	drop_clients();
	if (machine_open()) {
		list_files(before);
		vmm_board_reset(&vm);
		tap_check(!vmm_mem_clear(&vm.mem));
		vmm_board_reset(&vm);
		list_files(after);
		for (i = 0; i < ARRAY_SIZE(after); i++) {
			tap_context("file %u", i);
			tap_equal(after[i], before[i]);
		}
		/* Each of the three connections was made once, and is still open. */
		for (i = 0; i < 3; i++) {
			int fd = next_client();
			char byte;

			tap_check(fd >= 0 && recv(fd, &byte, 1, 0) < 0 && errno == EAGAIN);
			close(fd);
		}
		tap_check(next_client() < 0);
	}
	machine_close();
}

/* ---- pause and resume ---- */

static void check_pause(struct vmm_device *dev)
{
	static u8 before[0x4000], after[0x4000];
	size_t len = dev->size * dev->count < sizeof(before) ? dev->size * dev->count :
							       sizeof(before);
	unsigned int i;

	disturb(dev, 3, 1000);
	/* After this, reads have no further effects: a FIFO is empty. */
	for (i = 0; i < 20; i++)
		snapshot(dev, before, len);
	dev->ops->resume(dev);
	dev->ops->pause(dev);
	dev->ops->pause(dev);
	dev->ops->resume(dev);
	dev->ops->resume(dev);
	snapshot(dev, after, len);
	tap_check(!memcmp(before, after, len));
	dev->ops->pause(dev);
	dev->ops->reset(dev);
	dev->ops->resume(dev);
	/* Its VM may end while it is paused. */
	dev->ops->pause(dev);
}

static void pausing_changes_nothing(void)
{
	with_every_device(check_pause);
}

/* ---- save and load ---- */

/* Some devices are changed more by commands than by a guest. */
static void steer(struct vmm_device *dev, u32 number)
{
	static struct vmm_text text;
	char value[32];

	vmm_text_clear(&text);
	snprintf(value, sizeof(value), "capacity %u", number);
	vmm_device_command(dev, "set", value, &text);
	vmm_device_command(dev, "send", "EV_KEY:KEY_POWER:1", &text);
	vmm_device_command(dev, "power-button", NULL, &text);
}

/*
 * The pipe and sync have no device of the kernel here, the generation stores nothing. The PCI bus
 * needs two writes of 4 bytes in a row, and before that its functions' registers, such as those of
 * the address space, have no address.
 */
static bool changes_little(const struct vmm_device *dev)
{
	static const char *const names[] = {
		"pipe", "sync", "vmgenid", "pci", "virtio_pci", "address_space",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(dev->ops->name, names[i]))
			return true;
	}
	return false;
}

static void check_save(struct vmm_device *dev)
{
	struct vmm_state first, second, third;
	u32 seed;

	if (!dev->ops->save) {
		tap_check(!dev->ops->load);
		return;
	}
	for (seed = 10; seed < 20; seed++) {
		dev->ops->reset(dev);
		disturb(dev, seed, 500);
		dev->ops->pause(dev);
		tap_equal(vmm_device_save(dev, &first), 0);
		dev->ops->resume(dev);
		disturb(dev, seed + 100, 5000);
		steer(dev, seed);
		dev->ops->pause(dev);
		tap_equal(vmm_device_save(dev, &second), 0);
		tap_equal(vmm_device_load(dev, &first), 0);
		tap_equal(vmm_device_save(dev, &third), 0);
		tap_check(third.len == first.len && !memcmp(third.bytes, first.bytes, first.len));
		/*
		 * The saved state shows the changes in between, unless this test changes
		 * little or nothing of the device.
		 */
		tap_check(changes_little(dev) || second.len != first.len ||
			  memcmp(second.bytes, first.bytes, first.len));
		dev->ops->resume(dev);
		vmm_state_free(&first);
		vmm_state_free(&second);
		vmm_state_free(&third);
	}
}

static void what_is_saved_is_loaded(void)
{
	with_every_device(check_save);
}

/* Bytes that the guest has not read, and their interrupt. */
static void a_saved_uart_has_its_input(void)
{
	struct vmm_state state;
	struct vmm_device *uart;

	if (machine_open()) {
		uart = vmm_board_find(&vm.board, VMM_MMIO, 0x09000000, 4);
		vmm_device_write(uart, 0x2c, 0x10, 4);	/* FIFO */
		vmm_device_write(uart, 0x38, 0x50, 4);	/* receive interrupts */
		tap_equal(vmm_pl011_take(uart->state, (const u8 *)"abc", 3), 3);
		tap_equal(vmm_device_read(uart, 0, 4), 'a');
		uart->ops->pause(uart);
		tap_equal(vmm_pl011_take(uart->state, (const u8 *)"x", 1), 0);
		tap_equal(vmm_device_save(uart, &state), 0);
		uart->ops->reset(uart);
		tap_check(!level[uart->irq]);
		tap_equal(vmm_device_load(uart, &state), 0);
		tap_check(level[uart->irq]);
		uart->ops->resume(uart);
		tap_equal(vmm_device_read(uart, 0, 4), 'b');
		tap_equal(vmm_pl011_take(uart->state, (const u8 *)"d", 1), 1);
		tap_equal(vmm_device_read(uart, 0, 4), 'c');
		tap_equal(vmm_device_read(uart, 0, 4), 'd');
		tap_check(!level[uart->irq]);
		vmm_state_free(&state);
	}
	machine_close();
}

#define LOOKS	2000	/* of 10 ms */

/**
 * struct look - the main loop, until a line is raised
 * @timer_fd: time of the next check
 * @irq: the line
 * @looks: number of checks
 */
struct look {
	int timer_fd;
	u32 irq;
	unsigned int looks;
};

static int look_at_line(void *arg)
{
	struct look *look = arg;
	u64 expirations;

	if (read(look->timer_fd, &expirations, sizeof(expirations)) < 0)
		return 0;
	return level[look->irq] || ++look->looks == LOOKS;
}

/* Runs the main loop until the line is raised. */
static void wait_for_line(u32 irq)
{
	static const struct itimerspec often = { { 0, 10000000 }, { 0, 10000000 } };
	struct look look = { .timer_fd = timerfd_create(CLOCK_MONOTONIC, 0), .irq = irq };

	tap_check(!timerfd_settime(look.timer_fd, 0, &often, NULL));
	tap_check(!vmm_loop_add(vm.loop, look.timer_fd, look_at_line, &look));
	tap_equal(vmm_loop_run(vm.loop), 1);
	tap_check(level[irq]);
	vmm_loop_del(vm.loop, look.timer_fd);
	close(look.timer_fd);
}

/* The guest's own time, and an alarm that is due after the load. */
static void a_saved_clock_has_its_alarm(void)
{
	struct vmm_state state;
	struct vmm_device *rtc;

	if (machine_open()) {
		rtc = vmm_board_find(&vm.board, VMM_MMIO, 0x09050000, 4);
		tap_equal(vmm_device_read(rtc, 0, 4), 1700000000);
		vmm_device_write(rtc, 0x08, 1000, 4);	/* the time */
		vmm_device_write(rtc, 0x04, 1060, 4);	/* the alarm */
		vmm_device_write(rtc, 0x10, 1, 4);
		rtc->ops->pause(rtc);
		tap_equal(vmm_device_save(rtc, &state), 0);
		rtc->ops->reset(rtc);
		tap_equal(vmm_device_read(rtc, 0, 4), 1700000000);
		tap_equal(vmm_device_load(rtc, &state), 0);
		tap_equal(vmm_device_read(rtc, 0, 4), 1000);
		tap_check(!level[rtc->irq]);
		tap_equal(vmm_device_read(rtc, 4, 4), 1060);
		/* The VM is resumed when the alarm is due by the host's clock. */
		((struct vmm_pl031 *)rtc->state)->now = real_time;
		rtc->ops->resume(rtc);
		wait_for_line(rtc->irq);
		vmm_state_free(&state);
	}
	machine_close();
}

/* A resumed guest gets a new generation ID, because clones may have the same state. */
static void a_loaded_generation_is_new(void)
{
	struct vmm_device *id;
	struct vmm_state state;
	unsigned int before;
	u64 was[2];

	if (machine_open()) {
		id = vmm_board_find(&vm.board, VMM_MMIO, 0x0a030000, 4);
		was[0] = vmm_device_read(id, 0, 8);
		was[1] = vmm_device_read(id, 8, 8);
		id->ops->pause(id);
		tap_equal(vmm_device_save(id, &state), 0);
		id->ops->reset(id);
		tap_equal(vmm_device_read(id, 0, 8), was[0]);
		before = changes;
		tap_equal(vmm_device_load(id, &state), 0);
		tap_check(vmm_device_read(id, 0, 8) != was[0]);
		tap_check(vmm_device_read(id, 8, 8) != was[1]);
		/* An edge: up and down. */
		tap_equal(changes, before + 2);
		tap_check(!level[id->irq]);
		/* Other bytes read as 0, and writes have no effect. */
		tap_equal(vmm_device_read(id, 16, 8), 0);
		was[0] = vmm_device_read(id, 0, 8);
		vmm_device_write(id, 0, ~was[0], 8);
		tap_equal(vmm_device_read(id, 0, 8), was[0]);
		vmm_state_free(&state);
	}
	machine_close();
}

/* Loads a blob that must be refused; the device must then be as after a reset. */
static void check_refused(struct vmm_device *dev, const struct vmm_state *reset, u8 *bytes,
			  size_t len, int err)
{
	struct vmm_state wrong = { .bytes = bytes, .len = len };
	struct vmm_state now;
	int got = vmm_device_load(dev, &wrong);

	tap_check(err ? got == err : got < 0);
	tap_equal(vmm_device_save(dev, &now), 0);
	tap_check(now.len == reset->len && !memcmp(now.bytes, reset->bytes, reset->len));
	vmm_state_free(&now);
}

static void check_damaged(struct vmm_device *dev)
{
	struct vmm_state reset, good;
	static u8 bytes[0x8000];
	size_t i;

	if (!dev->ops->save)
		return;
	dev->ops->reset(dev);
	dev->ops->pause(dev);
	tap_equal(vmm_device_save(dev, &reset), 0);
	disturb(dev, 4, 500);
	tap_equal(vmm_device_save(dev, &good), 0);
	if (!tap_check(good.len < sizeof(bytes)))
		return;
	for (i = 0; i < good.len; i++) {
		memcpy(bytes, good.bytes, i);
		check_refused(dev, &reset, bytes, i, -EINVAL);
	}
	memcpy(bytes, good.bytes, good.len);
	bytes[good.len] = 0;
	check_refused(dev, &reset, bytes, good.len + 1, -EINVAL);
	/* A blob of another device, a newer one, and one without a version. */
	bytes[4] ^= 1;
	check_refused(dev, &reset, bytes, good.len, -EINVAL);
	bytes[4] ^= 1;
	bytes[32]++;
	check_refused(dev, &reset, bytes, good.len, -EOPNOTSUPP);
	bytes[32] = 0;
	check_refused(dev, &reset, bytes, good.len, -EINVAL);
	bytes[32] = 1;
	/* Wrong lengths and tags of fields, and impossible values. */
	memset(bytes + 40, 0xff, 4);
	check_refused(dev, &reset, bytes, good.len, -EINVAL);
	memcpy(bytes + 40, good.bytes + 40, 4);
	memset(bytes + 44, 0xff, 4);
	check_refused(dev, &reset, bytes, good.len, -EINVAL);
	memcpy(bytes + 44, good.bytes + 44, 4);
	memset(bytes + 48, 0xff, good.len - 48);
	check_refused(dev, &reset, bytes, good.len, -EINVAL);
	/* With any single wrong byte it is refused or loaded, without a crash. */
	for (i = 0; i < good.len; i++) {
		struct vmm_state odd = { .bytes = bytes, .len = good.len };

		memcpy(bytes, good.bytes, good.len);
		bytes[i] ^= 0x80;
		vmm_device_load(dev, &odd);
		disturb(dev, i, 10);
	}
	dev->ops->resume(dev);
	vmm_state_free(&reset);
	vmm_state_free(&good);
}

static void damaged_state_is_refused(void)
{
	with_every_device(check_damaged);
}

/* ---- the rest of the interface ---- */

static void check_rest(struct vmm_device *dev)
{
	static struct vmm_text text;

	tap_check(dev->ops->create && dev->ops->reset && dev->ops->destroy && dev->ops->read &&
		  dev->ops->write && dev->ops->pause && dev->ops->resume && dev->ops->describe);
	tap_check(strlen(dev->ops->name) < VMM_STATE_NAME);
	tap_equal(vmm_device_command(dev, "no such command", NULL, &text), -ENOENT);
}

static void interfaces_are_complete(void)
{
	with_every_device(check_rest);
}

/* ---- counters ---- */

static u64 sum_of(const struct vmm_report *report)
{
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < report->count; i++)
		sum += report->values[i];
	return sum;
}

#define PARTS	16

/**
 * struct parts - the counters of devices behind another one
 * @visitor: called for each device
 * @count: number of devices
 * @name: name of each
 * @sum: sum of its counters
 */
struct parts {
	struct vmm_report_visitor visitor;
	unsigned int count;
	char name[PARTS][32];
	u64 sum[PARTS];
};

static void take_part(struct vmm_report_visitor *visitor, const char *name,
		      const struct vmm_report *report)
{
	struct parts *parts = (struct parts *)visitor;
	unsigned int i;

	tap_check(report->count && report->count < VMM_REPORT);
	for (i = 0; i < parts->count; i++)
		tap_check(strcmp(parts->name[i], name));
	if (!tap_check(parts->count < PARTS))
		return;
	snprintf(parts->name[parts->count], sizeof(parts->name[0]), "%s", name);
	parts->sum[parts->count++] = sum_of(report);
}

static void check_parts(struct vmm_device *dev)
{
	struct parts before = { .visitor.report = take_part };
	struct parts after = { .visitor.report = take_part };
	unsigned int i;

	dev->ops->parts(dev, &before.visitor);
	dev->ops->reset(dev);
	dev->ops->parts(dev, &after.visitor);
	tap_equal(after.count, before.count);
	for (i = 0; i < after.count; i++) {
		tap_check(!strcmp(after.name[i], before.name[i]));
		tap_check(after.sum[i] > before.sum[i]);
	}
}

/* The name is unique on the board, and accesses change the counters. */
static void check_counters(struct vmm_device *dev)
{
	struct vmm_report report;
	unsigned int i;
	u64 before;

	for (i = 0; i < vm.board.devices; i++)
		tap_check(&vm.board.dev[i] == dev ||
			  strcmp(vm.board.dev[i].ops->name, dev->ops->name));
	if (dev->ops->parts) {
		check_parts(dev);
		return;
	}
	vmm_device_report(dev, &report);
	tap_check(report.count && report.count < VMM_REPORT);
	before = sum_of(&report);
	vmm_board_reset(&vm);
	vmm_device_report(dev, &report);
	tap_check(sum_of(&report) > before);
}

static void every_device_counts(void)
{
	with_every_device(check_counters);
}

static u64 counter(struct vmm_device *dev, const char *name)
{
	struct vmm_report report;
	unsigned int i;

	vmm_device_report(dev, &report);
	for (i = 0; i < report.count; i++) {
		if (!strcmp(report.names[i], name))
			return report.values[i];
	}
	return ~0ULL;
}

static struct vmm_device *device_named(const char *name)
{
	unsigned int i;

	for (i = 0; i < vm.board.devices; i++) {
		if (!strcmp(vm.board.dev[i].ops->name, name))
			return &vm.board.dev[i];
	}
	return NULL;
}

/* Counters of small devices that only they have. */
static void what_devices_do_is_counted(void)
{
	static struct vmm_text text;
	struct vmm_device *dev;

	if (machine_open()) {
		dev = device_named("pl011");
		vmm_device_write(dev, 0, 'x', 4);
		vmm_device_write(dev, 0, 'y', 4);
		tap_equal(counter(dev, "bytes_out"), 2);
		/* The transmit interrupt is enabled. */
		tap_equal(counter(dev, "interrupts"), 0);
		vmm_device_write(dev, 0x38, 1 << 5, 4);
		tap_equal(counter(dev, "interrupts"), 1);
		dev = device_named("battery");
		tap_equal(counter(dev, "changes"), 0);
		tap_equal(vmm_device_command(dev, "set", "capacity 50", &text), 0);
		tap_equal(counter(dev, "changes"), 1);
		tap_equal(counter(device_named("vmgenid"), "generations"), 1);
		tap_equal(counter(device_named("pl031"), "alarms"), 0);
	}
	machine_close();
}

static void commands_find_their_device(void)
{
	if (machine_open()) {
		struct vmm_device *bank = device_named("virtio_mmio");

		tap_check(!truncate(disk, 2 * MIB));
		tap_equal(vmm_board_command(&vm, NULL, "resize", NULL, NULL), 0);
		tap_equal(vmm_board_command(&vm, "virtio_mmio", "resize", NULL, NULL), 0);
		tap_equal(vmm_board_command(&vm, "pl011", "resize", NULL, NULL), -ENOENT);
		tap_equal(vmm_board_command(&vm, NULL, "resiz", NULL, NULL), -ENOENT);
		/* Read the capacity of the disk in the highest transport. */
		tap_equal(vmm_device_read(bank, 31 * 0x200 + 0x100, 4), 4096);
		tap_check(!truncate(disk, MIB));
	}
	machine_close();
}

/* ---- a disk whose file exceeds the limit on files ---- */

#define RING_DESC	0x0000
#define RING_AVAIL	0x1000
#define RING_USED	0x2000
#define RING_DATA	0x3000
#define RING_SIZE	8
#define SLOT		31	/* the disk's transport */

static void *ram(u64 offset)
{
	return vmm_mem_ptr(&vm.mem, vm.board.ram[0].base + offset, 4096);
}

static void disk_write_reg(u64 offset, u32 value)
{
	vmm_device_write(device_named("virtio_mmio"), SLOT * 0x200 + offset, value, 4);
}

static void disk_start(void)
{
	u64 base = vm.board.ram[0].base;

	disk_write_reg(0x70, 3);
	disk_write_reg(0x24, 1);
	disk_write_reg(0x20, 1);
	disk_write_reg(0x70, 11);
	disk_write_reg(0x30, 0);
	disk_write_reg(0x38, RING_SIZE);
	disk_write_reg(0x80, base + RING_DESC);
	disk_write_reg(0x90, base + RING_AVAIL);
	disk_write_reg(0xa0, base + RING_USED);
	disk_write_reg(0x44, 1);
	disk_write_reg(0x70, 15);
}

/* Writes a sector; returns the status, 0xff if there was no answer. */
static u8 disk_write(u64 sector)
{
	u64 base = vm.board.ram[0].base + RING_DATA;
	struct vring_desc *desc = ram(RING_DESC);
	struct virtio_blk_outhdr *head = ram(RING_DATA);
	u16 *avail = ram(RING_AVAIL);
	u16 *used = ram(RING_USED);
	u8 *status = (u8 *)ram(RING_DATA) + 1024;
	u16 next = avail[1];
	unsigned int tries;

	*head = (struct virtio_blk_outhdr){ .type = VIRTIO_BLK_T_OUT, .sector = sector };
	*status = 0xff;
	desc[0] = (struct vring_desc){ base, sizeof(*head), VRING_DESC_F_NEXT, 1 };
	desc[1] = (struct vring_desc){ base + 512, 512, VRING_DESC_F_NEXT, 2 };
	desc[2] = (struct vring_desc){ base + 1024, 1, VRING_DESC_F_WRITE, 0 };
	avail[2 + next % RING_SIZE] = 0;
	__atomic_store_n(&avail[1], next + 1, __ATOMIC_RELEASE);
	disk_write_reg(0x50, 0);
	for (tries = 0; tries < 10000; tries++) {
		if (__atomic_load_n(&used[1], __ATOMIC_ACQUIRE) == (u16)(next + 1))
			break;
		usleep(1000);
	}
	return *status;
}

static u64 counted;
static const char *counter_name;

static void take_disk(struct vmm_report_visitor *visitor, const char *name,
		      const struct vmm_report *report)
{
	unsigned int i;

	(void)visitor;
	for (i = 0; i < report->count && !strcmp(name, "blk0"); i++) {
		if (!strcmp(report->names[i], counter_name))
			counted = report->values[i];
	}
}

static u64 disk_counter(const char *name)
{
	struct vmm_report_visitor visitor = { take_disk };
	struct vmm_device *dev = device_named("virtio_mmio");

	counted = ~0ULL;
	counter_name = name;
	dev->ops->parts(dev, &visitor);
	return counted;
}

static void a_limit_on_files_is_an_error_of_the_disk(void)
{
	struct rlimit before, limit;

	if (machine_open()) {
		signal(SIGXFSZ, SIG_IGN);
		disk_start();
		tap_equal(disk_write(1536), VIRTIO_BLK_S_OK);
		getrlimit(RLIMIT_FSIZE, &before);
		limit = before;
		limit.rlim_cur = 512 * KIB;
		tap_check(!setrlimit(RLIMIT_FSIZE, &limit));
		tap_equal(disk_write(1536), VIRTIO_BLK_S_IOERR);
		tap_equal(disk_write(16), VIRTIO_BLK_S_OK);
		setrlimit(RLIMIT_FSIZE, &before);
		tap_equal(disk_write(1536), VIRTIO_BLK_S_OK);
		tap_equal(disk_counter("writes"), 4);
		tap_equal(disk_counter("written_bytes"), 3 * 512);
		tap_equal(disk_counter("errors"), 1);
		tap_equal(disk_counter("queue0_requests"), 4);
		tap_equal(disk_counter("kicks"), 4);
		tap_equal(disk_counter("starts"), 1);
	}
	machine_close();
}

static const struct tap_case cases[] = {
	{ "every device has every operation", interfaces_are_complete },
	{ "any access of any length is answered", any_access_is_answered },
	{ "a reset is a power-on, twice as well", a_reset_is_a_power_on },
	{ "a reset keeps every file", resets_keep_files },
	{ "pause and resume are idempotent and change nothing", pausing_changes_nothing },
	{ "what is saved is loaded", what_is_saved_is_loaded },
	{ "a saved UART has its input", a_saved_uart_has_its_input },
	{ "a saved clock has its alarm", a_saved_clock_has_its_alarm },
	{ "a loaded generation is new", a_loaded_generation_is_new },
	{ "damaged, foreign and newer state is refused", damaged_state_is_refused },
	{ "every device has a name and counts", every_device_counts },
	{ "small devices count what they do", what_devices_do_is_counted },
	{ "a limit on files is an error of the disk", a_limit_on_files_is_an_error_of_the_disk },
	{ "a command finds the devices that have it", commands_find_their_device },
};

int main(void)
{
	int rc;

	host_open();
	rc = tap_run(cases, ARRAY_SIZE(cases));
	host_close();
	return rc;
}
