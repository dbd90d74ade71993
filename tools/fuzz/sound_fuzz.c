// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: vmmctl's end of the connection to ranchu-sound, with a ranchu-sound that sends
 * anything, more than it was asked for, nothing, or hangs up and comes again. What a guest
 * records must be what was sent, in order, and no more than it was asked for.
 *
 * The thread of sound_peer.c is the target itself, so that an input does the same each time.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/sound_peer.c"
#include "host/unix.h"
#include "fuzz.h"

#define PIECES	4
#define MOST	(2 * VMM_SOUND_PACKET)	/* recorded at once */

static struct {
	struct vmm_sound_peer peer;
	int listen_fd;
	int sock;		/* ranchu-sound's end */
	char path[64];
	u32 put;		/* bytes that vmmctl has taken */
	u32 got;		/* and that the guest has recorded, or that were thrown away */
} fuzz;

/* Nobody has a thread here. */
void vmm_thread_add(struct vmm_vm *vm, struct vmm_thread *thread, const char *name,
		    void *(*fn)(void *arg), void *arg)
{
}

void vmm_thread_remove(struct vmm_vm *vm, struct vmm_thread *thread)
{
}

static void clean_up(void)
{
	unlink(fuzz.path);
}

static void host_open(void)
{
	snprintf(fuzz.path, sizeof(fuzz.path), "/tmp/vmmctl-fuzz-sound-%d", getpid());
	fuzz.listen_fd = vmm_unix_listen_packets(fuzz.path);
	MUST(fuzz.listen_fd >= 0);
	atexit(clean_up);
	pthread_mutex_init(&fuzz.peer.lock, NULL);
}

