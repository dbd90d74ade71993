// SPDX-License-Identifier: GPL-2.0-only
/*
 * ranchu-sound: plays and records a VM's sound by ALSA.
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
#include <sys/wait.h>
#include <unistd.h>

#include "host/log.h"
#include "host/unix.h"
#include "ranchu_sound.h"

#define EXIT_USAGE	2
#define EXIT_NOT_OPEN	3	/* exit code of the child that tries */
#define PROBE_SECONDS	30

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

/* Waits for vmmctl; afterwards no other program can connect. */
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

/*
 * Checks that the device opens in the sandbox: ALSA's mixers, dmix and dsnoop, do not. A
 * child tries it before vmmctl connects, and before this process loads a library that would
 * notice the fork.
 */
static int probe_confined(const struct sound_pcm *pcm)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		alarm(PROBE_SECONDS);
		if (sound_pcm_probe(pcm))
			_exit(EXIT_NOT_OPEN);
		_exit(sound_confine() || sound_pcm_probe(pcm));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return vmm_error(errno, "cannot try ALSA's \"%s\" in the sandbox", pcm->name);
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOT_OPEN)
		return -EIO;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return vmm_error(-EPERM, "ALSA's \"%s\" fails in the sandbox: try --%s plughw:0",
				 pcm->name, pcm->record ? "record" : "play");
	return 0;
}

int main(int argc, char **argv)
{
	struct sound_pcm play = { .name = "default" };
	struct sound_pcm record = { .name = "default", .record = true };
	const char *path = NULL;
	bool records;
	int fd;

	vmm_log_name("ranchu-sound");
	signal(SIGPIPE, SIG_IGN);
	if (arguments_read(argc, argv, &path, &play, &record))
		return EXIT_USAGE;
	if (probe_confined(&play))
		return EXIT_FAILURE;
	/* A machine without a microphone still plays. */
	records = !probe_confined(&record);
	if (!records)
		vmm_note("what the VM records is silence");
	/* Loads the libraries, which stay loaded. */
	if (sound_pcm_probe(&play) || (records && sound_pcm_probe(&record)))
		return EXIT_FAILURE;
	fd = vmm_unix_listen_packets(path);
	if (fd < 0)
		return EXIT_FAILURE;
	fd = vmmctl_accept(fd, path);
	if (fd < 0 || sound_confine())
		return EXIT_FAILURE;
	return sound_link_run(fd, &play, &record) ? EXIT_FAILURE : EXIT_SUCCESS;
}
