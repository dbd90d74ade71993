/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The goldfish pipe as a guest sees it: registers, command buffer, values.
 * Protocol v2, "1.3 layout": lengths and arrays in the order that every driver
 * since November 2016 uses; and v1, which drivers before that speak. Everything
 * is little-endian.
 *
 * Source: platform_external_qemu hw/misc/goldfish_pipe.c (0184442f) and Linux
 * 6.12 drivers/platform/goldfish/goldfish_pipe_qemu.h.
 */
#ifndef _UAPI_LINUX_GOLDFISH_PIPE_H
#define _UAPI_LINUX_GOLDFISH_PIPE_H

#include <linux/types.h>

/* Registers of v2, byte offsets into the device's window; all are 32 bits wide. */
#define GOLDFISH_PIPE_REG_CMD			0x00	/* W: pipe id */
#define GOLDFISH_PIPE_REG_SIGNAL_BUFFER_HIGH	0x04	/* W: assigns */
#define GOLDFISH_PIPE_REG_SIGNAL_BUFFER		0x08	/* W: ORs the low half */
#define GOLDFISH_PIPE_REG_SIGNAL_BUFFER_COUNT	0x0c	/* W: entries */
#define GOLDFISH_PIPE_REG_OPEN_BUFFER_HIGH	0x14	/* W: assigns */
#define GOLDFISH_PIPE_REG_OPEN_BUFFER		0x18	/* W: ORs the low half */
#define GOLDFISH_PIPE_REG_VERSION		0x24	/* RW */
#define GOLDFISH_PIPE_REG_GET_SIGNALLED		0x30	/* R: entries */

/*
 * Registers of v1. A pipe is named by a channel, any 64-bit number whose low half
 * is not 0; commands are of the current one.
 */
#define GOLDFISH_PIPE_V1_COMMAND		0x00	/* W: GOLDFISH_PIPE_CMD_* */
#define GOLDFISH_PIPE_V1_STATUS			0x04	/* R: of the last command */
#define GOLDFISH_PIPE_V1_CHANNEL		0x08	/* W: low half; R: next signalled */
#define GOLDFISH_PIPE_V1_SIZE			0x0c	/* W: bytes of the buffer */
#define GOLDFISH_PIPE_V1_ADDRESS		0x10	/* W: low half */
#define GOLDFISH_PIPE_V1_WAKES			0x14	/* R: of the CHANNEL read */
#define GOLDFISH_PIPE_V1_PARAMS_LOW		0x18	/* RW: where the block is */
#define GOLDFISH_PIPE_V1_PARAMS_HIGH		0x1c	/* RW */
#define GOLDFISH_PIPE_V1_ACCESS_PARAMS		0x20	/* W: any: run the block */
#define GOLDFISH_PIPE_V1_CHANNEL_HIGH		0x30	/* W; R: before CHANNEL */
#define GOLDFISH_PIPE_V1_ADDRESS_HIGH		0x34	/* W */

/*
 * What VERSION answers. A driver that wrote 2, 3 or 4 is answered 2 and gets
 * v2 in the 1.3 layout; before that, and for any other number, the answer is 1
 * and the protocol is v1.
 */
#define GOLDFISH_PIPE_DEVICE_VERSION_1		1
#define GOLDFISH_PIPE_DEVICE_VERSION		2
#define GOLDFISH_PIPE_DRIVER_VERSION_MIN	2
#define GOLDFISH_PIPE_DRIVER_VERSION_MAX	4

/* struct goldfish_pipe_command.cmd */
#define GOLDFISH_PIPE_CMD_OPEN			1
#define GOLDFISH_PIPE_CMD_CLOSE			2
#define GOLDFISH_PIPE_CMD_POLL			3
#define GOLDFISH_PIPE_CMD_WRITE			4
#define GOLDFISH_PIPE_CMD_WAKE_ON_WRITE		5
#define GOLDFISH_PIPE_CMD_READ			6
#define GOLDFISH_PIPE_CMD_WAKE_ON_READ		7
#define GOLDFISH_PIPE_CMD_WAKE_ON_DONE_IO	8	/* never built */
#define GOLDFISH_PIPE_CMD_DMA_MAPHOST		9
#define GOLDFISH_PIPE_CMD_DMA_UNMAPHOST		10
#define GOLDFISH_PIPE_CMD_CALL			11

/* struct goldfish_pipe_command.status; above 0: bytes, or poll bits. */
#define GOLDFISH_PIPE_ERROR_INVAL		(-1)
#define GOLDFISH_PIPE_ERROR_AGAIN		(-2)
#define GOLDFISH_PIPE_ERROR_NOMEM		(-3)
#define GOLDFISH_PIPE_ERROR_IO			(-4)

/* The status of POLL. */
#define GOLDFISH_PIPE_POLL_IN			(1 << 0)
#define GOLDFISH_PIPE_POLL_OUT			(1 << 1)
#define GOLDFISH_PIPE_POLL_HUP			(1 << 2)

