// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two VMs on one host, one of which is hostile, or does not run: the other one's data,
 * wakes and ids are not affected, and it goes on as if it were alone. Also, a kick
 * while a device is stopped is not lost.
 *
 *	RANCHU_ROUNDS	of work beside the other; 150 if not given
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "stages.h"

#define TIMEOUT		600
#define ROUNDS		150
#define DEVICES		4
#define OTHERS_CID	(VS_CID + 1)
#define SECTORS		16u

static const unsigned int devices[DEVICES] = { PIPE, VQ, BLK, VSOCK };

static unsigned int rounds(void)
{
	const char *wanted = getenv("RANCHU_ROUNDS");

	return wanted ? strtoul(wanted, NULL, 0) : ROUNDS;
}

/* All four of one VM, at work. */
struct machine {
	struct rig rigs[DEVICES];
	struct vs_stream stream;
	uint32_t seed;
};

static struct rig *pipe_of(struct machine *machine)
{
	return &machine->rigs[0];
}

static struct rig *vq_of(struct machine *machine)
{
	return &machine->rigs[1];
}

static struct rig *blk_of(struct machine *machine)
{
	return &machine->rigs[2];
}

static struct rig *vs_of(struct machine *machine)
{
	return &machine->rigs[3];
}

static void machine_make(struct machine *machine, uint32_t seed)
{
	unsigned int i;

	machine->seed = seed;
	for (i = 0; i < DEVICES; i++)
		rig_make(&machine->rigs[i], devices[i], devices[i] == PIPE ? BUSY : RUNNING);
	vs_connect(&machine->stream, &vs_of(machine)->vs, VS_UNIX, STAGES_PORT);
}

static void machine_free(struct machine *machine)
{
	unsigned int i;

	vs_stream_close(&machine->stream);
	for (i = 0; i < DEVICES; i++)
		rig_free(&machine->rigs[i]);
}

/* ---- the honest one ---- */

static bool pipe_works(struct machine *machine)
{
	struct rig *rig = pipe_of(machine);
	uint8_t *data = pipe_mem_hva(&rig->pipe_mem, rig->data, 2 * PIPE_PAGE);

	memset(data, vq_random(&machine->seed), PIPE_PAGE);
	memset(data + PIPE_PAGE, 0, PIPE_PAGE);
	return pipe_write(&rig->tp, rig->data, PIPE_PAGE) == PIPE_PAGE &&
	       pipe_read(&rig->tp, rig->data + PIPE_PAGE, PIPE_PAGE) == PIPE_PAGE &&
	       !memcmp(data, data + PIPE_PAGE, PIPE_PAGE);
}

static bool vq_works(struct machine *machine)
{
	struct vq_traffic traffic = {
		.ring = vq_of(machine)->ring, .chains = 8, .depth = 2, .max_bufs = 3,
		.seed = vq_random(&machine->seed) | 1,
		/* As big as two at once need; the same every time. */
		.cells = VQ_MEM_GPA + (700u << 10),
	};

	return !vq_traffic(&traffic);
}

static bool blk_works(struct machine *machine)
{
	struct bd_dev *disk = &blk_of(machine)->blk;
	uint32_t sector = vq_random(&machine->seed) % 1024;
	uint8_t byte = vq_random(&machine->seed);
	unsigned int i;

	memset(bd_data(disk, 0), byte, SECTORS * BD_SECTOR);
	if (bd_do(disk, VIRTIO_BLK_T_OUT, sector, SECTORS * BD_SECTOR))
		return false;
	memset(bd_data(disk, 0), ~byte, SECTORS * BD_SECTOR);
	if (bd_do(disk, VIRTIO_BLK_T_IN, sector, SECTORS * BD_SECTOR))
		return false;
	for (i = 0; i < SECTORS * BD_SECTOR; i++)
		if (bd_data(disk, 0)[i] != byte)
			return false;
	return true;
}

static bool vsock_works(struct machine *machine)
{
	struct vs_flow flow = {
		.stream = &machine->stream, .to_host = 20000, .to_guest = 20000,
		.max_packet = 5000, .seed = vq_random(&machine->seed) | 1,
	};

	vs_flows_run(&flow, 1);
	return vs_flow_done(&flow);
}

static bool all_work(struct machine *machine)
{
	if (pipe_works(machine) && vq_works(machine) && blk_works(machine) &&
	    vsock_works(machine))
		return true;
	printf("# pipe %d, vq %d, disk %d, vsock %d\n", pipe_works(machine),
	       vq_works(machine), blk_works(machine), vsock_works(machine));
	return false;
}

