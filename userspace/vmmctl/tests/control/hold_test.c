// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM that is paused, saved, resumed and reset while one of its devices, or the disk
 * that it is saved to, is slow: which commands are accepted in each state, that the
 * control socket always answers, and how soon the VM ends. The VM is another
 * process: it has one device, and a fake KVM that accepts everything.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control/control.h"
#include "control/steering.h"
#include "host/ending.h"
#include "host/guest.h"
#include "host/image.h"
#include "host/unix.h"
#include "host/vm_dir.h"
#include "host/vsock.h"
#include "snapshot/snapshot.h"
#include "tests/tap.h"

#define FOREVER		1000000	/* ms */
#define RAM		(1 * MIB)
#define PAGES		64	/* of RAM that are not zero */
#define ENDS_WITHIN	3000	/* ms: documented as one second, more for a busy machine */

#ifdef __SANITIZE_THREAD__
/* At exit it would wait another second for running threads. */
const char *__tsan_default_options(void);

const char *__tsan_default_options(void)
{
	return "atexit_sleep_ms=0";
}
#endif

static char home[64];
static char base[80];
static char user_path[80];	/* of a socket that is not in the VM's directory */

/* ---- the VM ---- */

/* Delays of its device and of writes to a disk. */
struct slow {
	int pause;
	int resume;
	int reset;
	int save;
	int write;
	int fits;	/* to say whether a snapshot fits */
	bool fails;	/* instead of pausing */
	bool loads_nothing;	/* it refuses its state */
	u32 newer;	/* its state's version, above the oldest */
};

static struct slow slow;
static struct vmm_vm vm;

static void take(int ms)
{
	struct timespec left = { ms / 1000, ms % 1000 * 1000000L };

	while (ms && nanosleep(&left, &left) && errno == EINTR)
		;
}

/* Fakes of KVM and of the modules. */
int ioctl(int fd, unsigned long request, ...)
{
	(void)fd;
	(void)request;
	return 0;
}

/* The slow disk, to which RAM is saved; others are fast. */
ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	char path[32];
	char name[32] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (slow.write && readlink(path, name, sizeof(name) - 1) > 0 && strstr(name, "memfd:ram"))
		take(slow.write);
	return syscall(SYS_pwrite64, fd, bytes, len, offset);
}

/* Checks that job and loop do not use the device at the same time. */
static bool thing_is_used;

static void thing_use(int ms)
{
	__atomic_store_n(&thing_is_used, true, __ATOMIC_SEQ_CST);
	take(ms);
	__atomic_store_n(&thing_is_used, false, __ATOMIC_SEQ_CST);
}

static int thing_ticks(void *arg)
{
	u64 ticks;

	if (read(*(int *)arg, &ticks, sizeof(ticks)) > 0 &&
	    __atomic_load_n(&thing_is_used, __ATOMIC_SEQ_CST))
		_exit(98);
	return 0;
}

static void thing_pause(struct vmm_device *dev)
{
	thing_use(slow.pause);
	if (slow.fails)
		vmm_vm_end(dev->vm, VMM_END_ERROR);
}

static void thing_resume(struct vmm_device *dev)
{
	(void)dev;
	thing_use(slow.resume);
}

static void thing_reset(struct vmm_device *dev)
{
	(void)dev;
	thing_use(slow.reset);
}

static int thing_save(struct vmm_device *dev, struct vmm_state *state)
{
	thing_use(slow.save);
	return vmm_state_begin(state, dev->ops->name, 1 + slow.newer) ?: vmm_state_end(state);
}

static int thing_fits(const struct vmm_device *dev, struct vmm_state *state)
{
	(void)dev;
	(void)state;
	thing_use(slow.fits);
	return 0;
}

static int thing_load(struct vmm_device *dev, struct vmm_state *state)
{
	if (slow.loads_nothing)
		return vmm_error(-EINVAL, "the thing refuses its state");
	return vmm_state_open(state, dev->ops->name, 1 + slow.newer) < 0 ? -EINVAL :
									   vmm_state_close(state);
}

