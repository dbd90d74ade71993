/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * What a guest sees of the goldfish sync device: registers, and two structures in its
 * own memory. All numbers are little endian.
 *
 * The host sends commands to the guest one by one. It raises the line; the guest reads
 * BATCH_COMMAND until the command that it finds in the host command buffer is
 * GOLDFISH_SYNC_CMD_READY, which means that there is none. A command that has an answer
 * is answered by the same buffer and a write of BATCH_COMMAND. The guest sends commands
 * by the guest command buffer and a write of BATCH_GUESTCOMMAND.
 */
#ifndef _UAPI_LINUX_GOLDFISH_SYNC_H
#define _UAPI_LINUX_GOLDFISH_SYNC_H

#include <linux/types.h>

/* Registers, 32 bits each. All others read as 0, and writes of them do nothing. */
#define GOLDFISH_SYNC_REG_BATCH_COMMAND			0x00
#define GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND		0x04
/* A write of the low half sets the high half to 0; it comes first. */
#define GOLDFISH_SYNC_REG_BATCH_COMMAND_ADDR		0x08
#define GOLDFISH_SYNC_REG_BATCH_COMMAND_ADDR_HIGH	0x0c
#define GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND_ADDR	0x10
#define GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND_ADDR_HIGH	0x14
/* A write of it: the driver begins; the host forgets what it had to say. */
#define GOLDFISH_SYNC_REG_INIT				0x18

/* Commands. */
#define GOLDFISH_SYNC_CMD_READY			0 /* to the guest: there is none */
#define GOLDFISH_SYNC_CMD_CREATE_TIMELINE	1 /* to the guest; answered */
#define GOLDFISH_SYNC_CMD_CREATE_FENCE		2 /* to the guest; answered */
#define GOLDFISH_SYNC_CMD_TIMELINE_INC		3 /* to the guest */
#define GOLDFISH_SYNC_CMD_DESTROY_TIMELINE	4 /* to the guest */
#define GOLDFISH_SYNC_CMD_TRIGGER_HOST_WAIT	5 /* to the host */

/* Commands that a driver has room for before its work has run. */
#define GOLDFISH_SYNC_MAX_COMMANDS	32

/**
 * struct goldfish_sync_hostcmd - the host command buffer
 * @handle: the guest's name of a timeline; in the answer to CREATE_FENCE the number of
 *	the fence's file in the guest, -1 if there is none
 * @hostcmd_handle: the host's name of the command; the answer repeats it
 * @cmd: GOLDFISH_SYNC_CMD_...
 * @time_arg: CREATE_FENCE: when the fence is signalled; TIMELINE_INC: by how much
 */
struct goldfish_sync_hostcmd {
	__le64 handle;
	__le64 hostcmd_handle;
	__le32 cmd;
	__le32 time_arg;
};

/**
 * struct goldfish_sync_guestcmd - the guest command buffer
 * @host_command: GOLDFISH_SYNC_CMD_TRIGGER_HOST_WAIT
 * @glsync_handle: what is waited for, as the guest has it from its renderer
 * @thread_handle: who waits, likewise
 * @guest_timeline_handle: the timeline that is incremented afterwards
 */
struct goldfish_sync_guestcmd {
	__le64 host_command;
	__le64 glsync_handle;
	__le64 thread_handle;
	__le64 guest_timeline_handle;
};

#endif /* _UAPI_LINUX_GOLDFISH_SYNC_H */
