// SPDX-License-Identifier: GPL-2.0-only
/*
 * ranchu-gpu: serves a VM's virtio-gpu.
 *
 *	ranchu-gpu --socket-path PATH | --fd N [--memory MIB]
 *		[--renderer 2d|virgl|stream:LIBRARY [--jit] [--data MIB]]
 *
 * One process serves one VM, and ends with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "confine.h"
#include "gpu.h"
#include "host/log.h"
#include "host/unix.h"
#include "server.h"

#define EXIT_USAGE	2
#define MEMORY_MIB_MAX	65536
#define STREAM		"stream:"	/* prefix of a library's path */

/**
 * struct arguments - the command line
 * @path: path of the socket for the front end, or NULL
 * @fd: the connection, or -1
 * @renderer: name of the renderer
 * @server: options of the server
 */
struct arguments {
	const char *path;
	int fd;
	const char *renderer;
	struct server_options server;
};

static int wrong_usage(void)
{
	fputs("usage: ranchu-gpu --socket-path PATH | --fd N [--memory MIB]\n"
	      "       [--renderer 2d|virgl|stream:LIBRARY [--jit] [--data MIB]]\n", stderr);
	return -EINVAL;
}

static int number_read(const char *name, const char *text, unsigned long most, unsigned long *to)
{
	char *rest;

	errno = 0;
	*to = strtoul(text, &rest, 10);
	if (errno || rest == text || *rest || *to > most || *text == '-')
		return vmm_error(-EINVAL, "--%s: \"%s\" is not 0 to %lu", name, text, most);
	return 0;
}

static int arguments_read(struct arguments *arguments, int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket-path", required_argument, NULL, 's' },
		{ "fd", required_argument, NULL, 'f' },
		{ "memory", required_argument, NULL, 'm' },
		{ "data", required_argument, NULL, 'd' },
		{ "renderer", required_argument, NULL, 'r' },
		{ "jit", no_argument, NULL, 'j' },
		{ 0 }
	};
	unsigned long value = 0;
	int option;
	int err = 0;

	while (!err && (option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 's':
			arguments->path = optarg;
			break;
		case 'f':
			err = number_read("fd", optarg, 65535, &value);
			arguments->fd = value;
			break;
		case 'm':
			err = number_read("memory", optarg, MEMORY_MIB_MAX, &value);
			arguments->server.memory = value * MIB;
			break;
		case 'd':
			err = number_read("data", optarg, MEMORY_MIB_MAX, &value);
			arguments->server.data = value * MIB;
			break;
		case 'r':
			arguments->renderer = optarg;
			break;
		case 'j':
			arguments->server.jit = true;
			break;
		default:
			return wrong_usage();
		}
	}
	if (err)
		return err;
	if (optind != argc || (arguments->path && arguments->fd >= 0) ||
	    (!arguments->path && arguments->fd < 0))
		return wrong_usage();
	return 0;
}

static bool is_stream(const char *name)
{
	return !strncmp(name, STREAM, strlen(STREAM)) && name[strlen(STREAM)];
}

/* Opens libraries before there is a connection. */
static int renderer_start(struct arguments *arguments)
{
	struct server_options *server = &arguments->server;
	const char *name = arguments->renderer;

	if (!strcmp(name, "virgl"))
		server->renderer = gpu_renderer_virgl(server->jit);
	else if (is_stream(name))
		server->renderer = gpu_renderer_stream(name + strlen(STREAM));
	else
		server->renderer = &gpu_renderer_2d;
	return server->renderer ? 0 : -EIO;
}

/* Checks options that depend on one another. */
static int arguments_check(const struct arguments *arguments)
{
	const char *name = arguments->renderer;

	if (!arguments->server.memory || !arguments->server.data)
		return vmm_error(0, "--memory and --data: 0 is no memory");
	if (strcmp(name, "2d") && strcmp(name, "virgl") && !is_stream(name))
		return vmm_error(0, "--renderer: \"%s\" is not 2d, virgl or stream:LIBRARY", name);
	if (arguments->server.jit && !strcmp(name, "2d"))
		return vmm_error(0, "--jit: the 2d renderer generates no code");
	return 0;
}

/* Waits for the front end, then closes the listening socket. */
static int front_end_accept(const char *path)
{
	int listen_fd = vmm_unix_listen(path);
	struct pollfd wait = { .fd = listen_fd, .events = POLLIN };
	int fd;

	if (listen_fd < 0)
		return listen_fd;
	do {
		poll(&wait, 1, -1);
		fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	} while (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED));
	if (fd < 0)
		fd = vmm_error(errno, "accept");
	close(listen_fd);
	unlink(path);
	return fd;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.fd = -1, .renderer = "2d",
		.server = { .memory = GPU_MEMORY, .data = GPU_DATA, .scanouts = 1 },
	};

	vmm_log_name("ranchu-gpu");
	signal(SIGPIPE, SIG_IGN);
	/* Makes writing too large a file an error, instead of ending the process. */
	signal(SIGXFSZ, SIG_IGN);
	if (arguments_read(&arguments, argc, argv) || arguments_check(&arguments))
		return EXIT_USAGE;
	if (renderer_start(&arguments))
		return EXIT_FAILURE;
	if (arguments.path)
		arguments.fd = front_end_accept(arguments.path);
	if (arguments.fd < 0 || gpu_confine(&arguments.server))
		return EXIT_FAILURE;
	return server_run(arguments.fd, &arguments.server) ? EXIT_FAILURE : EXIT_SUCCESS;
}