/* A byte of RAM. */
static u8 *mark(const struct vmm_device *dev)
{
	return dev->vm->mem.region[0].hva;
}

static int thing_say(struct vmm_device *dev, const char *arg, struct vmm_text *text)
{
	(void)arg;
	vmm_text_add(text, "there %u\n", *mark(dev));
	return 0;
}

static int thing_put(struct vmm_device *dev, const char *arg, struct vmm_text *text)
{
	(void)text;
	*mark(dev) = arg ? atoi(arg) : 0;
	return 0;
}

static const struct vmm_device_command thing_commands[] = {
	{ "say", "say something", thing_say },
	{ "put", "change RAM", thing_put },
	{ }
};

static const struct vmm_device_ops thing_ops = {
	.name = "thing", .reset = thing_reset, .pause = thing_pause, .resume = thing_resume,
	.save = thing_save, .fits = thing_fits, .load = thing_load,
	.commands = thing_commands,
};

/* Of a VM with --quit-after-boot: its limit, and whether the guest boots. */
static struct {
	unsigned int within;
	bool booted;
} quits;

static int no_services(void *arg)
{
	(void)arg;
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* A ranchu-services which reports that the guest has booted. */
static int guest_boots(struct vmm_steering *s)
{
	static const struct vmm_guest_device device = { .services = no_services };
	int pair[2];

	if (vmm_steering_guest(s) || vmm_guest_attach(s->guest, &device, NULL) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) ||
	    vmm_guest_connect(s->guest, pair[1]) < 0)
		return -EIO;
	return vmm_guest_send(pair[0], VMM_GUEST_BOOTED, 0, NULL, 0);
}

static int ended(void *arg)
{
	return vmm_vm_ended(arg);
}

static int ending(void *arg)
{
	(void)arg;
	return VMM_END_SIGNAL;
}

/* As main.c has it, without KVM. */
static enum vmm_end vm_live(struct vmm_steering *s)
{
	struct vmm_snapshot *loaded = vmm_hold_loaded(&s->hold);
	enum vmm_end end;

	if ((loaded && vmm_snapshot_load(loaded, &vm)) || vmm_steering_begin(s, &vm))
		return VMM_END_ERROR;
	end = vmm_loop_run(s->loop);
	vmm_vm_end(&vm, end);
	vmm_steering_settle(s, end);
	vmm_vm_resume(&vm);
	vmm_steering_end(s, end);
	return end;
}

static int vm_main(void)
{
	struct vmm_config cfg = {
		.name = "held", .memory = RAM, .stats = true, .directory = "/",
		.quit_after_boot = quits.within, .guest_services = quits.booted,
	};
	struct vmm_steering s = { .cfg = &cfg, .every_fd = -1, .boot_fd = -1 };
	static const struct itimerspec tick = { { 0, 5000000 }, { 0, 5000000 } };
	struct vmm_images images = { 0 };
	struct vmm_vsock_listener listener = { .fd = -1 };
	unsigned int page;
	int tick_fd;
	enum vmm_end end;

	s.loop = vmm_loop_create();
	s.devices = vmm_loop_create_inner(s.loop);
	s.hold.images = &images;
	s.stats = vmm_stats_open(&cfg);
	vm = (struct vmm_vm){
		.cfg = &cfg, .loop = s.devices, .stats = s.stats, .fd = -1, .gic_fd = -1,
		.gic = VMM_GIC_V2, .stats_fd = -1, .end_fd = vmm_event_create(),
		.parked_fd = vmm_event_create(), .board.name = "test",
	};
	pthread_mutex_init(&vm.pause_lock, NULL);
	pthread_cond_init(&vm.pause_cond, NULL);
	vmm_board_add(&vm.board, &thing_ops, 0x1000, 0x1000, 1);
	vm.board.dev[0].vm = &vm;
	vm.board.dev[0].created = true;
	vmm_loop_add(s.loop, vm.end_fd, ended, &vm);
	tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	timerfd_settime(tick_fd, 0, &tick, NULL);
	vmm_loop_add(s.devices, tick_fd, thing_ticks, &tick_fd);
	if (vmm_mem_add(&vm.mem, 0x40000000, RAM) || vmm_ending_open(s.loop, ending, NULL) ||
	    vmm_steering_open(&s))
		return 99;
	if (quits.booted && guest_boots(&s))
		return 99;
	listener.loop = s.devices;
	if (vmm_vsock_listener_unix(&listener, user_path))
		return 99;
	/* Each page is written separately. */
	for (page = 0; page < PAGES; page++)
		memset((u8 *)vm.mem.region[0].hva + 2 * page * VMM_PAGE_SIZE, 0x55, 1);
	end = vm_live(&s);
	while (vmm_steering_again(&s, end)) {
		end = vmm_steering_renew(&s);
		if (end == VMM_END_RESET)
			end = vm_live(&s);
	}
	vmm_steering_over(&s, end);
	vmm_vsock_listener_close(&listener);
	vmm_steering_close(&s);
	return vmm_steering_exit(end);
}

