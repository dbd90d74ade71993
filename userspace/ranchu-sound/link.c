// SPDX-License-Identifier: GPL-2.0-only
/*
 * The connection to vmmctl. A packet is copied before it is checked, and a wrong one
 * ends the program: vmmctl is not trusted to follow sound_wire.h.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "host/log.h"
#include "host/sound_wire.h"
#include "ranchu_sound.h"

#define CHANNELS_MAX	2
#define RATE_MIN	4000
#define RATE_MAX	192000

/**
 * struct link_packet - a packet
 * @head: its header
 * @samples: its data
 */
struct link_packet {
	struct vmm_sound_packet head;
	u8 samples[VMM_SOUND_PACKET];
};

static bool format_read(const struct vmm_sound_packet *head, struct vmm_sound_format *format)
{
	*format = (struct vmm_sound_format){
		.rate = le32toh(head->rate), .channels = head->channels, .bits = head->bits,
		.is_float = head->is_float,
	};
	return format->rate >= RATE_MIN && format->rate <= RATE_MAX && format->channels &&
	       format->channels <= CHANNELS_MAX && head->is_float <= 1 &&
	       (format->bits == 32 ||
		(!format->is_float && (format->bits == 8 || format->bits == 16)));
}

/* Sends the recorded samples, at most @bytes, and an end mark. */
static void answer(int fd, struct sound_pcm *record, size_t bytes)
{
	struct link_packet packet = { .head.record = 1 };
	size_t n;

	do {
		size_t most = bytes < sizeof(packet.samples) ? bytes : sizeof(packet.samples);

		n = sound_pcm_record(record, packet.samples, most);
		packet.head.word = htole32(n ? VMM_SOUND_SAMPLES : VMM_SOUND_ALL);
		packet.head.bytes = htole32(n);
		if (send(fd, &packet, sizeof(packet.head) + n, MSG_NOSIGNAL) < 0)
			return;
		bytes -= n;
	} while (n);
}

static int take(int fd, const struct link_packet *packet, size_t len, struct sound_pcm *play,
		struct sound_pcm *record)
{
	const struct vmm_sound_packet *head = &packet->head;
	struct sound_pcm *pcm = head->record ? record : play;
	u32 bytes = le32toh(head->bytes);
	struct vmm_sound_format format;

	switch (le32toh(head->word)) {
	case VMM_SOUND_START:
		if (head->record > 1 || !format_read(head, &format))
			return -EPROTO;
		/* A device that is missing now may be back the next time. */
		sound_pcm_start(pcm, &format);
		return 0;
	case VMM_SOUND_STOP:
		sound_pcm_stop(pcm);
		return 0;
	case VMM_SOUND_SAMPLES:
		if (head->record || bytes != len - sizeof(*head))
			return -EPROTO;
		sound_pcm_play(play, packet->samples, bytes);
		return 0;
	case VMM_SOUND_ASK:
		answer(fd, record, bytes);
		return 0;
	default:
		return -EPROTO;
	}
}

/**
 * sound_link_run - process vmmctl's packets until it hangs up
 * @fd: the connection
 * @play: playback
 * @record: recording
 *
 * Return: 0 once it has hung up, or -errno after a message
 */
int sound_link_run(int fd, struct sound_pcm *play, struct sound_pcm *record)
{
	static struct link_packet packet;
	int err = 0;

	while (!err) {
		ssize_t n = recv(fd, &packet, sizeof(packet), MSG_TRUNC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (n < (ssize_t)sizeof(packet.head) || n > (ssize_t)sizeof(packet))
			err = -EPROTO;
		else
			err = take(fd, &packet, n, play, record);
	}
	sound_pcm_stop(play);
	sound_pcm_stop(record);
	if (play->lost)
		vmm_note("%llu bytes were not played: ALSA's device is closed, or slow",
			 play->lost);
	return err ? vmm_error(err, "vmmctl has sent a wrong packet") : 0;
}
