// SPDX-License-Identifier: GPL-2.0-only
/*
 * An unprivileged process that has the device nodes: any ioctl of any node in any
 * order with any argument, and each pair of ioctls of one node at the same time. The
 * process must always end when it is killed, and the next one finds new devices. Faults
 * are reported by the kernel, or by the sanitizers' host.
 *
 *	RANCHU_FUZZ_SEED	repeats a run
 *	RANCHU_FUZZ_SECONDS	of random ioctls; 10 if not given
 *	RANCHU_FUZZ_PAIRS	2, 3, ...: only each 2nd, 3rd ... pair, which ones by
 *				the seed
 *
 * The ioctls and their arguments: tools/fuzz/ioctls.txt.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "counts.h"
#include "stages.h"

#define TIMEOUT		3600
#define SECONDS		10
#define OPS_OF_A_LIFE	300
#define ARG_WORDS	40
#define NOBODY		65534
/* Life of a process; one that needs as long to die hangs in the kernel. */
#define LIFE_S		10
#define PATIENCE_S	120
#define RACE_TURNS	30

/* What a device's pairs are made of; the names are for the report. */
static const struct ioctl_row {
	unsigned int devices;
	unsigned long number;
	const char *name;
} ioctls[] = {
#define IOCTL(devices, name) { devices, name, #name }
	IOCTL(ALL, VHOST_SET_OWNER),
	IOCTL(ALL, VHOST_RESET_OWNER),
	IOCTL(ALL, VHOST_GET_FEATURES),
	IOCTL(ALL, VHOST_SET_FEATURES),
	IOCTL(ALL, VHOST_GET_BACKEND_FEATURES),
	IOCTL(ALL, VHOST_SET_MEM_TABLE),
	IOCTL(VHOST, VHOST_SET_BACKEND_FEATURES),
	IOCTL(VHOST, VHOST_SET_LOG_BASE),
	IOCTL(VHOST, VHOST_SET_LOG_FD),
	IOCTL(VHOST, VHOST_SET_VRING_NUM),
	IOCTL(VHOST, VHOST_SET_VRING_ADDR),
	IOCTL(VHOST, VHOST_SET_VRING_BASE),
	IOCTL(VHOST, VHOST_GET_VRING_BASE),
	IOCTL(VHOST, VHOST_SET_VRING_KICK),
	IOCTL(VHOST, VHOST_SET_VRING_CALL),
	IOCTL(VHOST, VHOST_SET_VRING_ERR),
	IOCTL(VHOST, VHOST_SET_VRING_BUSYLOOP_TIMEOUT),
	IOCTL(VHOST, VHOST_GET_VRING_BUSYLOOP_TIMEOUT),
	IOCTL(VQ, VHOST_RANCHU_TEST_SET_RUNNING),
	IOCTL(VQ, VHOST_RANCHU_TEST_SET_MODE),
	IOCTL(VQ, VHOST_RANCHU_TEST_GET_STATS),
	IOCTL(BLK, VHOST_RANCHU_BLK_SET_BACKEND),
	IOCTL(BLK, VHOST_RANCHU_BLK_SET_RUNNING),
	IOCTL(BLK, VHOST_RANCHU_BLK_GET_INFO),
	IOCTL(BLK, VHOST_RANCHU_BLK_RESIZE),
	IOCTL(BLK, VHOST_RANCHU_BLK_GET_STATS),
	IOCTL(VSOCK, VHOST_VSOCK_SET_GUEST_CID),
	IOCTL(VSOCK, VHOST_VSOCK_SET_RUNNING),
	IOCTL(VSOCK, VHOST_VSOCK_ADB_CONNECT),
	IOCTL(VSOCK, VHOST_VSOCK_ADB_ATTACH),
	IOCTL(VSOCK, VHOST_VSOCK_ADB_RESET_TRANSPORT),
	IOCTL(VSOCK, VHOST_VSOCK_ADB_GET_STATS),
	IOCTL(VSOCK, VHOST_VSOCK_ADB_GET_STATE),
	IOCTL(VSOCK, VHOST_VSOCK_ADB_SET_STATE),
	IOCTL(PIPE, VHOST_GOLDFISH_PIPE_SET_WINDOW),
	IOCTL(PIPE, VHOST_GOLDFISH_PIPE_SET_LINE),
	IOCTL(PIPE, VHOST_GOLDFISH_PIPE_SET_LINE_VM),
	IOCTL(PIPE, VHOST_GOLDFISH_PIPE_RUN),
	IOCTL(PIPE, VHOST_GOLDFISH_PIPE_SET_DOORBELL),
	IOCTL(PIPE, VHOST_GOLDFISH_PIPE_ACCESS),
	IOCTL(PIPE, VHOST_GOLDFISH_PIPE_HANG_UP),
	IOCTL(PIPE, VHOST_GOLDFISH_PIPE_GET_STATS),
	IOCTL(PIPE, VHOST_GOLDFISH_PIPE_SERVICES),
	IOCTL(PIPE, VHOST_GOLDFISH_PIPE_ADD_SERVICE),
	IOCTL(PIPE, VHOST_GOLDFISH_PIPE_ANSWER),
	IOCTL(PIPE, VHOST_GOLDFISH_PIPE_ANSWER_RING),
	IOCTL(PIPE, VHOST_GOLDFISH_PIPE_RING_KICK),
	IOCTL(PIPE, VHOST_GOLDFISH_PIPE_GET_DMA),
	IOCTL(PIPE, VHOST_GOLDFISH_PIPE_UNLOCK_DMA),
	IOCTL(PIPE, VHOST_GOLDFISH_PIPE_SET_RUNNING),
	IOCTL(PIPE, VHOST_GOLDFISH_PIPE_GET_STATE),
	IOCTL(PIPE, VHOST_GOLDFISH_PIPE_SET_STATE),
	IOCTL(SYNC, VHOST_GOLDFISH_SYNC_SET_LINE),
	IOCTL(SYNC, VHOST_GOLDFISH_SYNC_SET_DOORBELL),
	IOCTL(SYNC, VHOST_GOLDFISH_SYNC_ACCESS),
	IOCTL(SYNC, VHOST_GOLDFISH_SYNC_RUN),
	IOCTL(SYNC, VHOST_GOLDFISH_SYNC_GET_STATS),
	IOCTL(SYNC, VHOST_GOLDFISH_SYNC_RENDERER),
	IOCTL(SYNC, VHOST_GOLDFISH_SYNC_COMMAND),
	IOCTL(SYNC, VHOST_GOLDFISH_SYNC_SET_EVENTFD),
	IOCTL(SYNC, VHOST_GOLDFISH_SYNC_SET_RUNNING),
	IOCTL(SYNC, VHOST_GOLDFISH_SYNC_GET_STATE),
	IOCTL(SYNC, VHOST_GOLDFISH_SYNC_SET_STATE),
#undef IOCTL
};