/* struct goldfish_pipe_signal.flags */
#define GOLDFISH_PIPE_WAKE_CLOSED		(1 << 0)
#define GOLDFISH_PIPE_WAKE_READ			(1 << 1)
#define GOLDFISH_PIPE_WAKE_WRITE		(1 << 2)
#define GOLDFISH_PIPE_WAKE_UNLOCK_DMA		(1 << 3)

/**
 * struct goldfish_pipe_signal - an entry of the signal buffer
 * @id: the pipe
 * @flags: GOLDFISH_PIPE_WAKE_* bits
 */
struct goldfish_pipe_signal {
	__le32 id;
	__le32 flags;
};

/**
 * struct goldfish_pipe_open_params - what OPEN_BUFFER points at
 * @command_buffer: guest physical address of the pipe's command buffer, one
 *	page of GOLDFISH_PIPE_COMMAND_SIZE bytes
 * @rw_params_max_count: elements in each of the buffer's two arrays ("M")
 * @padding: mapped, not used
 */
struct goldfish_pipe_open_params {
	__le64 command_buffer;
	__le32 rw_params_max_count;
	__le32 padding;
};

/**
 * struct goldfish_pipe_command - head of a command buffer
 * @cmd: GOLDFISH_PIPE_CMD_*, from the guest
 * @id: the pipe, from the guest; checked by OPEN only
 * @status: the answer, to the guest
 * @reserved: not used
 * @buffers_count: READ, WRITE, CALL: elements used in each array, from the guest
 * @consumed_size: READ, WRITE, CALL: bytes moved, to the guest
 *
 * Behind it stand M 64-bit guest physical addresses and then, at
 * GOLDFISH_PIPE_SIZES_OFFSET(M), M 32-bit lengths in bytes. CALL writes the first
 * buffers and reads into the others; a 32-bit word at
 * GOLDFISH_PIPE_READ_INDEX_OFFSET(M) is the number of the former.
 */
struct goldfish_pipe_command {
	__le32 cmd;
	__le32 id;
	__le32 status;
	__le32 reserved;
	__le32 buffers_count;
	__le32 consumed_size;
};

#define GOLDFISH_PIPE_COMMAND_SIZE	4096
#define GOLDFISH_PIPE_PTRS_OFFSET	24
#define GOLDFISH_PIPE_SIZES_OFFSET(m)	(GOLDFISH_PIPE_PTRS_OFFSET + 8 * (m))
#define GOLDFISH_PIPE_READ_INDEX_OFFSET(m) (GOLDFISH_PIPE_PTRS_OFFSET + 12 * (m))
/* The largest M whose arrays, and CALL's read_index behind them, fit a page. */
#define GOLDFISH_PIPE_MAX_BUFFERS	339

/* Where DMA_MAPHOST and DMA_UNMAPHOST have a struct goldfish_pipe_dma instead. */
#define GOLDFISH_PIPE_DMA_OFFSET	16
#define GOLDFISH_PIPE_DMA_MAX_SIZE	(256 << 20)

/**
 * struct goldfish_pipe_dma - a region of guest memory for a service
 * @paddr: guest physical address, a multiple of the page size
 * @size: bytes, likewise; DMA_UNMAPHOST does not look at it
 */
struct goldfish_pipe_dma {
	__le64 paddr;
	__le64 size;
};

/**
 * struct goldfish_pipe_v1_params - v1: a READ or WRITE in guest memory, 32 bits
 * @channel: the pipe
 * @size: bytes of the buffer
 * @address: guest physical address of the buffer
 * @cmd: GOLDFISH_PIPE_CMD_READ or _WRITE; anything else is ignored
 * @result: the status, to the guest; left alone if @cmd is ignored
 * @flags: must be 0: it is what tells this block from the other
 */
struct goldfish_pipe_v1_params {
	__le32 channel;
	__le32 size;
	__le32 address;
	__le32 cmd;
	__le32 result;
	__le32 flags;
};

/**
 * struct goldfish_pipe_v1_params64 - the same of a 64-bit guest
 * @channel: the pipe
 * @size: bytes of the buffer
 * @padding: not used
 * @address: guest physical address of the buffer, 4 GiB or more
 * @cmd: as above
 * @result: as above
 * @flags: not used
 * @padding2: not used
 *
 * A block is one of these if the upper half of @address, which is where the
 * other's flags are, is not 0. With a lower address it is taken for the other,
 * whose cmd is this one's padding: it is ignored, and its driver, which finds
 * @result as it was, goes by the registers.
 */
struct goldfish_pipe_v1_params64 {
	__le64 channel;
	__le32 size;
	__le32 padding;
	__le64 address;
	__le32 cmd;
	__le32 result;
	__le32 flags;
	__le32 padding2;
};

#endif /* _UAPI_LINUX_GOLDFISH_PIPE_H */
