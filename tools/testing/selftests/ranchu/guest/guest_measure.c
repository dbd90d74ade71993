// SPDX-License-Identifier: GPL-2.0-only
/*
 * demo and bench: phases of one kind of operation each, with a line on the
 * console before and after it, at which the controller counts exits.
 *
 *	RANCHU-MARK begin <service> <direction> <size>
 *	RANCHU-MARK end <service> <direction> <size> bytes=N ns=N ops=N
 *	RANCHU-BENCH <name> round=N ns=N ops=N
 *
 * ns is the whole phase's. Pipes are open, connected and warm before the first
 * line; what the lines themselves cost is the console's. The demo's last rows are of a file
 * on the disk with the guest's root.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "guest.h"
#include "peer.h"

/* Prints a line by one write, and waits until it is sent. */
static void __attribute__((format(printf, 1, 2))) say(const char *fmt, ...)
{
	char line[256];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (write(STDOUT_FILENO, line, n) != n)
		exit(1);
	/* A file or a socket has nothing to drain. */
	tcdrain(STDOUT_FILENO);
}

static void __attribute__((noreturn)) give_up(const char *what, long result)
{
	say("RANCHU-FAILED %s: %ld, errno %d\n", what, result, errno);
	exit(1);
}

static int connect_or_exit(const char *service)
{
	int fd = guest_connect(service, 0);

	if (fd < 0)
		give_up(service, fd);
	return fd;
}

static void write_or_exit(int fd, const void *bytes, size_t size)
{
	ssize_t n = guest_write_all(fd, bytes, size);

	if (n != (ssize_t)size)
		give_up("write", n);
}

static void read_or_exit(int fd, void *bytes, size_t size)
{
	ssize_t n = guest_read_all(fd, bytes, size);

	if (n != (ssize_t)size)
		give_up("read", n);
}

static uint8_t *out;
static uint8_t *in;

/* Bytes in flight that any ring has room for. */
#define CHUNK			(1u << 20)

/* The largest upload. */
#define MOST			(8u << 20)

static void op_write(int fd, size_t size)
{
	write_or_exit(fd, out, size);
}

static void op_read(int fd, size_t size)
{
	read_or_exit(fd, in, size);
}

/* There and back again. */
static void op_both(int fd, size_t size)
{
	size_t n;

	for (; size; size -= n) {
		n = size < CHUNK ? size : CHUNK;
		write_or_exit(fd, out, n);
		read_or_exit(fd, in, n);
	}
}

/* Seconds; delayed work of a booting kernel would be counted. */
#define SETTLE		10

/**
 * struct demo_row - a service and a direction
 * @service: its name
 * @direction: as printed
 * @op: moves so many bytes
 * @ways: times @op moves each byte
 * @budget: bytes that a phase moves, so that it ends soon
 */
struct demo_row {
	const char *service;
	const char *direction;
	void (*op)(int fd, size_t size);
	unsigned int ways;
	size_t budget;
};

static const struct demo_row demo_rows[] = {
	{ "zero", "write", op_write, 1, 8 << 20 },
	{ "zero", "read", op_read, 1, 8 << 20 },
	{ "pingpong", "both", op_both, 2, 8 << 20 },
	{ "throttle", "both", op_both, 2, 1 << 20 },
};

static const size_t demo_sizes[] = {
	1, 64, 4096, 64 << 10, 1 << 20, 16 << 20,
};

#define DEMO_MOST_OPS		1000u

static unsigned int demo_ops(const struct demo_row *row, size_t size)
{
	size_t ops = row->budget / size;

	return ops > DEMO_MOST_OPS ? DEMO_MOST_OPS : ops ? ops : 1;
}

static void demo_phase(const struct demo_row *row, size_t size)
{
	unsigned int ops = demo_ops(row, size);
	char service[64];
	uint64_t begin, ns;
	unsigned int i;
	int fd;

	snprintf(service, sizeof(service), "pipe:%s", row->service);
	fd = connect_or_exit(service);
	/* The ring grows, and its memory is touched, before the clock runs. */
	row->op(fd, size < CHUNK ? size : CHUNK);

	say("RANCHU-MARK begin %s %s %zu\n", row->service, row->direction,
	    size);
	begin = guest_ns();
	for (i = 0; i < ops; i++)
		row->op(fd, size);
	ns = guest_ns() - begin;
	say("RANCHU-MARK end %s %s %zu bytes=%llu ns=%llu ops=%u\n",
	    row->service, row->direction, size,
	    (unsigned long long)ops * size * row->ways,
	    (unsigned long long)ns, ops);
	close(fd);
}