static const unsigned int devices[] = { PIPE, VQ, BLK, VSOCK, SYNC };

static uint32_t env(const char *name, uint32_t otherwise)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 0) : otherwise;
}

/* ---- arguments ---- */

#define MAX_FILES	48
#define ARENA_SIZE	(4u << 20)

/**
 * struct user - one life of the process
 * @seed: of all that follows; not 0
 * @arena: memory that devices may write to
 * @size: bytes of it
 * @hole: inaccessible memory
 * @files: files of all kinds; some closed
 * @n_files: how many
 * @gpa: where the guest has a DMA region, if it has one
 */
struct user {
	uint32_t seed;
	uint8_t *arena;
	uint32_t size;
	uint8_t *hole;
	int files[MAX_FILES];
	unsigned int n_files;
	uint64_t gpa;
};

static uint32_t pick(struct user *user, uint32_t n)
{
	return vq_random(&user->seed) % n;
}

static int any_file(struct user *user)
{
	return user->files[pick(user, user->n_files)];
}

/* Devices write only to these addresses, so that the process survives. */
static uint64_t any_address(struct user *user)
{
	switch (pick(user, 8)) {
	case 0: return 0;
	case 1: return (uintptr_t)user->hole;
	case 2: return ~0ull - pick(user, 65536);
	case 3: return 0xffff000000000000ull + pick(user, 1u << 30);
	case 4: return (uintptr_t)user->arena + pick(user, user->size);
	default: return (uintptr_t)user->arena + (pick(user, user->size) & ~4095ull);
	}
}

