// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: the module's end of a shared ring, whose other end writes anything
 * anywhere, also while the module looks; against a count of what was moved.
 */
#include <string.h>

#include "fuzz.h"
#include "goldfish_pipe_ring.h"

#include <asm/barrier.h>

static struct vhost_goldfish_pipe_ring_way way;
static struct input meanwhile;

/* What another CPU stores between two accesses of the module's. */
static void scribble(struct input *in)
{
	u32 *end = (u32 *)(take(in, 1) & 1 ? &way.producer : &way.consumer);

	end[take(in, 1) % 3] = take(in, 4);
}

void shim_barrier(enum shim_barrier kind)
{
	if (meanwhile.left)
		scribble(&meanwhile);
}

bool shim_access_ok(const void *uaddr, size_t len)
{
	return false;
}

bool shim_load(void *val, const void *uaddr, size_t len)
{
	return false;
}

bool shim_store(void *uaddr, const void *val, size_t len)
{
	return false;
}

bool shim_load_bytes(void *dst, const void *uaddr, size_t len)
{
	return false;
}

bool shim_store_bytes(void *uaddr, const void *src, size_t len)
{
	return false;
}

/* Moves what may be moved; every byte of it must lie in the ring. */
static void move(struct pipe_ring *ring, struct input *in, u32 *count)
{
	u32 bytes, span, done = 0, at, wanted = take(in, 3);
	int err = pipe_ring_look(ring, &bytes);

	MUST(!err || err == -EPIPE || err == -EPROTO);
	MUST(err ? !bytes : bytes <= ring->size);
	bytes = min(bytes, wanted);
	while (done < bytes) {
		span = bytes - done;
		at = pipe_ring_at(ring, done, &span);
		MUST(span && span <= bytes - done && at < ring->size);
		MUST(span <= ring->size - at && at == ((*count + done) & (ring->size - 1)));
		done += span;
	}
	if (!bytes)
		return;
	pipe_ring_move(ring, bytes);
	*count += bytes;
	MUST(ring->position == *count);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	struct pipe_ring ring;
	u32 count = 0, bytes;
	bool broken = false;

	meanwhile = split_off(&in);
	memset(&way, 0, sizeof(way));
	pipe_ring_init(&ring, &way, 1 << (12 + take(&in, 1) % 13), take(&in, 1) & 1);
	MUST(pipe_ring_size_ok(ring.size));
	ring.position = take(&in, 4);
	count = ring.position;
	way.producer.position = count;
	way.consumer.position = count;
	while (in.left) {
		switch (take(&in, 1) % 4) {
		case 0:
			scribble(&in);
			break;
		case 1:
			/* An honest other end, for once. */
			if (ring.produces)
				way.consumer.position = count;
			else
				way.producer.position = count + take(&in, 2) % (ring.size + 1);
			break;
		case 2:
			move(&ring, &in, &count);
			break;
		case 3:
			MUST(pipe_ring_wait(&ring) <= 1);
			break;
		}
		/* Once broken it stays so. */
		MUST(!broken || ring.broken);
		broken = ring.broken;
		MUST(!broken || pipe_ring_look(&ring, &bytes) == -EPROTO);
	}
	return 0;
}