/* ---- its client ---- */

static pid_t vm_pid;
static char said[4096];
static s64 ran;		/* run time in the last snapshot */

static s64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static struct vmm_client *reach(void)
{
	char path[160];

	vmm_dir_file(base, "held", "control.sock", path, sizeof(path));
	return vmm_client_open(path, 5000);
}

static bool vm_start(const struct slow *how)
{
	struct vmm_client *client = NULL;
	unsigned int i;

	fflush(stdout);
	slow = *how;
	vm_pid = fork();
	if (!vm_pid) {
		/* Its messages are dropped. */
		dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
		_exit(vm_main());
	}
	slow = (struct slow){ 0 };
	for (i = 0; i < 500 && !client; i++) {
		take(10);
		client = reach();
	}
	vmm_client_close(client);
	return tap_check(client);
}

/* Returns its exit code; -1 if it has not ended within @ms. */
static int vm_exit(int ms)
{
	s64 until = now_ms() + ms;
	int status;

	while (waitpid(vm_pid, &status, WNOHANG) == 0) {
		if (now_ms() > until) {
			kill(vm_pid, SIGKILL);
			waitpid(vm_pid, &status, 0);
			return -1;
		}
		take(5);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void vm_kill(void)
{
	kill(vm_pid, SIGKILL);
	waitpid(vm_pid, NULL, 0);
}

/* Files for a snapshot, as many as there can be, or files for nothing. */
static void give_files(struct vmm_client *client, int *files)
{
	unsigned int i;

	for (i = 0; i < VMM_LINES_FILES; i++)
		files[i] = memfd_create("file", MFD_CLOEXEC);
	vmm_client_give(client, files, VMM_LINES_FILES);
}

/* A snapshot that is loaded: manifest, states, RAM. */
static int kept[3] = { -1, -1, -1 };

static int kept_make(json_t *result)
{
	char *text = vmm_manifest_text(result);
	int fd = memfd_create("manifest", MFD_CLOEXEC);

	tap_check(text && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	free(text);
	return fd;
}

/* Saves a VM for that. */
static bool keep(void)
{
	struct vmm_client *client = reach();
	json_t *result;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kept); i++) {
		if (kept[i] >= 0)
			close(kept[i]);
	}
	kept[1] = memfd_create("state", MFD_CLOEXEC);
	kept[2] = memfd_create("ram", MFD_CLOEXEC);
	vmm_client_give(client, kept + 1, 2);
	result = vmm_client_call(client, "snapshot", NULL);
	kept[0] = kept_make(result);
	ran = json_integer_value(json_object_get(result, "ran"));
	json_decref(result);
	vmm_client_close(client);
	return tap_check(result);
}

/* What the device says of RAM, or what it is told to put there. */
static int marked(const char *put)
{
	struct vmm_client *client = reach();
	json_t *args = json_pack("{s:s, s:s, s:s}", "device", "thing", "command",
				 put ? "put" : "say", "value", put ? put : "");
	json_t *result = vmm_client_call(client, "device", args);
	const char *text = json_string_value(json_object_get(result, "text"));
	int mark = text && !strncmp(text, "there ", 6) ? atoi(text + 6) : -1;

	json_decref(result);
	vmm_client_close(client);
	return mark;
}

/* Runs a command; returns whether it succeeded. An error's text is in @said. */
static bool asks(const char *command)
{
	struct vmm_client *client = reach();
	json_t *args = NULL;
	json_t *result;
	int files[VMM_LINES_FILES] = { 0 };
	unsigned int i;

	if (!tap_check(client))
		return false;
	if (!strcmp(command, "snapshot"))
		give_files(client, files);
	if (!strcmp(command, "load"))
		vmm_client_give(client, kept, ARRAY_SIZE(kept));
	if (!strcmp(command, "device"))
		args = json_pack("{s:s, s:s}", "device", "thing", "command", "say");
	result = vmm_client_call(client, command, args);
	snprintf(said, sizeof(said), "%s", result ? "" : vmm_client_error(client));
	ran = json_integer_value(json_object_get(result, "ran"));
	json_decref(result);
	vmm_client_close(client);
	for (i = 0; i < VMM_LINES_FILES && files[i]; i++)
		close(files[i]);
	return result;
}

/* The same without waiting for the answer: returns the connection, or -1. */
static int begins(const char *command)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(3 * sizeof(int))];
	} files = { .header = {
		.cmsg_len = CMSG_LEN(3 * sizeof(int)), .cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	} };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char text[64];
	struct iovec iov = { text, snprintf(text, sizeof(text), "{\"execute\":\"%s\"}\n",
					    command) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &files,
		.msg_controllen = sizeof(files.bytes),
	};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool loads = !strcmp(command, "load");
	int given[3];

	given[0] = memfd_create("state", MFD_CLOEXEC);
	given[1] = memfd_create("ram", MFD_CLOEXEC);
	given[2] = memfd_create("disk", MFD_CLOEXEC);
	memcpy(CMSG_DATA(&files.header), loads ? kept : given, sizeof(given));
	vmm_dir_file(base, "held", "control.sock", addr.sun_path, sizeof(addr.sun_path));
	tap_check(!connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	tap_check(sendmsg(fd, &msg, MSG_NOSIGNAL) > 0);
	close(given[0]);
	close(given[1]);
	close(given[2]);
	return fd;
}

