// SPDX-License-Identifier: GPL-2.0-only
/*
 * A sound card with a driver and a clock of the test: queries, playing and recording, the time when
 * messages are returned, invalid requests and messages, jacks, pause, saved state, reset.
 */
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/virtio_ring.h>

#include "devices/devices.h"
#include "devices/sound_card.h"
#include "tests/tap.h"

#define BASE	0x40000000ULL
#define QUEUE	0x100000	/* bytes of RAM for a queue */
#define AVAIL	0x1000
#define USED	0x2000
#define DATA	0x8000
#define NUM	64
#define TRIES	20000		/* of a millisecond */
#define MS	1000000ULL
#define PERIOD	960		/* bytes: 5 ms of 48000 Hz, stereo, 16 bits */

#define OK	VIRTIO_SND_S_OK
#define BAD	VIRTIO_SND_S_BAD_MSG
#define IO_ERR	VIRTIO_SND_S_IO_ERR

enum { CONTROL, EVENT, TX, RX, QUEUES };

static struct vmm_config cfg;
static struct vmm_vm vm;
static struct vmm_virtio *v;
static struct vmm_sound_card *card;
static u8 regs[RANCHU_VIRTIO_MMIO_SIZE] __attribute__((aligned(8)));
static u64 clock_ns;
static char play_path[40];
static char record_path[40];
static u8 file[0x10000];

/* Per queue: descriptors used so far, chains made available, and used chains checked. */
static unsigned int descs[QUEUES];
static u16 added[QUEUES];
static u16 seen[QUEUES];

static u64 test_now(void)
{
	return clock_ns;
}

static void *at(unsigned int queue, u64 offset)
{
	return vmm_mem_ptr(&vm.mem, BASE + queue * QUEUE + offset, 1);
}

static u16 *word(unsigned int queue, u64 offset)
{
	return at(queue, offset);
}

static void queue_set_up(unsigned int queue)
{
	vmm_virtio_mmio_write(v, 0x30, queue, 4);
	vmm_virtio_mmio_write(v, 0x38, NUM, 4);
	vmm_virtio_mmio_write(v, 0x80, BASE + queue * QUEUE, 4);
	vmm_virtio_mmio_write(v, 0x90, BASE + queue * QUEUE + AVAIL, 4);
	vmm_virtio_mmio_write(v, 0xa0, BASE + queue * QUEUE + USED, 4);
	vmm_virtio_mmio_write(v, 0x44, 1, 4);
	memset(at(queue, 0), 0, 0x4000);
	descs[queue] = 0;
	added[queue] = 0;
	seen[queue] = 0;
}

/* The driver's part of a start. */
static void driver_begin(void)
{
	unsigned int i;

	vmm_virtio_mmio_write(v, 0x70, 0, 4);
	vmm_virtio_mmio_write(v, 0x70, 3, 4);
	vmm_virtio_mmio_write(v, 0x24, 1, 4);
	vmm_virtio_mmio_write(v, 0x20, 1, 4);
	vmm_virtio_mmio_write(v, 0x24, 0, 4);
	vmm_virtio_mmio_write(v, 0x20, 0, 4);
	vmm_virtio_mmio_write(v, 0x70, 11, 4);
	for (i = 0; i < QUEUES; i++)
		queue_set_up(i);
	vmm_virtio_mmio_write(v, 0x70, 15, 4);
	tap_check(v->running);
}

/* Makes a card without its timer thread: the test advances the time. */
static bool card_make(bool record)
{
	unsigned int i;

	cfg = (struct vmm_config){
		.builtins = 1,
		.builtin = { {
			.kind = VMM_BUILTIN_SOUND, .play = play_path,
			.record = record ? record_path : NULL,
		} },
	};
	vm = (struct vmm_vm){ .cfg = &cfg, .fd = -1 };
	vm.loop = vmm_loop_create();
	v = calloc(1, sizeof(*v));
	clock_ns = 1000 * MS;
	if (!tap_check(vm.loop) || !tap_equal(vmm_mem_add(&vm.mem, BASE, 4 * MIB), 0))
		return false;
	vmm_virtio_mmio_idle(regs);
	v->ops = &vmm_sound_ops;
	v->vm = &vm;
	v->name = "sound";
	v->queue_max = vmm_sound_ops.queue_max;
	v->queues = vmm_sound_ops.queues;
	v->regs = regs;
	v->call_fd = vmm_event_create();
	pthread_mutex_init(&v->lock, NULL);
	pthread_cond_init(&v->idle, NULL);
	if (!tap_equal(vmm_sound_ops.create(v), 0))
		return false;
	for (i = 0; i < v->queues; i++) {
		v->queue[i].kick_fd = vmm_event_create();
		v->queue[i].call_fd = vmm_event_create();
	}
	card = v->state;
	card->now = test_now;
	vmm_virtio_mmio_plug(v);
	driver_begin();
	return true;
}

