// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hostile guest: two vCPUs write random values to the pipe's registers, its
 * command buffers, open parameters and signal buffer. A third thread, the accomplice,
 * opens pipes, so that there is something to break. Services of this process
 * answer, hang up, and read the guest's DMA memory meanwhile. A second guest
 * must not be affected, and nothing must be leaked.
 *
 *	RANCHU_FUZZ_SECONDS	how long; 60 if not given
 *	RANCHU_FUZZ_SEED	the same again, as far as two CPUs can do it
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "bare_rig.h"
#include "counts.h"
#include "pipe_services.h"

#define MEM_SIZE		(32u << 20)
#define PIPES			8u
#define DOORBELLS		5u
#define VCPUS			2u
#define TABLE			256u
#define SOCKETS			16u

/* The area of random writes; aligned to its size, because LOW registers are ORed. */
#define AREA_SIZE		(8u << 20)
#define AREA_OPEN		0x10000u
#define AREA_SIGNALS		0x20000u
#define AREA_NAMES		0x30000u
#define AREA_DATA		0x100000u
#define AREA_DMA		0x400000u

#define REG(name)		(RANCHU_PIPE_BASE + GOLDFISH_PIPE_REG_##name)

struct fuzz {
	struct pipe_mem mem;
	struct bare_vm vm;
	struct pipe_dev dev;
	uint64_t seed;
	uint32_t area;
	uint8_t *hva;
	int bells[DOORBELLS];
	int services;
	atomic_bool stop;
	unsigned long opened, answered, mapped, bystander;
};

static const char *const names[] = {
	"pipe:pingpong", "pipe:zero", "pipe:throttle", "pipe:dmatest", "pipe:svc", "pipe:svc",
};

/* ---- what the vCPUs do ---- */

struct table {
	struct bare_scribble *entries;
	struct pipe_random *random;
	unsigned int n;
};

/* Adds an access @weight times, while there is room. */
static void add(struct table *table, unsigned int weight, uint32_t addr, uint32_t addr_mask,
		uint32_t value, uint32_t value_mask)
{
	while (weight-- && table->n < TABLE)
		table->entries[table->n++] =
			(struct bare_scribble){ addr, addr_mask, value, value_mask };
}

/* One pipe's command buffer, at @at. */
static void add_pipe(struct table *table, uint32_t area, uint32_t at, unsigned int id)
{
	const uint32_t sizes = GOLDFISH_PIPE_SIZES_OFFSET(PIPE_DRIVER_BUFFERS);

	add(table, 3, at, 0, 0, 15);
	add(table, 1, at + 4, 0, id, 0);
	add(table, 1, at + 16, 0, 0, 7);
	add(table, 1, at + 24, 0x18, area + AREA_DATA, 0x1fffff);
	add(table, 1, at + 24, 0x18, area + AREA_NAMES, 0x300);
	add(table, 2, at + 28, 0x18, 0, 0);
	add(table, 3, at + sizes, 0xc, 0, 0x1fff);
	/* As DMA: an address and a size. */
	add(table, 1, at + 16, 0, area + AREA_DMA, 0x3ff000);
	add(table, 1, at + 20, 0, 0, 0);
	add(table, 1, at + 24, 0, 0, 0x3f000);
}

/* Mostly accesses of a driver, word by word; some random ones. */
static void fill_table(struct fuzz *fuzz, struct table *table)
{
	const uint32_t area = fuzz->area;
	unsigned int i;

	for (i = 0; i < PIPES; i++)
		add_pipe(table, area, area + i * PIPE_PAGE, i);
	add(table, 60, REG(CMD), 0, 0, PIPES - 1);
	add(table, 1, REG(CMD), 0, 0, 0xffff);
	add(table, 1, REG(CMD), 0, 0, UINT32_MAX);
	add(table, 2, REG(GET_SIGNALLED) + 1, 0, 0, 0);
	add(table, 1, RANCHU_PIPE_BASE + 1, 0xffc, 0, 0);
	add(table, 1, RANCHU_PIPE_BASE + 0x40, 0xf80, 0, UINT32_MAX);
	add(table, 1, REG(SIGNAL_BUFFER_HIGH), 0, 0, 0);
	add(table, 1, REG(SIGNAL_BUFFER), 0, area + AREA_SIGNALS, 0xfff8);
	add(table, 1, REG(SIGNAL_BUFFER_COUNT), 0, 0, 127);
	add(table, 1, REG(OPEN_BUFFER), 0, area + AREA_OPEN, 0);
	add(table, 1, area + AREA_OPEN, 0, area, 0x7000);
	add(table, 1, area + AREA_OPEN + 8, 0, PIPE_DRIVER_BUFFERS, 3);
	/* Anything, in any of the buffers. */
	add(table, 2, area, (PIPES * PIPE_PAGE - 1) & ~3, 0, UINT32_MAX);
	add(table, 2, area, (PIPES * PIPE_PAGE - 1) & ~3, 0, 7);
	add(table, 1, area + AREA_SIGNALS, 0xfffc, 0, UINT32_MAX);
	while (table->n < TABLE)
		add(table, 1, REG(CMD), 0, 0, PIPES - 1);
}

