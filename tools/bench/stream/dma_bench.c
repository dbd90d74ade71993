// SPDX-License-Identifier: GPL-2.0-only
/*
 * What it costs the host to be handed an upload by DMA, whatever its size: the
 * guest's message over the pipe that says where the data is, the service that
 * reads it, looks at the data's two ends, and tells the guest that it is through,
 * and the guest's reading that. As guests do, the region is mapped once. All is in
 * one process, so that the clock, which counts instructions, sees all of it.
 *
 *	BENCH dma_<size> ns=N ops=N
 *	BENCH dma_map_<size> ns=N ops=N
 *
 * The second is the rest: DMA_MAPHOST, the service's getting the region, mapping
 * it, its first access, and all of that undone. The guest's filling the region and
 * the service's reading all of it are in neither: whoever touches the bytes does so
 * once, and there is no copy.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "pipe_services.h"

#define MEM_SIZE	(160u << 20)
#define ROUNDS		32
#define WARM_UP		8

static const struct upload {
	const char *name;
	uint64_t size;
} uploads[] = {
	{ "1m", 1u << 20 },
	{ "64m", 64u << 20 },
};

#define UPLOADS		(sizeof(uploads) / sizeof(uploads[0]))

struct bench {
	struct pipe_mem mem;
	struct pipe_dev dev;
	struct test_pipe pipe;
	int services;
	uint64_t open;
	int sock;
	uint64_t gpa;
};

static double now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

/* The guest's part of mapping, and the service's. */
static volatile uint8_t *map(struct bench *bench, uint64_t size)
{
	struct vhost_goldfish_pipe_dma dma;
	volatile uint8_t *data;

	if (pipe_dma(&bench->pipe, GOLDFISH_PIPE_CMD_DMA_MAPHOST, bench->gpa, size) ||
	    __services_get_dma(bench->services, bench->open, bench->gpa, &dma) ||
	    dma.size != size)
		pipe_die("no region");
	data = mmap(NULL, dma.size, PROT_READ | PROT_WRITE, MAP_SHARED, dma.fd, 0);
	if (data == MAP_FAILED || data[0] != 0x5a)
		pipe_die("no data");
	close(dma.fd);
	return data;
}

static void unmap(struct bench *bench, volatile uint8_t *data, uint64_t size)
{
	munmap((void *)data, size);
	if (pipe_dma(&bench->pipe, GOLDFISH_PIPE_CMD_DMA_UNMAPHOST, bench->gpa, 0))
		pipe_die("DMA_UNMAPHOST");
}

/* One upload of all of the region. */
static void upload(struct bench *bench, volatile uint8_t *data, uint64_t size)
{
	struct goldfish_pipe_dma message = { .paddr = bench->gpa, .size = size };

	if (pipe_write_bytes(&bench->pipe, &message, sizeof(message)) != sizeof(message) ||
	    read(bench->sock, &message, sizeof(message)) != sizeof(message) ||
	    data[message.paddr - bench->gpa] != 0x5a || data[message.size - 1] != 0x5a ||
	    __services_unlock_dma(bench->services, bench->open))
		pipe_die("what is handed over is not what was sent");
	pipe_reg_read(&bench->dev, GOLDFISH_PIPE_REG_GET_SIGNALLED);
}

/* Adds to @sum[0] and @sum[1] what uploads and mapping take. */
static void bench_size(struct bench *bench, uint64_t size, double sum[2])
{
	double begin = now_ns(), mapped, end;
	volatile uint8_t *data;
	unsigned int i;

	data = map(bench, size);
	sum[1] += now_ns() - begin;
	for (i = 0; i < WARM_UP; i++)
		upload(bench, data, size);
	mapped = now_ns();
	for (i = 0; i < ROUNDS; i++)
		upload(bench, data, size);
	end = now_ns();
	sum[0] += end - mapped;
	unmap(bench, data, size);
	sum[1] += now_ns() - end;
}

static void bench_open(struct bench *bench)
{
	int ends[2];

	pipe_mem_create_file(&bench->mem, RANCHU_RAM_BASE, MEM_SIZE);
	pipe_dev_start(&bench->dev, &bench->mem);
	pipe_handshake(&bench->dev);
	bench->services = services_open(&bench->dev);
	services_add(bench->services, "bench");
	pipe_connect(&bench->dev, &bench->pipe, 1, "pipe:bench");
	bench->open = services_expect(bench->services, "bench", NULL);
	services_sockets(SERVICES_UNIX, ends);
	services_answer(bench->services, bench->open, ends[0]);
	close(ends[0]);
	bench->sock = ends[1];
	/* Pages that exist, as those of a guest that has filled them. */
	bench->gpa = pipe_mem_alloc(&bench->mem, uploads[UPLOADS - 1].size, PIPE_PAGE);
	memset(pipe_mem_hva(&bench->mem, bench->gpa, uploads[UPLOADS - 1].size), 0x5a,
	       uploads[UPLOADS - 1].size);
}

int main(void)
{
	static struct bench bench;
	double sum[UPLOADS][2] = { 0 };
	unsigned int round, i;

	bench_open(&bench);
	for (round = 0; round <= ROUNDS; round++) {
		/* The first is thrown away. */
		if (round == 1)
			memset(sum, 0, sizeof(sum));
		for (i = 0; i < UPLOADS; i++)
			bench_size(&bench, uploads[i].size, sum[i]);
	}
	for (i = 0; i < UPLOADS; i++) {
		printf("BENCH dma_%s ns=%.1f ops=%u\n", uploads[i].name,
		       sum[i][0] / ROUNDS / ROUNDS, ROUNDS * ROUNDS);
		printf("BENCH dma_map_%s ns=%.1f ops=%u\n", uploads[i].name,
		       sum[i][1] / ROUNDS, ROUNDS);
	}
	return 0;
}
