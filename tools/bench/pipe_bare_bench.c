// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a doorbell costs, from the guest's register write to the instruction
 * behind it, measured by a bare guest with its own counter:
 *
 *	poll		POLL of a pipe, by synchronous doorbell
 *	kick		an ioeventfd that nobody listens to
 *	exit		POLL by an exit to userspace and an ACCESS ioctl
 *	write1m_256	WRITE of 1 MiB in 256 buffers, to pipe:pingpong
 *	write1m_1	the same in one buffer
 *	copy1m		one copy of 1 MiB in the same kernel
 *
 * All are run in turn, several times, and averaged:
 *
 *	BENCH <name> ns=N ops=N
 *
 * ns is per operation, less what the guest's loop costs without the write.
 * On an emulated machine that counts instructions a nanosecond is one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bare_rig.h"
#include "ranchu_copy_bench.h"

#define ROUNDS		8
#define SMALL_OPS	2000u
#define WARM_UP		200u
#define MIB		(1u << 20)

/* Values that KVM matches beside the pipe's. */
#define KICK_VALUE	7
#define EXIT_VALUE	8

#define ZERO_POLL	(GOLDFISH_PIPE_POLL_IN | GOLDFISH_PIPE_POLL_OUT)

/**
 * struct bench - the parts that the benchmarks share
 * @rig: its pipe is a pipe:zero with a doorbell
 * @vcpu: the only one
 * @pingpong: a second pipe
 * @pingpong_efd: its doorbell
 * @kick_efd: nobody listens to it
 * @copy_fd: /dev/ranchu-copy-bench
 */
struct bench {
	struct bare_rig rig;
	struct bare_vcpu *vcpu;
	struct test_pipe pingpong;
	int pingpong_efd;
	int kick_efd;
	int copy_fd;
};

static double bench_loop(struct bench *bench, unsigned int ops)
{
	bare_rig_command(&bench->rig, bench->vcpu, GOLDFISH_PIPE_CMD_POLL,
			 PIPE_PRESET, ops);
	bench->vcpu->job->flags = BARE_NO_RING;
	return bare_job_ns(bench->vcpu);
}

static double bench_poll(struct bench *bench, unsigned int ops)
{
	bare_rig_command(&bench->rig, bench->vcpu, GOLDFISH_PIPE_CMD_POLL,
			 ZERO_POLL, ops);
	return bare_job_ns(bench->vcpu);
}

/* The same loop; the status stays what it was preset to. */
static double bench_kick(struct bench *bench, unsigned int ops)
{
	bare_rig_command(&bench->rig, bench->vcpu, GOLDFISH_PIPE_CMD_POLL,
			 PIPE_PRESET, ops);
	bench->vcpu->job->value = KICK_VALUE;
	return bare_job_ns(bench->vcpu);
}

static bool serve_exit(struct bare_vcpu *vcpu, uint64_t gpa, void *data,
		       uint32_t len, bool write)
{
	struct bench *bench = vcpu->opaque;
	uint32_t value;

	if (!write || len != sizeof(value) || gpa != RANCHU_PIPE_BASE)
		return false;
	memcpy(&value, data, sizeof(value));
	if (value != EXIT_VALUE)
		return false;
	pipe_reg_write(&bench->rig.dev, GOLDFISH_PIPE_REG_CMD, RIG_PIPE_ID);
	return true;
}

static double bench_exit(struct bench *bench, unsigned int ops)
{
	bare_rig_command(&bench->rig, bench->vcpu, GOLDFISH_PIPE_CMD_POLL,
			 ZERO_POLL, ops);
	bench->vcpu->job->value = EXIT_VALUE;
	return bare_job_ns(bench->vcpu);
}

static void drain(struct bench *bench)
{
	uint32_t done = 0;
	int32_t n;

	while (done < MIB) {
		n = pipe_read(&bench->pingpong, bench->rig.data_gpa + MIB,
			      MIB - done);
		if (n <= 0)
			pipe_die("READ: %d", n);
		done += n;
	}
}

static double write1m(struct bench *bench, unsigned int ops,
		      unsigned int buffers)
{
	struct bare_job *job = bench->vcpu->job;
	struct test_pipe *pipe = &bench->pingpong;
	struct test_pipe zero = bench->rig.pipe;
	double ns = 0;
	unsigned int i;

	bench->rig.pipe = *pipe;
	while (ops--) {
		bare_rig_command(&bench->rig, bench->vcpu,
				 GOLDFISH_PIPE_CMD_WRITE, MIB, 1);
		pipe->cmd->buffers_count = buffers;
		for (i = 0; i < buffers; i++) {
			pipe->ptrs[i] = bench->rig.data_gpa +
					i * (MIB / buffers);
			pipe->sizes[i] = MIB / buffers;
		}
		job->value = pipe->id;
		ns += bare_job_ns(bench->vcpu);
		drain(bench);
	}
	bench->rig.pipe = zero;
	return ns;
}

