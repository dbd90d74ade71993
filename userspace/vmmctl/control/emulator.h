/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The emulator's console: commands are lines of text, answered with text and OK or KO. Lines are
 * mapped to commands of the control socket (control.h), so nothing is implemented twice; the
 * control socket also has a command that runs such a line.
 *
 * Source: platform_external_qemu android/android-emu/android/console.cpp (866554d0017e)
 * and console_auth.cpp (3ad3b7e3c7fd) for commands, answers and the token.
 */
#ifndef CONTROL_EMULATOR_H
#define CONTROL_EMULATOR_H

#include "control/control.h"

/* ---- emulator_commands.c: the commands ---- */

#define VMM_EMU_LATER	VMM_COMMAND_LATER	/* the answer follows */
#define VMM_EMU_BYE	2			/* the connection ends without an answer */

/**
 * struct vmm_emu - lines of one client
 * @commands: of the control socket
 * @call: identifies the line for a later answer
 * @trusted: the client is authenticated
 * @text: the answer without OK or KO
 */
struct vmm_emu {
	const struct vmm_commands *commands;
	u64 call;
	bool trusted;
	struct vmm_text *text;
};

int vmm_emu_run(struct vmm_emu *emu, const char *line, char why[VMM_ANSWER_ERROR]);
int vmm_emu_commands_add(struct vmm_commands *commands);

/* ---- emulator.c: the console's port ---- */

struct vmm_emulator;
struct vmm_emu_token;

struct vmm_emulator *vmm_emulator_open(struct vmm_loop *loop, const int *fds, unsigned int count,
				       const struct vmm_commands *commands,
				       const struct vmm_emu_token *token);
void vmm_emulator_close(struct vmm_emulator *emulator);
void vmm_emulator_answer(struct vmm_emulator *emulator, u64 call,
			 const struct vmm_answer *answer);

/* Calls of the console have this bit, and those of the control socket do not. */
#define VMM_EMULATOR_CALL	(1ULL << 63)

#endif /* CONTROL_EMULATOR_H */