static void card_end(void)
{
	unsigned int i;

	vmm_virtio_mmio_unplug(v);
	vmm_sound_ops.destroy(v);
	for (i = 0; i < v->queues; i++) {
		close(v->queue[i].kick_fd);
		close(v->queue[i].call_fd);
	}
	close(v->call_fd);
	pthread_cond_destroy(&v->idle);
	pthread_mutex_destroy(&v->lock);
	free(v);
	vmm_mem_destroy(&vm.mem);
	vmm_loop_destroy(vm.loop);
}

/**
 * struct piece - a buffer of a chain
 * @len: bytes
 * @writable: the device writes it
 * @from: its content, or NULL
 */
struct piece {
	u32 len;
	bool writable;
	const void *from;
};

/* Returns the address of the buffer of descriptor @index. */
static u64 data_at(unsigned int index)
{
	return DATA + index % NUM * 8192;
}

/* Makes a chain available and kicks; returns its first descriptor. */
static unsigned int give(unsigned int queue, const struct piece *pieces, unsigned int count)
{
	unsigned int head = descs[queue];
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct vring_desc *desc = at(queue, (head + i) % NUM * sizeof(*desc));

		*desc = (struct vring_desc){
			.addr = BASE + queue * QUEUE + data_at(head + i),
			.len = pieces[i].len,
			.flags = (pieces[i].writable ? VRING_DESC_F_WRITE : 0) |
				 (i + 1 < count ? VRING_DESC_F_NEXT : 0),
			.next = (head + i + 1) % NUM,
		};
		if (pieces[i].from)
			memcpy(at(queue, data_at(head + i)), pieces[i].from, pieces[i].len);
		else
			memset(at(queue, data_at(head + i)), 0xee, pieces[i].len);
	}
	descs[queue] += count;
	*word(queue, AVAIL + 4 + 2 * (added[queue] % NUM)) = head % NUM;
	__atomic_store_n(word(queue, AVAIL + 2), ++added[queue], __ATOMIC_SEQ_CST);
	vmm_event_signal(v->queue[queue].kick_fd);
	return head;
}

static unsigned int used(unsigned int queue)
{
	return __atomic_load_n(word(queue, USED + 2), __ATOMIC_ACQUIRE);
}

/* Takes the next used chain; waits for the queue's thread. Returns its length. */
static u32 take(unsigned int queue, unsigned int *head)
{
	struct vring_used_elem *elem;
	unsigned int tries;

	for (tries = 0; tries < TRIES && used(queue) == seen[queue]; tries++)
		usleep(1000);
	*head = 0;
	if (!tap_check(used(queue) != seen[queue]))
		return 0;
	elem = at(queue, USED + 4 + seen[queue]++ % NUM * sizeof(*elem));
	*head = elem->id;
	return elem->len;
}

/* ---- the control queue ---- */

/* Sends a request; its answer is in @answer. Returns the answer's length. */
static u32 ask_card(const void *request, u32 len, void *answer, u32 room)
{
	u32 first = len / 2;
	const struct piece pieces[] = {
		/* In odd pieces, because a driver may split them anywhere. */
		{ first, false, request }, { len - first, false, (const u8 *)request + first },
		{ 3, true, NULL }, { room > 3 ? room - 3 : 1, true, NULL },
	};
	unsigned int head = give(CONTROL, pieces, ARRAY_SIZE(pieces));
	u32 got = take(CONTROL, &head);

	memcpy(answer, at(CONTROL, data_at(head + 2)), 3);
	memcpy((u8 *)answer + 3, at(CONTROL, data_at(head + 3)), room > 3 ? room - 3 : 1);
	return got;
}

static u32 ask_status(const void *request, u32 len)
{
	__le32 status = 0;

	tap_equal(ask_card(request, len, &status, sizeof(status)), sizeof(status));
	return le32toh(status);
}

static u32 command(u32 code, u32 stream)
{
	const struct virtio_snd_pcm_hdr request = { { htole32(code) }, htole32(stream) };

	return ask_status(&request, sizeof(request));
}

static u32 set_params(u32 stream, u32 buffer, u32 period)
{
	const struct virtio_snd_pcm_set_params request = {
		.hdr = { { htole32(VIRTIO_SND_R_PCM_SET_PARAMS) }, htole32(stream) },
		.buffer_bytes = htole32(buffer), .period_bytes = htole32(period), .channels = 2,
		.format = VIRTIO_SND_PCM_FMT_S16, .rate = VIRTIO_SND_PCM_RATE_48000,
	};

	return ask_status(&request, sizeof(request));
}

static void prepare(u32 stream)
{
	tap_equal(set_params(stream, 8 * PERIOD, PERIOD), OK);
	tap_equal(command(VIRTIO_SND_R_PCM_PREPARE, stream), OK);
}

static u32 query(u32 code, u32 start, u32 count, u32 size, void *answer, u32 room)
{
	const struct virtio_snd_query_info request = {
		{ htole32(code) }, htole32(start), htole32(count), htole32(size),
	};

	return ask_card(&request, sizeof(request), answer, room);
}

