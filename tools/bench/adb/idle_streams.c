// SPDX-License-Identifier: GPL-2.0-only
/*
 * What idle vsock streams cost: the module's memory for each, and the rate of a
 * busy one alone and among them. Guest and host programs are this program.
 *
 *	idle_streams [STREAMS [MIB]]
 *
 * Prints one figure a line:
 *
 *	idle_stream_kib		memory of the module for one, after it was used
 *	busy_alone_mib_s	each way at once, before and after the others
 *	busy_among_mib_s	with all the others open
 *
 * Where the clock counts instructions, so does a second, and the two rates can be
 * compared. To be run as root, on a host where nobody else uses the memory.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "vsock_driver.h"

#define GUEST_PORT	1000u

struct pair {
	int ends[2];
	struct vs_stream stream;
};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Small objects and large ones; whole pages of them. */
static long kernel_kib(void)
{
	FILE *meminfo = fopen("/proc/meminfo", "r");
	long sum = 0, kib;
	char line[128];

	if (!meminfo)
		vq_die("no /proc/meminfo");
	while (fgets(line, sizeof(line), meminfo))
		if (sscanf(line, "Slab: %ld", &kib) == 1 ||
		    sscanf(line, "VmallocUsed: %ld", &kib) == 1)
			sum += kib;
	fclose(meminfo);
	return sum;
}

static double rate(struct vs_stream *stream, uint64_t mib)
{
	struct vs_flow flow = {
		.stream = stream, .to_host = mib << 20, .to_guest = mib << 20,
		.max_packet = VS_MAX_PAYLOAD, .seed = 1,
	};
	double start = now_s();

	vs_flows_run(&flow, 1);
	return 2 * mib / (now_s() - start);
}

/* The sockets are there already: only what the module adds is to be seen. */
static void open_stream(struct vs_dev *dev, struct pair *pair, uint32_t guest_port)
{
	uint32_t host_port = 0;

	if (__vs_connect(dev, guest_port, &host_port, pair->ends[0],
			 VS_COOKIE(guest_port)))
		vq_die("CONNECT of stream %u", guest_port);
	/* The device leaves a socket alone that anybody else holds. */
	close(pair->ends[0]);
	pair->stream = (struct vs_stream){
		.dev = dev, .guest_port = guest_port, .host_port = host_port,
		.sock = pair->ends[1], .buf_alloc = VS_BUF_ALLOC,
	};
	vs_stream_expect(&pair->stream, VIRTIO_VSOCK_OP_REQUEST, NULL);
	vs_stream_send(&pair->stream, VIRTIO_VSOCK_OP_RESPONSE, 0, NULL, 0);
	vs_expect_event(dev, VHOST_VSOCK_ADB_ESTABLISHED, guest_port, host_port, 0,
			VS_COOKIE(guest_port));
	vs_echo(&pair->stream);
}

static void close_stream(struct pair *pair)
{
	vs_stream_send(&pair->stream, VIRTIO_VSOCK_OP_RST, 0, NULL, 0);
	vs_stream_expect_closed(&pair->stream, ECONNRESET);
	close(pair->ends[1]);
}

static void allow_files(unsigned int n)
{
	struct rlimit limit = { n, n };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		vq_die("no %u files: %s", n, strerror(errno));
}

int main(int argc, char **argv)
{
	unsigned int n = argc > 1 ? atoi(argv[1]) : 1023;
	uint64_t mib = argc > 2 ? atoi(argv[2]) : 32;
	struct pair *pairs = calloc(n, sizeof(*pairs));
	struct vs_stream busy;
	struct vs_dev dev;
	double alone, among;
	unsigned int i;
	long kib;

	if (!pairs || !n || !mib)
		vq_die("usage: idle_streams [STREAMS [MIB]]");
	allow_files(2 * n + 100);
	vs_create(&dev, VS_CID, VQ_SPLIT | VQ_EVENT);
	vs_connect(&busy, &dev, VS_UNIX, GUEST_PORT);
	for (i = 0; i < n; i++)
		vs_sockets(VS_UNIX, pairs[i].ends);
	rate(&busy, 1);
	alone = rate(&busy, mib);

	kib = kernel_kib();
	for (i = 0; i < n; i++)
		open_stream(&dev, &pairs[i], GUEST_PORT + 1 + i);
	kib = kernel_kib() - kib;
	among = rate(&busy, mib);

	for (i = 0; i < n; i++)
		close_stream(&pairs[i]);
	alone = (alone + rate(&busy, mib)) / 2;
	printf("idle_stream_kib %.2f\n", (double)kib / n);
	printf("busy_alone_mib_s %.2f\n", alone);
	printf("busy_among_mib_s %.2f\n", among);
	vs_stream_close(&busy);
	vs_destroy(&dev);
	free(pairs);
	return 0;
}
