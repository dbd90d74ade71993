// SPDX-License-Identifier: GPL-2.0-only
/*
 * The x86_64 board with a real KVM: tiny guests of 32 and 16 bits (guest/), which access registers
 * and take interrupts as a driver does. Needs /dev/kvm and no module.
 *
 * With RANCHU_KVM_REQUIRED in the environment, a missing KVM is a failure.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <linux/ranchu_pc.h>

#include "boot/pc.h"
#include "cli/cli.h"
#include "host/display.h"
#include "machine/machine.h"
#include "tests/kvm/shared.h"
#include "tests/tap.h"

#define LIMIT	60	/* seconds that a guest has */

/* Name of a case, how its VM ends, and whether it needs ends of interrupts. */
static const struct {
	const char *name;
	enum vmm_end end;
	bool ends;
} rows[KVM_CASES] = {
	[KVM_NOTHING] = { "a guest runs and switches itself off", VMM_END_OFF },
	[KVM_IN_SERVICE] = { "an interrupt is in service until it is ended", VMM_END_OFF, true },
	[KVM_CONFIG_PORTS] = { "PCI configuration by ports 0xcf8 and 0xcfc", VMM_END_OFF },
	[KVM_BARS] = { "BARs are sized, moved and switched off", VMM_END_OFF },
	[KVM_MESSAGES] = { "a masked message is pending until it is not", VMM_END_OFF },
	[KVM_ALL_MESSAGES] = { "messages of a function are masked as one", VMM_END_OFF },
	[KVM_CHANGED_MESSAGE] = { "a message may change while it is masked", VMM_END_OFF },
	[KVM_PIN] = { "a pin is high until its reason is read", VMM_END_OFF, true },
	[KVM_PIN_DISABLED] = { "a function with its pin disabled says so", VMM_END_OFF, true },
	[KVM_RESAMPLE] = { "the end of a level interrupt lowers an irqfd's line", VMM_END_OFF },
	[KVM_RESAMPLE_AGAIN] = { "a line that is raised at its end interrupts again", VMM_END_OFF },
	[KVM_RESAMPLE_MASKED] = { "a line that is high at a masked pin is not lost", VMM_END_OFF },
	[KVM_PM_REGISTERS] = { "ACPI's event and control registers", VMM_END_OFF },
	[KVM_PM_TIMER] = { "ACPI's timer runs at its frequency", VMM_END_OFF },
	[KVM_POWER_BUTTON] = { "the power button interrupts until it is answered", VMM_END_OFF,
				true },
	[KVM_SERIAL_REGISTERS] = { "registers of the serial port, looped back", VMM_END_OFF },
	[KVM_SERIAL_INTERRUPTS] = { "a serial port sends and receives by interrupts", VMM_END_OFF },
	[KVM_SECOND_CPU] = { "a second CPU starts with 16 bits and reaches ports", VMM_END_OFF },
	[KVM_RESET_REGISTER] = { "port 0xcf9 resets", VMM_END_RESET },
	[KVM_RESET_KEYBOARD] = { "port 0x64 resets", VMM_END_RESET },
	[KVM_RESET_FAULT] = { "a triple fault resets", VMM_END_RESET },
	[KVM_PANICS] = { "port 0x505 ends a guest that has panicked", VMM_END_PANIC },
};

/* The reason why no case can run here, or NULL. */
static const char *missing;

/* The reason why cases with ends of interrupts cannot run here, or NULL. */
static const char *no_ends;

/**
 * struct bench - a VM, and its connections
 * @cfg: its configuration
 * @vm: the VM
 * @call_fd: raises the line of board_test's device
 * @ends_fd: KVM signals it at the end of the line's interrupt
 * @button_fd: presses the power button
 * @limit_fd: timer, ends a guest that does not end
 * @left: how often the line must be raised again
 * @ends: number of ends of its interrupt
 * @in: pipe to the serial port
 * @out: pipe from it
 */
static struct bench {
	struct vmm_config cfg;
	struct vmm_vm vm;
	int call_fd;
	int ends_fd;
	int button_fd;
	int limit_fd;
	unsigned int left;
	unsigned int ends;
	int in[2];
	int out[2];
} bench;

/* ---- the device of board_test's own ---- */

