// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sandbox: each case enters it in a process of its own, and makes calls that must work, or that
 * must not.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "control/png.h"
#include "host/display.h"
#include "host/host.h"
#include "host/image.h"
#include "host/sandbox.h"
#include "host/tcp_owner.h"
#include "host/vsock.h"
#include "machine/machine.h"
#include "snapshot/snapshot.h"
#include "tests/tap.h"

#define ENDED_WELL	7

#define PROTOCOL_MPTCP	262	/* older C libraries do not know it */

/* Calls that are allowed only in a build with sanitizers. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZERS_CALLS	2
#else
#define SANITIZERS_CALLS	0
#endif

static char allowed_dir[64];
static char allowed_file[80];
static char other_file[80];

/* Ends without a sanitizer's own calls at exit. */
static void leave(int code)
{
	syscall(SYS_exit_group, code);
}

static int enter_and(int (*fn)(void))
{
	struct vmm_sandbox sandbox = { .unix_sockets = true };
	int status;
	pid_t pid = fork();

	if (!pid) {
		vmm_sandbox_removes(&sandbox, allowed_dir);
		sandbox.port[sandbox.ports++] = 5037;
		if (vmm_sandbox_enter(&sandbox))
			leave(1);
		leave(fn());
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool make_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool make_files(void)
{
	snprintf(allowed_dir, sizeof(allowed_dir), "/tmp/vmmctl-sandbox-%d", (int)getpid());
	snprintf(allowed_file, sizeof(allowed_file), "%s/file", allowed_dir);
	snprintf(other_file, sizeof(other_file), "%s-other", allowed_dir);
	return !mkdir(allowed_dir, 0700) && make_file(allowed_file) && make_file(other_file);
}

static int ordinary_work(void)
{
	void *bytes = malloc(10 << 20);
	int event = vmm_event_create();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int packets = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;
	int pair[2];

	if (!bytes || event < 0 || fd < 0 || packets < 0 || tcp < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) ||
	    setsockopt(tcp, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		return 1;
	memset(bytes, 1, 10 << 20);
	vmm_event_signal(event);
	close(fd);
	close(packets);
	close(tcp);
	free(bytes);
	return ENDED_WELL;
}

/* Files of the calls that the console's directories and screenshot make in a VM. */
static int picture_fd, source_fd;
static struct vmm_display *display;
static struct vmm_loop *picture_loop;

static void pictured(void *arg, int err)
{
	(void)arg;
	leave(err ? 1 : ENDED_WELL);
}

static int picture(void)
{
	struct vmm_shot *shot;

	if (vmm_screenshot_begin(&shot, picture_loop, display, picture_fd, pictured, NULL))
		return 1;
	return vmm_loop_run(picture_loop);
}

static int picture_of_source(void)
{
	const struct vmm_display_source source = { .fd = source_fd };

	return vmm_display_source(display, &source) ? 1 : picture();
}

/* The frame is half there when the picture is taken. */
static const u8 *white_row(void *arg, u32 y, u32 *count)
{
	static u8 row[64 * 4];

	(void)arg;
	memset(row, 0xff, sizeof(row));
	*count = 1;
	if (y == 1)
		tap_equal(enter_and(picture), ENDED_WELL);
	return row;
}

static void a_picture_is_written(void)
{
	struct stat st;

	display = vmm_display_open(64, 48);
	picture_fd = open(other_file, O_WRONLY | O_TRUNC | O_CLOEXEC);
	picture_loop = vmm_loop_create();
	tap_equal(enter_and(picture), ENDED_WELL);
	tap_check(!stat(other_file, &st) && st.st_size > 57);
	/* A picture in the middle of a frame. */
	vmm_display_rows(display, VMM_PIXELS_RGBX8888, 0, white_row, NULL);
	/* A picture whose pixels are in a file of another process. */
	source_fd = memfd_create("source", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	tap_check(!ftruncate(source_fd, 4 * 64 * 48) &&
		  !fcntl(source_fd, F_ADD_SEALS, F_SEAL_SHRINK));
	tap_equal(enter_and(picture_of_source), ENDED_WELL);
	close(source_fd);
	close(picture_fd);
	vmm_loop_destroy(picture_loop);
	vmm_display_close(display);
}

/* The calls of a save in a VM: a copy that shares blocks is tried first. */
static struct vmm_images disks;
static int disk_copy_fd;

static int disk(void)
{
	bool stop = false;

	return vmm_disk_write(&disks, 0, disk_copy_fd, &stop) ? 1 : ENDED_WELL;
}

static void a_disk_is_saved(void)
{
	char bytes[5] = "";

	disks.count = 1;
	disks.fd[0] = open(other_file, O_RDWR | O_TRUNC | O_CLOEXEC);
	disk_copy_fd = open(allowed_file, O_RDWR | O_TRUNC | O_CLOEXEC);
	tap_equal(pwrite(disks.fd[0], "bytes", 5, 10000), 5);
	tap_equal(enter_and(disk), ENDED_WELL);
	tap_check(pread(disk_copy_fd, bytes, 5, 10000) == 5 && !memcmp(bytes, "bytes", 5));
	close(disks.fd[0]);
	close(disk_copy_fd);
}

static void *in_thread(void *arg)
{
	*(int *)arg = vmm_sandbox_vcpu();
	return NULL;
}

static int threads(void)
{
	pthread_t thread;
	int err = -1;

	if (pthread_create(&thread, NULL, in_thread, &err))
		return 1;
	pthread_join(thread, NULL);
	return err ? 2 : ENDED_WELL;
}

static void what_is_needed_works(void)
{
	tap_equal(enter_and(ordinary_work), ENDED_WELL);
	tap_equal(enter_and(threads), ENDED_WELL);
}

static int run_program(void)
{
	return execl("/bin/true", "true", NULL);
}

static int new_process(void)
{
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) < 0;
}

static int trace(void)
{
	return syscall(SYS_ptrace, 0, 0, 0, 0) < 0;
}

static int open_file(void)
{
	return open(other_file, O_RDONLY) < 0;
}

static int network(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0) < 0;
}

static int datagrams(void)
{
	return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) < 0;
}

static int unix_datagrams(void)
{
	return socket(AF_UNIX, SOCK_DGRAM, 0) < 0;
}

static int datagram_pair(void)
{
	int pair[2];

	return socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
}

static int newer_network(void)
{
	return socket(AF_INET6, SOCK_STREAM, 0) < 0;
}

/* Landlock checks ports of TCP only. */
static int other_streams(void)
{
	return socket(AF_INET, SOCK_STREAM, PROTOCOL_MPTCP) < 0;
}

/* Landlock checks connect() only. */
static int fast_open(void)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to)) < 0;
}

