/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A page of this process that holds up whoever touches it, in the kernel too, for
 * as long as a test wants: userfaultfd. For finding what else waits meanwhile.
 */
#ifndef RANCHU_HELD_PAGE_H
#define RANCHU_HELD_PAGE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct held_page - the page
 * @at: its first byte
 * @size: its bytes, one page of this machine
 * @uffd: tells who touches it
 */
struct held_page {
	uint8_t *at;
	unsigned long size;
	int uffd;
};

/* NULL, or why there can be none here: a reason to skip. */
const char *held_page_missing(void);

void held_page_create(struct held_page *page);
/* The same in place of the page of this process that begins at @where. */
void held_page_create_at(struct held_page *page, void *where);
/* Waits until somebody has touched it. */
void held_page_wait(struct held_page *page);
/* Who touched it, or will, goes on: it is a page of zeroes. */
void held_page_give(struct held_page *page);
/* Who touched it, or will, finds that it cannot be accessed (EFAULT). */
void held_page_refuse(struct held_page *page);
/* Gives it, and takes it away. */
void held_page_destroy(struct held_page *page);

#endif /* RANCHU_HELD_PAGE_H */