static void it_says_what_it_is(void)
{
	struct {
		__le32 status;
		u8 items[200];
	} a;
	struct virtio_snd_jack_info jack;
	struct virtio_snd_pcm_info pcm;
	struct virtio_snd_chmap_info chmap;
	u32 config[3];

	if (!card_make(false))
		return;
	memcpy(config, v->config, sizeof(config));
	tap_equal(le32toh(config[0]), 2);
	tap_equal(le32toh(config[1]), 2);
	tap_equal(le32toh(config[2]), 4);
	tap_equal(query(VIRTIO_SND_R_JACK_INFO, 0, 2, sizeof(jack), &a, 52), 52);
	tap_equal(le32toh(a.status), OK);
	memcpy(&jack, a.items + sizeof(jack), sizeof(jack));
	/* A jack at the front for a microphone, with one plugged in. */
	tap_equal(le32toh(jack.hda_reg_defconf) >> 20 & 15, 0xa);
	tap_equal(le32toh(jack.hda_reg_defconf) >> 30, 0);
	tap_equal(jack.connected, 1);
	tap_equal(query(VIRTIO_SND_R_PCM_INFO, 1, 1, sizeof(pcm), &a, 36), 36);
	tap_equal(le32toh(a.status), OK);
	memcpy(&pcm, a.items, sizeof(pcm));
	tap_equal(pcm.direction, VIRTIO_SND_D_INPUT);
	tap_equal(pcm.channels_min, 1);
	tap_equal(pcm.channels_max, 2);
	tap_check(le64toh(pcm.formats) & 1 << VIRTIO_SND_PCM_FMT_S16);
	tap_check(le64toh(pcm.rates) & 1 << VIRTIO_SND_PCM_RATE_48000);
	tap_equal(query(VIRTIO_SND_R_CHMAP_INFO, 1, 3, sizeof(chmap), &a, 76), 76);
	tap_equal(le32toh(a.status), OK);
	memcpy(&chmap, a.items, sizeof(chmap));
	tap_equal(chmap.channels, 2);
	tap_equal(chmap.positions[0], VIRTIO_SND_CHMAP_FL);
	tap_equal(chmap.positions[1], VIRTIO_SND_CHMAP_FR);
	card_end();
}

static void wrong_queries_are_refused(void)
{
	static const struct {
		u32 code, start, count, size, room, status;
	} rows[] = {
		{ VIRTIO_SND_R_JACK_INFO, 0, 2, 24, 52, OK },
		{ VIRTIO_SND_R_JACK_INFO, 2, 0, 24, 4, OK },
		{ VIRTIO_SND_R_JACK_INFO, 0, 2, 24, 51, BAD },
		{ VIRTIO_SND_R_JACK_INFO, 0, 3, 24, 100, BAD },
		{ VIRTIO_SND_R_JACK_INFO, 1, 2, 24, 100, BAD },
		{ VIRTIO_SND_R_JACK_INFO, 3, 0, 24, 100, BAD },
		{ VIRTIO_SND_R_JACK_INFO, 1, ~0U, 24, 100, BAD },
		{ VIRTIO_SND_R_JACK_INFO, ~0U, 2, 24, 100, BAD },
		{ VIRTIO_SND_R_JACK_INFO, 0, 1, 23, 100, BAD },
		{ VIRTIO_SND_R_JACK_INFO, 0, 1, 0, 100, BAD },
		{ VIRTIO_SND_R_PCM_INFO, 0, 2, 32, 68, OK },
		{ VIRTIO_SND_R_PCM_INFO, 0, 2, 24, 68, BAD },
		{ VIRTIO_SND_R_PCM_INFO, 2, 1, 32, 68, BAD },
		{ VIRTIO_SND_R_CHMAP_INFO, 0, 4, 24, 100, OK },
		{ VIRTIO_SND_R_CHMAP_INFO, 0, 5, 24, 200, BAD },
		{ VIRTIO_SND_R_JACK_REMAP, 0, 0, 0, 4, VIRTIO_SND_S_NOT_SUPP },
		{ 0, 0, 0, 0, 4, VIRTIO_SND_S_NOT_SUPP },
		{ 0x300, 0, 1, 24, 100, VIRTIO_SND_S_NOT_SUPP },
	};
	__le32 answer[64];
	unsigned int i;
	u32 len;

	if (!card_make(false))
		return;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		tap_context("row %u", i);
		len = query(rows[i].code, rows[i].start, rows[i].count, rows[i].size, answer,
			    rows[i].room);
		tap_equal(le32toh(answer[0]), rows[i].status);
		tap_equal(len, rows[i].status == OK ? 4 + rows[i].count * rows[i].size : 4);
		/* Nothing is written after the status. */
		if (rows[i].status != OK && rows[i].room > 8)
			tap_equal(answer[1], 0xeeeeeeee);
	}
	card_end();
}

