/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The protocol between vmmctl and ranchu-sound, on a Unix socket of packets (SOCK_SEQPACKET).
 * Each packet is a struct vmm_sound_packet, followed by samples in packets that have some.
 * Numbers are little endian.
 *
 * vmmctl starts and stops each direction. It sends samples for playback at the pace at which they
 * are to be heard, and requests recorded samples, so vmmctl's clock sets the pace. ranchu-sound
 * answers a request with the samples that it has, followed by ALL, and sends nothing else. vmmctl
 * has one request outstanding at a time. Samples that do not fit into the socket are lost.
 */
#ifndef SOUND_WIRE_H
#define SOUND_WIRE_H

#include "types.h"

#define VMM_SOUND_PACKET	16384	/* bytes of samples in a packet, at most */

enum vmm_sound_word {
	VMM_SOUND_START = 1,	/* with the format; also for a change of format */
	VMM_SOUND_STOP,
	VMM_SOUND_SAMPLES,	/* samples follow */
	VMM_SOUND_ASK,		/* requests @bytes of recorded samples */
	VMM_SOUND_ALL,		/* end of the answer to a request */
};

/**
 * struct vmm_sound_packet - header of each packet
 * @word: enum vmm_sound_word
 * @bytes: bytes of the samples that follow, or that are requested
 * @rate: START: frames per second
 * @record: direction, 1 for recording
 * @channels: START: samples of a frame
 * @bits: START: bits of a sample
 * @is_float: START: 1 for floating point, else 0
 */
struct vmm_sound_packet {
	__le32 word;
	__le32 bytes;
	__le32 rate;
	u8 record;
	u8 channels;
	u8 bits;
	u8 is_float;
};

#endif /* SOUND_WIRE_H */
