/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What vmmctl and a program that serves the goldfish address space say to each other, by a
 * Unix socket of packets (SOCK_SEQPACKET): each packet is a struct vmm_address_packet, with
 * a file only for MAP. Numbers are little endian. A field that is not named for a
 * word is 0.
 */
#ifndef ADDRESS_WIRE_H
#define ADDRESS_WIRE_H

#include "types.h"

#define VMM_ADDRESS_VERSION	1

enum vmm_address_word {
	/* vmmctl says: */
	VMM_ADDRESS_HELLO = 1,	/* @number: the version; @size: of the area; @offset: of a page */
	VMM_ADDRESS_OPENED,	/* @handle is about to send its first ping to this program */
	VMM_ADDRESS_PING_OF,	/* @handle asks: @number, @page; @offset: the area in the guest */
	VMM_ADDRESS_CLOSED,	/* an opened @handle was closed */
	VMM_ADDRESS_FREED,	/* the block at @offset, and so all memory in its @size bytes */
	VMM_ADDRESS_ANEW,	/* after a reset: all handles are closed, all memory is gone */
	VMM_ADDRESS_DONE,	/* what was asked by @number: @handle is 0, or an errno */
	/* The program says: */
	VMM_ADDRESS_ANSWER = 16,	/* the guest's page becomes @page, for ping @number */
	VMM_ADDRESS_MAP,	/* show @size bytes of the file at @offset of the area */
	VMM_ADDRESS_UNMAP,	/* take away the memory that begins at @offset */
};

/**
 * struct vmm_address_packet - all that a packet has
 * @word: enum vmm_address_word
 * @handle: of the guest's device
 * @number: of a ping, or of a request: the program's own choice
 * @offset: in the area
 * @size: bytes
 * @file_offset: MAP: where in the file the memory begins
 * @page: of the guest's
 */
struct vmm_address_packet {
	__le32 word;
	__le32 handle;
	__le64 number;
	__le64 offset;
	__le64 size;
	__le64 file_offset;
	u8 page[40];
};

#endif /* ADDRESS_WIRE_H */