static void wrong_requests_are_refused(void)
{
	const struct virtio_snd_pcm_set_params request = {
		.hdr.hdr.code = htole32(VIRTIO_SND_R_PCM_SET_PARAMS),
	};
	const struct piece no_room[] = { { 8, false, &request }, { 3, true, NULL } };
	const struct piece no_request[] = { { 4, true, NULL } };
	unsigned int head;

	if (!card_make(false))
		return;
	tap_equal(ask_status(&request, 2), BAD);
	tap_equal(ask_status(&request, 23), BAD);
	tap_equal(command(VIRTIO_SND_R_PCM_PREPARE, 2), BAD);
	tap_equal(command(VIRTIO_SND_R_PCM_PREPARE, ~0U), BAD);
	tap_equal(command(VIRTIO_SND_R_PCM_START, 0), BAD);
	tap_equal(set_params(1, 100, 30), BAD);
	give(CONTROL, no_room, 2);
	tap_equal(take(CONTROL, &head), 0);
	give(CONTROL, no_request, 1);
	tap_equal(take(CONTROL, &head), 4);
	tap_equal(le32toh(*(__le32 *)at(CONTROL, data_at(head))), BAD);
	prepare(0);
	card_end();
}

/* ---- messages ---- */

static u8 sample(unsigned int message, unsigned int i)
{
	return message * 31 + i * 7 + (i >> 8);
}

/* Sends a message of stream @id, with @bytes to play or room for @bytes. */
static unsigned int send_to(unsigned int queue, u32 id, unsigned int message, u32 bytes)
{
	const __le32 stream = htole32(id);
	u8 samples[8192];
	unsigned int i;
	u32 first = bytes / 3;
	const struct piece tx[] = {
		{ 1, false, &stream }, { 3, false, (const u8 *)&stream + 1 },
		{ first, false, samples }, { bytes - first, false, samples + first },
		{ 5, true, NULL }, { 3, true, NULL },
	};
	const struct piece rx[] = {
		{ 4, false, &stream }, { first, true, NULL }, { bytes - first + 6, true, NULL },
		{ 2, true, NULL },
	};

	for (i = 0; i < bytes; i++)
		samples[i] = sample(message, i);
	return queue == TX ? give(TX, tx, 6) : give(RX, rx, 4);
}

static unsigned int send(unsigned int queue, unsigned int message)
{
	return send_to(queue, queue - TX, message, PERIOD);
}

/* Returns the status of the next used message to play. */
static u32 played(void)
{
	unsigned int head;
	struct virtio_snd_pcm_status status;

	tap_equal(take(TX, &head), sizeof(status));
	memcpy(&status, at(TX, data_at(head + 4)), 5);
	memcpy((u8 *)&status + 5, at(TX, data_at(head + 5)), 3);
	tap_equal(status.latency_bytes, 0);
	return le32toh(status.status);
}

/* Takes the next recorded message, of PERIOD bytes; returns its status. */
static u32 recorded(u8 *samples, u32 want)
{
	unsigned int head;
	struct virtio_snd_pcm_status status;
	u32 first = PERIOD / 3;
	u8 *rest;

	tap_equal(take(RX, &head), want);
	rest = at(RX, data_at(head + 2));
	memcpy(samples, at(RX, data_at(head + 1)), first);
	memcpy(samples + first, rest, PERIOD - first);
	memcpy(&status, rest + PERIOD - first, 6);
	memcpy((u8 *)&status + 6, at(RX, data_at(head + 3)), 2);
	return le32toh(status.status);
}

/* Checks the current length of the file. */
static bool file_has(unsigned int messages)
{
	int fd = open(play_path, O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, file, sizeof(file));
	unsigned int i;

	close(fd);
	if (!tap_equal(len, 44 + messages * PERIOD))
		return false;
	for (i = 0; i < messages * PERIOD; i++) {
		if (file[44 + i] != sample(i / PERIOD, i % PERIOD))
			return tap_equal(i, ~0U);
	}
	return true;
}

/* Checks when the next message of a stream ends; waits for the queue's thread. */
static bool due_at(unsigned int stream, u64 want)
{
	struct vmm_sound_stream *s = &card->stream[stream];
	unsigned int tries;
	u64 due = ~0ULL;

	for (tries = 0; tries < TRIES && due != want; tries++) {
		if (tries)
			usleep(1000);
		pthread_mutex_lock(&s->ring->lock);
		due = s->due;
		pthread_mutex_unlock(&s->ring->lock);
	}
	return tap_equal(due, want);
}

static void time_goes_on(u64 ns)
{
	clock_ns += ns;
	vmm_sound_stream_due(&card->stream[VMM_SOUND_PLAY]);
	vmm_sound_stream_due(&card->stream[VMM_SOUND_RECORD]);
}

