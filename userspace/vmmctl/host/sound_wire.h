/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What vmmctl and ranchu-sound say to each other, by a Unix socket of packets
 * (SOCK_SEQPACKET): each packet is a struct vmm_sound_packet, and samples behind it in
 * packets that have some. Numbers are little endian.
 *
 * vmmctl starts and stops each direction. It sends what is played as it is to be heard,
 * and asks for what is recorded, so that its clock is the one that counts. ranchu-sound
 * sends what it has of what was asked for, then says that this is all, and says nothing
 * else. vmmctl asks one question at a time. What it sends, and what finds no room, is lost.
 */
#ifndef SOUND_WIRE_H
#define SOUND_WIRE_H

#include "types.h"

#define VMM_SOUND_PACKET	16384	/* bytes of samples of a packet, at most */

enum vmm_sound_word {
	VMM_SOUND_START = 1,	/* in the format that it has; also a change of format */
	VMM_SOUND_STOP,
	VMM_SOUND_SAMPLES,	/* follow */
	VMM_SOUND_ASK,		/* for @bytes that were recorded */
	VMM_SOUND_ALL,		/* nothing more comes of what was asked for */
};

/**
 * struct vmm_sound_packet - begins each packet
 * @word: enum vmm_sound_word
 * @bytes: of the samples that follow, or that are asked for
 * @rate: START: moments a second
 * @record: which direction, 0 or 1
 * @channels: START: samples of one moment
 * @bits: START: of a sample
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