static int fast_open_message(void)
{
	struct msghdr message = { .msg_iov = NULL };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return sendmsg(fd, &message, MSG_FASTOPEN | MSG_NOSIGNAL) < 0;
}

static int socket_option(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return setsockopt(fd, IPPROTO_TCP, TCP_ULP, "smc", 4) < 0;
}

static int code(void)
{
	return syscall(SYS_mmap, NULL, 4096, 7, 0x22, -1, 0) < 0;
}

static int signal_others(void)
{
	return syscall(SYS_tgkill, 1, 1, 0) < 0;
}

static int signal_by_file(void)
{
	return fcntl(0, F_SETOWN, 1) < 0;
}

static int other_signal_by_file(void)
{
	return fcntl(0, F_SETSIG, SIGKILL) < 0;
}

static int typing(void)
{
	return ioctl(0, TIOCSTI, "x");
}

static void *vcpu_connects(void *arg)
{
	(void)arg;
	if (!vmm_sandbox_vcpu())
		socket(AF_UNIX, SOCK_STREAM, 0);
	return NULL;
}

static int vcpu_connection(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, vcpu_connects, NULL))
		return 1;
	pthread_join(thread, NULL);
	return 0;
}

static void what_is_not_needed_ends_it(void)
{
	static const struct {
		const char *name;
		int (*fn)(void);
	} calls[] = {
		{ "a program", run_program }, { "a process", new_process }, { "ptrace", trace },
		{ "a file", open_file }, { "a raw socket", network }, { "code", code },
		{ "a datagram socket", datagrams }, { "a Unix datagram socket", unix_datagrams },
		{ "a pair of datagram sockets", datagram_pair },
		{ "an IPv6 socket", newer_network }, { "an MPTCP socket", other_streams },
		{ "data before a connection", fast_open },
		{ "a message before a connection", fast_open_message },
		{ "another option of a socket", socket_option },
		{ "signals", signal_others }, { "signals by a file", signal_by_file },
		{ "another signal by a file", other_signal_by_file },
		{ "typing into the terminal", typing },
		{ "a vCPU's connection", vcpu_connection },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		tap_context("%s", calls[i].name);
		tap_equal(enter_and(calls[i].fn), 128 + SIGSYS);
	}
}