static uint32_t any_word(struct user *user)
{
	static const uint32_t words[] = {
		0, 0, 0, 1, 1, 2, 3, 4, 8, 16, 64, 256, 1000, 4096, 32768, 65536,
		~0u, ~0u - 1, 1u << 31, 3ull << 30,
	};

	switch (pick(user, 4)) {
	case 0: return any_file(user);
	case 1: return vq_random(&user->seed);
	default: return words[pick(user, ARRAY_SIZE(words))];
	}
}

/* Numbers, sizes, files, addresses, in words of either width. */
static void fill(struct user *user, uint32_t *arg)
{
	unsigned int i;
	uint64_t wide;

	for (i = 0; i < ARG_WORDS; i++) {
		if (pick(user, 3) || i & 1) {
			arg[i] = any_word(user);
			continue;
		}
		wide = pick(user, 2) ? any_address(user) : any_word(user);
		memcpy(arg + i++, &wide, sizeof(wide));
	}
}

/* The first open of the pipe that a rig has, or one near it. */
static void any_open(struct user *user, uint32_t *arg)
{
	arg[0] = pick(user, 4) ? STAGES_PIPE_ID : pick(user, 8);
	arg[1] = 1 + !pick(user, 8);
}

/* A state that was read may be set again; the sync device has the same argument. */
static void fill_pipe_state(struct user *user, uint32_t *arg)
{
	memcpy(arg, &user->arena, sizeof(user->arena));
	arg[2] = 8 * pick(user, 4096);
	arg[3] = VHOST_GOLDFISH_PIPE_STATE_VERSION;
}

/* A struct kvm_run anywhere, and any file for a vCPU. */
static void fill_sync_run(struct user *user, uint32_t *arg)
{
	uint64_t at = any_address(user);

	memcpy(arg, &at, sizeof(at));
	arg[2] = RANCHU_SYNC_BASE;
	arg[4] = any_file(user);
}

static void fill_pipe_run(struct user *user, uint32_t *arg)
{
	uint64_t at = any_address(user);
	uint64_t sync = pick(user, 2) ? any_address(user) : 0;

	memcpy(arg, &at, sizeof(at));
	arg[2] = RANCHU_PIPE_BASE;
	memcpy(&arg[4], &sync, sizeof(sync));
	arg[6] = any_file(user);
}

static void fill_vsock_state(struct user *user, uint32_t *arg)
{
	arg[0] = sizeof(struct vhost_vsock_adb_state);
	arg[1] = VHOST_VSOCK_ADB_STATE_VERSION;
	arg[2] = VHOST_VSOCK_ADB_STATE_CID;
	arg[3] = sizeof(uint64_t);
	arg[4] = 3 + pick(user, 5);
	arg[6] = VHOST_VSOCK_ADB_STATE_STREAMS;
	arg[7] = sizeof(uint64_t);
}