static int line_ended(void *arg)
{
	eventfd_t value;

	(void)arg;
	if (eventfd_read(bench.ends_fd, &value))
		return 0;
	__atomic_fetch_add(&bench.ends, value, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&bench.left, __ATOMIC_SEQ_CST))
		return 0;
	__atomic_fetch_sub(&bench.left, 1, __ATOMIC_SEQ_CST);
	vmm_event_signal(bench.call_fd);
	return 0;
}

static int button_pressed(void *arg)
{
	(void)arg;
	vmm_event_clear(bench.button_fd);
	vmm_board_command(&bench.vm, NULL, "power-button", NULL, NULL);
	return 0;
}

static int limit_reached(void *arg)
{
	(void)arg;
	return VMM_END_KILL;
}

static int line_create(struct vmm_device *dev)
{
	return vmm_line_attach(&dev->line, bench.call_fd, bench.ends_fd);
}

static u64 line_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	struct timespec now;

	(void)len;
	clock_gettime(CLOCK_MONOTONIC, &now);
	switch (dev->base + offset) {
	case KVM_PORT_ENDS:
		return __atomic_load_n(&bench.ends, __ATOMIC_SEQ_CST);
	case KVM_PORT_CLOCK:
		return now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
	}
	return 0;
}

static void line_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	(void)len;
	switch (dev->base + offset) {
	case KVM_PORT_RAISE:
		__atomic_store_n(&bench.left, value - 1, __ATOMIC_SEQ_CST);
		vmm_event_signal(bench.call_fd);
		break;
	case KVM_PORT_BUTTON:
		vmm_event_signal(bench.button_fd);
		break;
	}
}

static void line_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	(void)dev;
	(void)visitor;
}

static const struct vmm_device_ops line_ops = {
	.name = "line",
	.create = line_create,
	.reset = vmm_device_nothing,
	.destroy = vmm_device_nothing,
	.read = line_read,
	.write = line_write,
	.pause = vmm_device_nothing,
	.resume = vmm_device_nothing,
	.describe = line_describe,
};

/* ---- a VM ---- */

static bool bench_files(struct vmm_loop *loop)
{
	struct itimerspec limit = { .it_value.tv_sec = LIMIT };

	bench.call_fd = vmm_event_create();
	bench.ends_fd = vmm_event_create();
	bench.button_fd = vmm_event_create();
	bench.limit_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return tap_check(!pipe2(bench.in, O_CLOEXEC | O_NONBLOCK)) &&
	       tap_check(!pipe2(bench.out, O_CLOEXEC | O_NONBLOCK)) &&
	       tap_check(!timerfd_settime(bench.limit_fd, 0, &limit, NULL)) &&
	       tap_check(!vmm_loop_add(loop, bench.ends_fd, line_ended, NULL)) &&
	       tap_check(!vmm_loop_add(loop, bench.button_fd, button_pressed, NULL)) &&
	       tap_check(!vmm_loop_add(loop, bench.limit_fd, limit_reached, NULL));
}

