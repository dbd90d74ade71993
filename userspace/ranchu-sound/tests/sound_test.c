// SPDX-License-Identifier: GPL-2.0-only
/*
 * ranchu-sound with vmmctl's end of the connection, and with ALSA devices that are files: samples,
 * formats, starts and stops, its end, and invalid packets.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/helper_sandbox.h"
#include "host/sound_peer.h"
#include "host/sound_wire.h"
#include "host/unix.h"
#include "tests/tap.h"

#define TRIES	10000	/* of a millisecond */
#define SIZE	60000

static const struct vmm_sound_format cd = { .rate = 44100, .channels = 2, .bits = 16 };

static char dir[40];
static char path[64];
static char played[64];
static char recorded[64];
static char said[64];
static u8 samples[SIZE];
static pid_t program;
static struct vmm_vm vm;

static void file_write(const char *name, const void *bytes, size_t len)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	tap_equal(write(fd, bytes, len), len);
	close(fd);
}

/* Configures ALSA devices that play to a file and record from a file. */
static void config_write(void)
{
	char text[600];
	char name[64];
	int len;

	len = snprintf(text, sizeof(text),
		       "pcm.nothing { type null }\n"
		       "pcm.speaker { type file slave.pcm nothing file \"%s\" format raw }\n"
		       "pcm.mic { type file slave.pcm nothing file /dev/null infile \"%s\" format raw }\n",
		       played, recorded);
	snprintf(name, sizeof(name), "%s/asound.conf", dir);
	file_write(name, text, len);
	setenv("ALSA_CONFIG_PATH", name, 1);
}

