// SPDX-License-Identifier: GPL-2.0-only
/*
 * A KVM that lacks something: a run continues without it after one note, or is
 * refused with one message.
 *
 * The linker puts this file's open() and ioctl() in place of the C library's (--wrap).
 * They emulate /dev/kvm and the nodes of the modules, and pass all other calls on. No
 * guest runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/vhost_goldfish_pipe.h>
#include <linux/vhost_goldfish_sync.h>

#include "cli/cli.h"
#include "devices/devices.h"
#include "host/display.h"
#include "host/doctor.h"
#include "machine/machine.h"
#include "tests/machine/lacks.h"
#include "tests/tap.h"

#define FILES	64

/* Kinds of emulated files. */
enum kind { NOT_OURS, KVM, VM, PIPE, SYNC };

/**
 * struct asked - calls to KVM and to the modules
 * @ioeventfds: doorbells that KVM has taken
 * @irqfds: interrupts by eventfd that KVM has taken
 * @bells: doorbells that the sync device's module was given
 * @windows: read-only memory that KVM has taken
 * @writable: memory with a device's page that KVM has taken and the guest may write
 */
static struct asked {
	unsigned int ioeventfds;
	unsigned int irqfds;
	unsigned int bells;
	unsigned int windows;
	unsigned int writable;
} asked;

static enum kind kinds[FILES];
static int lacked[4];

static int stand_in(enum kind kind)
{
	int fd = memfd_create("stand-in", MFD_CLOEXEC);

	if (fd < 0 || fd >= FILES)
		return -1;
	kinds[fd] = kind;
	return fd;
}

int __wrap_open(const char *path, int flags, ...)
{
	va_list args;
	int mode;

	if (!strcmp(path, "/dev/kvm"))
		return stand_in(KVM);
	if (!strcmp(path, VMM_PIPE_NODE))
		return stand_in(PIPE);
	if (!strcmp(path, VMM_SYNC_NODE))
		return stand_in(SYNC);
	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, int) : 0;
	va_end(args);
	return __real_open(path, flags, mode);
}

static bool lacks(int capability)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lacked); i++) {
		if (lacked[i] && lacked[i] == capability)
			return true;
	}
	return false;
}

static int refuse(int err)
{
	errno = err;
	return -1;
}

static int memory_set(const struct kvm_userspace_memory_region *region)
{
	if (region->flags & KVM_MEM_READONLY && lacks(KVM_CAP_READONLY_MEM))
		return refuse(EINVAL);
	asked.windows += !!(region->flags & KVM_MEM_READONLY);
	asked.writable += !region->flags && region->memory_size < MIB;
	return 0;
}

/* A missing capability's ioctl fails as well. */
static int kvm_ioctl(unsigned long request, void *arg)
{
	const struct kvm_irqfd *irqfd = arg;

	switch (request) {
	case KVM_GET_API_VERSION:
		return KVM_API_VERSION;
	case KVM_CHECK_EXTENSION:
		return !lacks((uintptr_t)arg);
	case KVM_CREATE_VM:
		return stand_in(VM);
	case KVM_CREATE_DEVICE:
		((struct kvm_create_device *)arg)->fd = stand_in(VM);
		return 0;
	case KVM_GET_STATS_FD:
		return refuse(ENOTTY);
	case KVM_SET_USER_MEMORY_REGION:
		return memory_set(arg);
	case KVM_IOEVENTFD:
		if (lacks(KVM_CAP_IOEVENTFD))
			return refuse(ENOTTY);
		asked.ioeventfds++;
		return 0;
	case KVM_IRQFD:
		if (lacks(KVM_CAP_IRQFD))
			return refuse(ENOTTY);
		if (irqfd->flags & KVM_IRQFD_FLAG_RESAMPLE && lacks(KVM_CAP_IRQFD_RESAMPLE))
			return refuse(EINVAL);
		asked.irqfds++;
		return 0;
	}
	return 0;
}

