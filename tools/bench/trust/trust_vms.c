// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many small guests on one host: each a process with a virtual machine, a pipe that
 * its vCPU works on, a vsock with a stream to a host socket, and a disk. All are
 * attached at once, all move data at once, and what they cost the host while they do
 * nothing is what it has more than before they were attached.
 *
 *	trust_vms [VMS]
 *	trust_vms cost [VMS]
 *
 * Prints the VMs whose every byte was right, and the host's memory for each: of the
 * slabs, of vmalloc (the workers' stacks are there), per CPU. The VMs, sockets and
 * eventfds are there before, but not the devices' open files. With "cost" it prints what a
 * POLL of the first guest's takes while it is the only one that is attached, and while all
 * are, and rest: nanoseconds of the guest's clock, which are instructions where the machine
 * counts them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bare_rig.h"
#include "blk_driver.h"
#include "vsock_driver.h"

#define VMS		256
#define COST_VMS	64
#define POLLS		4000
#define COMMANDS	300
#define LARGEST		4096
#define STREAM_BYTES	(256u << 10)
#define FIRST_CID	100

/* What all, or the first alone, have to have done before any goes on. */
enum { MADE, ALONE, ATTACHED, MOVED, STEPS };

struct shared {
	unsigned int done[STEPS];
	unsigned int go[STEPS];
	unsigned int right;
	unsigned int wrong;
};

static long kernel_kib(void)
{
	static const char * const fields[] = { "Slab: %ld", "VmallocUsed: %ld", "Percpu: %ld" };
	FILE *meminfo = fopen("/proc/meminfo", "r");
	long sum = 0, kib;
	char line[128];
	unsigned int i;

	if (!meminfo)
		vq_die("no /proc/meminfo");
	while (fgets(line, sizeof(line), meminfo))
		for (i = 0; i < 3; i++)
			if (sscanf(line, fields[i], &kib) == 1)
				sum += kib;
	fclose(meminfo);
	return sum;
}

static void arrive(struct shared *shared, unsigned int step)
{
	__atomic_add_fetch(&shared->done[step], 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&shared->go[step], __ATOMIC_SEQ_CST))
		usleep(20000);
}

/* Waits for all @n, and until the host has come to rest. */
static void gather(struct shared *shared, unsigned int step, unsigned int n)
{
	while (__atomic_load_n(&shared->done[step], __ATOMIC_SEQ_CST) < n) {
		if (waitpid(-1, NULL, WNOHANG) > 0)
			vq_die("a VM ended");
		usleep(20000);
	}
	sleep(2);
}

static void release(struct shared *shared, unsigned int step)
{
	__atomic_store_n(&shared->go[step], 1, __ATOMIC_SEQ_CST);
}

struct vm {
	struct bare_rig rig;
	struct vs_dev vs;
	struct bd_dev disk;
	int ends[2];
};

/* All but the devices. */
static void make(struct vm *vm)
{
	memset(&vm->rig, 0, sizeof(vm->rig));
	pipe_mem_create(&vm->rig.mem, RANCHU_RAM_BASE, 4u << 20);
	bare_vm_create(&vm->rig.vm, &vm->rig.mem, 1);
	vm->rig.data_gpa = pipe_mem_alloc(&vm->rig.mem, RIG_DATA_SIZE, PIPE_PAGE);
	vm->rig.efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	vs_sockets(VS_UNIX, vm->ends);
}

static void attach(struct vm *vm, uint64_t cid, struct vs_stream *stream)
{
	uint32_t port = 0;

	bare_rig_open_pipe(&vm->rig, "pipe:zero");
	pipe_set_doorbell(&vm->rig.dev, RIG_PIPE_ID, vm->rig.efd);
	bare_ioeventfd(&vm->rig.vm, RANCHU_PIPE_BASE + GOLDFISH_PIPE_REG_CMD,
		       RIG_PIPE_ID, vm->rig.efd);
	vs_create(&vm->vs, cid, VQ_SPLIT);
	if (__vs_connect(&vm->vs, 1, &port, vm->ends[0], 0))
		vq_die("CONNECT");
	/* The device leaves a socket alone that anybody else holds. */
	close(vm->ends[0]);
	*stream = (struct vs_stream){
		.dev = &vm->vs, .guest_port = 1, .host_port = port,
		.sock = vm->ends[1], .buf_alloc = VS_BUF_ALLOC,
	};
	vs_stream_expect(stream, VIRTIO_VSOCK_OP_REQUEST, NULL);
	vs_stream_send(stream, VIRTIO_VSOCK_OP_RESPONSE, 0, NULL, 0);
	vs_expect_event(&vm->vs, VHOST_VSOCK_ADB_ESTABLISHED, 1, port, 0, 0);
	vs_echo(stream);
	bd_create(&vm->disk, BD_TMPFS, BD_FEATURES, 1u << 20);
}

