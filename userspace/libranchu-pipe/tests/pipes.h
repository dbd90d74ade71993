/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pipes of a test's, for a program that serves them by libranchu-pipe in a loop of its own:
 * the functions of the library that such a program calls, without a kernel's device. A pipe
 * is a socket pair. The program's eventfd is signalled every millisecond: more often than it
 * has to be is allowed.
 */
#ifndef PIPES_H
#define PIPES_H

#include <stdbool.h>
#include <stddef.h>

#define PIPES_PATIENCE_MS	20000
#define PIPES_REFUSED		(-2)

/* The file of services for the program. The other end is the kernel's. */
int pipes_begin(void);
void pipes_end(void);
/* The guest is no more. */
void pipes_gone(void);

/* The program's next ranchu_pipe_accept() fails. */
void pipes_fail(void);

/* As the guest does it: its end, or PIPES_REFUSED. */
int pipes_open(const char *name, const char *args);
void pipes_close(int fd);
/* As the kernel does it before the guest goes on: the program is told of what was closed. */
void pipes_wake(void);

/* What can be read is there in time; exactly this is read; the pipe was hung up. */
bool pipes_wait(int fd);
bool pipes_reads(int fd, const void *want, size_t n);
bool pipes_ended(int fd);
void pipes_write(int fd, const void *bytes, size_t n);

#endif /* PIPES_H */
