// SPDX-License-Identifier: GPL-2.0-only
/*
 * Output to readers that are slow, have ended, or were never there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/output.h"
#include "tests/tap.h"

static struct vmm_output_ring ring;
static char bytes[3 * VMM_OUTPUT_RING];

static void fill(void)
{
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = i % 251;
	memset(&ring, 0, sizeof(ring));
}

/* Reads all of @from, and compares it with @bytes. */
static size_t read_all(int from)
{
	static char got[sizeof(bytes)];
	size_t done = 0;
	ssize_t n;

	fcntl(from, F_SETFL, O_NONBLOCK);
	while ((n = read(from, got + done, sizeof(got) - done)) > 0)
		done += n;
	tap_check(!memcmp(got, bytes, done));
	return done;
}

static void check_slow_reader(int to, int from)
{
	struct vmm_output out;
	size_t got;
	int flags = fcntl(to, F_GETFL);

	fill();
	vmm_output_init(&out, to);
	vmm_output_put(&ring, bytes, sizeof(bytes));
	tap_equal(vmm_output_drain(&ring, &out), -EAGAIN);
	/* The flags of the shell's file do not change. */
	tap_equal(fcntl(to, F_GETFL), flags);
	got = read_all(from);
	tap_check(got > 0);
	while (vmm_output_drain(&ring, &out) == -EAGAIN)
		got += read(from, bytes, 65536);
	vmm_output_close(&out);
	tap_equal(ring.dropped, sizeof(bytes) - VMM_OUTPUT_RING);
	tap_equal(ring.len, 0);
}

static void pipes_are_not_waited_for(void)
{
	int fd[2];

	if (!tap_check(!pipe(fd)))
		return;
	check_slow_reader(fd[1], fd[0]);
	close(fd[0]);
	close(fd[1]);
}

static void sockets_are_not_waited_for(void)
{
	int fd[2];

	if (!tap_check(!socketpair(AF_UNIX, SOCK_STREAM, 0, fd)))
		return;
	check_slow_reader(fd[1], fd[0]);
	close(fd[0]);
	close(fd[1]);
}

/* If a file cannot be opened again, poll() is used. */
static void asking_first_is_enough(void)
{
	struct vmm_output out;
	int fd[2];

	if (!tap_check(!pipe(fd)))
		return;
	fill();
	vmm_output_init(&out, fd[1]);
	vmm_output_close(&out);
	out.poll = true;
	vmm_output_put(&ring, bytes, VMM_OUTPUT_RING);
	tap_equal(vmm_output_drain(&ring, &out), -EAGAIN);
	tap_check(read_all(fd[0]) > 0);
	close(fd[0]);
	close(fd[1]);
}

static void nobody_reads_any_more(void)
{
	struct vmm_output out;
	int fd[2];

	if (!tap_check(!socketpair(AF_UNIX, SOCK_STREAM, 0, fd)))
		return;
	fill();
	close(fd[0]);
	vmm_output_init(&out, fd[1]);
	vmm_output_put(&ring, bytes, 100);
	tap_equal(vmm_output_drain(&ring, &out), 0);
	tap_equal(ring.dropped, 100);
	vmm_output_close(&out);
	close(fd[1]);
}

/* Two programs append to one file, as with > log 2>&1. */
static void files_keep_their_offset(void)
{
	char path[] = "/tmp/vmmctl-output-XXXXXX";
	int fd = mkstemp(path);
	struct vmm_output out;
	char got[16] = "";

	fill();
	tap_equal(write(fd, "before ", 7), 7);
	vmm_output_init(&out, fd);
	vmm_output_put(&ring, "middle ", 7);
	tap_equal(vmm_output_drain(&ring, &out), 0);
	tap_equal(write(fd, "a", 1), 1);
	tap_equal(pread(fd, got, sizeof(got), 0), 15);
	tap_check(!memcmp(got, "before middle a", 15));
	vmm_output_close(&out);
	close(fd);
	unlink(path);
}

static void ring_turns_round(void)
{
	static char got[VMM_OUTPUT_RING];
	struct vmm_output out;
	unsigned int round;
	size_t n;
	int fd[2];

	if (!tap_check(!pipe(fd)))
		return;
	fill();
	vmm_output_init(&out, fd[1]);
	for (round = 0; round < 40; round++) {
		vmm_output_put(&ring, bytes, 30000);
		tap_equal(vmm_output_drain(&ring, &out), 0);
		for (n = 0; n < 30000;)
			n += read(fd[0], got + n, sizeof(got) - n);
		tap_check(!memcmp(got, bytes, 30000));
		/* Start at another position in the next round. */
		ring.head = round * 9973 % VMM_OUTPUT_RING;
	}
	tap_equal(ring.dropped, 0);
	vmm_output_close(&out);
	close(fd[0]);
	close(fd[1]);
}

static const struct tap_case cases[] = {
	{ "a pipe is not waited for", pipes_are_not_waited_for },
	{ "a socket is not waited for", sockets_are_not_waited_for },
	{ "a pipe that cannot be opened again is asked first", asking_first_is_enough },
	{ "what nobody will read is dropped", nobody_reads_any_more },
	{ "a plain file keeps its offset", files_keep_their_offset },
	{ "the ring turns round", ring_turns_round },
};

int main(void)
{
	return tap_run(cases, sizeof(cases) / sizeof(*cases));
}