/* Valid arguments, so that devices get beyond their first checks. */
static void fill_well(struct user *user, unsigned long number, uint32_t *arg)
{
	struct vhost_vring_addr addr = {
		.index = pick(user, 4),
		.desc_user_addr = (uintptr_t)user->arena + 4096 * pick(user, 100),
		.avail_user_addr = (uintptr_t)user->arena + 4096 * pick(user, 100),
		.used_user_addr = (uintptr_t)user->arena + 4096 * pick(user, 100),
	};
	struct vhost_memory_region region = {
		.guest_phys_addr = 0x100000ull * pick(user, 4),
		.memory_size = 4096 * (1 + pick(user, user->size / 4096)),
		.userspace_addr = (uintptr_t)user->arena,
	};
	uint64_t features = VQ_SPLIT | (vq_random(&user->seed) & (VQ_EVENT | VQ_INDIRECT));

	memset(arg, 0, ARG_WORDS * sizeof(*arg));
	switch (number) {
	case VHOST_SET_FEATURES:
		features |= pick(user, 2) ? VQ_BIT(VIRTIO_F_RING_PACKED) : 0;
		memcpy(arg, &features, sizeof(features));
		break;
	case VHOST_SET_MEM_TABLE:
		arg[0] = 1;
		memcpy(arg + 2, &region, sizeof(region));
		break;
	case VHOST_SET_VRING_ADDR:
		memcpy(arg, &addr, sizeof(addr));
		break;
	case VHOST_SET_VRING_NUM:
		arg[0] = pick(user, 4);
		arg[1] = 1u << pick(user, 10);
		break;
	case VHOST_SET_VRING_KICK:
	case VHOST_SET_VRING_CALL:
	case VHOST_SET_VRING_ERR:
		arg[0] = pick(user, 4);
		arg[1] = any_file(user);
		break;
	case VHOST_GOLDFISH_PIPE_GET_STATE:
	case VHOST_GOLDFISH_PIPE_SET_STATE:
	case VHOST_GOLDFISH_SYNC_GET_STATE:
	case VHOST_GOLDFISH_SYNC_SET_STATE:
		fill_pipe_state(user, arg);
		break;
	case VHOST_GOLDFISH_PIPE_RUN:
		fill_pipe_run(user, arg);
		break;
	case VHOST_GOLDFISH_SYNC_RUN:
		fill_sync_run(user, arg);
		break;
	case VHOST_GOLDFISH_SYNC_COMMAND:
		arg[0] = 1 + pick(user, 4);
		arg[1] = arg[0] == GOLDFISH_SYNC_CMD_TIMELINE_INC;
		arg[2] = pick(user, 8);
		break;
	case VHOST_GOLDFISH_SYNC_SET_EVENTFD:
		arg[0] = any_file(user);
		break;
	case VHOST_GOLDFISH_SYNC_SET_LINE:
		arg[0] = any_file(user);
		arg[1] = pick(user, 2) ? any_file(user) : -1;
		break;
	case VHOST_GOLDFISH_SYNC_ACCESS:
		arg[0] = 4 * pick(user, 8);
		arg[1] = pick(user, 2);
		arg[2] = 0x100000u * pick(user, 4);
		break;
	case VHOST_GOLDFISH_SYNC_SET_DOORBELL:
		arg[0] = 4 * pick(user, 2);
		arg[1] = any_file(user);
		break;
	case VHOST_VSOCK_ADB_GET_STATE:
	case VHOST_VSOCK_ADB_SET_STATE:
		fill_vsock_state(user, arg);
		break;
	case VHOST_VSOCK_SET_GUEST_CID:
		arg[0] = 3 + pick(user, 5);
		break;
	case VHOST_RANCHU_BLK_SET_BACKEND:
		arg[0] = any_file(user);
		arg[2] = 512;
		break;
	case VHOST_GOLDFISH_PIPE_ACCESS:
		arg[0] = 4 * pick(user, 16);
		arg[1] = pick(user, 2);
		arg[2] = pick(user, 2) ? pick(user, 8) : 0x100000u * pick(user, 4);
		break;
	case VHOST_GOLDFISH_PIPE_ADD_SERVICE:
		arg[2] = 'a' + pick(user, 3);
		break;
	case VHOST_GOLDFISH_PIPE_SET_DOORBELL:
		arg[0] = pick(user, 8);
		arg[1] = any_file(user);
		break;
	case VHOST_GOLDFISH_PIPE_ANSWER:
		arg[2] = any_file(user);
		any_open(user, arg);
		break;
	case VHOST_GOLDFISH_PIPE_ANSWER_RING:
		arg[2] = 4096u << pick(user, 4);
		arg[3] = 4096u << pick(user, 4);
		arg[4] = any_file(user);
		any_open(user, arg);
		break;
	case VHOST_GOLDFISH_PIPE_GET_DMA:
		memcpy(arg + 2, &user->gpa, sizeof(user->gpa));
		any_open(user, arg);
		break;
	case VHOST_GOLDFISH_PIPE_UNLOCK_DMA:
		any_open(user, arg);
		break;
	case VHOST_VSOCK_ADB_CONNECT:
	case VHOST_VSOCK_ADB_ATTACH:
		arg[0] = pick(user, 4);
		arg[1] = pick(user, 4);
		arg[2] = any_file(user);
		break;
	default:
		arg[0] = pick(user, 2);
	}
}

