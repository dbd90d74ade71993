/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Connections whose clients send lines and are sent text: what the control socket and
 * the emulator's console share. Everything runs in the main thread and never blocks.
 *
 * Nothing a client does costs more than its own connection. A line has a bounded length.
 * A client that does not read what it is sent is not read from. Lines of a client are
 * taken in order, and none while the client is busy.
 */
#ifndef CONTROL_LINES_H
#define CONTROL_LINES_H

#include "machine/machine.h"

#define VMM_LINES_OUT	(1 << 20)	/* bytes that wait for a client, at most */
#define VMM_LINES_FDS	2		/* listening sockets, at most */
#define VMM_LINES_FILES	(2 + VMM_DISKS)	/* files that come along with a line, at most */

struct vmm_lines;

/**
 * struct vmm_lines_client - a connection
 * @lines: whose
 * @index: which of the connections that there can be; fixed
 * @number: which client it is, from 1 on
 * @fd: the connection, -1 while the element is unused
 * @events: what the loop waits for, -1 for not in the loop
 * @in: what was received and not taken yet
 * @in_len: bytes of it
 * @skipping: the rest of a line that was too long is thrown away
 * @ended: the client sends no more
 * @ending: nothing more is taken, and the connection ends when all is sent
 * @busy: no line is taken
 * @out: what is to be sent
 * @out_len: bytes of it
 * @out_size: bytes allocated
 * @file: goes along with the byte at @file_at of what is to be sent, 0 for none
 * @file_at: bytes that are sent before it
 * @given: files that came and that no line has taken, 0 for none; the newest are kept
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
 * struct vmm_lines_ops - who talks to the clients
 * @clients: connections, at most
 * @line_max: bytes of a line, its newline included
 * @files: clients may send files along
 * @opened: a client has come; false sends it away
 * @line: it has sent a line, of which the end is cut off
 * @too_long: it has sent a line that is too long, which is thrown away
 * @closed: it is gone
 * @may_go: the client's connection may be ended for a new one; NULL: none may
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
