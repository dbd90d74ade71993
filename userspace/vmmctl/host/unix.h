/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Unix sockets: the only place that handles their addresses, listening, connecting and passing
 * of files.
 */
#ifndef UNIX_H
#define UNIX_H

#include "types.h"

/* ---- unix.c ---- */

int vmm_unix_bind(const char *path, int backlog);
int vmm_unix_listen(const char *path);
int vmm_unix_listen_packets(const char *path);
void vmm_unix_remove(const char *path);
void vmm_unix_leave(void);
int vmm_unix_dial(const char *path);
int vmm_unix_dial_packets(const char *path);
int vmm_unix_dial_wait(const char *path, unsigned int timeout_ms);
int vmm_unix_dial_datagram(const char *path);
int vmm_unix_send_files(int sock, const void *data, size_t len, const int *fds,
			unsigned int count, int flags);

#endif /* UNIX_H */