static bool fuzz_mmio(struct bare_vcpu *vcpu, uint64_t gpa, void *data, uint32_t len,
		      bool write)
{
	struct vhost_goldfish_pipe_access access = {
		.offset = gpa - RANCHU_PIPE_BASE,
		.flags = write ? VHOST_GOLDFISH_PIPE_ACCESS_WRITE : 0,
	};
	struct fuzz *fuzz = vcpu->opaque;

	if (gpa < RANCHU_PIPE_BASE || access.offset >= RANCHU_PIPE_SIZE || len != 4)
		return false;
	memcpy(&access.value, data, len);
	if (__pipe_access(&fuzz->dev, &access))
		pipe_die("an access is refused");
	if (!write)
		memcpy(data, &access.value, len);
	return true;
}

static void on_signal(int number)
{
	(void)number;
}

/*
 * Runs to the end, or until the guest has destroyed its own code: its pipes may read
 * into it.
 */
static void *scribble(void *arg)
{
	struct bare_vcpu *vcpu = arg;
	struct fuzz *fuzz = vcpu->opaque;
	int report;

	do {
		report = __bare_vcpu_run(vcpu);
	} while (report == BARE_AT_BEGIN ||
		 (report == -EINTR && !atomic_load(&fuzz->stop)));
	if (!atomic_load(&fuzz->stop))
		printf("# a vCPU is no more: %d, exit reason %u\n", report,
		       vcpu->run->exit_reason);
	return NULL;
}

static void vcpu_join(struct bare_vcpu *vcpu)
{
	bare_job_stop(vcpu);
	while (pthread_tryjoin_np(vcpu->thread, NULL)) {
		pthread_kill(vcpu->thread, SIGUSR1);
		usleep(100000);
	}
}

static void vcpu_start(struct fuzz *fuzz, unsigned int i, struct pipe_random *random)
{
	struct bare_vcpu *vcpu = &fuzz->vm.vcpus[i];
	uint64_t gpa = pipe_mem_alloc(&fuzz->mem, TABLE * sizeof(struct bare_scribble), PIPE_PAGE);
	struct table table = {
		.entries = pipe_mem_hva(&fuzz->mem, gpa, TABLE * sizeof(struct bare_scribble)),
		.random = random,
	};

	fill_table(fuzz, &table);
	vcpu->mmio = fuzz_mmio;
	vcpu->opaque = fuzz;
	*vcpu->job = (struct bare_job){
		.flags = BARE_SCRIBBLE,
		.count = UINT32_MAX,
		.reg = gpa,
		.value = (uint32_t)pipe_random(random) | 1,
		.size_mask = TABLE - 1,
		.exit = BARE_EXIT_GPA,
		/* Read before the kind of job is checked. */
		.status = gpa,
		.size = gpa,
	};
	if (pthread_create(&vcpu->thread, NULL, scribble, vcpu))
		pipe_die("no thread");
}

/* ---- the accomplice ---- */

static void ring(struct fuzz *fuzz, uint32_t id)
{
	struct vhost_goldfish_pipe_access access = {
		.offset = GOLDFISH_PIPE_REG_CMD,
		.flags = VHOST_GOLDFISH_PIPE_ACCESS_WRITE,
		.value = id,
	};

	if (__pipe_access(&fuzz->dev, &access))
		pipe_die("an access is refused");
}

/* A complete command; the vCPUs may overwrite it. */
static int32_t command(struct fuzz *fuzz, uint32_t id, uint32_t cmd, uint32_t gpa, uint32_t size)
{
	uint8_t *page = fuzz->hva + id * PIPE_PAGE;
	struct goldfish_pipe_command head = {
		.cmd = cmd, .id = id, .status = PIPE_PRESET, .buffers_count = 1,
	};
	uint64_t address = gpa;

	memcpy(page, &head, sizeof(head));
	memcpy(page + GOLDFISH_PIPE_PTRS_OFFSET, &address, sizeof(address));
	memcpy(page + GOLDFISH_PIPE_SIZES_OFFSET(PIPE_DRIVER_BUFFERS), &size, sizeof(size));
	ring(fuzz, id);
	return ((volatile struct goldfish_pipe_command *)page)->status;
}