/* A module with all features. */
static int module_ioctl(enum kind kind, unsigned long request, void *arg)
{
	if (request == VHOST_GET_BACKEND_FEATURES)
		*(u64 *)arg = kind == PIPE ? 1ULL << VHOST_GOLDFISH_PIPE_F_DOORBELL :
			      1ULL << VHOST_GOLDFISH_SYNC_F_DOORBELL;
	else if (request == VHOST_GOLDFISH_SYNC_SET_DOORBELL && kind == SYNC)
		asked.bells++;
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	enum kind kind = fd >= 0 && fd < FILES ? kinds[fd] : NOT_OURS;
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (kind == KVM || kind == VM)
		return kvm_ioctl(request, arg);
	if (kind == PIPE || kind == SYNC)
		return module_ioctl(kind, request, arg);
	return __real_ioctl(fd, request, arg);
}

/* ---- a run ---- */

static char said[1024];

/* The steps of vmmctl up to the guest's first instruction. */
static int begin(struct vmm_vm *vm)
{
	int err = vmm_vm_create(vm);

	if (err)
		return err;
	err = vmm_board_create(vm);
	if (!err) {
		err = vmm_vm_power_on(vm);
		if (!err)
			vmm_vm_power_off(vm);
		vmm_board_destroy(vm);
	}
	vmm_vm_destroy(vm);
	return err;
}

/* virtio devices are on its PCI bus; on the other board they are MMIO transports. */
static void (*board)(struct vmm_board *board, const struct vmm_config *cfg) = vmm_board_pc;

/* Parses the words of a command line, which end with NULL. */
static int run(const char *const *options)
{
	const char *words[16] = { "vmmctl", "run", "--kernel=none", "--memory=64M" };
	struct vmm_vm vm = { .ram_fd = -1 };
	struct vmm_config cfg;
	unsigned int n = 4;
	int err = -EIO;

	memset(kinds, 0, sizeof(kinds));
	memset(&asked, 0, sizeof(asked));
	while (*options)
		words[n++] = *options++;
	if (!tap_check(!vmm_options_parse(&cfg, n, (char **)words)))
		return err;
	/* KVM's part of the machine, without vCPUs. */
	cfg.cpus = 0;
	vm.cfg = &cfg;
	vm.loop = vmm_loop_create();
	vm.host.display = vmm_display_open(cfg.screen_width, cfg.screen_height);
	board(&vm.board, &cfg);
	vm.read_window = cfg.window == VMM_WINDOW_ON;
	tap_listen();
	if (vm.loop && vm.host.display)
		err = begin(&vm);
	tap_heard(said, sizeof(said));
	tap_context("this said: %.90s", said);
	vmm_display_close(vm.host.display);
	vmm_loop_destroy(vm.loop);
	vmm_options_free(&cfg);
	return err;
}

#define RUN(...)	run((const char *const []){ __VA_ARGS__, NULL })

static void lack(int first, int second)
{
	memset(lacked, 0, sizeof(lacked));
	lacked[0] = first;
	lacked[1] = second;
}

static unsigned int lines(void)
{
	unsigned int n = 0;
	const char *at;

	for (at = said; *at; at++)
		n += *at == '\n';
	return n;
}

/* Checks for one line of messages, which has @text. */
static void says(const char *text)
{
	tap_equal(lines(), 1);
	tap_check(strstr(said, text));
}

/* Runs @fn on both boards, unless it depends on the bus. */
static void on_both(void (*fn)(void))
{
	board = vmm_board_ranchu;
	fn();
	board = vmm_board_pc;
	fn();
}

static void a_whole_kvm(void)
{
	lack(0, 0);
	tap_equal(RUN("--pipe=kernel", "--virtio=rng"), 0);
	tap_equal(lines(), 0);
	tap_equal(asked.bells, 2);
	/* The doorbell of the sync device, and on the board with transports the queue's, too. */
	tap_check(asked.ioeventfds >= 2);
	tap_check(asked.irqfds >= 2);
	tap_equal(asked.windows, 1);
	tap_equal(asked.writable, 0);
}