static void sound_is_played_at_its_pace(void)
{
	unsigned int i;
	u64 start;

	if (!card_make(false))
		return;
	prepare(0);
	for (i = 0; i < 4; i++)
		send(TX, i);
	tap_equal(command(VIRTIO_SND_R_PCM_START, 0), OK);
	start = clock_ns;
	tap_check(due_at(0, start + 5 * MS));
	tap_equal(used(TX), 0);
	time_goes_on(5 * MS - 1);
	tap_equal(used(TX), 0);
	time_goes_on(1);
	tap_equal(used(TX), 1);
	tap_check(due_at(0, start + 10 * MS));
	/* A late timer: the next message began in time nevertheless. */
	time_goes_on(8 * MS);
	tap_equal(used(TX), 2);
	tap_check(due_at(0, start + 15 * MS));
	time_goes_on(7 * MS);
	tap_equal(used(TX), 4);
	for (i = 0; i < 4; i++)
		tap_equal(played(), OK);
	tap_check(file_has(4));
	/* A late driver: the message begins when it comes. */
	tap_check(due_at(0, 0));
	time_goes_on(3 * MS);
	send(TX, 4);
	tap_check(due_at(0, clock_ns + 5 * MS));
	time_goes_on(5 * MS);
	tap_equal(played(), OK);
	tap_check(file_has(5));
	tap_equal(card->stream[0].gaps, 1);
	tap_equal(card->stream[0].periods, 5);
	tap_equal(command(VIRTIO_SND_R_PCM_STOP, 0), OK);
	tap_equal(command(VIRTIO_SND_R_PCM_RELEASE, 0), OK);
	card_end();
}

/* After a pause of a minute, at most a second is caught up. */
static void lost_time_is_bounded(void)
{
	unsigned int i;

	if (!card_make(false))
		return;
	prepare(0);
	for (i = 0; i < 4; i++)
		send(TX, i);
	tap_equal(command(VIRTIO_SND_R_PCM_START, 0), OK);
	time_goes_on(60000 * MS);
	tap_equal(used(TX), 1);
	tap_check(due_at(0, clock_ns + 5 * MS));
	time_goes_on(900 * MS);
	tap_equal(used(TX), 4);
	card_end();
}

static void what_is_recorded_is_the_file(void)
{
	u8 samples[PERIOD];
	unsigned int i;

	if (!card_make(true))
		return;
	prepare(1);
	for (i = 0; i < 3; i++)
		send(RX, 0);
	tap_equal(used(RX), 0);
	tap_equal(command(VIRTIO_SND_R_PCM_START, 1), OK);
	time_goes_on(15 * MS);
	tap_equal(used(RX), 3);
	tap_equal(recorded(samples, PERIOD + 8), OK);
	for (i = 0; i < PERIOD && samples[i] == sample(7, i); i++)
		;
	tap_equal(i, PERIOD);
	tap_equal(recorded(samples, PERIOD + 8), OK);
	for (i = 0; i < 500 && samples[i] == sample(7, PERIOD + i); i++)
		;
	tap_equal(i, 500);
	for (; i < PERIOD && !samples[i]; i++)
		;
	tap_equal(i, PERIOD);
	tap_equal(recorded(samples, PERIOD + 8), OK);
	tap_check(!samples[0] && !samples[PERIOD - 1]);
	/* A message that a release returns has no samples. */
	send(RX, 0);
	tap_equal(command(VIRTIO_SND_R_PCM_STOP, 1), OK);
	tap_equal(command(VIRTIO_SND_R_PCM_RELEASE, 1), OK);
	tap_equal(recorded(samples, 8), OK);
	tap_equal(samples[0], 0xee);
	tap_equal(samples[PERIOD - 1], 0xee);
	/* The file starts from its beginning. */
	tap_equal(command(VIRTIO_SND_R_PCM_PREPARE, 1), OK);
	send(RX, 0);
	tap_equal(command(VIRTIO_SND_R_PCM_START, 1), OK);
	time_goes_on(5 * MS);
	tap_equal(recorded(samples, PERIOD + 8), OK);
	tap_equal(samples[0], sample(7, 0));
	card_end();
}

static void a_stopped_stream_goes_on(void)
{
	unsigned int i;

	if (!card_make(false))
		return;
	prepare(0);
	for (i = 0; i < 3; i++)
		send(TX, i);
	tap_equal(command(VIRTIO_SND_R_PCM_START, 0), OK);
	time_goes_on(2 * MS);
	tap_equal(command(VIRTIO_SND_R_PCM_STOP, 0), OK);
	tap_equal(command(VIRTIO_SND_R_PCM_STOP, 0), OK);
	time_goes_on(1000 * MS);
	tap_equal(used(TX), 0);
	tap_equal(command(VIRTIO_SND_R_PCM_START, 0), OK);
	tap_check(due_at(0, clock_ns + 3 * MS));
	time_goes_on(3 * MS);
	tap_equal(played(), OK);
	tap_check(due_at(0, clock_ns + 5 * MS));
	tap_equal(command(VIRTIO_SND_R_PCM_RELEASE, 0), BAD);
	tap_equal(command(VIRTIO_SND_R_PCM_STOP, 0), OK);
	/* All messages are returned before the answer, begun or not. */
	tap_equal(command(VIRTIO_SND_R_PCM_RELEASE, 0), OK);
	tap_equal(used(TX), 3);
	tap_equal(played(), OK);
	tap_equal(played(), OK);
	tap_check(file_has(2));
	/* A new message does not inherit the remaining time of an old one. */
	tap_equal(command(VIRTIO_SND_R_PCM_PREPARE, 0), OK);
	send(TX, 2);
	tap_equal(command(VIRTIO_SND_R_PCM_START, 0), OK);
	tap_check(due_at(0, clock_ns + 5 * MS));
	tap_check(file_has(3));
	card_end();
}

