/* SPDX-License-Identifier: GPL-2.0-only */
/* Eventfds; the test program supplies the functions. */
#ifndef SHIM_LINUX_EVENTFD_H
#define SHIM_LINUX_EVENTFD_H

#include "slab.h"

struct eventfd_ctx;

struct eventfd_ctx *eventfd_ctx_fdget(int fd);
void eventfd_ctx_put(struct eventfd_ctx *ctx);

#endif /* SHIM_LINUX_EVENTFD_H */
