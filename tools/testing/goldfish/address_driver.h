/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interface of address_driver.ko for programs in the guest, like that of Android's driver of the
 * goldfish address space; and the pings of address_guest.c and address_service.c.
 */
#ifndef ADDRESS_DRIVER_H
#define ADDRESS_DRIVER_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define ADDRESS_NODE	"/dev/goldfish_address_space"

/**
 * struct address_block - argument of ADDRESS_ALLOCATE
 * @size: in: wanted bytes; out: allocated bytes
 * @offset: out: offset in the area
 * @phys: out: guest-physical address
 */
struct address_block {
	__u64 size;
	__u64 offset;
	__u64 phys;
};

/**
 * struct address_ping - argument of ADDRESS_PING
 * @offset: in the area; the device gets a guest-physical address
 * @size: bytes
 * @metadata: the request, and the answer
 * @version: 0
 * @wait_fd: 0
 * @wait_flags: 0
 * @direction: 0
 */
struct address_ping {
	__u64 offset;
	__u64 size;
	__u64 metadata;
	__u32 version;
	__u32 wait_fd;
	__u32 wait_flags;
	__u32 direction;
};

#define ADDRESS_ALLOCATE	_IOWR('G', 10, struct address_block)
#define ADDRESS_DEALLOCATE	_IOWR('G', 11, __u64)
#define ADDRESS_PING		_IOWR('G', 12, struct address_ping)

/* Requests to the test's service; the answer is in @metadata. */
#define ADDRESS_ASK_MAP		1	/* map memory into the block: 0, or an errno */
#define ADDRESS_ASK_SUM		2	/* the sum of that memory's words */
#define ADDRESS_ASK_NOTHING	3	/* no answer */

/* Word @i of memory that the service maps. */
#define ADDRESS_WORD(i)		(0x9e3779b9u * ((i) + 1))

#endif /* ADDRESS_DRIVER_H */
