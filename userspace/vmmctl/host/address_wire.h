/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The protocol between vmmctl and a program that serves the goldfish address space, on a Unix
 * socket of packets (SOCK_SEQPACKET). Each packet is a struct vmm_address_packet; only MAP
 * comes with a file. Numbers are little endian. Fields that are not named for a packet are 0.
 */
#ifndef ADDRESS_WIRE_H
#define ADDRESS_WIRE_H

#include "types.h"

#define VMM_ADDRESS_VERSION	1

enum vmm_address_word {
	/* vmmctl sends: */
	VMM_ADDRESS_HELLO = 1,	/* @number: the version; @size: of the area; @offset: of a page */
	VMM_ADDRESS_OPENED,	/* @handle is about to send its first ping to this program */
	VMM_ADDRESS_PING_OF,	/* ping @number of @handle, with @page; the area is at @offset */
	VMM_ADDRESS_CLOSED,	/* an opened @handle was closed */
	VMM_ADDRESS_FREED,	/* the block at @offset, with @size bytes, was freed */
	VMM_ADDRESS_ANEW,	/* after a reset: all handles are closed, all memory is gone */
	VMM_ADDRESS_DONE,	/* result of request @number: @handle is 0, or an errno */
	/* The program sends: */
	VMM_ADDRESS_ANSWER = 16,	/* answer to ping @number: the guest's page becomes @page */
	VMM_ADDRESS_MAP,	/* show @size bytes of the file at @offset of the area */
	VMM_ADDRESS_UNMAP,	/* remove the memory that begins at @offset */
};

/**
 * struct vmm_address_packet - a packet
 * @word: enum vmm_address_word
 * @handle: handle of the guest's device
 * @number: of a ping, or of a request, chosen by the program
 * @offset: in the area
 * @size: bytes
 * @file_offset: MAP: where the memory begins in the file
 * @page: the guest's page
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