/* Waits for its answer, after the greeting, and hangs up. */
static void ends(int fd)
{
	size_t len = 0;

	while (len < sizeof(said) - 1 && read(fd, said + len, 1) == 1) {
		if (said[len++] == '\n' && strncmp(said, "{\"QMP", 5))
			break;
		if (said[len - 1] == '\n')
			len = 0;
	}
	said[len] = '\0';
	close(fd);
}

static bool status_is(const char *word)
{
	struct vmm_client *client = reach();
	json_t *status = client ? vmm_client_call(client, "status", NULL) : NULL;
	const char *is = json_string_value(json_object_get(status, "status"));
	bool same = is && !strcmp(is, word);

	json_decref(status);
	vmm_client_close(client);
	return same;
}

static bool becomes(const char *word)
{
	unsigned int i;

	for (i = 0; i < 500; i++) {
		if (status_is(word))
			return true;
		take(10);
	}
	tap_context("it is never %s", word);
	return false;
}

/* ---- the states ---- */

/* A state: commands that lead to it, the last without its answer. */
static const struct state {
	const char *name;
	const char *word;
	struct slow slow;
	const char *first;
	const char *last;
} states[] = {
	{ "running", "running", { 0 }, NULL, NULL },
	{ "pausing", "pausing", { .pause = FOREVER }, NULL, "pause" },
	{ "held", "paused", { 0 }, "pause", NULL },
	{ "loading", "loading", { .fits = FOREVER }, NULL, "load" },
	{ "loading, paused", "loading", { .fits = FOREVER }, "pause", "load" },
	{ "saving", "saving", { .save = FOREVER }, NULL, "snapshot" },
	{ "saving, paused", "saving", { .save = FOREVER }, "pause", "snapshot" },
	{ "writing", "saving", { .write = FOREVER }, NULL, "snapshot" },
	{ "resuming", "resuming", { .resume = FOREVER }, "pause", "resume" },
	{ "resetting", "starting", { .reset = FOREVER }, NULL, "reset" },
	{ "going back", "starting", { .reset = FOREVER }, NULL, "load" },
	{ "going back, paused", "starting", { .reset = FOREVER }, "pause", "load" },
};

