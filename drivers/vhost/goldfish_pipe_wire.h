/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the guest's numbers mean: pure decoding, no locks, no memory access, so
 * that KUnit and the userspace build run the same source.
 */
#ifndef _GOLDFISH_PIPE_WIRE_H
#define _GOLDFISH_PIPE_WIRE_H

#include <linux/goldfish_pipe.h>
#include <linux/types.h>

/**
 * struct pipe_header - the head of a command buffer, fetched once
 * @cmd: GOLDFISH_PIPE_CMD_*, or any other number
 * @id: the pipe, as the buffer has it
 * @buffers_count: as the buffer has it
 */
struct pipe_header {
	u32 cmd;
	u32 id;
	u32 buffers_count;
};

/**
 * enum pipe_action - what a command comes down to, once the pipe's state is known
 * @PIPE_NOTHING: write nothing; the guest keeps what it had preset
 * @PIPE_STATUS: answer the status that goes with it
 * @PIPE_OPEN: open a pipe
 * @PIPE_CLOSE: close the pipe
 * @PIPE_POLL: answer the poll bits
 * @PIPE_WRITE: move bytes to the host
 * @PIPE_READ: move bytes to the guest
 * @PIPE_CALL: move bytes to the host, then to the guest
 * @PIPE_WAKE_ON: arm a wake
 * @PIPE_DMA_MAP: let the service have a region of guest memory
 * @PIPE_DMA_UNMAP: take it back
 */
enum pipe_action {
	PIPE_NOTHING,
	PIPE_STATUS,
	PIPE_OPEN,
	PIPE_CLOSE,
	PIPE_POLL,
	PIPE_WRITE,
	PIPE_READ,
	PIPE_CALL,
	PIPE_WAKE_ON,
	PIPE_DMA_MAP,
	PIPE_DMA_UNMAP,
};

/**
 * struct pipe_v1_request - a command of protocol v1
 * @channel: the pipe's name
 * @address: READ, WRITE: guest physical address of the buffer
 * @size: READ, WRITE: its bytes
 * @cmd: GOLDFISH_PIPE_CMD_*, or any other number
 */
struct pipe_v1_request {
	u64 channel;
	u64 address;
	u32 size;
	u32 cmd;
};

enum pipe_action pipe_decode_absent(u32 id, u32 max_id, u32 max_buffers,
				    const struct pipe_header *header, s32 *status);
enum pipe_action pipe_decode_live(bool hung_up, u32 cmd, s32 *status);
enum pipe_action pipe_v1_decode_absent(u64 channel, u32 cmd, s32 *status);
enum pipe_action pipe_v1_decode_live(bool hung_up, u32 cmd, s32 *status);
bool pipe_v1_params_wide(const struct goldfish_pipe_v1_params *params);
bool pipe_v1_params_decode(const struct goldfish_pipe_v1_params *params,
			   struct pipe_v1_request *request);
bool pipe_v1_params64_decode(const struct goldfish_pipe_v1_params64 *params,
			     struct pipe_v1_request *request);
u32 pipe_wake_flag(u32 cmd);
bool pipe_dma_sane(u64 gpa, u64 size, u64 page_size);
s32 pipe_call_status(long sent, long received, u32 *consumed);
s32 pipe_status(long result);
u32 pipe_device_version(u32 driver_version);

/* The connector's buffer, NUL included. Source: AndroidPipe.cpp (0184442f) */
#define PIPE_NAME_SIZE 128

/**
 * struct pipe_name - `pipe:<name>[:<args>]` as it comes in
 * @len: bytes in @text, PIPE_NAME_SIZE once it is too long for good
 * @text: the bytes
 */
struct pipe_name {
	unsigned int len;
	char text[PIPE_NAME_SIZE];
};

/**
 * struct pipe_target - what a complete name asks for
 * @service: the service's name
 * @service_len: its length in bytes
 * @args: NUL-terminated, NULL if there is no colon behind the name
 * @fallback_len: if no service has the name, try its first that many bytes,
 *	with @fallback_args; 0 for no second try
 * @fallback_args: see there
 */
struct pipe_target {
	const char *service;
	size_t service_len;
	const char *args;
	size_t fallback_len;
	const char *fallback_args;
};

int pipe_name_take(struct pipe_name *name, unsigned int added);
int pipe_name_parse(const struct pipe_name *name, struct pipe_target *target);

/* Bytes a second, each way. Source: android_pipe_throttle.c (4b8b29ce) */
#define PIPE_THROTTLE_RATE 4096000ULL

u64 pipe_throttle_ns(u64 bytes);

#endif /* _GOLDFISH_PIPE_WIRE_H */
