/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fake pipes, for tests of a program that serves pipes by libranchu-pipe in its own loop:
 * the functions of the library that such a program calls, without the kernel's device. A pipe
 * is a socket pair. The program's eventfd is signalled every millisecond; more signals than
 * necessary are allowed.
 */
#ifndef PIPES_H
#define PIPES_H

#include <stdbool.h>
#include <stddef.h>

#define PIPES_PATIENCE_MS	20000
#define PIPES_REFUSED		(-2)

/* Returns the program's file of services. Its other end acts as the kernel. */
int pipes_begin(void);
void pipes_end(void);
/* Ends the guest. */
void pipes_gone(void);

/* Makes the program's next ranchu_pipe_accept() fail. */
void pipes_fail(void);

/* Opens a pipe as a guest does; returns the guest's end, or PIPES_REFUSED. */
int pipes_open(const char *name, const char *args);
void pipes_close(int fd);
/* Tells the program of closed pipes, as the kernel does before the guest continues. */
void pipes_wake(void);

/* Wait for bytes; check that exactly these bytes are read; check that the pipe was hung up. */
bool pipes_wait(int fd);
bool pipes_reads(int fd, const void *want, size_t n);
bool pipes_ended(int fd);
void pipes_write(int fd, const void *bytes, size_t n);

#endif /* PIPES_H */