/* Enters a state, with a client in @client that waits for an answer. */
static bool enter(const struct state *state, int *client)
{
	*client = -1;
	tap_context("%s", state->name);
	if (!vm_start(&state->slow))
		return false;
	if (state->first)
		tap_check(asks(state->first));
	if (state->last)
		*client = begins(state->last);
	if (!tap_check(becomes(state->word)))
		return false;
	/* RAM is written after the states, which are fast then. */
	if (state->slow.write)
		take(200);
	return true;
}

/* The first case: others load what it has saved. */
static void a_running_vm_goes_back(void)
{
	static const struct slow how = { .pause = 20, .reset = 20, .fits = 20 };
	s64 saved;
	unsigned int i;

	if (!vm_start(&how))
		return;
	marked("7");
	if (!keep())
		return;
	saved = ran;
	for (i = 0; i < 4; i++) {
		tap_context("time %u", i);
		marked("9");
		tap_equal(marked(NULL), 9);
		/* A paused one runs afterwards. */
		tap_check(i != 2 || asks("pause"));
		take(20);
		tap_check(asks("load"));
		tap_check(status_is("running"));
		tap_equal(marked(NULL), 7);
	}
	/* Its time is the saved one's, and it can be saved again. */
	tap_check(asks("pause") && asks("snapshot") && ran >= saved && ran < saved + 1000);
	tap_check(asks("resume") && asks("reset") && becomes("running"));
	tap_equal(marked(NULL), 0);
	kill(vm_pid, SIGTERM);
	tap_equal(vm_exit(ENDS_WITHIN), 128 + SIGTERM);
}

/* Which file is torn, and what is said of it. */
static void spoil(unsigned int file, off_t len, const char *text)
{
	int was = kept[file];
	struct stat st;
	char *bytes;

	fstat(was, &st);
	bytes = malloc(st.st_size);
	tap_equal(pread(was, bytes, st.st_size, 0), st.st_size);
	kept[file] = memfd_create("spoilt", MFD_CLOEXEC);
	tap_equal(write(kept[file], bytes, len < 0 ? st.st_size + len : len),
		  len < 0 ? st.st_size + len : len);
	tap_check(!asks("load"));
	tap_context("%s", said);
	tap_check(strstr(said, text));
	close(kept[file]);
	kept[file] = was;
	free(bytes);
}

static void a_refused_snapshot_changes_nothing(void)
{
	static const struct slow how = { 0 };
	int swap;

	if (!vm_start(&how))
		return;
	marked("9");
	spoil(0, -40, "manifest.json");
	spoil(1, 100, "state.size");
	spoil(2, -1, "ram does not have");
	spoil(2, 0, "ram does not have");
	swap = kept[1];
	kept[1] = kept[2];
	kept[2] = swap;
	tap_check(!asks("load") && strstr(said, "state"));
	kept[2] = kept[1];
	kept[1] = swap;
	tap_check(status_is("running"));
	tap_equal(marked(NULL), 9);
	tap_check(asks("pause"));
	spoil(2, -1, "ram does not have");
	tap_check(status_is("paused"));
	tap_check(asks("resume") && asks("load"));
	tap_equal(marked(NULL), 7);
	vm_kill();
}

/* A device's state of a newer vmmctl: the guest is not ended to find that out. */
static void a_newer_state_changes_nothing(void)
{
	static const struct slow newer = { .newer = 1 };
	static const struct slow older = { 0 };

	if (!vm_start(&newer))
		return;
	marked("5");
	tap_check(keep());
	tap_check(asks("load"));
	vm_kill();
	if (!vm_start(&older))
		return;
	marked("9");
	tap_check(!asks("load"));
	tap_context("%s", said);
	tap_check(strstr(said, "device@0, \"thing\", has version 2 there, and 1 is the newest"));
	tap_check(status_is("running"));
	tap_equal(marked(NULL), 9);
	/* What others load. */
	marked("7");
	tap_check(keep());
	vm_kill();
	/* And an older state is taken. */
	if (!vm_start(&newer))
		return;
	tap_check(asks("load"));
	tap_equal(marked(NULL), 7);
	vm_kill();
}

