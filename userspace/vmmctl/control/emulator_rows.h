/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the functions of the emulator console's commands share, and functions that are not in the
 * file with the table.
 */
#ifndef CONTROL_EMULATOR_ROWS_H
#define CONTROL_EMULATOR_ROWS_H

#include "control/emulator.h"

/* ---- emulator_ask.c: words of a line, and commands of the control socket ---- */

int vmm_emu_fail(char why[VMM_ANSWER_ERROR], int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool vmm_emu_word_is(const char *name, const char *word, size_t len);
const char *vmm_emu_word_cut(const char *line, size_t *len);
int vmm_emu_control(struct vmm_emu *emu, const char *name, json_t *args, json_t **result,
		    char why[VMM_ANSWER_ERROR]);
void vmm_emu_say_text(struct vmm_emu *emu, json_t *result);

/* ---- emulator_avd.c: "avd", except for commands of devices ---- */

int vmm_emu_avd_name(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR]);
int vmm_emu_avd_path(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR]);
int vmm_emu_avd_status(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR]);
int vmm_emu_avd_stop(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR]);
int vmm_emu_avd_start(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR]);
int vmm_emu_avd_windowtype(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR]);
int vmm_emu_avd_discoverypath(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR]);
int vmm_emu_avd_snapshotspath(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR]);
int vmm_emu_avd_snapshotpath(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR]);
int vmm_emu_avd_snapshot(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR]);

#endif /* CONTROL_EMULATOR_ROWS_H */
