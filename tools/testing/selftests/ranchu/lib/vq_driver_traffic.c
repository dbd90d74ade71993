// SPDX-License-Identifier: GPL-2.0-only
/*
 * Chains of random shape for the test device, which copies what it can read to
 * where it can write, and what must come back.
 *
 * A chain has a cell of its own, one half to be read and one to be written.
 * Its buffers are there in order, with gaps. Memory that the device must not touch is
 * filled with a byte that does not occur in data.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vq_driver.h"

#define MAX_BUFS	VHOST_RANCHU_TEST_MAX_IOV
#define UNTOUCHED	0xa5

/**
 * struct cell - a chain under way
 * @busy: under way
 * @gpa: VQ_CELL bytes to be read, VQ_CELL bytes to be written
 * @seed: makes the data
 * @bufs: the buffers
 * @out: the first of them are readable
 * @n: all buffers
 * @out_len: bytes
 * @in_len: bytes
 */
struct cell {
	bool busy;
	uint64_t gpa;
	uint8_t seed;
	struct vq_buf bufs[MAX_BUFS];
	unsigned int out;
	unsigned int n;
	uint32_t out_len;
	uint32_t in_len;
};

static uint8_t data_byte(const struct cell *cell, uint32_t i)
{
	uint8_t byte = cell->seed + i + (i >> 8) * 13;

	return byte == UNTOUCHED ? 0 : byte;
}

/* Most buffers are small, some empty, some large. */
static uint32_t random_len(uint32_t *state)
{
	uint32_t r = vq_random(state);

	switch (r & 15) {
	case 0:
		return 0;
	case 1:
		return (r >> 8) % (VQ_CELL / 3);
	default:
		return (r >> 8) % 40 + 1;
	}
}

static uint32_t place(struct cell *cell, unsigned int first, unsigned int n,
		      uint64_t gpa, uint32_t *state)
{
	uint32_t at = 0, sum = 0, len;
	unsigned int i;

	for (i = first; i < first + n; i++) {
		at += vq_random(state) % 5;
		len = random_len(state);
		if (at > VQ_CELL)
			at = VQ_CELL;
		if (len > VQ_CELL - at)
			len = VQ_CELL - at;
		cell->bufs[i] = (struct vq_buf){ gpa + at, len };
		at += len;
		sum += len;
	}
	return sum;
}

static void fill(struct vq_ring *ring, struct cell *cell)
{
	uint32_t pos = 0, i;
	unsigned int b;
	uint8_t *p;

	for (b = 0; b < cell->out; b++) {
		p = vq_mem_guest(ring->mem, cell->bufs[b].gpa);
		for (i = 0; i < cell->bufs[b].len; i++)
			p[i] = data_byte(cell, pos++);
	}
	memset(vq_mem_guest(ring->mem, cell->gpa + VQ_CELL), UNTOUCHED, VQ_CELL);
}

static void shape(struct vq_traffic *traffic, struct cell *cell)
{
	uint32_t *state = &traffic->seed;
	unsigned int in;

	cell->seed = vq_random(state);
	cell->n = vq_random(state) % traffic->max_bufs + 1;
	cell->out = vq_random(state) % (cell->n + 1);
	in = cell->n - cell->out;
	cell->out_len = place(cell, 0, cell->out, cell->gpa, state);
	cell->in_len = place(cell, cell->out, in, cell->gpa + VQ_CELL, state);
	fill(traffic->ring, cell);
}

/* The half that was to be written, byte for byte. */
static bool cell_is_right(const struct vq_traffic *traffic, const struct cell *cell,
			  uint32_t written)
{
	uint8_t want[VQ_CELL];
	uint32_t pos = 0, i;
	unsigned int b;
	uint8_t *p;

	memset(want, UNTOUCHED, sizeof(want));
	for (b = cell->out; b < cell->n; b++) {
		p = want + (cell->bufs[b].gpa - cell->gpa - VQ_CELL);
		for (i = 0; i < cell->bufs[b].len && pos < written; i++)
			p[i] = data_byte(cell, pos++);
	}
	return !memcmp(want, vq_mem_guest(traffic->ring->mem, cell->gpa + VQ_CELL),
		       sizeof(want));
}

static int check(const struct vq_traffic *traffic, const struct vq_done *done)
{
	const struct cell *cell = done->token;
	uint32_t want = cell->out_len < cell->in_len ? cell->out_len : cell->in_len;

	if (traffic->half)
		want /= 2;
	if (done->len == want && cell_is_right(traffic, cell, want))
		return 0;
	printf("# chain %u: %u+%u buffers, %u out, %u in: %u written, not %u%s\n",
	       done->id, cell->out, cell->n - cell->out, cell->out_len,
	       cell->in_len, done->len, want, done->len == want ? ", wrong data" : "");
	return -EILSEQ;
}