/* Whatever protocol is in force; the vCPUs ring for commands all the while. */
static void accomplice_v1(struct fuzz *fuzz, struct pipe_random *random)
{
	unsigned int i;

	memcpy(fuzz->hva + AREA_NAMES, names[0], strlen(names[0]) + 1);
	for (i = 0; i < 200; i++) {
		const uint64_t r = pipe_random(random);
		const uint32_t rows[][2] = {
			{ GOLDFISH_PIPE_V1_COMMAND, (r >> 8) % 9 },
			{ GOLDFISH_PIPE_V1_CHANNEL, 1 + (r >> 8) % PIPES },
			{ GOLDFISH_PIPE_V1_SIZE, (r >> 8) % 0x2000 },
			{ GOLDFISH_PIPE_V1_ADDRESS, fuzz->area + AREA_NAMES },
			{ GOLDFISH_PIPE_V1_ADDRESS, fuzz->area + AREA_DATA },
			{ GOLDFISH_PIPE_V1_PARAMS_LOW, fuzz->area + (r >> 8) % 0x8000 },
			{ GOLDFISH_PIPE_V1_ACCESS_PARAMS, 0 },
		};
		const uint32_t *row = rows[r % ARRAY_SIZE(rows)];

		pipe_reg_write(&fuzz->dev, row[0], row[1]);
		/* Not VERSION, which starts anew. */
		pipe_reg_read(&fuzz->dev, (r >> 40) % 9 * 4);
	}
}

static void accomplice_turn(struct fuzz *fuzz, struct pipe_random *random)
{
	const struct goldfish_pipe_open_params params = {
		.command_buffer = fuzz->area + pipe_random(random) % PIPES * PIPE_PAGE,
		.rw_params_max_count = PIPE_DRIVER_BUFFERS,
	};
	uint32_t id = (params.command_buffer - fuzz->area) / PIPE_PAGE;
	const char *name = names[pipe_random(random) % ARRAY_SIZE(names)];
	uint32_t gpa = fuzz->area + AREA_NAMES;

	if (!(pipe_random(random) % 64)) {
		pipe_reg_write(&fuzz->dev, GOLDFISH_PIPE_REG_VERSION,
			       pipe_random(random) % 6);
		accomplice_v1(fuzz, random);
		pipe_reg_write(&fuzz->dev, GOLDFISH_PIPE_REG_VERSION, 4);
		pipe_set_signal_buffer(&fuzz->dev, fuzz->area + AREA_SIGNALS, 64);
		pipe_set_open_buffer(&fuzz->dev, fuzz->area + AREA_OPEN);
	}
	if (pipe_random(random) % 2)
		command(fuzz, id, GOLDFISH_PIPE_CMD_CLOSE, 0, 0);
	memcpy(fuzz->hva + AREA_OPEN, &params, sizeof(params));
	if (command(fuzz, id, GOLDFISH_PIPE_CMD_OPEN, 0, 0))
		return;
	memcpy(fuzz->hva + AREA_NAMES, name, strlen(name) + 1);
	if (command(fuzz, id, GOLDFISH_PIPE_CMD_WRITE, gpa, strlen(name) + 1) > 0)
		fuzz->opened++;
	if (pipe_random(random) % 2) {
		const struct goldfish_pipe_dma dma = {
			.paddr = fuzz->area + AREA_DMA + id * 0x40000,
			.size = 0x10000,
		};

		command(fuzz, id, 0, 0, 0);
		memcpy(fuzz->hva + id * PIPE_PAGE + GOLDFISH_PIPE_DMA_OFFSET, &dma, sizeof(dma));
		((struct goldfish_pipe_command *)(fuzz->hva + id * PIPE_PAGE))->cmd =
			GOLDFISH_PIPE_CMD_DMA_MAPHOST;
		ring(fuzz, id);
	}
}

static void *accomplice(void *arg)
{
	struct fuzz *fuzz = arg;
	struct pipe_random random = { fuzz->seed ^ 0xacc };

	while (!atomic_load(&fuzz->stop)) {
		accomplice_turn(fuzz, &random);
		usleep(pipe_random(&random) % 2000);
	}
	return NULL;
}

/* ---- services ---- */

struct served {
	uint64_t open;
	uint32_t id;
	int sock;
};

