/* SPDX-License-Identifier: GPL-2.0-only */
/* A page of this host's, of which a process maps, protects and holds whole ones. */
#ifndef RANCHU_HOST_PAGE_H
#define RANCHU_HOST_PAGE_H

#include <stddef.h>
#include <unistd.h>

#define HOST_PAGE	((size_t)getpagesize())

#endif /* RANCHU_HOST_PAGE_H */