/* A file on the disk that has this guest's root, past the guest's cache. */
#define DISK_FILE		"/demo-disk"
#define DISK_FILE_SIZE		(4u << 20)

static const size_t disk_sizes[] = { 4096, 64 << 10 };

static void disk_read(int fd, size_t size, off_t at)
{
	ssize_t n = pread(fd, in, size, at);

	if (n != (ssize_t)size)
		give_up("read " DISK_FILE, n);
}

static void disk_write(int fd, size_t size, off_t at)
{
	ssize_t n = pwrite(fd, out, size, at);

	if (n != (ssize_t)size)
		give_up("write " DISK_FILE, n);
}

static void disk_phase(int fd, const char *direction, size_t size,
		       void (*op)(int fd, size_t size, off_t at))
{
	unsigned int ops = DISK_FILE_SIZE / size, i;
	uint64_t begin, ns;

	say("RANCHU-MARK begin disk %s %zu\n", direction, size);
	begin = guest_ns();
	for (i = 0; i < ops; i++)
		op(fd, size, (off_t)i * size);
	ns = guest_ns() - begin;
	say("RANCHU-MARK end disk %s %zu bytes=%u ns=%llu ops=%u\n", direction, size,
	    DISK_FILE_SIZE, (unsigned long long)ns, ops);
}