static void take_file(struct user *user, int fd)
{
	if (fd < 0)
		return;
	if (user->n_files < MAX_FILES) {
		user->files[user->n_files++] = fd;
		return;
	}
	user->n_files--;
	close(user->files[pick(user, MAX_FILES - 1)]);
	close(fd);
}

/* The file that an ioctl has made, or -1; @arg may be NULL. */
static int new_file(unsigned long number, const uint32_t *arg, int ret)
{
	if (ret < 0)
		return -1;
	switch (number) {
	case VHOST_GOLDFISH_PIPE_SERVICES:
	case VHOST_GOLDFISH_PIPE_ANSWER_RING:
	case VHOST_GOLDFISH_SYNC_RENDERER:
		return ret;
	case VHOST_GOLDFISH_PIPE_GET_DMA:
		return arg ? (int)arg[6] : -1;
	default:
		return -1;
	}
}

static void one_ioctl(struct user *user)
{
	const struct ioctl_row *row = &ioctls[pick(user, ARRAY_SIZE(ioctls))];
	uint32_t arg[ARG_WORDS];
	void *at = arg;
	int ret, fd;

	if (pick(user, 3))
		fill_well(user, row->number, arg);
	else
		fill(user, arg);
	if (!pick(user, 16))
		at = (void *)(uintptr_t)any_address(user);
	ret = ioctl(any_file(user), row->number, at);
	fd = new_file(row->number, at == arg ? arg : NULL, ret);
	if (fd >= 0)
		fcntl(fd, F_SETFL, O_NONBLOCK);
	take_file(user, fd);
}

/* Reads by a system call, which fails instead of a signal if memory is missing. */
static void map_and_look(struct user *user, int fd)
{
	size_t size = 4096u << pick(user, 4);
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			pick(user, 2) ? 0 : 4096ul << pick(user, 20));

	if (at == MAP_FAILED)
		return;
	if (write(any_file(user), at, size) < 0)
		errno = 0;
	munmap(at, size);
}

static void another_call(struct user *user)
{
	struct pollfd poll_fd = { .fd = any_file(user), .events = ~0 };
	int fd = any_file(user);

	switch (pick(user, 7)) {
	case 0:
		poll(&poll_fd, 1, 0);
		break;
	case 1:
		if (read(fd, user->arena + pick(user, ARENA_SIZE - 8192), pick(user, 8192)) < 0)
			break;
		break;
	case 2:
		if (write(fd, user->arena + pick(user, ARENA_SIZE - 8192), pick(user, 64)) < 0)
			break;
		break;
	case 3:
		take_file(user, dup(fd));
		break;
	case 4:
		close(fd);
		break;
	case 5:
		map_and_look(user, fd);
		break;
	default:
		memset(user->arena + pick(user, ARENA_SIZE - 64), pick(user, 4), pick(user, 64));
	}
}

static void become_nobody(void)
{
	if (setgid(NOBODY) || setuid(NOBODY))
		_exit(1);
}

