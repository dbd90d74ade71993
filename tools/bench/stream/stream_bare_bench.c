// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a command to a socket costs, from the guest's register write to the
 * instruction behind it, measured by a bare guest with its own counter. One
 * socket is fed in two ways:
 *
 *	kernel_write_<size>	by the pipe, in the vCPU's thread
 *	user_write_<size>	by the VMM: an exit, and a send of its own, straight
 *				from guest memory. A VMM does not get by with less
 *	kernel_read_<size>	the same, the other direction
 *	user_read_<size>
 *
 * All are run in turn, several times, and averaged:
 *
 *	BENCH <name> ns=N ops=N
 *
 * ns is per operation, less what the guest's loop costs without the write.
 * What fills and empties the socket's other end is not in it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bare_rig.h"
#include "pipe_services.h"

#define ROUNDS		8
#define WARM_UP		2
#define BATCHES		4

/* Bytes that a batch of commands leaves in the socket; it has room for more. */
#define BATCH_BYTES	(128u << 10)
#define BATCH_MOST	200u
#define SOCKET_BYTES	(4 << 20)

/* A value that KVM matches with no eventfd. */
#define EXIT_VALUE	8

#define MAX_SIZE	(64u << 10)

static const unsigned int sizes[] = { 64, 256, 1024, 4096, 16384, MAX_SIZE };

#define SIZES		(sizeof(sizes) / sizeof(sizes[0]))

enum way { KERNEL, USER, WAYS };
static const char *const way_names[] = { "kernel", "user" };

enum direction { TO_SOCKET, FROM_SOCKET, DIRECTIONS };
static const char *const direction_names[] = { "write", "read" };

/**
 * struct bench - the parts that the benchmarks share
 * @rig: its pipe ends in a socket and has a doorbell
 * @vcpu: the only one
 * @services: serves the pipe
 * @sock: another one, which userspace serves the same commands from
 * @peers: the other ends of the two, by enum way
 * @bytes: what goes through them
 */
struct bench {
	struct bare_rig rig;
	struct bare_vcpu *vcpu;
	int services;
	int sock;
	int peers[WAYS];
	uint8_t bytes[SOCKET_BYTES];
};

/*
 * What a VMM does at the least: read the command once, find the buffers, move
 * the bytes, answer.
 */
static void serve_command(struct bench *bench)
{
	volatile struct goldfish_pipe_command *cmd = bench->rig.pipe.cmd;
	uint32_t count = cmd->buffers_count, number = cmd->cmd, i;
	struct iovec iov[GOLDFISH_PIPE_MAX_BUFFERS];
	struct msghdr msg = { .msg_iov = iov };
	ssize_t n;

	if (count > bench->rig.pipe.max)
		count = bench->rig.pipe.max;
	for (i = 0; i < count; i++) {
		iov[i].iov_len = bench->rig.pipe.sizes[i];
		iov[i].iov_base = pipe_mem_hva(&bench->rig.mem, bench->rig.pipe.ptrs[i],
					       iov[i].iov_len);
	}
	msg.msg_iovlen = count;
	if (number == GOLDFISH_PIPE_CMD_WRITE)
		n = sendmsg(bench->sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		n = recvmsg(bench->sock, &msg, MSG_DONTWAIT);
	cmd->consumed_size = n > 0 ? n : 0;
	cmd->status = n > 0 ? n : errno == EAGAIN ? GOLDFISH_PIPE_ERROR_AGAIN :
						    GOLDFISH_PIPE_ERROR_IO;
}

static bool serve_exit(struct bare_vcpu *vcpu, uint64_t gpa, void *data,
		       uint32_t len, bool write)
{
	uint32_t value;

	if (!write || len != sizeof(value) || gpa != RANCHU_PIPE_BASE)
		return false;
	memcpy(&value, data, sizeof(value));
	if (value != EXIT_VALUE)
		return false;
	serve_command(vcpu->opaque);
	return true;
}

static void peer_move(struct bench *bench, enum way way, bool send_it, size_t size)
{
	int peer = bench->peers[way];
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = send_it ? write(peer, bench->bytes + done, size - done) :
			      read(peer, bench->bytes + done, size - done);
		if (n <= 0)
			pipe_die("the other end: %zd, %s", n, strerror(errno));
		done += n;
	}
}

static unsigned int batch_ops(unsigned int size)
{
	unsigned int ops = BATCH_BYTES / size;

	return ops > BATCH_MOST ? BATCH_MOST : ops;
}