static void serve_dma(struct fuzz *fuzz, struct served *served)
{
	struct vhost_goldfish_pipe_dma dma;
	volatile uint8_t *at;

	if (__services_get_dma(fuzz->services, served->open,
			       fuzz->area + AREA_DMA + served->id * 0x40000, &dma))
		return;
	at = mmap(NULL, dma.size, PROT_READ | PROT_WRITE, MAP_SHARED, dma.fd, 0);
	if (at == MAP_FAILED)
		pipe_die("a region cannot be mapped: %s", strerror(errno));
	memset((void *)at, 0x5a, dma.size);
	__services_unlock_dma(fuzz->services, served->open);
	munmap((void *)at, dma.size);
	close(dma.fd);
	fuzz->mapped++;
}

static void serve_event(struct fuzz *fuzz, struct served *served)
{
	struct vhost_goldfish_pipe_event event;
	int ends[2];

	if (!services_try_event(fuzz->services, &event))
		return;
	if (served->sock >= 0)
		close(served->sock);
	services_sockets(SERVICES_UNIX, ends);
	served->open = event.open;
	served->id = event.id;
	served->sock = ends[1];
	/* The guest may have closed it by now. */
	if (!__services_answer(fuzz->services, event.open, ends[0]))
		fuzz->answered++;
	close(ends[0]);
}

static void *serve(void *arg)
{
	struct served all[SOCKETS];
	struct fuzz *fuzz = arg;
	struct pipe_random random = { fuzz->seed ^ 0x5e7 };
	static uint8_t bytes[65536];
	struct served *served;
	unsigned int i;

	for (i = 0; i < SOCKETS; i++)
		all[i].sock = -1;
	while (!atomic_load(&fuzz->stop)) {
		served = &all[pipe_random(&random) % SOCKETS];
		serve_event(fuzz, served);
		if (served->sock >= 0) {
			serve_dma(fuzz, served);
			if (recv(served->sock, bytes, sizeof(bytes), MSG_DONTWAIT) == 0 ||
			    !(pipe_random(&random) % 50)) {
				close(served->sock);
				served->sock = -1;
			} else {
				send(served->sock, bytes, pipe_random(&random) % 5000,
				     MSG_DONTWAIT | MSG_NOSIGNAL);
			}
		}
		if (served->sock >= 0 && !(pipe_random(&random) % 50))
			__services_answer(fuzz->services, served->open, -1);
		usleep(pipe_random(&random) % 1000);
	}
	for (i = 0; i < SOCKETS; i++)
		if (all[i].sock >= 0)
			close(all[i].sock);
	return NULL;
}

/* ---- the second guest ---- */

static void bystander_command(struct bare_rig *rig, uint32_t cmd, uint32_t size)
{
	struct bare_vcpu *vcpu = &rig->vm.vcpus[0];

	bare_rig_command(rig, vcpu, cmd, size, 1);
	rig->pipe.cmd->buffers_count = 1;
	rig->pipe.ptrs[0] = rig->data_gpa;
	rig->pipe.sizes[0] = size;
	bare_job_run(vcpu);
	if (vcpu->job->wrong || vcpu->job->early)
		pipe_die("the other guest's pipe answers %d", (int)vcpu->job->last_wrong);
}

static void *bystand(void *arg)
{
	struct fuzz *fuzz = arg;
	struct pipe_random random = { fuzz->seed ^ 0xb75 };
	static uint8_t bytes[65536];
	struct bare_rig rig;
	uint32_t size;
	uint8_t *data;

	bare_rig_start(&rig, "pipe:pingpong", 1);
	data = pipe_mem_hva(&rig.mem, rig.data_gpa, sizeof(bytes));
	while (!atomic_load(&fuzz->stop)) {
		size = 1 + pipe_random(&random) % sizeof(bytes);
		pipe_random_fill(&random, bytes, size);
		memcpy(data, bytes, size);
		bystander_command(&rig, GOLDFISH_PIPE_CMD_WRITE, size);
		memset(data, 0, size);
		bystander_command(&rig, GOLDFISH_PIPE_CMD_READ, size);
		if (memcmp(data, bytes, size))
			pipe_die("the other guest's bytes are wrong");
		fuzz->bystander++;
	}
	bare_rig_stop(&rig);
	return NULL;
}

/* ---- all of it ---- */

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
	const char *value = getenv(variable);

	return value && *value ? strtoull(value, NULL, 0) : otherwise;
}