static void nothing_is_said_of_a_whole_kvm(void)
{
	on_both(a_whole_kvm);
}

static void sync_auto_is_user(void)
{
	static const struct {
		int first;
		int second;
		const char *name;
	} rows[] = {
		{ KVM_CAP_IOEVENTFD, 0, "no ioeventfds" },
		{ KVM_CAP_IRQFD, KVM_CAP_IRQFD_RESAMPLE, "no irqfds" },
		{ KVM_CAP_IRQFD_RESAMPLE, 0, "no resampling irqfds" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		lack(rows[i].first, rows[i].second);
		tap_equal(RUN("--pipe=none", "--sync=auto"), 0);
		tap_check(strstr(said, rows[i].name));
		says("the sync device is served by vmmctl");
		tap_equal(asked.bells, 0);
		tap_equal(asked.irqfds, 0);
	}
}

static void sync_kernel_is_refused(void)
{
	lack(KVM_CAP_IOEVENTFD, 0);
	tap_check(RUN("--pipe=none", "--sync=kernel") < 0);
	says("--sync kernel needs ioeventfds, which this host's KVM lacks; try --sync user");
	lack(KVM_CAP_IRQFD_RESAMPLE, 0);
	tap_check(RUN("--pipe=none", "--sync=kernel") < 0);
	says("--sync kernel needs resampling irqfds, which");
	tap_equal(RUN("--pipe=none", "--sync=user"), 0);
	tap_equal(lines(), 0);
}

static void pipe_needs_resampling(void)
{
	lack(KVM_CAP_IRQFD_RESAMPLE, 0);
	tap_check(RUN("--pipe=kernel", "--sync=none") < 0);
	says("--pipe kernel needs resampling irqfds, which this host's KVM lacks; try --pipe user");
	tap_equal(RUN("--pipe=user", "--sync=none"), 0);
	tap_equal(lines(), 0);
	lack(KVM_CAP_IRQFD, KVM_CAP_IRQFD_RESAMPLE);
	tap_check(RUN("--pipe=kernel", "--sync=none") < 0);
	says("--pipe kernel needs irqfds, which this host's KVM lacks; try --pipe user");
}

static void without_ioeventfds(void)
{
	lack(KVM_CAP_IOEVENTFD, 0);
	tap_equal(RUN("--pipe=kernel", "--sync=none"), 0);
	says("this host's KVM has no ioeventfds: pipe commands will exit");
	tap_equal(asked.irqfds, 1);
	tap_equal(RUN("--pipe=none", "--sync=none", "--virtio=rng"), 0);
	says("this host's KVM has no ioeventfds: virtio notifications will exit");
}

static void doorbells_exit(void)
{
	on_both(without_ioeventfds);
}

static void without_irqfds(void)
{
	lack(KVM_CAP_IRQFD, KVM_CAP_IRQFD_RESAMPLE);
	tap_check(RUN("--pipe=none", "--sync=none", "--virtio=rng") < 0);
	says("virtio-rng needs irqfds, which this host's KVM lacks");
	lack(KVM_CAP_IRQFD_RESAMPLE, 0);
	tap_equal(RUN("--pipe=none", "--sync=none", "--virtio=rng"), 0);
	tap_equal(lines(), 0);
}

static void virtio_needs_irqfds(void)
{
	on_both(without_irqfds);
}

/* x86_64's lines are routed as well, so its message is different. */
static void messages_need_routes(void)
{
	lack(KVM_CAP_IRQ_ROUTING, 0);
	board = vmm_board_ranchu;
	tap_equal(RUN("--pipe=none", "--sync=none", "--virtio=rng"), 0);
	tap_equal(lines(), 0);
	board = vmm_board_pc;
	tap_check(RUN("--pipe=none", "--sync=none", "--virtio=rng") < 0);
	says("virtio-rng needs routes of interrupts, which this host's KVM lacks");
}

static void window_on_is_refused(void)
{
	lack(KVM_CAP_READONLY_MEM, 0);
	tap_check(RUN("--pipe=none", "--sync=none", "--window=on") < 0);
	says("--window on needs read-only memory slots, which");
	tap_check(strstr(said, "lacks; try --window off"));
}

/* The guest's driver needs a page of memory there, see vmgenid.c. */
static void without_readonly_memory(void)
{
	lack(KVM_CAP_READONLY_MEM, 0);
	tap_equal(RUN("--pipe=kernel", "--sync=none", "--virtio=rng"), 0);
	tap_equal(lines(), 0);
	tap_equal(asked.writable, 1);
}

static void generation_without_readonly_memory(void)
{
	on_both(without_readonly_memory);
}

/* A file that knows none of KVM's ioctls, and one that knows all. */
static void all_is_asked_for(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int kvm;

	lack(0, 0);
	memset(kinds, 0, sizeof(kinds));
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	tap_equal(vmm_kvm_lacks(kvm), 0);
	tap_equal(vmm_kvm_lacks(null), VMM_KVM_READONLY | VMM_KVM_IOEVENTFD | VMM_KVM_IRQFD |
		  VMM_KVM_RESAMPLE | VMM_KVM_ROUTING);
	lack(KVM_CAP_IRQFD_RESAMPLE, KVM_CAP_READONLY_MEM);
	tap_equal(vmm_kvm_lacks(kvm), VMM_KVM_RESAMPLE | VMM_KVM_READONLY);
	close(kvm);
	close(null);
}

/* doctor prints a line for each part, and counts the missing ones. */
static void doctor_names_each(void)
{
	const struct vmm_kvm_part *part;
	int kept = dup(STDOUT_FILENO);
	int fd = memfd_create("stdout", MFD_CLOEXEC);
	char text[2048] = "";
	char line[200];

	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	tap_equal(vmm_doctor_parts(VMM_KVM_IOEVENTFD | VMM_KVM_ROUTING), 2);
	fflush(stdout);
	dup2(kept, STDOUT_FILENO);
	tap_check(pread(fd, text, sizeof(text) - 1, 0) > 0);
	for (part = vmm_kvm_parts; part->bit; part++) {
		if (part->bit & (VMM_KVM_IOEVENTFD | VMM_KVM_ROUTING))
			snprintf(line, sizeof(line), "  MISSING  KVM lacks %s: %s.\n", part->name,
				 part->without);
		else
			snprintf(line, sizeof(line), "  ok       KVM has %s.\n", part->name);
		tap_context("%s", part->name);
		tap_check(strstr(text, line));
	}
	close(kept);
	close(fd);
}

static const struct tap_case cases[] = {
	{ "KVM is asked for all that it may lack", all_is_asked_for },
	{ "doctor says what KVM lacks, and what becomes of a run", doctor_names_each },
	{ "a KVM that lacks nothing is used whole, and nothing is said",
	  nothing_is_said_of_a_whole_kvm },
	{ "--sync auto is served by vmmctl where KVM cannot do more", sync_auto_is_user },
	{ "--sync kernel is refused in one sentence", sync_kernel_is_refused },
	{ "--pipe kernel is refused without resampling irqfds", pipe_needs_resampling },
	{ "without ioeventfds doorbells exit", doorbells_exit },
	{ "virtio devices are refused without irqfds", virtio_needs_irqfds },
	{ "virtio devices on PCI are refused without routes", messages_need_routes },
	{ "--window on is refused without read-only memory", window_on_is_refused },
	{ "without read-only memory a guest has its generation all the same",
	  generation_without_readonly_memory },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