static int remove_files(void)
{
	if (unlinkat(AT_FDCWD, allowed_file, 0))
		return 1;
	if (!unlinkat(AT_FDCWD, other_file, 0))
		return 2;
	return errno == EACCES ? ENDED_WELL : 3;
}

static bool have_landlock(void)
{
	return syscall(444, NULL, 0, 1) >= 1;
}

static void only_named_folders_lose_files(void)
{
	if (!have_landlock()) {
		tap_skip("this kernel has no Landlock");
		return;
	}
	tap_equal(enter_and(remove_files), ENDED_WELL);
}

/* ---- calls that are needed long after the start ---- */

/* Runs @fn in a child; @fn enters the sandbox itself. */
static int in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid)
		leave(fn());
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool enter(void)
{
	struct vmm_sandbox sandbox = { .folders = 0 };

	return !vmm_sandbox_enter(&sandbox);
}

/* Accepts a local connection of a process of user @uid; returns our end, or -1. */
static int client_of(uid_t uid)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t size = sizeof(addr);
	int fd;

	if (bind(listener, (struct sockaddr *)&addr, size) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&addr, &size))
		return -1;
	if (!fork()) {
		if (uid != getuid() && setresuid(uid, uid, uid))
			leave(1);
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (!connect(fd, (struct sockaddr *)&addr, size))
			sleep(20);
		leave(1);
	}
	return accept(listener, NULL, NULL);
}

#define OTHER_USER	65534

static int client_of_this_user(void)
{
	struct vmm_tcp_owner *owner;
	int fd;

	/* Root's clients are accepted without a check. */
	if (!getuid() && setresuid(OTHER_USER, OTHER_USER, OTHER_USER))
		return 2;
	owner = vmm_tcp_owner_open();
	fd = client_of(getuid());
	if (fd < 0 || !enter())
		return 1;
	return vmm_tcp_owner_trusted(owner, fd) ? ENDED_WELL : 3;
}

static int client_of_a_stranger(void)
{
	struct vmm_tcp_owner *owner = vmm_tcp_owner_open();
	int fd = client_of(OTHER_USER);

	if (fd < 0 || !enter())
		return 1;
	return vmm_tcp_owner_trusted(owner, fd) ? 3 : ENDED_WELL;
}

static void clients_are_told_apart(void)
{
	tap_equal(in_child(client_of_this_user), ENDED_WELL);
	if (getuid())
		tap_skip("only root can be somebody else");
	else
		tap_equal(in_child(client_of_a_stranger), ENDED_WELL);
}

static unsigned int refused_clients, taken_clients;

static void client_came(void *arg, struct vmm_vsock_listener *listener, int fd)
{
	(void)arg;
	(void)listener;
	if (fd < 0)
		refused_clients++;
	else
		taken_clients++;
}

static int time_is_up(void *arg)
{
	u64 expirations;

	return read(*(int *)arg, &expirations, sizeof(expirations)) > 0;
}

/* Runs the loop for 700 ms. */
static void serve(struct vmm_loop *loop, int timer)
{
	static const struct itimerspec span = { .it_value.tv_nsec = 700000000 };

	timerfd_settime(timer, 0, &span, NULL);
	vmm_loop_run(loop);
}

/* A client connects when the limit of open files is reached. */
static int no_file_is_left(void)
{
	struct vmm_loop *loop = vmm_loop_create();
	struct vmm_vsock_listener listener = { .loop = loop, .accepted = client_came, .fd = -1 };
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct rlimit limit;
	char path[96];
	int client = socket(AF_UNIX, SOCK_STREAM, 0);
	int spare;
	int i;

	snprintf(path, sizeof(path), "%s/listener", allowed_dir);
	memcpy(addr.sun_path, path, strlen(path));
	if (vmm_vsock_listener_unix(&listener, path) ||
	    vmm_loop_add(loop, timer, time_is_up, &timer) ||
	    connect(client, (struct sockaddr *)&addr, sizeof(addr)))
		return 1;
	vmm_vsock_listen(&listener, true);
	/* All numbers below the newest file are in use; the sandbox needs some itself. */
	spare = dup(client);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = spare + 5;
	if (setrlimit(RLIMIT_NOFILE, &limit) || !enter())
		return 1;
	for (i = 1; i < 5; i++)
		dup3(client, spare + i, O_CLOEXEC);
	serve(loop, timer);
	/* It is retried at intervals, and not in a busy loop. */
	if (!refused_clients || refused_clients > 5 || taken_clients)
		return 2;
	close(spare);
	serve(loop, timer);
	unlinkat(AT_FDCWD, path, 0);
	return taken_clients == 1 ? ENDED_WELL : 3;
}