/* Opens all nodes, drops its rights, and makes random calls. */
static void live(uint32_t seed)
{
	struct user user = { .seed = seed | 1, .size = ARENA_SIZE };
	int ends[2];
	unsigned int i;

	user.arena = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	user.hole = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < 2 * ARRAY_SIZE(devices); i++)
		take_file(&user, open(rig_path(devices[i / 2]), O_RDWR | O_NONBLOCK));
	for (i = 0; i < 4; i++)
		take_file(&user, eventfd(0, EFD_NONBLOCK));
	for (i = 0; i < 2; i++) {
		vs_sockets(i ? VS_TCP : VS_UNIX, ends);
		fcntl(ends[0], F_SETFL, O_NONBLOCK);
		fcntl(ends[1], F_SETFL, O_NONBLOCK);
		take_file(&user, ends[0]);
		take_file(&user, ends[1]);
	}
	take_file(&user, socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
	take_file(&user, socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	take_file(&user, memfd_create("image", 0));
	if (ftruncate(user.files[user.n_files - 1], 1u << 20))
		_exit(1);
	take_file(&user, open("/dev/null", O_RDWR));
	/* Twice as likely, because otherwise there is rarely an owner. */
	for (i = 0; i < 2 * ARRAY_SIZE(devices); i++) {
		take_file(&user, dup(user.files[i]));
		if (pick(&user, 2))
			ioctl(user.files[i], VHOST_SET_OWNER);
	}
	become_nobody();
	for (i = 0; i < OPS_OF_A_LIFE; i++) {
		if (pick(&user, 8))
			one_ioctl(&user);
		else
			another_call(&user);
	}
	_exit(0);
}

static bool has_ended(pid_t pid, unsigned int seconds, int *status)
{
	unsigned int ms;

	for (ms = 0; ms < seconds * 1000; ms += 2) {
		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		usleep(2000);
	}
	return false;
}

/* Returns NULL, or an error of its end. A crash of the process itself is allowed. */
static const char *wait_for_end(pid_t pid)
{
	int status;

	/* It may wait without end, as long as it can be killed. */
	if (!has_ended(pid, LIFE_S, &status)) {
		kill(pid, SIGKILL);
		if (!has_ended(pid, PATIENCE_S, &status))
			return "it cannot be killed";
	}
	return WIFEXITED(status) && WEXITSTATUS(status) ? "set-up" : NULL;
}

FIXTURE(user)
{
	struct counts before;
	uint32_t seed;
};

FIXTURE_SETUP(user)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(devices); i++)
		if (access(rig_path(devices[i]), R_OK | W_OK))
			SKIP(return, "no usable %s", rig_path(devices[i]));
	signal(SIGPIPE, SIG_IGN);
	self->seed = env("RANCHU_FUZZ_SEED", time(NULL)) | 1;
	printf("# RANCHU_FUZZ_SEED=%u\n", self->seed);
	counts_take(&self->before);
}

FIXTURE_TEARDOWN(user)
{
}

TEST_F_TIMEOUT(user, any_ioctl, TIMEOUT)
{
	time_t end = time(NULL) + env("RANCHU_FUZZ_SECONDS", SECONDS);
	unsigned int lives = 0;
	const char *wrong;
	uint32_t seed;
	pid_t pid;

	do {
		seed = vq_random(&self->seed);
		fflush(stdout);
		pid = fork();
		if (!pid)
			live(seed);
		ASSERT_LT(0, pid);
		wrong = wait_for_end(pid);
		ASSERT_EQ(NULL, wrong) TH_LOG("life %u, seed %u: %s", lives, seed, wrong);
		lives++;
	} while (time(NULL) < end);
	printf("# %u lives of %u calls\n", lives, OPS_OF_A_LIFE);
	EXPECT_TRUE(counts_return(&self->before));
}

/* ---- every two at once ---- */

