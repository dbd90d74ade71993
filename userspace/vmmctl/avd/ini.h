/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The emulator's .ini files: lines of "key = value".
 */
#ifndef AVD_INI_H
#define AVD_INI_H

#include "types.h"

#define VMM_INI_BYTES	(256 * KIB)	/* bytes of a file, at most */
#define VMM_INI_LINES	2048		/* lines with a key and a value, at most */

/**
 * struct vmm_ini_line - a line
 * @key: its key
 * @value: its value, without blanks around it; may be empty
 */
struct vmm_ini_line {
	const char *key;
	const char *value;
};

/**
 * struct vmm_ini - a file that was read; all zero for none
 * @text: the text, to which the lines point
 * @line: its lines
 * @count: how many
 */
struct vmm_ini {
	char *text;
	struct vmm_ini_line *line;
	unsigned int count;
};

int vmm_ini_parse(struct vmm_ini *ini, const char *name, const void *bytes, size_t len);
int vmm_ini_load(struct vmm_ini *ini, const char *path);
void vmm_ini_free(struct vmm_ini *ini);
const char *vmm_ini_get(const struct vmm_ini *ini, const char *key);
bool vmm_ini_yes(const struct vmm_ini *ini, const char *key, bool otherwise);
int vmm_avd_size(const char *text, u64 unit, u64 *bytes);
int vmm_avd_read(const char *path, char **text, size_t *len);

#endif /* AVD_INI_H */