/* A batch of commands; its nanoseconds. */
static double run_batch(struct bench *bench, enum direction direction, enum way way,
			unsigned int size)
{
	struct test_pipe *pipe = &bench->rig.pipe;
	unsigned int ops = batch_ops(size), i;
	double ns;

	/* As the other end's program would: a message for each command. */
	for (i = 0; direction == FROM_SOCKET && i < ops; i++)
		peer_move(bench, way, true, size);
	bare_rig_command(&bench->rig, bench->vcpu,
			 direction == TO_SOCKET ? GOLDFISH_PIPE_CMD_WRITE :
						  GOLDFISH_PIPE_CMD_READ,
			 size, ops);
	if (way == USER)
		bench->vcpu->job->value = EXIT_VALUE;
	pipe->cmd->buffers_count = 1;
	pipe->ptrs[0] = bench->rig.data_gpa;
	pipe->sizes[0] = size;
	ns = bare_job_ns(bench->vcpu);
	if (direction == TO_SOCKET)
		peer_move(bench, way, false, (size_t)ops * size);
	return ns;
}

static double bench_loop(struct bench *bench)
{
	bare_rig_command(&bench->rig, bench->vcpu, GOLDFISH_PIPE_CMD_POLL,
			 PIPE_PRESET, BATCH_MOST);
	bench->vcpu->job->flags = BARE_NO_RING;
	return bare_job_ns(bench->vcpu) / BATCH_MOST;
}

static void sockets(int ends[2])
{
	const int room = SOCKET_BYTES;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) ||
	    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) ||
	    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)))
		pipe_die("no socket: %s", strerror(errno));
}

static void bench_open(struct bench *bench)
{
	struct bare_rig *rig = &bench->rig;
	struct test_pipe pipe;
	int ends[2];

	bare_rig_start(rig, "pipe:zero", 1);
	bench->vcpu = &rig->vm.vcpus[0];
	bench->vcpu->mmio = serve_exit;
	bench->vcpu->opaque = bench;

	/* The doorbell stays: it serves whatever is open under the id. */
	pipe_close(&rig->pipe);
	bench->services = services_open(&rig->dev);
	services_add(bench->services, "bench");
	pipe_connect(&rig->dev, &pipe, RIG_PIPE_ID, "pipe:bench");
	rig->pipe = pipe;
	sockets(ends);
	services_answer(bench->services,
			services_expect(bench->services, "bench", NULL), ends[0]);
	close(ends[0]);
	bench->peers[KERNEL] = ends[1];
	sockets(ends);
	bench->sock = ends[0];
	bench->peers[USER] = ends[1];
	/* Pages that exist, as a running guest's do. */
	memset(pipe_mem_hva(&rig->mem, rig->data_gpa, RIG_DATA_SIZE), 0x5a,
	       RIG_DATA_SIZE);
}

/* All rounds of all kinds; @sum is nanoseconds. */
static void bench_all(struct bench *bench, double sum[DIRECTIONS][WAYS][SIZES])
{
	unsigned int round, d, w, s, i;

	for (round = 0; round < ROUNDS; round++)
		for (d = 0; d < DIRECTIONS; d++)
			for (s = 0; s < SIZES; s++)
				for (w = 0; w < WAYS; w++) {
					for (i = 0; i < WARM_UP; i++)
						run_batch(bench, d, w, sizes[s]);
					for (i = 0; i < BATCHES; i++)
						sum[d][w][s] += run_batch(bench, d, w, sizes[s]);
				}
}

int main(void)
{
	static double sum[DIRECTIONS][WAYS][SIZES];
	const char *missing = bare_rig_missing(true);
	static struct bench bench;
	unsigned int d, w, s;
	double loop;

	if (missing)
		pipe_die("%s", missing);
	bench_open(&bench);
	bench_loop(&bench);
	loop = bench_loop(&bench);
	bench_all(&bench, sum);
	printf("BENCH loop ns=%.1f ops=%u\n", loop, BATCH_MOST);
	for (d = 0; d < DIRECTIONS; d++)
		for (s = 0; s < SIZES; s++)
			for (w = 0; w < WAYS; w++) {
				unsigned int ops = batch_ops(sizes[s]) * BATCHES * ROUNDS;

				printf("BENCH %s_%s_%u ns=%.1f ops=%u\n", way_names[w],
				       direction_names[d], sizes[s],
				       sum[d][w][s] / ops - loop, ops);
			}
	close(bench.services);
	bare_rig_stop(&bench.rig);
	return 0;
}
