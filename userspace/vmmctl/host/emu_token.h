/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The token by which a user's programs authenticate to the consoles of that user's emulators:
 * the content of a file in the home directory that only the user can read.
 */
#ifndef EMU_TOKEN_H
#define EMU_TOKEN_H

#include <limits.h>
#include <stdbool.h>

#define VMM_EMU_TOKEN_MAX	256	/* bytes of the file that are read */

/**
 * struct vmm_emu_token - the file
 * @path: of the file
 * @fd: the file, or -1 if there is none
 */
struct vmm_emu_token {
	char path[PATH_MAX];
	int fd;
};

/* ---- emu_token.c ---- */

int vmm_emu_token_open(struct vmm_emu_token *token, const char *home);
void vmm_emu_token_close(struct vmm_emu_token *token);
int vmm_emu_token_read(const struct vmm_emu_token *token, char text[VMM_EMU_TOKEN_MAX + 1]);
bool vmm_emu_token_is(const char *token, const char *said);

#endif /* EMU_TOKEN_H */