/* Who loads is gone before the guest is; the guest goes back all the same. */
static void whoever_loads_may_go(void)
{
	static const struct slow how = { .fits = 300, .reset = 300 };
	int client;

	if (!vm_start(&how))
		return;
	marked("9");
	client = begins("load");
	tap_check(becomes("loading"));
	close(client);
	tap_check(becomes("starting") && becomes("running"));
	tap_equal(marked(NULL), 7);
	vm_kill();
}

/* A second one is refused meanwhile, and the first one goes on. */
static void one_load_at_a_time(void)
{
	static const struct slow how = { .fits = 300 };
	int client;

	if (!vm_start(&how))
		return;
	marked("9");
	client = begins("load");
	tap_check(becomes("loading"));
	tap_check(!asks("load") && strstr(said, "the VM is busy: it is loading"));
	ends(client);
	tap_check(!strncmp(said, "{\"return\"", 9));
	tap_check(status_is("running"));
	tap_equal(marked(NULL), 7);
	vm_kill();
}

/* Its states are refused when there is no guest any more to go on. */
static void a_half_loaded_guest_never_runs(void)
{
	static const struct slow how = { .loads_nothing = true };

	if (!vm_start(&how))
		return;
	tap_check(!asks("load"));
	tap_context("%s", said);
	tap_check(strstr(said, "the thing refuses its state"));
	tap_equal(vm_exit(ENDS_WITHIN), VMM_EXIT_ERROR);
}

static void each_command_in_each_state(void)
{
	static const char *const commands[] = {
		"pause", "resume", "snapshot", "load", "reset", "device", "stats", "status",
	};
	/* ok, busy, already: as in the diagram in hold.h. */
	static const char *const answers[] = {
		"oaoooooo", "bbbbbbbo", "aooooooo", "bbbbbbbo", "bbbbbbbo", "bbbbbbbo",
		"bbbbbbbo", "bbbboooo", "bbbbbbbo", "bbbbobbo", "bbbbobbo", "bbbbobbo",
	};
	unsigned int i, j;
	int client;
	char is;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		for (j = 0; j < ARRAY_SIZE(commands); j++) {
			if (enter(&states[i], &client)) {
				is = asks(commands[j]) ? 'o' : strstr(said, "already") ? 'a' :
				     strstr(said, "busy: it is ") ? 'b' : '?';
				tap_context("%s, %s: %s", states[i].name, commands[j], said);
				tap_equal(is, answers[i][j]);
			}
			close(client);
			vm_kill();
		}
	}
}

/* Its directory is removed, also if the device hangs; its socket is elsewhere. */
static void check_gone(void)
{
	char path[160];

	vmm_dir_file(base, "held", "control.sock", path, sizeof(path));
	tap_check(access(path, F_OK));
	tap_check(access(user_path, F_OK));
}

static void sigterm_in_each_state(void)
{
	unsigned int i;
	int client;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		if (enter(&states[i], &client)) {
			kill(vm_pid, SIGTERM);
			tap_equal(vm_exit(ENDS_WITHIN), 128 + SIGTERM);
			check_gone();
		} else {
			vm_kill();
		}
		close(client);
	}
}

static void quit_and_kill_in_each_state(void)
{
	unsigned int i, kill;
	int client;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		for (kill = 0; kill < 2; kill++) {
			if (enter(&states[i], &client)) {
				tap_check(asks(kill ? "kill" : "quit"));
				tap_equal(vm_exit(ENDS_WITHIN), kill ? 137 : 0);
				check_gone();
			} else {
				vm_kill();
			}
			close(client);
		}
	}
}

/* ---- slow operations succeed ---- */

