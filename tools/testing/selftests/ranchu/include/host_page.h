/* SPDX-License-Identifier: GPL-2.0-only */
/* The host's page size: mappings, protections and held pages are whole pages of it. */
#ifndef RANCHU_HOST_PAGE_H
#define RANCHU_HOST_PAGE_H

#include <stddef.h>
#include <unistd.h>

#define HOST_PAGE	((size_t)getpagesize())

#endif /* RANCHU_HOST_PAGE_H */
