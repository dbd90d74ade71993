// SPDX-License-Identifier: GPL-2.0-only
/*
 * What ranchu-gles can do in its sandbox, and what it cannot. For each case a child process enters
 * the sandbox; its exit code is the line of the check that failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "screen.h"
#include "tests/tap.h"

#define FILES	64	/* limit that the program inherits */

#define MUST(condition) do {			\
	if (!(condition))			\
		_exit(__LINE__ % 255 + 1);	\
} while (0)

#define REFUSED(call) MUST((call) == -1 && errno == EPERM)

static void confine(void)
{
	signal(SIGXFSZ, SIG_IGN);
	MUST(!gles_confine(MIB));
}

/* A process that the guest controls cannot do anything outside of the sandbox. */
static void nothing_else(void)
{
	char *const words[] = { "true", NULL };

	confine();
	REFUSED(open("/dev/null", O_RDONLY));
	REFUSED(socket(AF_UNIX, SOCK_STREAM, 0));
	REFUSED(execve("/bin/true", words, words));
	REFUSED(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
	REFUSED(kill(getppid(), 0));
	REFUSED(unlinkat(AT_FDCWD, "/tmp/nothing", 0));
	REFUSED(ioctl(0, TIOCSTI, "x"));
	MUST(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	     MAP_FAILED && errno == EPERM);
	_exit(0);
}

/* Rings, fences, colour buffers, and the screen. */
static void its_work(void)
{
	struct pollfd file = { .events = POLLIN };
	struct iovec byte = { "x", 1 };
	struct msghdr message = { .msg_iov = &byte, .msg_iovlen = 1 };
	int pair[2], buffer;
	eventfd_t count;
	u32 *pixels;

	MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	confine();
	file.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	MUST(file.fd >= 0 && !eventfd_write(file.fd, 1) && poll(&file, 1, 0) == 1 &&
	     !eventfd_read(file.fd, &count));
	buffer = memfd_create("buffer", MFD_CLOEXEC);
	MUST(buffer >= 0 && !ftruncate(buffer, MIB));
	pixels = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED, buffer, 0);
	MUST(pixels != MAP_FAILED);
	pixels[MIB / 4 - 1] = 7;
	MUST(!munmap(pixels, MIB));
	/* A file that is larger than all buffers together may be. */
	MUST(ftruncate(buffer, MIB + 1) == -1 && errno == EFBIG);
	MUST(send(pair[0], "", 1, 0) == -1 && errno == EPERM);
	MUST(sendmsg(pair[0], &message, MSG_DONTWAIT) == 1);
	MUST(recv(pair[1], &count, 1, MSG_DONTWAIT) == 1);
	/* The descriptor is invalid, but seccomp allows the ioctl. */
	MUST(ioctl(-1, _IO(0xaf, 0xca), 0) == -1 && errno == EBADF);
	_exit(0);
}

/* A limit that is lower than the program's own is kept, and the program starts with it. */
static void few_files(void)
{
	const struct rlimit few = { FILES, FILES };
	unsigned int i;

	MUST(!setrlimit(RLIMIT_NOFILE, &few));
	confine();
	for (i = 0; i < FILES && eventfd(0, 0) >= 0; i++)
		;
	MUST(i < FILES && errno == EMFILE);
	_exit(0);
}

static int child(void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid)
		fn();
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static void it_can_do_nothing_else(void)
{
	tap_equal(child(nothing_else), 0);
}

static void it_can_do_its_work(void)
{
	tap_equal(child(its_work), 0);
}

static void lower_limits_stay(void)
{
	tap_equal(child(few_files), 0);
}

static const struct tap_case cases[] = {
	{ "it can do nothing else", it_can_do_nothing_else },
	{ "it can do its work", it_can_do_its_work },
	{ "lower limits stay", lower_limits_stay },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
