/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ranchu-services: what it is connected to.
 */
#ifndef SERVER_H
#define SERVER_H

#include "channel.h"

/* ---- logfile.c: where the guest's log goes ---- */

#define LOG_MOST	(16 * MIB)	/* bytes, if the command line says nothing */

/**
 * struct logfile - a file of bounded length
 * @fd: the file, -1 for none
 * @len: bytes of it
 * @most: bytes that it may have: beyond, the older half goes
 */
struct logfile {
	int fd;
	u64 len;
	u64 most;
};

int logfile_open(struct logfile *file, const char *path);
void logfile_add(void *arg, const u8 *bytes, size_t len);

/* ---- server.c: pipes and the link ---- */

#define SERVER_PIPES	64	/* that the guest has open at once */

int server_run(struct guest *guest, int link_fd, int services_fd);

/* ---- confine.c ---- */

int services_confine(void);

#endif /* SERVER_H */
