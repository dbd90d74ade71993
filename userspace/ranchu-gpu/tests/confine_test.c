// SPDX-License-Identifier: GPL-2.0-only
/*
 * What ranchu-gpu can do in its sandbox, and what it cannot, with each kind of renderer. For
 * each case a child process enters the sandbox; its exit code is the line of the check that
 * failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine.h"
#include "gpu.h"
#include "server.h"
#include "tests/tap.h"

#define MUST(condition) do {			\
	if (!(condition))			\
		_exit(__LINE__ % 255 + 1);	\
} while (0)

#define REFUSED(call) MUST((call) == -1 && errno == EPERM)

static const struct gpu_renderer_ops ops_3d = { .three_d = true };
static struct gpu_renderer renderer_3d = { .ops = &ops_3d, .fd = -1 };

/* Options of the current case. */
static struct server_options options;

static void confine(void)
{
	signal(SIGXFSZ, SIG_IGN);
	MUST(!gpu_confine(&options));
}

/* A process that the guest controls cannot do anything outside of the sandbox. */
static void nothing_else(void)
{
	char *const words[] = { "true", NULL };
	struct sockaddr nobody = { .sa_family = AF_UNIX };
	int here = socket(AF_UNIX, SOCK_STREAM, 0);

	MUST(here >= 0);
	confine();
	REFUSED(open("/dev/null", O_RDONLY));
	REFUSED(openat(AT_FDCWD, "/dev/dri/renderD128", O_RDWR));
	REFUSED(socket(AF_UNIX, SOCK_STREAM, 0));
	REFUSED(socket(AF_INET, SOCK_STREAM, 0));
	REFUSED(connect(here, &nobody, sizeof(nobody)));
	REFUSED(execve("/bin/true", words, words));
	REFUSED(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
	REFUSED(kill(getppid(), 0));
	REFUSED(fcntl(here, F_SETOWN, getppid()));
	REFUSED(fcntl(here, F_SETSIG, SIGKILL));
	REFUSED(unlinkat(AT_FDCWD, "/tmp/nothing", 0));
	REFUSED(ioctl(0, TIOCSTI, "x"));
	REFUSED(ptrace(PTRACE_TRACEME, 0, 0, 0));
	_exit(0);
}

static void no_code(void)
{
	void *page;

	confine();
	MUST(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	     MAP_FAILED && errno == EPERM);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(page != MAP_FAILED);
	REFUSED(mprotect(page, 4096, PROT_READ | PROT_EXEC));
	_exit(0);
}

static void some_code(void)
{
	confine();
	MUST(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
	     MAP_FAILED);
	_exit(0);
}

/* A picture of the largest allowed size can be sealed and mapped; a larger one is refused. */
static void its_work(void)
{
	int picture, more;
	u8 *pixels;

	confine();
	picture = memfd_create("picture", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	MUST(picture >= 0 && !ftruncate(picture, options.memory));
	MUST(!fcntl(picture, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
	pixels = mmap(NULL, options.memory, PROT_READ | PROT_WRITE, MAP_SHARED, picture, 0);
	MUST(pixels != MAP_FAILED);
	pixels[options.memory - 1] = 7;
	MUST(!munmap(pixels, options.memory));
	more = memfd_create("picture", MFD_CLOEXEC);
	MUST(more >= 0 && ftruncate(more, options.memory + 1) == -1 && errno == EFBIG);
	_exit(0);
}

static void *work(void *arg)
{
	return arg;
}

static void its_threads(void)
{
	pthread_t thread;

	confine();
	MUST(!pthread_create(&thread, NULL, work, NULL));
	MUST(!pthread_join(thread, NULL));
	MUST(!poll(NULL, 0, 0));
	_exit(0);
}

static void no_threads(void)
{
	pthread_t thread;

	confine();
	MUST(pthread_create(&thread, NULL, work, NULL));
	REFUSED(poll(NULL, 0, 0));
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

static void choose(struct gpu_renderer *renderer, bool jit)
{
	options = (struct server_options){
		.memory = 4 * MIB, .data = 256 * MIB, .scanouts = 1, .renderer = renderer,
		.jit = jit,
	};
}

static void pictures_only(void)
{
	choose(&gpu_renderer_2d, false);
	tap_equal(child(nothing_else), 0);
	tap_equal(child(no_code), 0);
	tap_equal(child(no_threads), 0);
	tap_equal(child(its_work), 0);
}

static void a_library(void)
{
	choose(&renderer_3d, false);
	tap_equal(child(nothing_else), 0);
	tap_equal(child(no_code), 0);
	tap_equal(child(its_threads), 0);
	tap_equal(child(its_work), 0);
}

static void a_library_that_makes_code(void)
{
	choose(&renderer_3d, true);
	tap_equal(child(nothing_else), 0);
	tap_equal(child(some_code), 0);
	tap_equal(child(its_threads), 0);
	tap_equal(child(its_work), 0);
}

static const struct tap_case cases[] = {
	{ "pictures only", pictures_only },
	{ "a library", a_library },
	{ "a library that makes code", a_library_that_makes_code },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