static void comes(void)
{
	fuzz.sock = accept4(fuzz.listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	MUST(fuzz.sock >= 0);
}

/* As peer_main() does when its file is readable. */
static void serve(void)
{
	size_t have = fuzz.peer.have;

	peer_read(&fuzz.peer);
	fuzz.put += fuzz.peer.have - have;
	if (fuzz.peer.stream.lost) {
		close(fuzz.sock);
		peer_retry(&fuzz.peer);
		MUST(!fuzz.peer.stream.lost && !fuzz.peer.asking);
		comes();
	}
	MUST(fuzz.peer.have + fuzz.peer.asked <= VMM_SOUND_STOCK);
	MUST(fuzz.peer.have == fuzz.put - fuzz.got);
}

static void run(struct input *in)
{
	static const struct vmm_sound_format formats[] = {
		{ 8000, 1, 16, false }, { 44100, 2, 16, false }, { 8000, 1, 8, false },
		{ 96000, 2, 32, true },
	};
	unsigned int how = take(in, 1);
	bool record = how & 1;

	vmm_sound_peer_run(&fuzz.peer, record, how & 2, &formats[how >> 2 & 3]);
	if (!fuzz.peer.have)
		fuzz.got = fuzz.put;
}

/* Mostly little, so that there are many steps in a second. */
static size_t length(struct input *in)
{
	return take(in, 1) & 3 ? take(in, 1) : take(in, 2) % (MOST + 1);
}

/* Pieces of any length; the last one has the rest. */
static unsigned int cut(struct input *in, u8 *bytes, size_t len, struct iovec iov[PIECES])
{
	unsigned int count = 0;
	size_t part;

	do {
		part = count == PIECES - 1 ? len : take(in, 2) % (len + 1);
		iov[count++] = (struct iovec){ bytes, part };
		bytes += part;
		len -= part;
	} while (len && count < PIECES);
	return count;
}

static void record(struct input *in)
{
	static u8 bytes[MOST];
	size_t len = length(in);
	struct iovec iov[PIECES];
	unsigned int count = cut(in, bytes, len, iov);
	size_t n, i;

	/* vmmctl records what was started once, or had been. */
	if (!fuzz.peer.format[1].bits)
		return;
	for (i = 0, len = 0; i < count; i++)
		len += iov[i].iov_len;
	memset(bytes, 0xee, len);
	n = vmm_sound_peer_record(&fuzz.peer, iov, count, len);
	MUST(n <= len && !(n % vmm_sound_frame(&fuzz.peer.format[1])));
	for (i = 0; i < n; i++)
		MUST(bytes[i] == (u8)(fuzz.got + i));
	for (i = n; i < len; i++)
		MUST(bytes[i] == 0xee);
	fuzz.got += n;
}

static void play(struct input *in)
{
	static u8 bytes[MOST];
	size_t len = length(in);
	struct iovec iov[PIECES];
	unsigned int count = cut(in, bytes, len, iov);
	size_t i;

	for (i = 0, len = 0; i < count; i++)
		len += iov[i].iov_len;
	vmm_sound_peer_play(&fuzz.peer, iov, count, len);
}

/* What ranchu-sound is told is of one of the kinds, and as long as it says. */
static void hear(void)
{
	static struct {
		struct vmm_sound_packet head;
		u8 samples[VMM_SOUND_PACKET + 1];
	} packet;
	ssize_t n;

	while ((n = recv(fuzz.sock, &packet, sizeof(packet), MSG_DONTWAIT)) > 0) {
		u32 word = le32toh(packet.head.word);
		u32 bytes = le32toh(packet.head.bytes);

		MUST(n >= (ssize_t)sizeof(packet.head));
		MUST(word >= VMM_SOUND_START && word <= VMM_SOUND_ASK);
		MUST(packet.head.record <= 1);
		if (word == VMM_SOUND_SAMPLES)
			MUST(bytes == n - sizeof(packet.head) && bytes <= VMM_SOUND_PACKET);
		else
			MUST(n == sizeof(packet.head));
		MUST(word != VMM_SOUND_ASK || (bytes && bytes <= VMM_SOUND_STOCK));
	}
}

/* A packet that is right, or nearly, or not at all. */
static void answer(struct input *in)
{
	static struct {
		struct vmm_sound_packet head;
		u8 samples[VMM_SOUND_PACKET + 64];
	} packet;
	unsigned int how = take(in, 1);
	size_t bytes = !(how & 12) ? take(in, 2) % sizeof(packet.samples) : take(in, 1);
	size_t len = sizeof(packet.head) + bytes;
	size_t i;

	packet.head = (struct vmm_sound_packet){
		.word = htole32(how & 2 ? VMM_SOUND_ALL : VMM_SOUND_SAMPLES),
		.bytes = htole32(bytes), .record = 1,
	};
	if (how >= 0xf0)
		((u8 *)&packet.head)[take(in, 1) % sizeof(packet.head)] ^= take(in, 1);
	if ((how & 0xf0) == 0xe0)
		len = take(in, 1) % len;
	for (i = 0; i < bytes; i++)
		packet.samples[i] = fuzz.put + i;
	send(fuzz.sock, &packet, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void act(struct input *in)
{
	switch (take(in, 1) & 7) {
	case 0:
		run(in);
		break;
	case 1:
		play(in);
		break;
	case 2:
		hear();
		break;
	case 3:
		if (take(in, 1) < 64)
			shutdown(fuzz.sock, SHUT_RDWR);
		break;
	case 4:
	case 5:
		record(in);
		break;
	default:
		answer(in);
	}
	serve();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	struct vmm_sound_peer *peer = &fuzz.peer;

	if (!*fuzz.path)
		host_open();
	MUST(!vmm_stream_open_packets(&peer->stream, fuzz.path));
	comes();
	peer->runs[0] = false;
	peer->runs[1] = false;
	memset(peer->format, 0, sizeof(peer->format));
	peer->at = 0;
	peer->have = 0;
	peer->asking = false;
	peer->asked = 0;
	fuzz.put = 0;
	fuzz.got = 0;
	while (in.left)
		act(&in);
	close(fuzz.sock);
	vmm_stream_close(&peer->stream);
	return 0;
}
