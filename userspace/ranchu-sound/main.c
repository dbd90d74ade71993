// SPDX-License-Identifier: GPL-2.0-only
/*
 * ranchu-sound: plays what a VM plays, and records what it records, by ALSA.
 *
 *	ranchu-sound --socket-path PATH [--play DEVICE] [--record DEVICE]
 *
 * One process serves one VM, and ends with it.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/log.h"
#include "host/unix.h"
#include "ranchu_sound.h"

#define EXIT_USAGE	2

static int wrong_usage(void)
{
	fputs("usage: ranchu-sound --socket-path PATH [--play DEVICE] [--record DEVICE]\n",
	      stderr);
	return -EINVAL;
}

static int arguments_read(int argc, char **argv, const char **path, struct sound_pcm *play,
			  struct sound_pcm *record)
{
	static const struct option options[] = {
		{ "socket-path", required_argument, NULL, 's' },
		{ "play", required_argument, NULL, 'p' },
		{ "record", required_argument, NULL, 'r' },
		{ 0 }
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 's':
			*path = optarg;
			break;
		case 'p':
			play->name = optarg;
			break;
		case 'r':
			record->name = optarg;
			break;
		default:
			return wrong_usage();
		}
	}
	return optind == argc && *path ? 0 : wrong_usage();
}

/* Waits for vmmctl. Nobody else can connect afterwards. */
static int vmmctl_accept(int listen_fd, const char *path)
{
	struct pollfd wait = { .fd = listen_fd, .events = POLLIN };
	int fd;

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
	struct sound_pcm play = { .name = "default" };
	struct sound_pcm record = { .name = "default", .record = true };
	const char *path = NULL;
	int fd;

	vmm_log_name("ranchu-sound");
	signal(SIGPIPE, SIG_IGN);
	if (arguments_read(argc, argv, &path, &play, &record))
		return EXIT_USAGE;
	/* A machine without a microphone plays all the same. */
	if (sound_pcm_probe(&play))
		return EXIT_FAILURE;
	if (sound_pcm_probe(&record))
		vmm_note("what the VM records is silence");
	fd = vmm_unix_listen_packets(path);
	if (fd < 0)
		return EXIT_FAILURE;
	fd = vmmctl_accept(fd, path);
	if (fd < 0 || sound_confine())
		return EXIT_FAILURE;
	return sound_link_run(fd, &play, &record) ? EXIT_FAILURE : EXIT_SUCCESS;
}