static void demo_disk(void)
{
	int fd = open(DISK_FILE, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
	size_t s;

	if (fd < 0)
		give_up(DISK_FILE, fd);
	disk_write(fd, DISK_FILE_SIZE, 0);
	if (fsync(fd))
		give_up("fsync " DISK_FILE, -1);
	for (s = 0; s < ARRAY_SIZE(disk_sizes); s++) {
		disk_phase(fd, "write", disk_sizes[s], disk_write);
		disk_phase(fd, "read", disk_sizes[s], disk_read);
		if (memcmp(in, out, disk_sizes[s])) {
			say("RANCHU-FAILED disk: wrong bytes\n");
			exit(1);
		}
	}
	close(fd);
}

int guest_demo(void)
{
	size_t r, s;

	/* Test the data first. */
	if (guest_test(true))
		return 1;
	sleep(SETTLE);
	out = guest_buffer(GUEST_LARGEST);
	in = guest_buffer(GUEST_LARGEST);
	guest_fill(out, GUEST_LARGEST, 1);
	for (r = 0; r < ARRAY_SIZE(demo_rows); r++) {
		for (s = 0; s < ARRAY_SIZE(demo_sizes); s++)
			demo_phase(&demo_rows[r], demo_sizes[s]);
		/* The last data that came back must be equal. */
		if (demo_rows[r].ways == 2 && memcmp(in, out, CHUNK)) {
			say("RANCHU-FAILED %s: wrong bytes\n",
			    demo_rows[r].service);
			return 1;
		}
	}
	demo_disk();
	return 0;
}

static int zero_fd;
static int pingpong_fd;

static uint64_t bench_poll(unsigned int ops)
{
	struct pollfd pollfd = { .fd = zero_fd, .events = POLLIN | POLLOUT };
	uint64_t begin = guest_ns();

	while (ops--)
		if (poll(&pollfd, 1, 0) != 1)
			give_up("poll", pollfd.revents);
	return guest_ns() - begin;
}

static uint64_t bench_write1(unsigned int ops)
{
	uint64_t begin = guest_ns();

	while (ops--)
		if (write(zero_fd, out, 1) != 1)
			give_up("write", 0);
	return guest_ns() - begin;
}

/**
 * struct sleeper - a thread that blocks in read()
 * @thread: it
 * @fd: the pipe
 * @reads: bytes that it is to read, one at a time
 */
struct sleeper {
	pthread_t thread;
	int fd;
	unsigned int reads;
};

static void *sleeper_thread(void *arg)
{
	struct sleeper *sleeper = arg;
	uint8_t byte;

	while (sleeper->reads--)
		if (read(sleeper->fd, &byte, 1) != 1)
			give_up("blocked read", 0);
	return NULL;
}

/* Runs as soon as it is woken, before the waking thread continues. */
static void sleeper_start(struct sleeper *sleeper)
{
	struct sched_param param = { .sched_priority = 1 };
	pthread_attr_t attr;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	err = pthread_create(&sleeper->thread, &attr, sleeper_thread, sleeper);
	if (err)
		give_up("real-time thread", err);
	pthread_attr_destroy(&attr);
}

static int sleeper_fd;

/* Services of the host's: behind a socket, and behind shared rings. */
enum way { SOCKET, RING, WAYS };
static int echo_fd[WAYS];
static int sink_fd[WAYS];
static int parse_fd[WAYS];

/* Commands per answer, as in a renderer. */
#define STREAM_COMMANDS		16

/*
 * An operation is a write of a byte and the blocked read that it ends, with
 * all between: signal, interrupt, wake-up. The reader blocks again before the
 * writer goes on, because it has the CPU first and there is only one for both.
 */
static uint64_t bench_blocked_read(unsigned int ops)
{
	struct sleeper sleeper = { .fd = sleeper_fd, .reads = ops };
	uint64_t begin, ns;
	uint8_t byte = 1;

	sleeper_start(&sleeper);
	begin = guest_ns();
	while (ops--)
		if (write(sleeper_fd, &byte, 1) != 1)
			give_up("write", 0);
	ns = guest_ns() - begin;
	pthread_join(sleeper.thread, NULL);
	return ns;
}

static void use_one_cpu(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		give_up("sched_setaffinity", 0);
}

/* Only the writes; emptying the ring again is not timed. */
static uint64_t bench_write1m(unsigned int ops)
{
	uint64_t begin, ns = 0;

	while (ops--) {
		begin = guest_ns();
		write_or_exit(pingpong_fd, out, CHUNK);
		ns += guest_ns() - begin;
		read_or_exit(pingpong_fd, in, CHUNK);
	}
	return ns;
}

/* A command of @size bytes, and a blocked read of the answer. */
static uint64_t round_trips(int fd, unsigned int ops, size_t size)
{
	uint64_t begin = guest_ns();

	while (ops--) {
		write_or_exit(fd, out, size);
		read_or_exit(fd, in, size);
	}
	return guest_ns() - begin;
}

static uint64_t bench_rtt64(unsigned int ops)
{
	return round_trips(echo_fd[SOCKET], ops, 64);
}

static uint64_t bench_ring_rtt64(unsigned int ops)
{
	return round_trips(echo_fd[RING], ops, 64);
}

static uint64_t bench_rtt4096(unsigned int ops)
{
	return round_trips(echo_fd[SOCKET], ops, 4096);
}

static uint64_t bench_ring_rtt4096(unsigned int ops)
{
	return round_trips(echo_fd[RING], ops, 4096);
}

/* Commands one after another, and then the one answer that is waited for. */
static uint64_t bench_stream256(unsigned int ops)
{
	uint64_t begin = guest_ns();
	unsigned int i;

	while (ops--) {
		for (i = 0; i < STREAM_COMMANDS; i++)
			write_or_exit(echo_fd[SOCKET], out, 256);
		read_or_exit(echo_fd[SOCKET], in, STREAM_COMMANDS * 256);
	}
	return guest_ns() - begin;
}

/* The expected sum of each service's parser. */
static uint32_t parse_sum[WAYS];

/*
 * A renderer's stream: so many commands, of which the last asks, and the answer.
 * The answer says that the parser has seen each word.
 */
static uint64_t parse(enum way way, unsigned int ops, uint32_t size, unsigned int commands)
{
	uint32_t sum = 0, answer, *words = (uint32_t *)out, i;
	struct peer_command *command = (struct peer_command *)out;
	uint64_t begin;

	command->size = size;
	command->asks = 0;
	for (i = 0; i < size / 4; i++)
		sum += words[i];
	begin = guest_ns();
	while (ops--) {
		command->asks = 0;
		for (i = 1; i < commands; i++)
			write_or_exit(parse_fd[way], out, size);
		command->asks = 1;
		write_or_exit(parse_fd[way], out, size);
		read_or_exit(parse_fd[way], &answer, sizeof(answer));
		parse_sum[way] += sum * commands + 1;
		if (answer != parse_sum[way])
			give_up("the parser's sum", answer);
	}
	return guest_ns() - begin;
}

static uint64_t bench_parse64(unsigned int ops)
{
	return parse(SOCKET, ops, 64, STREAM_COMMANDS);
}

static uint64_t bench_ring_parse64(unsigned int ops)
{
	return parse(RING, ops, 64, STREAM_COMMANDS);
}

static uint64_t bench_parse256(unsigned int ops)
{
	return parse(SOCKET, ops, 256, STREAM_COMMANDS);
}

static uint64_t bench_ring_parse256(unsigned int ops)
{
	return parse(RING, ops, 256, STREAM_COMMANDS);
}

static uint64_t bench_parse4096(unsigned int ops)
{
	return parse(SOCKET, ops, 4096, STREAM_COMMANDS);
}

static uint64_t bench_ring_parse4096(unsigned int ops)
{
	return parse(RING, ops, 4096, STREAM_COMMANDS);
}

/* Commands that any socket has room for. */
#define WRITE_COMMANDS		16

/* Only the writes; what the service does with them then is not timed. */
static uint64_t write_only(enum way way, unsigned int ops)
{
	uint64_t begin, ns = 0;
	unsigned int i;

	for (; ops; ops -= WRITE_COMMANDS) {
		begin = guest_ns();
		for (i = 0; i < WRITE_COMMANDS; i++)
			write_or_exit(sink_fd[way], out, 4096);
		ns += guest_ns() - begin;
		usleep(2000);
	}
	return ns;
}

static uint64_t bench_write4096(unsigned int ops)
{
	return write_only(SOCKET, ops);
}

static uint64_t bench_ring_write4096(unsigned int ops)
{
	return write_only(RING, ops);
}

/* Full sockets and rings: the writer blocks and is woken repeatedly. */
static uint64_t push(enum way way, unsigned int ops, size_t size)
{
	uint64_t begin = guest_ns();

	while (ops--)
		write_or_exit(sink_fd[way], out, size);
	return guest_ns() - begin;
}

static uint64_t bench_push1m(unsigned int ops)
{
	return push(SOCKET, ops, CHUNK);
}

static uint64_t bench_ring_push1m(unsigned int ops)
{
	return push(RING, ops, CHUNK);
}

static uint64_t bench_push8m(unsigned int ops)
{
	return push(SOCKET, ops, MOST);
}

static uint64_t bench_ring_push8m(unsigned int ops)
{
	return push(RING, ops, MOST);
}

/**
 * struct bench - a phase
 * @name: as printed
 * @run: runs so many operations and gives their nanoseconds
 * @ops: how many
 * @warm_up: how many before
 * @size: bytes that one moves
 */
struct bench {
	const char *name;
	uint64_t (*run)(unsigned int ops);
	unsigned int ops;
	unsigned int warm_up;
	unsigned int size;
};

static const struct bench stream_benches[] = {
	{ "rtt64", bench_rtt64, 500, 50, 64 },
	{ "ring_rtt64", bench_ring_rtt64, 500, 50, 64 },
	{ "rtt4096", bench_rtt4096, 300, 30, 4096 },
	{ "ring_rtt4096", bench_ring_rtt4096, 300, 30, 4096 },
	{ "stream256", bench_stream256, 100, 10, STREAM_COMMANDS * 256 },
	{ "parse64", bench_parse64, 100, 10, STREAM_COMMANDS * 64 },
	{ "ring_parse64", bench_ring_parse64, 100, 10, STREAM_COMMANDS * 64 },
	{ "parse256", bench_parse256, 100, 10, STREAM_COMMANDS * 256 },
	{ "ring_parse256", bench_ring_parse256, 100, 10, STREAM_COMMANDS * 256 },
	{ "parse4096", bench_parse4096, 50, 5, STREAM_COMMANDS * 4096 },
	{ "ring_parse4096", bench_ring_parse4096, 50, 5, STREAM_COMMANDS * 4096 },
	{ "write4096", bench_write4096, 1600, 160, 4096 },
	{ "ring_write4096", bench_ring_write4096, 1600, 160, 4096 },
	{ "push1m", bench_push1m, 8, 1, CHUNK },
	{ "ring_push1m", bench_ring_push1m, 8, 1, CHUNK },
	{ "push8m", bench_push8m, 2, 1, MOST },
	{ "ring_push8m", bench_ring_push8m, 2, 1, MOST },
};

#define LATENCIES		400u

static int latency_order(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* How long each of many round trips takes. */
static void latency_phase(const char *name, int fd, size_t size, unsigned int round)
{
	static uint64_t ns[LATENCIES];
	unsigned int i;

	round_trips(fd, LATENCIES / 10, size);
	for (i = 0; i < LATENCIES; i++)
		ns[i] = round_trips(fd, 1, size);
	qsort(ns, LATENCIES, sizeof(ns[0]), latency_order);
	say("RANCHU-LATENCY %s round=%u p50=%llu p99=%llu max=%llu\n", name, round,
	    (unsigned long long)ns[LATENCIES / 2],
	    (unsigned long long)ns[LATENCIES * 99 / 100],
	    (unsigned long long)ns[LATENCIES - 1]);
}

static const struct bench benches[] = {
	{ "poll", bench_poll, 2000, 200, 0 },
	{ "write1", bench_write1, 2000, 200, 1 },
	{ "blocked_read", bench_blocked_read, 600, 60, 1 },
	{ "write1m", bench_write1m, 8, 1, CHUNK },
};

static void bench_phase(const struct bench *bench, unsigned int round)
{
	uint64_t ns;

	bench->run(bench->warm_up);
	say("RANCHU-MARK begin bench %s %u\n", bench->name, bench->size);
	ns = bench->run(bench->ops);
	say("RANCHU-MARK end bench %s %u bytes=%llu ns=%llu ops=%u\n",
	    bench->name, bench->size,
	    (unsigned long long)bench->size * bench->ops,
	    (unsigned long long)ns, bench->ops);
	say("RANCHU-BENCH %s round=%u ns=%llu ops=%u\n", bench->name, round,
	    (unsigned long long)ns, bench->ops);
}

static void bench_prepare(void)
{
	out = guest_buffer(MOST);
	in = guest_buffer(MOST);
	guest_fill(out, MOST, 1);
	use_one_cpu();
	sleep(SETTLE);
}

int guest_bench(unsigned int rounds)
{
	unsigned int round, i;

	bench_prepare();
	zero_fd = connect_or_exit("pipe:zero");
	pingpong_fd = connect_or_exit("pipe:pingpong");
	sleeper_fd = connect_or_exit("pipe:pingpong");
	for (round = 0; round < rounds; round++)
		for (i = 0; i < ARRAY_SIZE(benches); i++)
			bench_phase(&benches[i], round);
	return 0;
}

int guest_stream_bench(unsigned int rounds)
{
	unsigned int round, i;

	bench_prepare();
	echo_fd[SOCKET] = connect_or_exit("pipe:echo");
	sink_fd[SOCKET] = connect_or_exit("pipe:sink");
	parse_fd[SOCKET] = connect_or_exit("pipe:parse");
	echo_fd[RING] = connect_or_exit("pipe:ring-echo");
	sink_fd[RING] = connect_or_exit("pipe:ring-sink");
	parse_fd[RING] = connect_or_exit("pipe:ring-parse");
	for (round = 0; round < rounds; round++) {
		for (i = 0; i < ARRAY_SIZE(stream_benches); i++)
			bench_phase(&stream_benches[i], round);
		latency_phase("rtt64", echo_fd[SOCKET], 64, round);
		latency_phase("ring_rtt64", echo_fd[RING], 64, round);
		latency_phase("rtt4096", echo_fd[SOCKET], 4096, round);
		latency_phase("ring_rtt4096", echo_fd[RING], 4096, round);
	}
	return 0;
}
