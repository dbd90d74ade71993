/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A program that serves the goldfish address space of a VM; host/address_wire.h has the
 * protocol.
 */
#ifndef ADDRESS_SOCKET_H
#define ADDRESS_SOCKET_H

#include "types.h"

struct vmm_address_socket;
struct vmm_loop;

/**
 * struct vmm_address_map - host memory that is to be shown in the area
 * @offset: in the area
 * @size: bytes
 * @fd: memfd that cannot shrink; not kept
 * @file_offset: where the memory begins in the file
 */
struct vmm_address_map {
	u64 offset;
	u64 size;
	int fd;
	u64 file_offset;
};

/**
 * struct vmm_address_area - the area, and operations for a program
 * @map: shows memory: 0, or -errno without a message
 * @unmap: removes memory that begins at an offset: 0, or -errno without a message
 * @arg: first argument of both
 * @size: bytes of the area
 * @handles: numbers of handles are 1 to this
 *
 * Both are called in the main thread. The map is not trusted.
 */
struct vmm_address_area {
	int (*map)(void *arg, const struct vmm_address_map *map);
	int (*unmap)(void *arg, u64 offset);
	void *arg;
	u64 size;
	u32 handles;
};

/* ---- address_socket.c ---- */

int vmm_address_socket_open(const char *path, struct vmm_loop *loop,
			    const struct vmm_address_area *area,
			    struct vmm_address_socket **socket);
void vmm_address_socket_close(struct vmm_address_socket *socket);
bool vmm_address_socket_ping(struct vmm_address_socket *socket, u32 handle, u64 start,
			     u8 *page);
void vmm_address_socket_closed(struct vmm_address_socket *socket, u32 handle);
void vmm_address_socket_freed(struct vmm_address_socket *socket, u64 offset, u64 size);
void vmm_address_socket_reset(struct vmm_address_socket *socket);
u64 vmm_address_socket_unanswered(const struct vmm_address_socket *socket);

#endif /* ADDRESS_SOCKET_H */
