// SPDX-License-Identifier: GPL-2.0-only
/*
 * ranchu-gles: serves the requests of a guest's OpenGL ES library to its emulator.
 *
 *	ranchu-gles --pipe-socket PATH [--sync-socket PATH] [--screen-socket PATH]
 *		[--memory MIB]
 *
 * One process serves one VM, and ends with it. It waits for a VM that is about to start.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/log.h"
#include "host/unix.h"
#include "ranchu_pipe.h"
#include "screen.h"

#define EXIT_USAGE	2
#define TRIES		100	/* a tenth of a second each */
#define MEMORY_MIB_MAX	65536
#define WIDTH		720	/* of the screen, by default */
#define HEIGHT		1280

/**
 * struct arguments - the command line
 * @pipe: vmmctl's --pipe-socket
 * @sync: its --sync-socket, or NULL
 * @screen: its --screen-socket, or NULL
 * @memory: bytes of all colour buffers
 */
struct arguments {
	const char *pipe;
	const char *sync;
	const char *screen;
	u64 memory;
};

static struct gles gles;
static struct screen screen = { .sock = -1 };

static int wrong_usage(void)
{
	fputs("usage: ranchu-gles --pipe-socket PATH [--sync-socket PATH] [--screen-socket PATH]\n"
	      "                   [--memory MIB]\n", stderr);
	return -EINVAL;
}

static int memory_read(const char *text, u64 *to)
{
	char *rest;
	unsigned long n = strtoul(text, &rest, 10);

	if (*text < '0' || *text > '9' || *rest || !n || n > MEMORY_MIB_MAX)
		return vmm_error(-EINVAL, "--memory: \"%s\" is not 1 to %d", text, MEMORY_MIB_MAX);
	*to = n * MIB;
	return 0;
}

static int arguments_read(struct arguments *arguments, int argc, char **argv)
{
	static const struct option options[] = {
		{ "pipe-socket", required_argument, NULL, 'p' },
		{ "sync-socket", required_argument, NULL, 's' },
		{ "screen-socket", required_argument, NULL, 'd' },
		{ "memory", required_argument, NULL, 'm' },
		{ 0 }
	};
	int option;
	int err = 0;

	while (!err && (option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'p')
			arguments->pipe = optarg;
		else if (option == 's')
			arguments->sync = optarg;
		else if (option == 'd')
			arguments->screen = optarg;
		else if (option == 'm')
			err = memory_read(optarg, &arguments->memory);
		else
			return wrong_usage();
	}
	if (!err && (optind != argc || !arguments->pipe))
		return wrong_usage();
	return err;
}

/* Connects with @dial, and retries while the VM is creating its sockets. */
static int vm_reach(const char *option, const char *path, int (*dial)(const char *path))
{
	unsigned int i;
	int fd = -ENOENT;

	for (i = 0; i < TRIES && (fd == -ENOENT || fd == -ECONNREFUSED); i++) {
		if (i)
			usleep(100000);
		fd = dial(path);
	}
	if (fd < 0)
		return vmm_error(-fd, "%s: cannot connect to %s", option, path);
	return fd;
}

/* Gets a file from a socket, and makes it non-blocking. */
static int file_open(const char *option, const char *path)
{
	/* Any file is accepted: the socket determines its meaning. */
	int fd = vm_reach(option, path, ranchu_services_connect);

	if (fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK))
		return vmm_error(errno, "%s", option);
	return fd;
}

static int names_add(int services)
{
	static const char *const names[] = { "GLProcessPipe", "opengles" };
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(names) && !err; i++) {
		err = ranchu_services_add(services, names[i]);
		if (err)
			vmm_error(-err, "the VM refuses the service %s", names[i]);
	}
	return err;
}

static void post(void *arg, const struct gles_buffer *buffer)
{
	screen_post(arg, buffer);
}

int main(int argc, char **argv)
{
	static const struct gles_ops ops = { .post = post };
	struct arguments arguments = { .memory = GLES_MEMORY };
	int services = -1, sync = -1, sock = -1;
	int err;

	vmm_log_name("ranchu-gles");
	signal(SIGPIPE, SIG_IGN);
	/* Makes writing too large a file an error, instead of ending the process. */
	signal(SIGXFSZ, SIG_IGN);
	if (arguments_read(&arguments, argc, argv))
		return EXIT_USAGE;
	services = file_open("--pipe-socket", arguments.pipe);
	if (services < 0)
		return EXIT_FAILURE;
	if (arguments.sync)
		sync = file_open("--sync-socket", arguments.sync);
	if (arguments.screen)
		sock = vm_reach("--screen-socket", arguments.screen, vmm_unix_dial);
	if ((arguments.sync && sync < 0) || (arguments.screen && sock < 0))
		return EXIT_FAILURE;
	gles.ops = &ops;
	gles.arg = &screen;
	gles.width = WIDTH;
	gles.height = HEIGHT;
	gles.fences = sync >= 0;
	gles.buffers.most = arguments.memory;
	/* The services are registered last, when everything is ready. */
	if (screen_open(&screen, sock, &gles.width, &gles.height) || names_add(services) ||
	    gles_confine(arguments.memory))
		return EXIT_FAILURE;
	printf("the guest is served\n");
	fflush(stdout);
	err = server_run(&gles, &screen, services, sync);
	gles_close(&gles);
	screen_close(&screen);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