/* Checks that this machine has no error counts. */
static bool is_blameless(struct machine *machine)
{
	struct vhost_goldfish_pipe_stats pipe;
	struct vhost_ranchu_blk_stats disk;
	struct vhost_vsock_adb_stats vsock;

	pipe_get_stats(&pipe_of(machine)->pipe, &pipe);
	bd_get_stats(&blk_of(machine)->blk, &disk);
	vs_get_stats(&vs_of(machine)->vs, &vsock);
	return !pipe.bad_guest && !pipe.signals && pipe.pipes == 1 && !disk.errors &&
	       !disk.faults && !vsock.bad_packets && !vsock.faults &&
	       vsock.streams == 1 && !vq_dev_faults(&vq_of(machine)->vq) &&
	       !vs_has_event(&vs_of(machine)->vs);
}

/* ---- the other ---- */

static void random_bytes(uint32_t *seed, void *at, size_t size)
{
	uint8_t *byte = at;

	while (size--)
		*byte++ = vq_random(seed);
}

/* Kicks rings with random content; broken ones are started again. */
static void noise_of_ring(struct rig *rig, uint32_t *seed)
{
	struct vq_ring *ring = rig->ring;
	int running;

	random_bytes(seed, vq_mem_guest(ring->mem, ring->desc), vq_desc_size(ring));
	random_bytes(seed, vq_mem_guest(ring->mem, ring->driver), vq_driver_size(ring));
	vq_kick(ring);
	if (vq_random(seed) % 4)
		return;
	for (running = 0; running < 2; running++)
		__vq_ioctl(rig->fd, rig->run, &running);
}

static void noise_of_pipe(struct rig *rig, uint32_t *seed)
{
	struct vhost_goldfish_pipe_access access = {
		.offset = 4 * (vq_random(seed) % 16),
		.flags = VHOST_GOLDFISH_PIPE_ACCESS_WRITE,
		.value = vq_random(seed) % 3 ? STAGES_PIPE_ID : vq_random(seed),
	};

	random_bytes(seed, rig->tp.cmd, 64);
	rig->tp.cmd->cmd = vq_random(seed) % 10;
	__pipe_access(&rig->pipe, &access);
}

/* Sends packets with the other guest's CID. */
static void noise_of_vsock(struct rig *rig, uint32_t *seed)
{
	struct vs_packet packet = vs_packet_of(&rig->vs, STAGES_PORT, STAGES_PORT,
					       vq_random(seed) % 9);
	uint64_t cid = VS_CID;

	packet.src_cid = VS_CID;
	vs_try_send(&rig->vs, &packet, &cid, sizeof(cid));
	packet.src_cid = OTHERS_CID;
	packet.dst_cid = VS_CID;
	vs_try_send(&rig->vs, &packet, &cid, sizeof(cid));
	if (!__vq_ioctl(rig->fd, VHOST_VSOCK_SET_GUEST_CID, &cid))
		_exit(1);
}

static void __attribute__((noreturn)) do_harm(int ready)
{
	struct rig rigs[DEVICES], speaker;
	uint64_t cid = OTHERS_CID;
	uint32_t seed = 666;
	unsigned int i;

	for (i = 0; i < DEVICES; i++)
		if (devices[i] != VSOCK)
			rig_make(&rigs[i], devices[i], devices[i] == PIPE ? BUSY : RUNNING);
	memset(&speaker, 0, sizeof(speaker));
	speaker.device = VSOCK;
	vs_open(&speaker.vs, VQ_SPLIT);
	vs_set_up(&speaker.vs);
	if (__vs_set_cid(&speaker.vs, VS_CID) != -EADDRINUSE ||
	    __vs_set_cid(&speaker.vs, cid))
		_exit(2);
	speaker.fd = speaker.vs.fd;
	vs_run(&speaker.vs, 1);
	for (i = 0;; i++) {
		noise_of_pipe(&rigs[0], &seed);
		noise_of_ring(&rigs[1], &seed);
		noise_of_ring(&rigs[2], &seed);
		noise_of_vsock(&speaker, &seed);
		if (i == 10 && write(ready, "", 1) != 1)
			_exit(3);
	}
}

FIXTURE(isolation)
{
	struct machine machine;
};

FIXTURE_SETUP(isolation)
{
	unsigned int i;

	for (i = 0; i < DEVICES; i++)
		if (access(rig_path(devices[i]), R_OK | W_OK))
			SKIP(return, "no usable %s", rig_path(devices[i]));
	machine_make(&self->machine, 31);
}

FIXTURE_TEARDOWN(isolation)
{
	machine_free(&self->machine);
}

/* Starts another process, and waits until it has begun; returns 0 on failure. */
static pid_t beside(void (*fn)(int ready))
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready))
		return 0;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		close(ready[0]);
		fn(ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		pid = 0;
	close(ready[0]);
	return pid;
}

TEST_F_TIMEOUT(isolation, hostile_beside_honest, TIMEOUT)
{
	unsigned int i;
	int status;
	pid_t pid;

	ASSERT_TRUE(all_work(&self->machine));
	pid = beside(do_harm);
	ASSERT_NE(0, pid);
	for (i = 0; i < rounds(); i++)
		ASSERT_TRUE(all_work(&self->machine)) TH_LOG("round %u", i);
	EXPECT_TRUE(is_blameless(&self->machine));
	/* The hostile process was still running. */
	EXPECT_EQ(0, waitpid(pid, &status, WNOHANG));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(all_work(&self->machine));
}