static void files_run_out(void)
{
	tap_equal(in_child(no_file_is_left), ENDED_WELL);
}

/* A session with its own terminal, whose job is put into the foreground. */
static int terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	struct vmm_loop *loop = vmm_loop_create();
	struct vmm_console *con;
	struct termios now;
	int slave;

	if (setsid() < 0 || grantpt(master) || unlockpt(master))
		return 1;
	slave = open(ptsname(master), O_RDWR);
	con = slave < 0 ? NULL : vmm_console_open(loop, slave, slave);
	if (!con || !enter())
		return 1;
	tcgetattr(slave, &now);
	now.c_lflag |= ICANON;
	tcsetattr(slave, TCSANOW, &now);
	vmm_console_foreground(con);
	tcgetattr(slave, &now);
	return now.c_lflag & ICANON ? 2 : ENDED_WELL;
}

static void terminal_comes_back(void)
{
	tap_equal(in_child(terminal), ENDED_WELL);
}

static int unix_socket(void)
{
	if (!enter())
		return 1;
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static void sockets_where_they_are_needed(void)
{
	tap_equal(in_child(unix_socket), 128 + SIGSYS);
}

/* Checks a process that waits in the sandbox from outside. */
static void no_rights_are_left(void)
{
	struct vmm_sandbox sandbox = { .folders = 0 };
	char path[64];
	char line[128];
	unsigned long long value;
	unsigned int seen = 0;
	int ready[2];
	pid_t pid;
	FILE *in;

	if (!tap_check(!pipe(ready)))
		return;
	pid = fork();
	if (!pid) {
		if (vmm_sandbox_enter(&sandbox))
			leave(1);
		if (write(ready[1], "x", 1) != 1)
			leave(1);
		for (;;)
			poll(NULL, 0, -1);
	}
	tap_equal(read(ready[0], line, 1), 1);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	in = fopen(path, "r");
	while (in && fgets(line, sizeof(line), in)) {
		if (sscanf(line, "CapEff: %llx", &value) == 1 ||
		    sscanf(line, "CapPrm: %llx", &value) == 1 ||
		    sscanf(line, "CapInh: %llx", &value) == 1) {
			tap_equal(value, 0);
			seen++;
		} else if (sscanf(line, "NoNewPrivs: %llu", &value) == 1) {
			tap_equal(value, 1);
			seen++;
		} else if (sscanf(line, "Seccomp: %llu", &value) == 1) {
			tap_equal(value, 2);
			seen++;
		}
	}
	tap_equal(seen, 5);
	if (in)
		fclose(in);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
}

static void list_is_short_and_has_reasons(void)
{
	const struct vmm_sandbox_call *call;

	printf("# main thread %u calls, vCPUs %u\n", vmm_sandbox_count(VMM_CALL_MAIN),
	       vmm_sandbox_count(VMM_CALL_VCPU));

	for (call = vmm_sandbox_calls; call->name; call++) {
		tap_context("%s", call->name);
		tap_check(call->why && strlen(call->why) > 3 && call->who);
	}
	tap_context("%s", "");
	tap_check(vmm_sandbox_count(VMM_CALL_MAIN) <= 60 + SANITIZERS_CALLS);
	tap_check(vmm_sandbox_count(VMM_CALL_VCPU) < vmm_sandbox_count(VMM_CALL_MAIN));
}

static const struct tap_case cases[] = {
	{ "what vmmctl needs works", what_is_needed_works },
	{ "a picture of the screen is written", a_picture_is_written },
	{ "a disk is saved", a_disk_is_saved },
	{ "what it does not need ends it", what_is_not_needed_ends_it },
	{ "files are removed from named directories only", only_named_folders_lose_files },
	{ "clients of other users are told apart", clients_are_told_apart },
	{ "a client comes when no file is left", files_run_out },
	{ "the terminal is taken over again", terminal_comes_back },
	{ "Unix sockets are made only where they are needed", sockets_where_they_are_needed },
	{ "no rights are left", no_rights_are_left },
	{ "the list of calls is short, and each has a reason", list_is_short_and_has_reasons },
};

int main(void)
{
	int failed;

	/* As in control/session.c: for a second arena, the C library would open a file. */
	mallopt(M_ARENA_MAX, 1);
	if (!make_files())
		return 1;
	failed = tap_run(cases, ARRAY_SIZE(cases));
	unlink(allowed_file);
	rmdir(allowed_dir);
	unlink(other_file);
	return failed;
}
