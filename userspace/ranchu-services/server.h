/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ranchu-services: the log file, the loop and the sandbox.
 */
#ifndef SERVER_H
#define SERVER_H

#include "channel.h"

/* ---- logfile.c: the guest's log ---- */

#define LOG_MOST	(16 * MIB)	/* default limit in bytes */

/**
 * struct logfile - a file of bounded length
 * @fd: the file, -1 for none
 * @len: bytes in the file
 * @most: limit in bytes: above it, the older half is removed
 */
struct logfile {
	int fd;
	u64 len;
	u64 most;
};

int logfile_open(struct logfile *file, const char *path);
void logfile_add(void *arg, const u8 *bytes, size_t len);

/* ---- server.c: pipes and the link ---- */

#define SERVER_PIPES	64	/* limit of pipes that are open at once */

int server_run(struct guest *guest, int link_fd, int services_fd);

/* ---- confine.c ---- */

int services_confine(void);

#endif /* SERVER_H */
