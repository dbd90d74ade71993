/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The user at the other end of a local TCP connection.
 */
#ifndef TCP_OWNER_H
#define TCP_OWNER_H

#include <stdbool.h>

struct vmm_tcp_owner;

struct vmm_tcp_owner *vmm_tcp_owner_open(void);
void vmm_tcp_owner_close(struct vmm_tcp_owner *owner);
bool vmm_tcp_owner_trusted(struct vmm_tcp_owner *owner, int fd);

#endif /* TCP_OWNER_H */
