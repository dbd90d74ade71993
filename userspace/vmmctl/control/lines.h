/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Connections whose clients send lines and get text: the common part of the control socket and of
 * the emulator's console. Everything runs in the main thread and never blocks.
 *
 * A client can only harm its own connection. The length of a line is limited. A client that does
 * not read is not read from. Lines of a client are handled in order, and none while the client is
 * busy.
 */
#ifndef CONTROL_LINES_H
#define CONTROL_LINES_H

#include "machine/machine.h"

#define VMM_LINES_OUT	(1 << 20)	/* bytes to send to a client, at most */
#define VMM_LINES_FDS	2		/* listening sockets, at most */
#define VMM_LINES_FILES	(3 + VMM_DISKS)	/* files that come with a line, at most */

struct vmm_lines;

/**
 * struct vmm_lines_client - a connection
 * @lines: the connections that it belongs to
 * @index: index of the element; fixed
 * @number: number of the client, from 1 on
 * @fd: the connection, -1 while the element is unused
 * @events: events that the loop waits for, -1 for not in the loop
 * @in: received bytes that were not handled yet
 * @in_len: bytes in @in
 * @skipping: the rest of a line that was too long is discarded
 * @ended: the client sends no more
 * @ending: no more lines are handled, and the connection is closed when everything is sent
 * @busy: no line is handled
 * @out: bytes to send
 * @out_len: bytes in @out
 * @out_size: bytes allocated
 * @file: a file to send with the byte at @file_at of @out, 0 for none
 * @file_at: bytes that are sent before it
 * @given: received files for the next line, 0 for none; the newest are kept
 */
struct vmm_lines_client {
	struct vmm_lines *lines;
	unsigned int index;
	u64 number;
	int fd;
	int events;
	char *in;
	size_t in_len;
	bool skipping;
	bool ended;
	bool ending;
	bool busy;
	char *out;
	size_t out_len;
	size_t out_size;
	int file;
	size_t file_at;
	int given[VMM_LINES_FILES];
};

/**
 * struct vmm_lines_ops - callbacks
 * @clients: connections, at most
 * @line_max: bytes of a line, its newline included
 * @files: clients may send files
 * @opened: a client has connected; false refuses it
 * @line: the client has sent a line; called without the newline
 * @too_long: the client has sent a line that is too long, which is discarded
 * @closed: the client has gone
 * @may_go: whether the connection may be closed for a new client; NULL: none may
 */
struct vmm_lines_ops {
	unsigned int clients;
	size_t line_max;
	bool files;
	bool (*opened)(void *arg, struct vmm_lines_client *c);
	void (*line)(void *arg, struct vmm_lines_client *c, const char *line, size_t len);
	void (*too_long)(void *arg, struct vmm_lines_client *c);
	void (*closed)(void *arg, struct vmm_lines_client *c);
	bool (*may_go)(void *arg, const struct vmm_lines_client *c);
};

/* ---- lines.c ---- */

struct vmm_lines *vmm_lines_open(struct vmm_loop *loop, const int *fds, unsigned int count,
				 const struct vmm_lines_ops *ops, void *arg);
void vmm_lines_close(struct vmm_lines *lines);
void vmm_lines_flush(struct vmm_lines *lines);
struct vmm_lines_client *vmm_lines_next(struct vmm_lines *lines, struct vmm_lines_client *c);
bool vmm_lines_add(struct vmm_lines_client *c, const char *text, size_t len);
void vmm_lines_push(struct vmm_lines_client *c);
void vmm_lines_end(struct vmm_lines_client *c);
void vmm_lines_drop_files(struct vmm_lines_client *c);

#endif /* CONTROL_LINES_H */