static void wrong_messages_come_back(void)
{
	const __le32 zero = 0;
	const struct piece short_head[] = { { 3, false, &zero }, { 8, true, NULL } };
	const struct piece no_status[] = { { 4, false, &zero }, { 7, true, NULL } };
	const struct piece nothing[] = { { 4, false, &zero } };
	const struct piece empty[] = { { 4, false, &zero }, { 8, true, NULL } };
	unsigned int head;
	unsigned int i;

	if (!card_make(false))
		return;
	/* A message before the stream is prepared. */
	send(TX, 0);
	tap_equal(played(), IO_ERR);
	prepare(0);
	give(TX, short_head, 2);
	give(TX, no_status, 2);
	give(TX, nothing, 1);
	give(TX, empty, 2);
	send_to(TX, 1, 0, PERIOD);
	send_to(TX, ~0U, 0, PERIOD);
	send_to(TX, 0, 0, PERIOD + 2);
	/* More than the configured buffer: 8 * PERIOD. */
	send_to(TX, 0, 0, 8 * PERIOD + 4);
	send(TX, 0);
	tap_equal(used(TX), 1);
	tap_equal(command(VIRTIO_SND_R_PCM_START, 0), OK);
	tap_check(due_at(0, clock_ns + 5 * MS));
	tap_equal(used(TX), 9);
	tap_equal(take(TX, &head), 8);
	tap_equal(take(TX, &head), 0);
	tap_equal(take(TX, &head), 0);
	tap_equal(take(TX, &head), 8);
	for (i = 0; i < 4; i++)
		tap_equal(played(), IO_ERR);
	time_goes_on(5 * MS);
	tap_equal(played(), OK);
	tap_check(file_has(1));
	tap_equal(card->stream[0].bad, 9);
	card_end();
}

static void a_broken_queue_harms_no_other(void)
{
	if (!card_make(true))
		return;
	prepare(0);
	prepare(1);
	send(TX, 0);
	tap_equal(command(VIRTIO_SND_R_PCM_START, 0), OK);
	tap_equal(command(VIRTIO_SND_R_PCM_START, 1), OK);
	/* The head of a chain is outside of the table. */
	*word(TX, AVAIL + 4 + 2 * (added[TX] % NUM)) = NUM;
	__atomic_store_n(word(TX, AVAIL + 2), ++added[TX], __ATOMIC_SEQ_CST);
	time_goes_on(5 * MS);
	tap_check(card->stream[0].ring->vq.fault);
	tap_check(due_at(0, 0));
	send(RX, 0);
	tap_check(due_at(1, clock_ns + 5 * MS));
	time_goes_on(5 * MS);
	tap_equal(used(RX), 1);
	tap_equal(command(VIRTIO_SND_R_PCM_STOP, 0), OK);
	tap_equal(command(VIRTIO_SND_R_PCM_RELEASE, 0), OK);
	card_end();
}

/* ---- jacks ---- */

static int jack(const char *arg)
{
	const struct vmm_virtio_command *c;

	for (c = vmm_sound_ops.commands; c->name; c++) {
		if (!strcmp(c->name, "jack"))
			return c->run(v, arg);
	}
	return -ENOENT;
}

static void give_event(u32 len)
{
	const struct piece piece = { len, true, NULL };

	give(EVENT, &piece, 1);
}

static void want_event(u32 code, u32 data)
{
	struct virtio_snd_event event;
	unsigned int head;

	if (!tap_equal(take(EVENT, &head), sizeof(event)))
		return;
	memcpy(&event, at(EVENT, data_at(head)), sizeof(event));
	tap_equal(le32toh(event.hdr.code), code);
	tap_equal(le32toh(event.data), data);
}

static void jacks_are_plugged_and_unplugged(void)
{
	struct {
		__le32 status;
		struct virtio_snd_jack_info jack[2];
	} a;
	unsigned int head;

	if (!card_make(false))
		return;
	give_event(sizeof(struct virtio_snd_event));
	tap_equal(jack("mic off"), 0);
	want_event(VIRTIO_SND_EVT_JACK_DISCONNECTED, 1);
	/* An event without a buffer is sent later; one that changes nothing is not sent. */
	tap_equal(jack("mic off"), 0);
	tap_equal(jack("headphone off"), 0);
	tap_equal(jack("mic on"), 0);
	tap_equal(jack("mic off"), 0);
	give_event(7);
	give_event(sizeof(struct virtio_snd_event));
	tap_equal(take(EVENT, &head), 0);
	want_event(VIRTIO_SND_EVT_JACK_DISCONNECTED, 0);
	/* After a query of the state no event is sent. */
	tap_equal(jack("headphone on"), 0);
	tap_equal(query(VIRTIO_SND_R_JACK_INFO, 0, 2, 24, &a, sizeof(a)), sizeof(a));
	tap_equal(a.jack[0].connected, 1);
	tap_equal(a.jack[1].connected, 0);
	give_event(sizeof(struct virtio_snd_event));
	tap_equal(jack("mic on"), 0);
	want_event(VIRTIO_SND_EVT_JACK_CONNECTED, 1);
	tap_equal(jack(NULL), -EINVAL);
	tap_equal(jack(""), -EINVAL);
	tap_equal(jack("mic"), -EINVAL);
	tap_equal(jack("micro on"), -EINVAL);
	tap_equal(jack("mic maybe"), -EINVAL);
	card_end();
}