static void fuzz_start(struct fuzz *fuzz)
{
	unsigned int i;
	uint64_t area;

	memset(fuzz->bells, -1, sizeof(fuzz->bells));
	pipe_mem_create_file(&fuzz->mem, RANCHU_RAM_BASE, MEM_SIZE);
	bare_vm_create(&fuzz->vm, &fuzz->mem, VCPUS);
	area = pipe_mem_alloc(&fuzz->mem, AREA_SIZE, AREA_SIZE);
	fuzz->area = area;
	fuzz->hva = pipe_mem_hva(&fuzz->mem, area, AREA_SIZE);
	pipe_dev_start(&fuzz->dev, &fuzz->mem);
	pipe_reg_write(&fuzz->dev, GOLDFISH_PIPE_REG_VERSION, 4);
	pipe_set_signal_buffer(&fuzz->dev, area + AREA_SIGNALS, 64);
	pipe_set_open_buffer(&fuzz->dev, area + AREA_OPEN);
	fuzz->services = services_open(&fuzz->dev);
	services_add(fuzz->services, "svc");
	for (i = 0; i < DOORBELLS; i++) {
		fuzz->bells[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		pipe_set_doorbell(&fuzz->dev, i, fuzz->bells[i]);
		bare_ioeventfd(&fuzz->vm, REG(CMD), i, fuzz->bells[i]);
	}
}

static void fuzz_end(struct fuzz *fuzz)
{
	unsigned int i;

	close(fuzz->services);
	pipe_dev_close(&fuzz->dev);
	for (i = 0; i < DOORBELLS; i++)
		close(fuzz->bells[i]);
	bare_vm_destroy(&fuzz->vm);
	pipe_mem_destroy(&fuzz->mem);
}

static void run(uint64_t seed, unsigned int seconds, bool check)
{
	void *(*const others[])(void *) = { accomplice, serve, bystand };
	struct fuzz fuzz = { .seed = seed };
	struct pipe_random random = { seed };
	struct vhost_goldfish_pipe_stats stats;
	pthread_t threads[ARRAY_SIZE(others)];
	unsigned int i;

	fuzz_start(&fuzz);
	for (i = 0; i < VCPUS; i++)
		vcpu_start(&fuzz, i, &random);
	for (i = 0; i < ARRAY_SIZE(others); i++)
		if (pthread_create(&threads[i], NULL, others[i], &fuzz))
			pipe_die("no thread");
	sleep(seconds);
	atomic_store(&fuzz.stop, true);
	for (i = 0; i < VCPUS; i++)
		vcpu_join(&fuzz.vm.vcpus[i]);
	for (i = 0; i < ARRAY_SIZE(others); i++)
		pthread_join(threads[i], NULL);
	pipe_get_stats(&fuzz.dev, &stats);
	printf("# %llu commands, %llu by doorbell, %llu opens, %llu mistakes\n",
	       (unsigned long long)stats.commands, (unsigned long long)stats.kicks,
	       (unsigned long long)stats.opens, (unsigned long long)stats.bad_guest);
	printf("# %llu bytes to the host, %llu to the guest\n",
	       (unsigned long long)stats.bytes_to_host,
	       (unsigned long long)stats.bytes_to_guest);
	printf("# %lu pipes connected, %lu answered, %lu regions mapped\n",
	       fuzz.opened, fuzz.answered, fuzz.mapped);
	printf("# the other guest: %lu rounds\n", fuzz.bystander);
	fuzz_end(&fuzz);
	if (check &&
	    (!fuzz.bystander || !fuzz.opened || !fuzz.answered || !stats.bytes_to_host ||
	     !stats.bytes_to_guest || !stats.bad_guest))
		pipe_die("there was nothing to break");
}

FIXTURE(fuzz) { };

FIXTURE_SETUP(fuzz)
{
	const char *missing = bare_rig_missing(true);

	if (missing)
		SKIP(return, "%s", missing);
}

FIXTURE_TEARDOWN(fuzz)
{
}

TEST_F_TIMEOUT(fuzz, scribbling_guest, 3600)
{
	struct sigaction action = { .sa_handler = on_signal };
	uint64_t seconds, seed;
	struct counts before;

	sigaction(SIGUSR1, &action, NULL);

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = time(NULL);
	seed = number_from("RANCHU_FUZZ_SEED", seed) | 1;
	seconds = number_from("RANCHU_FUZZ_SECONDS", 60);
	printf("# RANCHU_FUZZ_SEED=0x%llx, %llu s\n", (unsigned long long)seed,
	       (unsigned long long)seconds);
	fflush(stdout);
	/* Permanent allocations of the first run are no leak. */
	run(seed + 2, 2, false);
	counts_take(&before);
	run(seed, seconds, true);
	EXPECT_TRUE(counts_return(&before));
}

TEST_HARNESS_MAIN