static double bench_write1m_256(struct bench *bench, unsigned int ops)
{
	return write1m(bench, ops, 256);
}

static double bench_write1m_1(struct bench *bench, unsigned int ops)
{
	return write1m(bench, ops, 1);
}

static double bench_copy1m(struct bench *bench, unsigned int ops)
{
	struct ranchu_copy_bench copy = {
		.uaddr = (uintptr_t)pipe_mem_hva(&bench->rig.mem,
						 bench->rig.data_gpa, MIB),
		.size = MIB,
	};
	double ns = 0;
	int ret;

	while (ops--) {
		ret = __pipe_ioctl(bench->copy_fd, RANCHU_COPY_BENCH_RUN,
				   &copy);
		if (ret)
			pipe_die("copy: %s", strerror(-ret));
		ns += copy.ns;
	}
	return ns;
}

static const struct {
	const char *name;
	double (*run)(struct bench *bench, unsigned int ops);
	unsigned int ops;
	unsigned int warm_up;
} benches[] = {
	{ "poll", bench_poll, SMALL_OPS, WARM_UP },
	{ "kick", bench_kick, SMALL_OPS, WARM_UP },
	{ "exit", bench_exit, SMALL_OPS, WARM_UP },
	{ "write1m_256", bench_write1m_256, 4, 1 },
	{ "copy1m", bench_copy1m, 4, 1 },
	{ "write1m_1", bench_write1m_1, 4, 1 },
};

#define BENCHES		(sizeof(benches) / sizeof(benches[0]))

static int event_or_die(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		pipe_die("no eventfd: %s", strerror(errno));
	return fd;
}

static void bench_open(struct bench *bench)
{
	struct bare_rig *rig = &bench->rig;

	bare_rig_start(rig, "pipe:zero", 1);
	bench->vcpu = &rig->vm.vcpus[0];
	bench->vcpu->mmio = serve_exit;
	bench->vcpu->opaque = bench;

	bench->kick_efd = event_or_die();
	bare_ioeventfd(&rig->vm, RANCHU_PIPE_BASE, KICK_VALUE,
		       bench->kick_efd);

	pipe_connect(&rig->dev, &bench->pingpong, RIG_PIPE_ID + 1,
		     "pipe:pingpong");
	bench->pingpong_efd = event_or_die();
	pipe_set_doorbell(&rig->dev, RIG_PIPE_ID + 1, bench->pingpong_efd);
	bare_ioeventfd(&rig->vm, RANCHU_PIPE_BASE, RIG_PIPE_ID + 1,
		       bench->pingpong_efd);

	/* Pages that exist, as a running guest's do. */
	memset(pipe_mem_hva(&rig->mem, rig->data_gpa, RIG_DATA_SIZE), 0x5a,
	       RIG_DATA_SIZE);
	bench->copy_fd = open("/dev/ranchu-copy-bench", O_RDWR | O_CLOEXEC);
	if (bench->copy_fd < 0)
		pipe_die("/dev/ranchu-copy-bench: %s", strerror(errno));
}

int main(void)
{
	const char *missing = bare_rig_missing(true);
	double sum[BENCHES] = { 0 };
	static struct bench bench;
	unsigned int round, i;
	double loop;

	if (missing)
		pipe_die("%s", missing);
	bench_open(&bench);
	bench_loop(&bench, WARM_UP);
	loop = bench_loop(&bench, SMALL_OPS) / SMALL_OPS;
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < BENCHES; i++) {
			benches[i].run(&bench, benches[i].warm_up);
			sum[i] += benches[i].run(&bench, benches[i].ops);
		}
	}
	printf("BENCH loop ns=%.1f ops=%u\n", loop, SMALL_OPS);
	for (i = 0; i < BENCHES; i++) {
		unsigned int ops = benches[i].ops * ROUNDS;
		double ns = sum[i] / ops;

		/* The copy is timed in the kernel, without a guest's loop. */
		if (benches[i].run != bench_copy1m)
			ns -= loop;
		printf("BENCH %s ns=%.1f ops=%u\n", benches[i].name, ns, ops);
	}
	bare_rig_stop(&bench.rig);
	return 0;
}