/* 300 ms for each step, for which no other client waits. */
static void slow_devices_hold_up_nobody(void)
{
	static const struct slow how = { .pause = 300, .resume = 300, .save = 300, .reset = 300 };
	s64 began;
	int client;

	if (!vm_start(&how))
		return;
	began = now_ms();
	client = begins("pause");
	tap_check(status_is("pausing"));
	ends(client);
	tap_check(becomes("paused"));
	tap_check(now_ms() - began >= 300);
	began = now_ms();
	tap_check(asks("resume") && status_is("running"));
	tap_check(now_ms() - began >= 300);
	client = begins("snapshot");
	tap_check(becomes("saving") && becomes("running"));
	ends(client);
	tap_check(!strncmp(said, "{\"return\"", 9) && strstr(said, "\"ram\":"));
	tap_check(asks("snapshot") && status_is("running"));
	tap_check(asks("pause") && asks("snapshot") && status_is("paused"));
	tap_check(asks("reset") && becomes("starting") && becomes("running"));
	kill(vm_pid, SIGTERM);
	tap_equal(vm_exit(ENDS_WITHIN), 128 + SIGTERM);
}

/* The end of a paused VM resumes no device. */
static void the_end_resumes_nothing(void)
{
	static const struct slow how = { .resume = FOREVER };

	if (!vm_start(&how) || !tap_check(asks("pause")))
		return;
	tap_check(asks("quit"));
	tap_equal(vm_exit(ENDS_WITHIN), 0);
}

static void a_device_that_fails_ends_the_vm(void)
{
	static const struct slow how = { .pause = 50, .fails = true };

	if (!vm_start(&how))
		return;
	asks("pause");
	tap_equal(vm_exit(ENDS_WITHIN), VMM_EXIT_ERROR);
}

/* The save's client is gone, and the guest is resumed. Its time includes only its run time. */
static void whoever_saves_may_go(void)
{
	static const struct slow how = { .write = 5 };
	s64 first;

	if (!vm_start(&how))
		return;
	close(begins("snapshot"));
	tap_check(becomes("running"));
	take(20);
	tap_check(asks("pause") && asks("snapshot") && ran > 0);
	first = ran;
	tap_check(asks("snapshot") && ran == first && asks("resume"));
	take(20);
	tap_check(asks("snapshot") && ran > first);
	vm_kill();
}

/* Writing stops, and waiting clients get an error. */
static void a_reset_ends_a_save(void)
{
	static const struct slow how = { .write = 50 };
	s64 began;
	int client;

	if (!vm_start(&how))
		return;
	client = begins("snapshot");
	tap_check(becomes("saving"));
	take(200);
	began = now_ms();
	tap_check(asks("reset"));
	ends(client);
	tap_check(strstr(said, "the guest has ended"));
	tap_check(becomes("running"));
	tap_check(now_ms() - began < 50 * PAGES / 2);
	tap_check(asks("pause"));
	vm_kill();
}

/* The VM has ended before the second one is read, and cannot be held any more. */
static void a_command_behind_a_reset_is_refused(void)
{
	static const struct slow how = { .resume = 400 };
	static const char both[] = "{\"execute\":\"reset\"}\n{\"execute\":\"resume\"}\n";
	char path[160];
	int fd;

	if (!vm_start(&how))
		return;
	tap_check(asks("pause"));
	vmm_dir_file(base, "held", "control.sock", path, sizeof(path));
	fd = vmm_unix_dial_wait(path, 5000);
	tap_equal(write(fd, both, strlen(both)), (ssize_t)strlen(both));
	tap_check(becomes("running"));
	close(fd);
	tap_check(asks("pause"));
	vm_kill();
}

static void limit_files(rlim_t files)
{
	struct rlimit limit;

	prlimit(vm_pid, RLIMIT_NOFILE, NULL, &limit);
	limit.rlim_cur = files;
	tap_equal(prlimit(vm_pid, RLIMIT_NOFILE, &limit, NULL), 0);
}

