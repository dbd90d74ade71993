/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Text of bounded length that is put together piece by piece.
 */
#ifndef MACHINE_TEXT_H
#define MACHINE_TEXT_H

#include "types.h"

#define VMM_TEXT_SIZE	16384	/* bytes of a command's output, at most */

/**
 * struct vmm_text - text, with a NUL behind
 * @bytes: the text
 * @len: bytes of it
 * @cut: something did not fit and was left out
 */
struct vmm_text {
	char bytes[VMM_TEXT_SIZE];
	size_t len;
	bool cut;
};

/* ---- text.c ---- */

void vmm_text_clear(struct vmm_text *text);
void vmm_text_add(struct vmm_text *text, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
size_t vmm_text_utf8(const char *at, size_t left);

#endif /* MACHINE_TEXT_H */