/* Whether every command was answered in time and right; data dies by itself. */
static bool move(struct vm *vm, struct vs_stream *stream)
{
	struct bare_vcpu *vcpu = &vm->rig.vm.vcpus[0];
	struct vs_flow flow = {
		.stream = stream, .to_host = STREAM_BYTES, .to_guest = STREAM_BYTES,
		.max_packet = 16384, .seed = 1 + getpid(),
	};

	bare_rig_transfer(&vm->rig, vcpu, GOLDFISH_PIPE_CMD_WRITE, LARGEST, COMMANDS);
	bare_job_run(vcpu);
	vs_flows_run(&flow, 1);
	return vcpu->job->done == COMMANDS && !vcpu->job->early && !vcpu->job->wrong &&
	       vs_flow_done(&flow) &&
	       bd_do(&vm->disk, VIRTIO_BLK_T_IN, 0, 4096) == VIRTIO_BLK_S_OK;
}

/* Of one POLL, without the guest's loop around it. */
static double poll_ns(struct vm *vm)
{
	struct bare_vcpu *vcpu = &vm->rig.vm.vcpus[0];
	double ns;

	bare_rig_command(&vm->rig, vcpu, GOLDFISH_PIPE_CMD_POLL,
			 GOLDFISH_PIPE_POLL_IN | GOLDFISH_PIPE_POLL_OUT, POLLS);
	ns = bare_job_ns(vcpu);
	bare_rig_command(&vm->rig, vcpu, GOLDFISH_PIPE_CMD_POLL, PIPE_PRESET, POLLS);
	vcpu->job->flags = BARE_NO_RING;
	return (ns - bare_job_ns(vcpu)) / POLLS;
}

static void __attribute__((noreturn)) be_one_that_costs(struct shared *shared, unsigned int number)
{
	struct vs_stream stream;
	struct vm vm;

	make(&vm);
	arrive(shared, MADE);
	if (!number) {
		attach(&vm, FIRST_CID, &stream);
		poll_ns(&vm);
		printf("poll_ns_1 %.1f\n", poll_ns(&vm));
		fflush(stdout);
	}
	arrive(shared, ALONE);
	if (number)
		attach(&vm, FIRST_CID + number, &stream);
	arrive(shared, ATTACHED);
	if (!number) {
		poll_ns(&vm);
		printf("poll_ns_all %.1f\n", poll_ns(&vm));
		fflush(stdout);
	}
	arrive(shared, MOVED);
	_exit(0);
}

static void __attribute__((noreturn)) be_a_vm(struct shared *shared, unsigned int number)
{
	struct vs_stream stream;
	struct vm vm;

	make(&vm);
	arrive(shared, MADE);
	attach(&vm, FIRST_CID + number, &stream);
	arrive(shared, ATTACHED);
	__atomic_add_fetch(move(&vm, &stream) ? &shared->right : &shared->wrong, 1,
			   __ATOMIC_SEQ_CST);
	arrive(shared, MOVED);
	_exit(0);
}

static void start(struct shared *shared, unsigned int n,
		  void (*fn)(struct shared *shared, unsigned int number))
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (!fork())
			fn(shared, i);
}

static int cost(struct shared *shared, unsigned int n)
{
	unsigned int step;

	start(shared, n, be_one_that_costs);
	for (step = 0; step < STEPS; step++) {
		gather(shared, step, n);
		release(shared, step);
	}
	while (wait(NULL) > 0)
		;
	printf("cost_vms %u\n", n);
	return 0;
}

int main(int argc, char **argv)
{
	bool costs = argc > 1 && !strcmp(argv[1], "cost");
	unsigned int n = costs ? COST_VMS : VMS;
	struct shared *shared;
	long before, after;

	if (argc > 1 + costs)
		n = atoi(argv[1 + costs]);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || !n)
		vq_die("usage: trust_vms [cost] [VMS]");
	if (costs)
		return cost(shared, n);
	start(shared, n, be_a_vm);
	gather(shared, MADE, n);
	before = kernel_kib();
	release(shared, MADE);
	gather(shared, ATTACHED, n);
	after = kernel_kib();
	release(shared, ATTACHED);
	gather(shared, MOVED, n);
	printf("vms %u\n", shared->wrong ? 0 : shared->right);
	printf("idle_vm_kib %.1f\n", (double)(after - before) / n);
	printf("idle_vm_kib_after_use %.1f\n", (double)(kernel_kib() - before) / n);
	release(shared, MOVED);
	while (wait(NULL) > 0)
		;
	return shared->right < n;
}