/* No job can be started: nothing is changed, and the error has the reason. */
static void jobs_that_do_not_start_change_nothing(void)
{
	static const struct slow how = { 0 };
	struct vmm_client *client;
	json_t *result;

	if (!vm_start(&how))
		return;
	client = reach();
	tap_check(client);
	json_decref(vmm_client_call(client, "status", NULL));
	limit_files(3);
	tap_check(!vmm_client_call(client, "pause", NULL));
	tap_context("%s", vmm_client_error(client));
	tap_check(strstr(vmm_client_error(client), "cannot create an eventfd"));
	limit_files(1024);
	tap_check(status_is("running") && asks("pause"));
	vmm_client_give(client, kept, ARRAY_SIZE(kept));
	limit_files(3);
	tap_check(!vmm_client_call(client, "load", NULL));
	limit_files(1024);
	tap_check(status_is("paused"));
	limit_files(3);
	tap_check(!vmm_client_call(client, "resume", NULL));
	limit_files(1024);
	tap_check(status_is("paused"));
	result = vmm_client_call(client, "resume", NULL);
	tap_check(result && status_is("running"));
	json_decref(result);
	vmm_client_close(client);
	vm_kill();
}

/* Returns the exit code of a VM with --quit-after-boot SECONDS, not started by vm_start(). */
static int quits_after_boot(unsigned int within, bool booted, bool paused)
{
	static const struct slow how = { 0 };
	int code;

	quits.within = within;
	quits.booted = booted;
	if (paused)
		tap_check(vm_start(&how) && asks("pause"));
	else
		vm_pid = fork();
	if (!vm_pid) {
		dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
		_exit(vm_main());
	}
	code = vm_exit(within * 1000 + ENDS_WITHIN);
	quits.within = 0;
	quits.booted = false;
	return code;
}

static void quit_after_boot_waits_for_the_guest(void)
{
	s64 since = now_ms();

	fflush(stdout);
	/* It does not take as long as the guest may take. */
	tap_equal(quits_after_boot(30, true, false), VMM_EXIT_OFF);
	tap_check(now_ms() - since < 30000);
	tap_equal(quits_after_boot(1, false, false), VMM_EXIT_LATE);
	/* The user pauses a guest that does not boot. */
	tap_equal(quits_after_boot(2, false, true), VMM_EXIT_LATE);
}

static const struct tap_case cases[] = {
	{ "a VM that runs goes back to a snapshot", a_running_vm_goes_back },
	{ "a snapshot that is refused changes nothing", a_refused_snapshot_changes_nothing },
	{ "a state of a newer vmmctl changes nothing", a_newer_state_changes_nothing },
	{ "a VM goes back without whoever loads", whoever_loads_may_go },
	{ "one load at a time", one_load_at_a_time },
	{ "a half loaded guest never runs", a_half_loaded_guest_never_runs },
	{ "each command is taken or refused, as the state is", each_command_in_each_state },
	{ "SIGTERM ends the VM in each state", sigterm_in_each_state },
	{ "quit and kill do so, too, with their exit codes", quit_and_kill_in_each_state },
	{ "slow devices hold up nobody", slow_devices_hold_up_nobody },
	{ "the end of a paused VM lets no device go on", the_end_resumes_nothing },
	{ "a device that fails to pause ends the VM", a_device_that_fails_ends_the_vm },
	{ "a VM that is saved goes on without whoever saves it", whoever_saves_may_go },
	{ "a reset ends a save", a_reset_ends_a_save },
	{ "a command behind a reset is refused", a_command_behind_a_reset_is_refused },
	{ "--quit-after-boot ends the VM when the guest has booted, or too late",
	  quit_after_boot_waits_for_the_guest },
	{ "a job that cannot start changes nothing", jobs_that_do_not_start_change_nothing },
};

int main(void)
{
	char path[96];
	int rc;

	snprintf(home, sizeof(home), "/tmp/vmmctl-hold-XXXXXX");
	if (!mkdtemp(home))
		return 1;
	setenv("XDG_RUNTIME_DIR", home, 1);
	vmm_dir_base(base, sizeof(base));
	snprintf(user_path, sizeof(user_path), "%s/user.sock", home);
	rc = tap_run(cases, ARRAY_SIZE(cases));
	/* Killed processes have left it. */
	snprintf(path, sizeof(path), "rm -rf %s", home);
	return system(path) ? 1 : rc;
}