static void program_start(const char *play, const char *record)
{
	unsigned int tries;
	struct stat st;

	unlink(played);
	unlink(path);
	program = fork();
	if (!program) {
		int fd = open(said, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		dup2(fd, STDERR_FILENO);
		execl(getenv("RANCHU_SOUND"), "ranchu-sound", "--socket-path", path, "--play",
		      play, "--record", record, NULL);
		_exit(127);
	}
	for (tries = 0; tries < TRIES && stat(path, &st); tries++)
		usleep(1000);
}

/* Returns its exit status, or -1. */
static int program_end(void)
{
	unsigned int tries;
	int status = -1;

	for (tries = 0; tries < TRIES && waitpid(program, &status, WNOHANG) != program; tries++)
		usleep(1000);
	if (tries == TRIES) {
		kill(program, SIGKILL);
		waitpid(program, &status, 0);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static struct vmm_sound_peer *peer_open(void)
{
	struct vmm_sound_peer *peer = NULL;
	unsigned int tries;

	vm = (struct vmm_vm){ .fd = -1 };
	for (tries = 0; tries < TRIES && !peer; tries += 100) {
		peer = vmm_sound_peer_open(&vm, "test", path);
		if (!peer)
			usleep(100000);
	}
	if (tap_check(peer))
		tap_check(!vmm_threads_start(&vm));
	return peer;
}

/* Repeats the attempt, because the socket may exist before the program listens. */
static int dial(void)
{
	unsigned int tries;
	int fd = -1;

	for (tries = 0; tries < TRIES && fd < 0; tries++) {
		fd = vmm_unix_dial_packets(path);
		if (fd < 0)
			usleep(1000);
	}
	tap_check(fd >= 0);
	return fd;
}

static bool file_becomes(const void *want, size_t len)
{
	static u8 have[2 * SIZE];
	unsigned int tries;
	ssize_t n = -1;
	int fd;

	for (tries = 0; tries < TRIES; tries++) {
		if (n == (ssize_t)len && !memcmp(have, want, len))
			return true;
		usleep(1000);
		fd = open(played, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? -1 : read(fd, have, sizeof(have));
		if (fd >= 0)
			close(fd);
	}
	tap_equal(n, len);
	return tap_check(!memcmp(have, want, len));
}

static bool said_so(const char *text)
{
	char have[512] = "";
	int fd = open(said, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, have, sizeof(have) - 1);

	close(fd);
	return n > 0 && strstr(have, text);
}

static bool play(struct vmm_sound_peer *peer, size_t from, size_t len)
{
	const struct iovec iov[3] = {
		{ samples + from, 1 }, { samples + from + 1, 0 }, { samples + from + 1, len - 1 },
	};

	return vmm_sound_peer_play(peer, iov, 3, len);
}

static void what_is_played_arrives(void)
{
	struct vmm_sound_peer *peer;

	program_start("speaker", "mic");
	peer = peer_open();
	if (!peer)
		return;
	/* Sound before the start and after the end is not played. */
	play(peer, 0, 4);
	vmm_sound_peer_run(peer, false, true, &cd);
	/* More than a packet. */
	tap_check(play(peer, 0, 40000));
	tap_check(play(peer, 40000, SIZE - 40000));
	vmm_sound_peer_run(peer, false, false, &cd);
	play(peer, 0, 4);
	tap_check(file_becomes(samples, SIZE));
	vmm_sound_peer_close(&vm, peer);
	tap_equal(program_end(), 0);
	tap_check(access(path, F_OK));
}

static void formats_may_change(void)
{
	static const struct vmm_sound_format other = {
		.rate = 8000, .channels = 1, .bits = 32, .is_float = true,
	};
	struct vmm_sound_peer *peer;
	unsigned int i;

	program_start("speaker", "mic");
	peer = peer_open();
	if (!peer)
		return;
	/* Each opening of the device writes its file again. */
	for (i = 0; i < 3; i++) {
		vmm_sound_peer_run(peer, false, true, i & 1 ? &other : &cd);
		tap_check(play(peer, 1000 * i, 4000));
		vmm_sound_peer_run(peer, false, false, &cd);
		tap_check(file_becomes(samples + 1000 * i, 4000));
	}
	vmm_sound_peer_close(&vm, peer);
	tap_equal(program_end(), 0);
}

/* Each request returns the samples of the previous one, because one message is buffered. */
static void what_is_recorded_arrives(void)
{
	struct vmm_sound_peer *peer;
	unsigned int tries;
	size_t at = 0;
	u8 got[1764];
	const struct iovec iov = { got, sizeof(got) };

	file_write(recorded, samples, SIZE);
	program_start("speaker", "mic");
	peer = peer_open();
	if (!peer)
		return;
	vmm_sound_peer_run(peer, true, true, &cd);
	for (tries = 0; tries < TRIES && at < 20000; tries++) {
		size_t n = vmm_sound_peer_record(peer, &iov, 1, sizeof(got));

		usleep(1000);
		if (!tap_check(n <= sizeof(got) && !(n % 4) && !memcmp(got, samples + at, n)))
			break;
		at += n;
	}
	tap_check(at >= 20000);
	pthread_mutex_lock(&peer->lock);
	tap_check(peer->have <= 2 * sizeof(got));
	pthread_mutex_unlock(&peer->lock);
	vmm_sound_peer_run(peer, true, false, &cd);
	tap_equal(vmm_sound_peer_record(peer, &iov, 1, sizeof(got)), 0);
	vmm_sound_peer_close(&vm, peer);
	tap_equal(program_end(), 0);
}

/* After a kill, another process is told of the running streams. */
static void it_may_be_killed(void)
{
	struct vmm_sound_peer *peer;
	unsigned int tries;

	program_start("speaker", "mic");
	peer = peer_open();
	if (!peer)
		return;
	vmm_sound_peer_run(peer, false, true, &cd);
	kill(program, SIGKILL);
	tap_equal(program_end(), -1);
	tap_check(!play(peer, 0, 4000));
	program_start("speaker", "mic");
	for (tries = 0; tries < TRIES && !play(peer, 0, 4000); tries++)
		usleep(1000);
	vmm_sound_peer_run(peer, false, false, &cd);
	tap_check(file_becomes(samples, 4000));
	vmm_sound_peer_close(&vm, peer);
	tap_equal(program_end(), 0);
}

static void devices_that_are_not_there(void)
{
	struct vmm_sound_peer *peer;

	program_start("nobody", "mic");
	tap_equal(program_end(), 1);
	tap_check(said_so("\"nobody\" does not open to play"));
	program_start("speaker", "nobody");
	peer = peer_open();
	if (!peer)
		return;
	tap_check(said_so("what the VM records is silence"));
	vmm_sound_peer_run(peer, true, true, &cd);
	vmm_sound_peer_run(peer, false, true, &cd);
	tap_check(play(peer, 0, 4000));
	vmm_sound_peer_run(peer, false, false, &cd);
	tap_check(file_becomes(samples, 4000));
	vmm_sound_peer_close(&vm, peer);
	tap_equal(program_end(), 0);
}

static void send_packet(int fd, struct vmm_sound_packet head, size_t more)
{
	u8 packet[sizeof(head) + VMM_SOUND_PACKET + 1] = { 0 };

	memcpy(packet, &head, sizeof(head));
	tap_equal(send(fd, packet, sizeof(head) + more, MSG_NOSIGNAL), sizeof(head) + more);
}

/**
 * struct wrong - an invalid packet
 * @head: its header, in the host's byte order
 * @more: bytes that follow
 */
struct wrong {
	struct vmm_sound_packet head;
	size_t more;
};

#define WORD(w)			{ .head = { .word = (w) } }
#define SAMPLES(n, way, m)	\
	{ { .word = VMM_SOUND_SAMPLES, .bytes = (n), .record = (way) }, (m) }
#define START(hz, way, n, size, real)	\
	{ .head = { .word = VMM_SOUND_START, .rate = (hz), .record = (way), .channels = (n), \
		    .bits = (size), .is_float = (real) } }

static void send_wrong(int fd, const struct wrong *wrong)
{
	struct vmm_sound_packet head = wrong->head;

	head.word = htole32(head.word);
	head.bytes = htole32(head.bytes);
	head.rate = htole32(head.rate);
	send_packet(fd, head, wrong->more);
}

/* Each wrong packet ends the program in order, with one message. */
static void wrong_packets_end_it(void)
{
	static const struct wrong rows[] = {
		WORD(0), WORD(5), WORD(~0U), SAMPLES(3, 0, 4), SAMPLES(~0U, 0, 4),
		SAMPLES(4, 1, 4), SAMPLES(VMM_SOUND_PACKET + 1, 0, VMM_SOUND_PACKET + 1),
		START(0, 0, 2, 16, 0), START(~0U, 0, 2, 16, 0), START(44100, 2, 2, 16, 0),
		START(44100, 0, 0, 16, 0), START(44100, 0, 3, 16, 0), START(44100, 0, 2, 24, 0),
		START(44100, 0, 2, 0, 0), START(44100, 0, 2, 16, 1), START(44100, 0, 2, 32, 2),
	};
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		tap_context("row %u", i);
		program_start("speaker", "mic");
		fd = dial();
		send_wrong(fd, &rows[i]);
		tap_equal(program_end(), 1);
		tap_check(said_so("vmmctl has sent a wrong packet"));
		close(fd);
	}
	/* An incomplete packet; and a peer that requests everything and reads nothing. */
	program_start("speaker", "mic");
	fd = dial();
	tap_equal(send(fd, "x", 1, 0), 1);
	tap_equal(program_end(), 1);
	close(fd);
	program_start("speaker", "mic");
	fd = dial();
	send_packet(fd, (struct vmm_sound_packet){
		.word = htole32(VMM_SOUND_START), .rate = htole32(8000), .record = 1,
		.channels = 1, .bits = 8,
	}, 0);
	for (i = 0; i < 10; i++)
		send_packet(fd, (struct vmm_sound_packet){
			.word = htole32(VMM_SOUND_ASK), .bytes = htole32(~0U), .record = 1,
		}, 0);
	close(fd);
	tap_equal(program_end(), 0);
}

/* After invalid packets of a program, vmmctl hangs up and goes on without sound. */
static void a_wrong_program_does_no_harm(void)
{
	static const struct wrong rows[] = {
		{ { .word = VMM_SOUND_ASK, .bytes = 4, .record = 1 }, 4 }, SAMPLES(4, 0, 4),
		SAMPLES(8, 1, 4), SAMPLES(~0U, 1, 4), WORD(VMM_SOUND_ALL),
		SAMPLES(VMM_SOUND_PACKET + 1, 1, VMM_SOUND_PACKET + 1),
	};
	struct vmm_sound_peer *peer;
	u8 got[1024];
	const struct iovec iov = { got, sizeof(got) };
	unsigned int i;
	int listen_fd;
	int fd;
	u8 byte;

	unlink(path);
	listen_fd = vmm_unix_listen_packets(path);
	peer = peer_open();
	if (!peer)
		return;
	vmm_sound_peer_run(peer, true, true, &cd);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned int tries = 0;

		tap_context("row %u", i);
		while ((fd = accept(listen_fd, NULL, NULL)) < 0 && tries++ < TRIES)
			usleep(1000);
		send_wrong(fd, &rows[i]);
		for (tries = 0; tries < TRIES; tries++) {
			/* First the messages to it, then the end. */
			ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

			if (!n || (n < 0 && errno != EAGAIN))
				break;
			usleep(1000);
		}
		tap_check(tries < TRIES);
		close(fd);
	}
	/* More than was asked for is dropped. */
	while ((fd = accept(listen_fd, NULL, NULL)) < 0)
		usleep(1000);
	vmm_sound_peer_record(peer, &iov, 1, sizeof(got));
	for (i = 0; i < 40; i++)
		send_packet(fd, (struct vmm_sound_packet){
			.word = htole32(VMM_SOUND_SAMPLES), .bytes = htole32(VMM_SOUND_PACKET),
			.record = 1,
		}, VMM_SOUND_PACKET);
	usleep(50000);
	pthread_mutex_lock(&peer->lock);
	tap_equal(peer->have, 2 * sizeof(got));
	tap_equal(peer->asked, 0);
	pthread_mutex_unlock(&peer->lock);
	vmm_sound_peer_close(&vm, peer);
	close(fd);
	close(listen_fd);
}

/* Returns how many requests for recorded samples have come. */
static unsigned int requests(int fd)
{
	struct vmm_sound_packet packet;
	unsigned int count = 0;

	while (recv(fd, &packet, sizeof(packet), MSG_DONTWAIT) > 0)
		count += le32toh(packet.word) == VMM_SOUND_ASK;
	return count;
}

static bool stock_becomes(struct vmm_sound_peer *peer, size_t bytes, bool asking)
{
	unsigned int tries;
	bool is = false;

	for (tries = 0; tries < TRIES && !is; tries++) {
		usleep(1000);
		pthread_mutex_lock(&peer->lock);
		is = peer->have == bytes && peer->asking == asking;
		pthread_mutex_unlock(&peer->lock);
	}
	return is;
}

/* Samples of an answer may come long before its end: the next request waits for the end. */
static void one_request_at_a_time(void)
{
	const struct vmm_sound_packet all = { .word = htole32(VMM_SOUND_ALL), .record = 1 };
	struct vmm_sound_packet head = { .word = htole32(VMM_SOUND_SAMPLES), .record = 1 };
	struct vmm_sound_peer *peer;
	u8 got[1024];
	const struct iovec iov = { got, sizeof(got) };
	int listen_fd;
	int fd;

	unlink(path);
	listen_fd = vmm_unix_listen_packets(path);
	peer = peer_open();
	if (!peer)
		return;
	while ((fd = accept(listen_fd, NULL, NULL)) < 0)
		usleep(1000);
	vmm_sound_peer_run(peer, true, true, &cd);
	tap_equal(vmm_sound_peer_record(peer, &iov, 1, sizeof(got)), 0);
	tap_equal(requests(fd), 1);
	head.bytes = htole32(2 * sizeof(got));
	send_packet(fd, head, 2 * sizeof(got));
	tap_check(stock_becomes(peer, 2 * sizeof(got), true));
	tap_equal(vmm_sound_peer_record(peer, &iov, 1, sizeof(got)), sizeof(got));
	tap_equal(requests(fd), 0);
	send_packet(fd, all, 0);
	tap_check(stock_becomes(peer, sizeof(got), false));
	tap_equal(vmm_sound_peer_record(peer, &iov, 1, sizeof(got)), sizeof(got));
	tap_equal(requests(fd), 1);
	/* All that was requested is taken. */
	send_packet(fd, head, 2 * sizeof(got));
	tap_check(stock_becomes(peer, 2 * sizeof(got), true));
	vmm_sound_peer_close(&vm, peer);
	close(fd);
	close(listen_fd);
}

/* Exits with 0 if only ioctls of two types come through the sandbox. */
static void sandboxed(void)
{
	static const int calls[] = { SCMP_SYS(exit_group) };
	const struct vmm_helper_sandbox sandbox = {
		.calls = calls, .count = ARRAY_SIZE(calls), .files = 16, .ioctls = "A\xaf",
	};
	char letter = 'x';

	if (vmm_helper_sandbox(&sandbox))
		_exit(1);
	if (ioctl(-1, TIOCSTI, &letter) != -1 || errno != EPERM)
		_exit(2);
	if (ioctl(-1, _IO('A', 0)) != -1 || errno != EBADF)
		_exit(3);
	if (ioctl(-1, _IOWR(0xaf, 0x20, int)) != -1 || errno != EBADF)
		_exit(4);
	_exit(0);
}

static void the_sandbox_knows_ioctls(void)
{
	pid_t child = fork();
	int status;

	if (!child)
		sandboxed();
	waitpid(child, &status, 0);
	tap_equal(WEXITSTATUS(status), 0);
}

static void it_says_how_it_is_used(void)
{
	pid_t child = fork();
	int status;

	if (!child) {
		freopen("/dev/null", "w", stderr);
		execl(getenv("RANCHU_SOUND"), "ranchu-sound", "--play", "speaker", NULL);
		_exit(127);
	}
	waitpid(child, &status, 0);
	tap_equal(WEXITSTATUS(status), 2);
}

static const struct tap_case cases[] = {
	{ "what is played arrives", what_is_played_arrives },
	{ "formats may change", formats_may_change },
	{ "what is recorded arrives", what_is_recorded_arrives },
	{ "it may be killed, and another one comes", it_may_be_killed },
	{ "devices that are not there", devices_that_are_not_there },
	{ "wrong packets end it", wrong_packets_end_it },
	{ "a wrong program does no harm", a_wrong_program_does_no_harm },
	{ "one request at a time", one_request_at_a_time },
	{ "the sandbox knows ioctls by their type", the_sandbox_knows_ioctls },
	{ "it says how it is used", it_says_how_it_is_used },
};

int main(void)
{
	unsigned int i;
	char name[64];
	int rc;

	snprintf(dir, sizeof(dir), "/tmp/ranchu-sound-XXXXXX");
	if (!getenv("RANCHU_SOUND") || !mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/socket", dir);
	snprintf(played, sizeof(played), "%s/played", dir);
	snprintf(recorded, sizeof(recorded), "%s/recorded", dir);
	snprintf(said, sizeof(said), "%s/said", dir);
	for (i = 0; i < SIZE; i++)
		samples[i] = i * 7 + (i >> 8);
	file_write(recorded, samples, SIZE);
	config_write();
	rc = tap_run(cases, ARRAY_SIZE(cases));
	unlink(path);
	unlink(played);
	unlink(recorded);
	unlink(said);
	snprintf(name, sizeof(name), "%s/asound.conf", dir);
	unlink(name);
	rmdir(dir);
	return rc;
}