/* ---- the VM's life ---- */

static void a_paused_vm_plays_nothing(void)
{
	u32 base = 0;

	if (!card_make(false))
		return;
	prepare(0);
	send(TX, 0);
	send(TX, 1);
	tap_equal(command(VIRTIO_SND_R_PCM_START, 0), OK);
	time_goes_on(2 * MS);
	vmm_sound_ops.pause(v);
	vmm_sound_ops.pause(v);
	/* The message that has begun is put back, and is taken again. */
	tap_equal(vmm_sound_ops.base(v, TX, &base), 0);
	tap_equal(base, 0);
	time_goes_on(1000 * MS);
	tap_equal(used(TX), 0);
	vmm_sound_ops.resume(v);
	tap_check(due_at(0, clock_ns + 3 * MS));
	time_goes_on(3 * MS);
	tap_equal(played(), OK);
	time_goes_on(5 * MS);
	tap_equal(played(), OK);
	tap_check(file_has(2));
	tap_equal(card->stream[0].gaps, 0);
	card_end();
}

#define TAG	16

static void saved(struct vmm_state *state)
{
	*state = (struct vmm_state){ 0 };
	tap_equal(vmm_state_begin(state, "test", 1), 0);
	vmm_sound_ops.save(v, state, TAG);
	tap_equal(vmm_state_end(state), 0);
}

static int loaded(struct vmm_state *state)
{
	int err = vmm_state_open(state, "test", 1);

	pthread_mutex_lock(&v->lock);
	if (err >= 0)
		err = vmm_sound_ops.load(v, state, TAG, v->config);
	pthread_mutex_unlock(&v->lock);
	return err;
}

/* Streams of a saved driver that had not started the card are none of the next driver's. */
static void a_new_driver_gets_a_new_card(void)
{
	struct vmm_state state;

	if (!card_make(false))
		return;
	prepare(0);
	tap_equal(command(VIRTIO_SND_R_PCM_START, 0), OK);
	vmm_sound_ops.pause(v);
	saved(&state);
	vmm_virtio_reset(v);
	tap_equal(loaded(&state), 0);
	tap_equal(card->stream[0].pcm.state, VMM_PCM_RUNNING);
	pthread_mutex_lock(&v->lock);
	v->running = !vmm_sound_ops.start(v);
	pthread_mutex_unlock(&v->lock);
	tap_check(v->running);
	tap_equal(card->stream[0].pcm.state, VMM_PCM_NEW);
	/* A state that is refused leaves jacks as they are. */
	state.bytes[state.len - 1] = 1;
	tap_equal(jack("mic off"), 0);
	tap_equal(loaded(&state), -EINVAL);
	tap_check(!card->jack[VMM_SOUND_MIC].connected);
	vmm_state_free(&state);
	card_end();
}

/* A stream that plays is saved, and loaded into a card whose driver has the same queues. */
static void a_saved_card_goes_on(void)
{
	struct vmm_state state;
	unsigned int i;

	if (!card_make(false))
		return;
	prepare(0);
	send(TX, 0);
	send(TX, 1);
	tap_equal(command(VIRTIO_SND_R_PCM_START, 0), OK);
	time_goes_on(2 * MS);
	tap_equal(jack("mic off"), 0);
	vmm_sound_ops.pause(v);
	saved(&state);
	vmm_virtio_reset(v);
	tap_equal(card->stream[0].pcm.state, VMM_PCM_NEW);
	tap_equal(loaded(&state), 0);
	tap_equal(card->stream[0].pcm.state, VMM_PCM_RUNNING);
	tap_check(!card->jack[VMM_SOUND_MIC].connected && card->jack[VMM_SOUND_MIC].told);
	v->accepted = 1ULL << VIRTIO_F_VERSION_1;
	for (i = 0; i < QUEUES; i++) {
		v->queue[i].num = NUM;
		v->queue[i].desc = BASE + i * QUEUE;
		v->queue[i].driver = BASE + i * QUEUE + AVAIL;
		v->queue[i].device = BASE + i * QUEUE + USED;
		v->queue[i].ready = true;
		v->queue[i].resumed = true;
		v->queue[i].base = i == CONTROL ? added[CONTROL] : 0;
	}
	pthread_mutex_lock(&v->lock);
	v->loaded = true;
	v->running = !vmm_sound_ops.start(v);
	v->loaded = false;
	pthread_mutex_unlock(&v->lock);
	tap_check(v->running);
	tap_check(due_at(0, clock_ns + 3 * MS));
	time_goes_on(3 * MS);
	tap_equal(played(), OK);
	time_goes_on(5 * MS);
	tap_equal(played(), OK);
	tap_check(file_has(2));
	vmm_state_free(&state);
	card_end();
}