/* ---- a VM that does not run ---- */

static void __attribute__((noreturn)) stand_still(int ready)
{
	static const uint8_t data[16384];
	struct machine machine;
	struct vs_stream stream;
	struct rig speaker;
	uint32_t i;

	rig_make(&machine.rigs[0], PIPE, BUSY);
	/* pingpong that nobody reads, until it takes no more. */
	while (pipe_write(&machine.rigs[0].tp, machine.rigs[0].data, PIPE_PAGE) > 0)
		;
	rig_make(&machine.rigs[1], VQ, RUNNING);
	vq_dev_run(&machine.rigs[1].vq, 0);
	vq_dev_set_mode(&machine.rigs[1].vq, 0, VHOST_RANCHU_TEST_KEEP, 0, 100);
	vq_dev_run(&machine.rigs[1].vq, 1);
	vq_kick(machine.rigs[1].ring);

	vs_open(&speaker.vs, VQ_SPLIT);
	vs_set_up(&speaker.vs);
	if (__vs_set_cid(&speaker.vs, OTHERS_CID))
		_exit(2);
	vs_run(&speaker.vs, 1);
	vs_has_event(&speaker.vs);
	vs_give_all(&speaker.vs);
	vs_connect(&stream, &speaker.vs, VS_UNIX, STAGES_PORT);
	/* A socket that nobody reads, until the guest has no credit; and the reverse. */
	for (i = 0; vs_stream_room(&stream) && i < 10000; i++)
		vs_stream_send(&stream, VIRTIO_VSOCK_OP_RW, 0, data,
			       vs_stream_room(&stream) < sizeof(data) ?
			       vs_stream_room(&stream) : sizeof(data));
	while (write(stream.sock, data, sizeof(data)) > 0)
		;
	if (write(ready, "", 1) != 1)
		_exit(3);
	for (;;)
		pause();
}

/* Ticks of a CPU that a process, with all its threads, has had. */
static unsigned long ticks_of(pid_t pid)
{
	unsigned long user = 0, kernel = 0;
	char path[64], line[512];
	FILE *file;
	char *at;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (!file)
		return 0;
	at = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	fclose(file);
	if (!at || sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			  &user, &kernel) != 2)
		return 0;
	return user + kernel;
}

static double seconds_of(struct machine *machine)
{
	struct timespec from, to;
	unsigned int i;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (i = 0; i < rounds(); i++)
		if (!all_work(machine))
			return 0;
	clock_gettime(CLOCK_MONOTONIC, &to);
	return to.tv_sec - from.tv_sec + (to.tv_nsec - from.tv_nsec) / 1e9;
}

/* The slow-down by the other is printed, not tested, because the machine is shared. */
TEST_F_TIMEOUT(isolation, stalled_beside_busy, TIMEOUT)
{
	double alone = seconds_of(&self->machine), beside_it, again;
	unsigned long before, used;
	int status;
	pid_t pid;

	pid = beside(stand_still);
	ASSERT_NE(0, pid);
	before = ticks_of(pid);
	beside_it = seconds_of(&self->machine);
	used = ticks_of(pid) - before;
	EXPECT_LT(0, beside_it);
	EXPECT_TRUE(is_blameless(&self->machine));
	/* A polling process would have used all CPU time. */
	EXPECT_GT(beside_it * sysconf(_SC_CLK_TCK) / 10 + 5, used);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	again = seconds_of(&self->machine);
	printf("# beside a stalled VM over alone: %.2f\n", 2 * beside_it / (alone + again));
}

/* ---- work that came while a device was stopped ---- */

TEST_F_TIMEOUT(isolation, sent_before_the_start, TIMEOUT)
{
	struct rig *vs = vs_of(&self->machine), *blk = blk_of(&self->machine);
	struct vs_stream *stream = &self->machine.stream;
	unsigned int i;
	char byte;

	for (i = 0; i < 5; i++) {
		vs_run(&vs->vs, 0);
		/* It is in the ring, and no kick will follow. */
		vs_stream_send(stream, VIRTIO_VSOCK_OP_RW, 0, "x", 1);
		eventfd_read(vs->vs.rings[VS_TX].kick, &(eventfd_t){ 0 });
		vs_run(&vs->vs, 1);
		vs_read_all(stream->sock, &byte, 1);
		EXPECT_EQ('x', byte);

		bd_run(&blk->blk, 0);
		bd_add(&blk->blk, 0, 0, VIRTIO_BLK_T_IN, 0, BD_SECTOR, 1);
		vq_publish(blk->ring);
		bd_run(&blk->blk, 1);
		bd_get(&blk->blk, 0);
		EXPECT_EQ(VIRTIO_BLK_S_OK, *bd_status(&blk->blk, 0));
	}
}

TEST_HARNESS_MAIN