struct racer {
	const struct ioctl_row *row;
	int fd;
	struct user user;
};

static void *race(void *arg)
{
	struct racer *racer = arg;
	uint32_t words[ARG_WORDS];
	unsigned int i;
	int ret;

	for (i = 0; i < RACE_TURNS; i++) {
		fill_well(&racer->user, racer->row->number, words);
		ret = ioctl(racer->fd, racer->row->number, words);
		close(new_file(racer->row->number, words, ret));
	}
	return NULL;
}

/* The node's file, its file of services, or a file that this has returned. */
static int file_of(const struct rig *rig, const struct ioctl_row *row)
{
	switch (row->number) {
	case VHOST_GOLDFISH_PIPE_ADD_SERVICE:
	case VHOST_GOLDFISH_PIPE_ANSWER:
	case VHOST_GOLDFISH_PIPE_ANSWER_RING:
	case VHOST_GOLDFISH_PIPE_GET_DMA:
	case VHOST_GOLDFISH_PIPE_UNLOCK_DMA:
		return rig->services;
	case VHOST_GOLDFISH_PIPE_RING_KICK:
		return rig->file;
	case VHOST_GOLDFISH_SYNC_COMMAND:
	case VHOST_GOLDFISH_SYNC_SET_EVENTFD:
		return rig->renderer;
	default:
		return rig->fd;
	}
}

/* Stage of a device for a pair of ioctls. */
static enum stage stage_of_race(unsigned int device)
{
	switch (device) {
	case PIPE: return ASKED;
	case SYNC: return BUSY;
	default: return RUNNING;
	}
}

/* Memory of the guest's, which is the user's. */
static uint8_t *arena_of(const struct rig *rig)
{
	switch (rig->device) {
	case PIPE: return rig->pipe_mem.hva;
	case SYNC: return rig->sync.mem.hva;
	default: return rig->ring->mem->host[0];
	}
}

static void race_two(unsigned int device, const struct ioctl_row *one,
		     const struct ioctl_row *two, uint32_t *seed)
{
	struct racer racers[2] = { { .row = one }, { .row = two } };
	pthread_t threads[2];
	struct rig rig;
	unsigned int i;

	rig_make(&rig, device, stage_of_race(device));
	if (one->number == VHOST_GOLDFISH_PIPE_RING_KICK ||
	    two->number == VHOST_GOLDFISH_PIPE_RING_KICK) {
		rig_pipe_event(&rig);
		if (__rig_pipe_ring(&rig))
			pipe_die("ANSWER_RING");
	}
	for (i = 0; i < 2; i++) {
		struct user *user = &racers[i].user;

		racers[i].fd = file_of(&rig, racers[i].row);
		user->seed = vq_random(seed) | 1;
		user->arena = arena_of(&rig);
		user->size = 1u << 20;
		user->gpa = rig.data;
		user->hole = user->arena;
		take_file(user, rig.efd);
		take_file(user, rig.ends[0]);
		take_file(user, -1);
		if (device == BLK)
			take_file(user, rig.blk.image);
		if (pthread_create(&threads[i], NULL, race, &racers[i]))
			vq_die("no thread");
	}
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	rig_free(&rig);
}

TEST_F_TIMEOUT(user, every_two_at_once, TIMEOUT)
{
	const struct ioctl_row *one, *two, *end = ioctls + ARRAY_SIZE(ioctls);
	unsigned int i, pairs = 0, each = env("RANCHU_FUZZ_PAIRS", 1);
	uint32_t first = self->seed;

	for (i = 0; i < ARRAY_SIZE(devices); i++)
		for (one = ioctls; one < end; one++)
			for (two = one; two < end; two++)
				if (one->devices & two->devices & devices[i] &&
				    !((first + pairs++) % each))
					race_two(devices[i], one, two, &self->seed);
	printf("# %u pairs\n", pairs / each);
	EXPECT_TRUE(counts_return(&self->before));
}

TEST_HARNESS_MAIN
