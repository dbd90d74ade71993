// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections to programs that send records in pieces, do not read, hang up, and connect again.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "host/stream.h"
#include "host/unix.h"
#include "host/vsock.h"
#include "tests/tap.h"

static char path[64];

static int listen_at(void)
{
	snprintf(path, sizeof(path), "/tmp/vmmctl-stream-%d", (int)getpid());
	return vmm_unix_listen(path);
}

static void records_come_in_pieces(void)
{
	struct vmm_stream stream;
	int listener = listen_at();
	char record[8] = "";
	unsigned int i;
	int peer;

	if (!tap_check(!vmm_stream_open(&stream, path)))
		return;
	peer = accept(listener, NULL, NULL);
	tap_check(!vmm_stream_record(&stream, record, sizeof(record)));
	for (i = 0; i < 7; i++) {
		tap_equal(write(peer, &"abcdefgh"[i], 1), 1);
		tap_check(!vmm_stream_record(&stream, record, sizeof(record)));
	}
	tap_equal(write(peer, "hABCDEFGHx", 10), 10);
	tap_check(vmm_stream_record(&stream, record, sizeof(record)));
	tap_check(!memcmp(record, "abcdefgh", 8));
	tap_check(vmm_stream_record(&stream, record, sizeof(record)));
	tap_check(!memcmp(record, "ABCDEFGH", 8));
	tap_check(!vmm_stream_record(&stream, record, sizeof(record)));
	tap_equal(vmm_stream_timeout(&stream), -1);
	vmm_stream_close(&stream);
	close(peer);
	close(listener);
	unlink(path);
}

static void peer_may_come_again(void)
{
	struct vmm_stream stream;
	int listener = listen_at();
	struct iovec iov = { "x", 1 };
	char record[4];
	char got[8];
	int peer;
	int fd;

	if (!tap_check(!vmm_stream_open(&stream, path)))
		return;
	fd = stream.fd;
	peer = accept(listener, NULL, NULL);
	tap_equal(write(peer, "ab", 2), 2);
	close(peer);
	close(listener);
	unlink(path);
	tap_check(!vmm_stream_record(&stream, record, sizeof(record)));
	tap_check(!vmm_stream_record(&stream, record, sizeof(record)));
	tap_check(vmm_stream_timeout(&stream) > 0);
	tap_equal(vmm_stream_poll_fd(&stream), -1);
	vmm_stream_retry(&stream);
	tap_check(stream.lost);
	/* Records without a connection are dropped. */
	vmm_stream_send(&stream, &iov, 1);
	tap_equal(stream.dropped, 1);
	listener = listen_at();
	vmm_stream_retry(&stream);
	tap_check(!stream.lost);
	tap_equal(stream.fd, fd);
	peer = accept(listener, NULL, NULL);
	/* An incomplete record of the old connection is discarded. */
	tap_equal(write(peer, "cdef", 4), 4);
	tap_check(vmm_stream_record(&stream, record, sizeof(record)));
	tap_check(!memcmp(record, "cdef", 4));
	iov = (struct iovec){ "hello", 5 };
	vmm_stream_send(&stream, &iov, 1);
	tap_equal(read(peer, got, sizeof(got)), 5);
	vmm_stream_close(&stream);
	close(peer);
	close(listener);
	unlink(path);
}

/* Megabytes for a peer that reads nothing are dropped soon, and counted. */
static void peer_that_does_not_read_is_not_waited_for(void)
{
	static char bytes[65536];
	struct vmm_stream stream;
	int listener = listen_at();
	struct timespec begin;
	struct timespec end;
	size_t read_back = 0;
	unsigned int i;
	ssize_t n;
	int peer;

	if (!tap_check(!vmm_stream_open(&stream, path)))
		return;
	peer = accept(listener, NULL, NULL);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (i = 0; i < 64; i++) {
		struct iovec iov[] = { { bytes, 1000 }, { bytes + 1000, sizeof(bytes) - 1000 } };

		vmm_stream_send(&stream, iov, 2);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	/* There is one wait of half a second, and not one for each record. */
	tap_check(end.tv_sec - begin.tv_sec < 10);
	tap_check(stream.dropped > 0);
	while ((n = recv(peer, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		read_back += n;
	tap_equal(read_back + stream.dropped, 64 * sizeof(bytes));
	vmm_stream_close(&stream);
	close(peer);
	close(listener);
	unlink(path);
}

#define DRIPS	60

/* A peer that reads less than is sent also causes a single wait. */
static void peer_that_reads_too_little_is_not_waited_for(void)
{
	static char bytes[4096];
	struct vmm_stream stream;
	int listener = listen_at();
	struct timespec begin;
	struct timespec end;
	unsigned int i;
	unsigned int k;
	int peer;

	if (!tap_check(!vmm_stream_open(&stream, path)))
		return;
	peer = accept(listener, NULL, NULL);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (!stream.dropped) {
		struct iovec iov = { bytes, sizeof(bytes) };

		vmm_stream_send(&stream, &iov, 1);
	}
	for (i = 0; i < DRIPS; i++) {
		tap_equal(recv(peer, bytes, sizeof(bytes), 0), sizeof(bytes));
		for (k = 0; k < 2; k++) {
			struct iovec iov = { bytes, sizeof(bytes) };

			vmm_stream_send(&stream, &iov, 1);
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	/* Half a second each would be 30. */
	tap_check(end.tv_sec - begin.tv_sec < 15);
	/* The peer still gets records that it has room for. */
	tap_check(stream.dropped < (DRIPS + 10) * sizeof(bytes));
	vmm_stream_close(&stream);
	close(peer);
	close(listener);
	unlink(path);
}

static void nobody_there_is_an_error(void)
{
	struct vmm_stream stream;

	tap_check(vmm_stream_open(&stream, "/tmp/vmmctl-nobody") < 0);
	vmm_stream_close(&stream);
}

static const struct tap_case cases[] = {
	{ "a record may come in pieces", records_come_in_pieces },
	{ "a peer may go and come again", peer_may_come_again },
	{ "a peer that does not read is not waited for",
	  peer_that_does_not_read_is_not_waited_for },
	{ "a peer that reads too little is not waited for",
	  peer_that_reads_too_little_is_not_waited_for },
	{ "nobody there is an error", nobody_there_is_an_error },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
