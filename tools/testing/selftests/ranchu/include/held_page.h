/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A page of this process whose accesses block, in the kernel too, until the test
 * continues them: userfaultfd. Tests find what else waits meanwhile.
 */
#ifndef RANCHU_HELD_PAGE_H
#define RANCHU_HELD_PAGE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct held_page - the page
 * @at: its first byte
 * @size: its bytes, one page of this machine
 * @uffd: reports accesses
 */
struct held_page {
	uint8_t *at;
	unsigned long size;
	int uffd;
};

/* Returns NULL, or the reason why it is not possible, for a skip. */
const char *held_page_missing(void);

void held_page_create(struct held_page *page);
/* The same in place of the page of this process that begins at @where. */
void held_page_create_at(struct held_page *page, void *where);
/* Waits until it is accessed. */
void held_page_wait(struct held_page *page);
/* Lets present and later accesses continue, with a page of zeroes. */
void held_page_give(struct held_page *page);
/* Lets present and later accesses fail (EFAULT). */
void held_page_refuse(struct held_page *page);
/* Continues accesses, and unmaps the page. */
void held_page_destroy(struct held_page *page);

#endif /* RANCHU_HELD_PAGE_H */
