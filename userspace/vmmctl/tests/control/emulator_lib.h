/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The emulator's console of a VM that has only a battery, keys, a touch screen and guest
 * services, and a client.
 */
#ifndef TESTS_EMULATOR_LIB_H
#define TESTS_EMULATOR_LIB_H

#include <netinet/in.h>

#include "control/emulator.h"
#include "host/emu_token.h"
#include "tests/tap.h"

/**
 * struct console - the console, and recorded requests to the VM
 * @loop: the main thread's
 * @listen_fd: the listening socket of the port
 * @tick_fd: ends a run of @loop
 * @addr: address of the port
 * @home: directory of the token's file
 * @token: the token
 * @word: the token as text
 * @commands: commands of the control socket
 * @vm: commands that every VM has
 * @emulator: the console
 * @guest: the guest services
 * @link: ranchu-services' end of its connection
 * @battery: battery device of the VM
 * @events: events device of the VM
 * @asked: requests to devices
 * @status: status of the VM
 * @avd: directory of the AVD, or NULL
 * @call: call of the line that waits for its answer
 * @ends: how often the VM was told to end
 * @resets: how often it was told to reset
 * @degrees: rotation of its screen
 * @no_services: it has no guest services
 */
struct console {
	struct vmm_loop *loop;
	int listen_fd;
	int tick_fd;
	struct sockaddr_in addr;
	char home[64];
	struct vmm_emu_token token;
	char word[VMM_EMU_TOKEN_MAX + 1];
	struct vmm_commands commands;
	struct vmm_vm_commands vm;
	struct vmm_emulator *emulator;
	struct vmm_guest *guest;
	int link;
	struct vmm_device *battery;
	struct vmm_device *events;
	char asked[256];
	const char *status;
	const char *avd;
	u64 call;
	unsigned int ends;
	unsigned int resets;
	unsigned int degrees;
	bool no_services;
};

extern struct console console;
extern char heard[65536];

void console_open(void);
void console_close(void);
void serve(void);
int dial(void);
int trusted(void);
const char *hear(int fd);
void drain(int fd);
void tell(int fd, const char *text);
const char *ask(int fd, const char *line);
bool hung_up(int fd);
void check_text(const char *have, const char *want);

#endif /* TESTS_EMULATOR_LIB_H */