static void damaged_states_are_refused(void)
{
	static const u8 values[] = { 0, 1, 2, 5, 6, 0x7f, 0x80, 0xff };
	struct vmm_state state;
	unsigned int i, j;
	u8 was;

	if (!card_make(false))
		return;
	prepare(0);
	send(TX, 0);
	tap_equal(command(VIRTIO_SND_R_PCM_START, 0), OK);
	vmm_sound_ops.pause(v);
	saved(&state);
	vmm_virtio_reset(v);
	for (i = 0; i < state.len; i++) {
		was = state.bytes[i];
		for (j = 0; j < ARRAY_SIZE(values); j++) {
			const struct vmm_sound_stream *s = &card->stream[0];

			state.bytes[i] = values[j];
			if (loaded(&state))
				continue;
			tap_context("byte %u is %#x", i, values[j]);
			tap_check(s->pcm.state < VMM_PCM_STATES && s->left <= 1000 * MS);
			tap_check(!s->pcm.state || s->pcm.format.rate);
		}
		state.bytes[i] = was;
	}
	/* A new driver does not use the loaded state. */
	tap_equal(loaded(&state), 0);
	vmm_virtio_reset(v);
	driver_begin();
	tap_equal(card->stream[0].pcm.state, VMM_PCM_NEW);
	tap_equal(command(VIRTIO_SND_R_PCM_STOP, 0), BAD);
	vmm_state_free(&state);
	card_end();
}

/* After a reset in any state of the driver, another one can start. */
static void a_reset_may_come_at_any_time(void)
{
	static const u32 codes[] = {
		VIRTIO_SND_R_PCM_PREPARE, VIRTIO_SND_R_PCM_START, VIRTIO_SND_R_PCM_STOP,
		VIRTIO_SND_R_PCM_RELEASE,
	};
	unsigned int far, i;

	if (!card_make(true))
		return;
	for (far = 0; far <= ARRAY_SIZE(codes); far++) {
		tap_context("after %u commands", far);
		for (i = 0; i < 2; i++)
			tap_equal(set_params(i, 8 * PERIOD, PERIOD), OK);
		for (i = 0; i < far; i++) {
			tap_equal(command(codes[i], 0), OK);
			tap_equal(command(codes[i], 1), OK);
			if (codes[i] != VIRTIO_SND_R_PCM_PREPARE)
				continue;
			send(TX, 0);
			send(RX, 0);
		}
		driver_begin();
		tap_equal(card->stream[0].pcm.state, VMM_PCM_NEW);
		tap_equal(card->stream[1].pcm.state, VMM_PCM_NEW);
		time_goes_on(1000 * MS);
		tap_equal(used(TX), 0);
		tap_equal(used(RX), 0);
	}
	card_end();
}

static const struct tap_case cases[] = {
	{ "it says what it is", it_says_what_it_is },
	{ "wrong queries are refused", wrong_queries_are_refused },
	{ "wrong requests are refused", wrong_requests_are_refused },
	{ "sound is played at its pace", sound_is_played_at_its_pace },
	{ "lost time is bounded", lost_time_is_bounded },
	{ "what is recorded is the file", what_is_recorded_is_the_file },
	{ "a stopped stream goes on", a_stopped_stream_goes_on },
	{ "wrong messages come back", wrong_messages_come_back },
	{ "a broken queue harms no other", a_broken_queue_harms_no_other },
	{ "jacks are plugged and unplugged", jacks_are_plugged_and_unplugged },
	{ "a paused VM plays nothing", a_paused_vm_plays_nothing },
	{ "a new driver gets a new card", a_new_driver_gets_a_new_card },
	{ "a saved card goes on", a_saved_card_goes_on },
	{ "damaged states are refused", damaged_states_are_refused },
	{ "a reset may come at any time", a_reset_may_come_at_any_time },
};

/* A file of 48000 Hz, stereo, with a period and 500 bytes. */
static void record_write(void)
{
	static const u8 header[44] = {
		'R', 'I', 'F', 'F', 0xd8, 5, 0, 0, 'W', 'A', 'V', 'E',
		'f', 'm', 't', ' ', 16, 0, 0, 0, 1, 0, 2, 0, 0x80, 0xbb, 0, 0, 0, 0xee, 2, 0,
		4, 0, 16, 0, 'd', 'a', 't', 'a', 0xb4, 5, 0, 0,
	};
	int fd = open(record_path, O_WRONLY | O_CLOEXEC);
	unsigned int i;
	u8 byte;

	tap_equal(write(fd, header, sizeof(header)), sizeof(header));
	for (i = 0; i < PERIOD + 500; i++) {
		byte = sample(7, i);
		tap_equal(write(fd, &byte, 1), 1);
	}
	close(fd);
}

int main(void)
{
	int rc;

	snprintf(play_path, sizeof(play_path), "/tmp/vmmctl-play-XXXXXX");
	close(mkstemp(play_path));
	snprintf(record_path, sizeof(record_path), "/tmp/vmmctl-record-XXXXXX");
	close(mkstemp(record_path));
	record_write();
	rc = tap_run(cases, ARRAY_SIZE(cases));
	unlink(play_path);
	unlink(record_path);
	return rc;
}