static void bench_close(void)
{
	const int fds[] = {
		bench.call_fd, bench.ends_fd, bench.button_fd, bench.limit_fd,
		bench.in[0], bench.in[1], bench.out[0], bench.out[1],
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

/* One life of the guest; case @number goes into EBX. */
static enum vmm_end life(struct vmm_vm *vm, unsigned int number)
{
	struct vmm_entry entry = {
		.pc = KVM_GUEST_BASE, .arg = number, .how = VMM_PC_ENTRY_FLAT,
	};
	size_t size = kvm_guest_end - kvm_guest;
	enum vmm_end end = VMM_END_ERROR;
	unsigned int i;

	if (vmm_vm_power_on(vm))
		return end;
	memcpy(vmm_mem_ptr(&vm->mem, KVM_GUEST_BASE, size), kvm_guest, size);
	if (!vmm_arch_vcpu_entry(vm->vcpu[0], &entry) && !vmm_threads_start(vm)) {
		for (i = 0; i < vm->vcpus; i++)
			tap_check(!vmm_vcpu_start(vm->vcpu[i]));
		end = vmm_loop_run(vm->loop);
		vmm_vm_end(vm, end);
		for (i = 0; i < vm->vcpus; i++)
			vmm_vcpu_stop(vm->vcpu[i]);
		vmm_console_flush(vm->host.console);
	}
	vmm_vm_power_off(vm);
	return end;
}

/* Reports the guest's results. */
static void report(struct vmm_vm *vm)
{
	const struct kvm_results *results = vmm_mem_ptr(&vm->mem, KVM_RESULTS, sizeof(*results));
	unsigned int i;

	tap_check(results->checks);
	for (i = 0; i < results->failures && i < KVM_FAILURES; i++) {
		const struct kvm_failure *failure = &results->failure[i];

		tap_same(failure->have, failure->want, failure->file, failure->line, "this");
	}
}

static enum vmm_end run(struct vmm_vm *vm, unsigned int number)
{
	enum vmm_end end = VMM_END_ERROR;

	if (vmm_vm_create(vm))
		return end;
	if (!vmm_board_create(vm)) {
		end = life(vm, number);
		if (end != VMM_END_ERROR)
			report(vm);
		vmm_board_destroy(vm);
	}
	vmm_vm_destroy(vm);
	return end;
}

static enum vmm_end guest(unsigned int number)
{
	const char *const words[] = {
		"vmmctl", "run", "--kernel=none", "--pipe=none", "--sync=none", "--memory=64M",
		"--cpus=2", "--virtio=rng",
	};
	enum vmm_end end = VMM_END_ERROR;
	struct vmm_loop *loop = vmm_loop_create();
	struct vmm_vm *vm = &bench.vm;

	memset(&bench, 0, sizeof(bench));
	if (!tap_check(loop) || !bench_files(loop) ||
	    !tap_check(!vmm_options_parse(&bench.cfg, ARRAY_SIZE(words), (char **)words)))
		return end;
	*vm = (struct vmm_vm){
		.cfg = &bench.cfg, .loop = loop, .read_window = true, .ram_fd = -1,
		.host.display = vmm_display_open(bench.cfg.screen_width, bench.cfg.screen_height),
		.host.console = vmm_console_open(loop, bench.in[0], bench.out[1]),
	};
	tap_check(write(bench.in[1], KVM_SERIAL_IN, strlen(KVM_SERIAL_IN)) > 0);
	vmm_arch_board(&vm->board, &bench.cfg);
	/* Replaces the pipe, with the pipe's interrupt. */
	vmm_board_add_ports(&vm->board, &line_ops, KVM_PORT, KVM_PORTS, RANCHU_PC_PIPE_GSI);
	if (tap_check(vm->host.display && vm->host.console))
		end = run(vm, number);
	vmm_console_close(vm->host.console);
	vmm_display_close(vm->host.display);
	vmm_options_free(&bench.cfg);
	vmm_loop_destroy(loop);
	return end;
}

/* Checks the guest's output. */
static void check_console(const char *want)
{
	char text[64] = "";

	if (read(bench.out[0], text, sizeof(text) - 1) < 0)
		tap_equal(errno, EAGAIN);
	tap_context("\"%s\" from the serial port", text);
	tap_check(!strcmp(text, want));
}

static void run_case(unsigned int number)
{
	const char *reason = missing ? missing : rows[number].ends ? no_ends : NULL;

	if (reason) {
		tap_skip(reason);
		tap_check(!getenv("RANCHU_KVM_REQUIRED"));
		return;
	}
	tap_equal(guest(number), rows[number].end);
	check_console(number == KVM_SERIAL_INTERRUPTS ? KVM_SERIAL_OUT : "");
	bench_close();
}

/* Checks that KVM runs the simplest guest; without that, no case can run. */
static void look_for_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		missing = errno == ENOENT ? "this machine has no /dev/kvm" :
					    "/dev/kvm cannot be opened";
		return;
	}
	close(fd);
	if (guest(KVM_NOTHING) == VMM_END_ERROR)
		missing = "this machine's KVM does not run the board";
	bench_close();
	if (missing)
		return;
	/* This was seen in an emulated host: KVM checks the line again too early. */
	if (guest(KVM_IN_SERVICE) == VMM_END_RESET)
		no_ends = "this machine's KVM ends an interrupt as it delivers it";
	bench_close();
}

static void next_case(void)
{
	static unsigned int next;

	run_case(next++);
}

int main(void)
{
	struct tap_case cases[KVM_CASES];
	unsigned int i;

	for (i = 0; i < KVM_CASES; i++)
		cases[i] = (struct tap_case){ rows[i].name, next_case };
	look_for_kvm();
	return tap_run(cases, KVM_CASES);
}