/* Returns how many chains were added. */
static unsigned int add_some(struct vq_traffic *traffic, struct cell *cells,
			     unsigned int most)
{
	struct vq_ring *ring = traffic->ring;
	unsigned int i, n = 0;
	struct cell *cell;

	for (i = 0; i < traffic->depth && n < most; i++) {
		cell = &cells[i];
		if (cell->busy)
			continue;
		shape(traffic, cell);
		if (traffic->mix_tables)
			ring->tables = vq_random(&traffic->seed) & 1;
		if (__vq_add(ring, cell->bufs, cell->out, cell->n - cell->out, cell))
			break;
		cell->busy = true;
		n++;
	}
	return n;
}

/* Returns how many chains came back, or -errno. */
static int get_all(struct vq_traffic *traffic)
{
	struct vq_done done;
	int n = 0, ret;

	while ((ret = vq_get(traffic->ring, &done)) > 0) {
		ret = check(traffic, &done);
		if (ret)
			return ret;
		((struct cell *)done.token)->busy = false;
		n++;
	}
	return ret < 0 ? ret : n;
}

/*
 * Sleeps until called. With event indices anything up to the last chain under
 * way may be waited for: split rings count chains, packed ones slots.
 */
static int wait_for_call(struct vq_traffic *traffic, unsigned int under_way)
{
	struct vq_ring *ring = traffic->ring;
	unsigned int most = ring->packed ? ring->num - ring->slots : under_way;

	vq_calls_on(ring, vq_random(&traffic->seed) % most);
	if (vq_has_used(ring))
		return 0;
	if (!vq_wait(ring->call, VQ_PATIENCE_MS))
		return -ETIMEDOUT;
	traffic->calls++;
	vq_calls_off(ring);
	return 0;
}

static int turn(struct vq_traffic *traffic, struct cell *cells, unsigned int *to_add,
		unsigned int *to_get)
{
	unsigned int under_way = *to_get - *to_add, most = *to_add, n;
	int got;

	/* Now one, now as many as there is room for. */
	if (vq_random(&traffic->seed) & 1 && most > 4)
		most = vq_random(&traffic->seed) % 4 + 1;
	n = add_some(traffic, cells, most);
	*to_add -= n;
	under_way += n;
	vq_publish_and_kick(traffic->ring);
	got = get_all(traffic);
	if (got < 0)
		return got;
	*to_get -= got;
	under_way -= got;
	if (got || n || traffic->quiet || !under_way)
		return 0;
	return wait_for_call(traffic, under_way);
}

int vq_traffic(struct vq_traffic *traffic)
{
	unsigned int to_add = traffic->chains, to_get = traffic->chains, i;
	struct cell *cells = calloc(traffic->depth, sizeof(*cells));
	int err = 0;

	if (!cells)
		vq_die("no memory");
	if (!traffic->cells)
		traffic->cells = vq_mem_alloc(traffic->ring->mem,
					      traffic->depth * 2 * VQ_CELL, 1);
	for (i = 0; i < traffic->depth; i++)
		cells[i].gpa = traffic->cells + i * 2 * VQ_CELL;
	vq_calls_off(traffic->ring);
	while (to_get && !err)
		err = turn(traffic, cells, &to_add, &to_get);
	free(cells);
	return err;
}

int vq_echo(struct vq_ring *ring)
{
	const struct vq_traffic traffic = { .ring = ring };
	struct cell cell = {
		.gpa = ring->echo_gpa, .seed = ring->avail + 1,
		.bufs = { { ring->echo_gpa, 100 },
			  { ring->echo_gpa + VQ_CELL + 3, 80 } },
		.out = 1, .n = 2, .out_len = 100, .in_len = 80,
	};
	struct vq_done done;
	int ret;

	fill(ring, &cell);
	vq_add(ring, cell.bufs, 1, 1, &cell);
	vq_publish(ring);
	vq_calls_on(ring, 0);
	if (vq_must_kick(ring))
		vq_kick(ring);
	while (!(ret = vq_get(ring, &done)))
		if (!vq_wait(ring->call, VQ_PATIENCE_MS))
			return -ETIMEDOUT;
	return ret < 0 ? ret : check(&traffic, &done);
}
