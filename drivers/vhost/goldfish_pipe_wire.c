// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest's numbers mean. Every decision that depends only on them is
 * taken here, in tables and pure functions; who holds which lock and where the
 * bytes go is goldfish_pipe_cmd.c's business.
 */
#include <asm/byteorder.h>
#include <linux/errno.h>
#include <linux/math64.h>
#include <linux/string.h>
#include <linux/time64.h>

#include "goldfish_pipe_wire.h"

/**
 * pipe_decode_absent() - decode a command for an id that no pipe has
 * @id: what was written to CMD
 * @max_id: ids are below this
 * @max_buffers: M of the open parameters
 * @header: the command buffer that the open parameters name
 * @status: set if the answer is PIPE_STATUS
 *
 * The order of the checks is the reference's, and a guest can see it.
 *
 * Return: PIPE_STATUS or PIPE_OPEN.
 * Source: platform_external_qemu hw/misc/goldfish_pipe.c (0184442f)
 */
enum pipe_action pipe_decode_absent(u32 id, u32 max_id, u32 max_buffers,
				    const struct pipe_header *header, s32 *status)
{
	*status = GOLDFISH_PIPE_ERROR_INVAL;
	if (max_buffers < 1 || max_buffers > GOLDFISH_PIPE_MAX_BUFFERS)
		return PIPE_STATUS;
	if (header->id != id)
		return PIPE_STATUS;
	if (header->cmd == GOLDFISH_PIPE_CMD_CLOSE) {
		*status = 0;
		return PIPE_STATUS;
	}
	if (header->cmd != GOLDFISH_PIPE_CMD_OPEN)
		return PIPE_STATUS;
	if (id >= max_id) {
		*status = GOLDFISH_PIPE_ERROR_NOMEM;
		return PIPE_STATUS;
	}
	return PIPE_OPEN;
}

/**
 * pipe_decode_live() - decode a command for a pipe that is open
 * @hung_up: the host has closed it
 * @cmd: the command
 * @status: set if the answer is PIPE_STATUS
 *
 * Return: what to do.
 * Source: platform_external_qemu hw/misc/goldfish_pipe.c (0184442f)
 */
enum pipe_action pipe_decode_live(bool hung_up, u32 cmd, s32 *status)
{
	if (cmd == GOLDFISH_PIPE_CMD_CLOSE)
		return PIPE_CLOSE;
	if (hung_up) {
		*status = GOLDFISH_PIPE_ERROR_IO;
		return PIPE_STATUS;
	}
	switch (cmd) {
	case GOLDFISH_PIPE_CMD_POLL:
		return PIPE_POLL;
	case GOLDFISH_PIPE_CMD_WRITE:
		return PIPE_WRITE;
	case GOLDFISH_PIPE_CMD_READ:
		return PIPE_READ;
	case GOLDFISH_PIPE_CMD_WAKE_ON_WRITE:
	case GOLDFISH_PIPE_CMD_WAKE_ON_READ:
		return PIPE_WAKE_ON;
	case GOLDFISH_PIPE_CMD_DMA_MAPHOST:
		return PIPE_DMA_MAP;
	case GOLDFISH_PIPE_CMD_DMA_UNMAPHOST:
		return PIPE_DMA_UNMAP;
	case GOLDFISH_PIPE_CMD_CALL:
		return PIPE_CALL;
	default:
		return PIPE_NOTHING;
	}
}

/**
 * pipe_v1_decode_absent() - decode a v1 command for a channel that no pipe has
 * @channel: the channel
 * @cmd: the command
 * @status: set if the answer is PIPE_STATUS
 *
 * A channel whose low half is 0 could not be told from none when it is signalled.
 *
 * Return: PIPE_STATUS or PIPE_OPEN.
 * Source: platform_external_qemu hw/misc/goldfish_pipe.c (0184442f)
 */
enum pipe_action pipe_v1_decode_absent(u64 channel, u32 cmd, s32 *status)
{
	*status = GOLDFISH_PIPE_ERROR_INVAL;
	return cmd == GOLDFISH_PIPE_CMD_OPEN && (u32)channel ? PIPE_OPEN : PIPE_STATUS;
}

/**
 * pipe_v1_decode_live() - decode a v1 command for a pipe that is open
 * @hung_up: the host has closed it
 * @cmd: the command
 * @status: set if the answer is PIPE_STATUS
 *
 * v1 has v2's commands up to WAKE_ON_READ.
 *
 * Return: what to do.
 * Source: platform_external_qemu hw/misc/goldfish_pipe.c (0184442f)
 */
enum pipe_action pipe_v1_decode_live(bool hung_up, u32 cmd, s32 *status)
{
	enum pipe_action action = pipe_decode_live(hung_up, cmd, status);

	if (action == PIPE_STATUS)
		return action;
	if (cmd == GOLDFISH_PIPE_CMD_OPEN) {
		*status = GOLDFISH_PIPE_ERROR_INVAL;
		return PIPE_STATUS;
	}
	return cmd <= GOLDFISH_PIPE_CMD_WAKE_ON_READ ? action : PIPE_NOTHING;
}

static bool params_cmd_known(u32 cmd)
{
	return cmd == GOLDFISH_PIPE_CMD_READ || cmd == GOLDFISH_PIPE_CMD_WRITE;
}

/**
 * pipe_v1_params_wide() - tell which form a parameter block has
 * @params: its beginning, taken for the 32-bit form
 *
 * Return: true for struct goldfish_pipe_v1_params64.
 * Source: platform_external_qemu hw/misc/goldfish_pipe.c (0184442f)
 */
bool pipe_v1_params_wide(const struct goldfish_pipe_v1_params *params)
{
	return params->flags;
}

/**
 * pipe_v1_params_decode() - decode a parameter block of 32 bits
 * @params: the block, fetched once
 * @request: set
 *
 * Return: true if it is to be run.
 */
bool pipe_v1_params_decode(const struct goldfish_pipe_v1_params *params,
			   struct pipe_v1_request *request)
{
	request->channel = le32_to_cpu(params->channel);
	request->address = le32_to_cpu(params->address);
	request->size = le32_to_cpu(params->size);
	request->cmd = le32_to_cpu(params->cmd);
	return params_cmd_known(request->cmd);
}

/**
 * pipe_v1_params64_decode() - decode a parameter block of 64 bits
 * @params: the block, fetched once
 * @request: set
 *
 * Return: true if it is to be run.
 */
bool pipe_v1_params64_decode(const struct goldfish_pipe_v1_params64 *params,
			     struct pipe_v1_request *request)
{
	request->channel = le64_to_cpu(params->channel);
	request->address = le64_to_cpu(params->address);
	request->size = le32_to_cpu(params->size);
	request->cmd = le32_to_cpu(params->cmd);
	return params_cmd_known(request->cmd);
}

/**
 * pipe_wake_flag() - the wake flag that a WAKE_ON command asks for
 * @cmd: GOLDFISH_PIPE_CMD_WAKE_ON_READ or _WRITE
 *
 * Return: GOLDFISH_PIPE_WAKE_READ or _WRITE.
 */
u32 pipe_wake_flag(u32 cmd)
{
	return cmd == GOLDFISH_PIPE_CMD_WAKE_ON_READ ? GOLDFISH_PIPE_WAKE_READ :
						       GOLDFISH_PIPE_WAKE_WRITE;
}

/**
 * pipe_dma_sane() - tell whether a region is one that can be mapped
 * @gpa: guest physical address of the first byte
 * @size: bytes
 * @page_size: the host's
 *
 * Whether there is memory is another question.
 *
 * Return: true if it begins and ends with a page, is not empty, not too large
 * and does not wrap.
 */
bool pipe_dma_sane(u64 gpa, u64 size, u64 page_size)
{
	return size && size <= GOLDFISH_PIPE_DMA_MAX_SIZE &&
	       !((gpa | size) & (page_size - 1)) && gpa + (size - 1) > gpa;
}

/**
 * pipe_call_status() - what CALL answers
 * @sent: bytes written, or -errno; 0 if nothing was to be written
 * @received: the same for the read, 0 as well if it did not come to that
 * @consumed: set to the bytes moved
 *
 * Return: 0 if any were, else the wire status of what came last.
 * Source: platform_external_qemu hw/misc/goldfish_pipe.c (0184442f)
 */
s32 pipe_call_status(long sent, long received, u32 *consumed)
{
	*consumed = (sent > 0 ? sent : 0) + (received > 0 ? received : 0);
	if (*consumed)
		return 0;
	return pipe_status(received ? received : sent);
}

/**
 * pipe_status() - the one way from a result to a wire status
 * @result: bytes, bits, 0, or -errno
 *
 * Return: the same if not negative, else GOLDFISH_PIPE_ERROR_*.
 */
s32 pipe_status(long result)
{
	if (result >= 0)
		return result;
	switch (result) {
	case -EAGAIN:
		return GOLDFISH_PIPE_ERROR_AGAIN;
	case -ENOMEM:
		return GOLDFISH_PIPE_ERROR_NOMEM;
	case -EIO:
		return GOLDFISH_PIPE_ERROR_IO;
	default:
		return GOLDFISH_PIPE_ERROR_INVAL;
	}
}

/**
 * pipe_device_version() - what VERSION answers
 * @driver_version: what the driver wrote there
 *
 * Return: GOLDFISH_PIPE_DEVICE_VERSION, or _VERSION_1 for a driver that does
 * not speak the v2 protocol in the layout that we do.
 */
u32 pipe_device_version(u32 driver_version)
{
	if (driver_version < GOLDFISH_PIPE_DRIVER_VERSION_MIN ||
	    driver_version > GOLDFISH_PIPE_DRIVER_VERSION_MAX)
		return GOLDFISH_PIPE_DEVICE_VERSION_1;
	return GOLDFISH_PIPE_DEVICE_VERSION;
}

/**
 * pipe_name_take() - take bytes that were appended to a name
 * @name: the bytes stand in text behind len; there was room for them
 * @added: how many; more than 0
 *
 * What follows the NUL in the same write is not taken: it is the new service's.
 *
 * Return: bytes taken, the NUL included. It was seen if the last one is NUL.
 * -EIO: no NUL within PIPE_NAME_SIZE bytes; the name is no good for ever.
 */
int pipe_name_take(struct pipe_name *name, unsigned int added)
{
	const char *start = name->text + name->len;
	const char *nul = memchr(start, '\0', added);

	if (nul)
		added = nul - start + 1;
	name->len += added;
	if (!nul && name->len == PIPE_NAME_SIZE)
		return -EIO;
	return added;
}

static const char *name_behind_colon(const char *text)
{
	const char *colon = strchr(text, ':');

	return colon ? colon + 1 : NULL;
}

/**
 * pipe_name_parse() - find the service that a complete name asks for
 * @name: ends in NUL
 * @target: set; points into @name
 *
 * `qemud:<x>` is a name of its own before it is the service `qemud`.
 *
 * Return: 0, or -EINVAL if it does not begin with `pipe:`.
 * Source: platform_external_qemu AndroidPipe.cpp (0184442f)
 */
int pipe_name_parse(const struct pipe_name *name, struct pipe_target *target)
{
	static const char prefix[] = "pipe:", qemud[] = "qemud:";
	const char *text = name->text + strlen(prefix);
	const char *args;

	if (strncmp(name->text, prefix, strlen(prefix)))
		return -EINVAL;

	memset(target, 0, sizeof(*target));
	target->service = text;
	args = name_behind_colon(text);
	if (!strncmp(text, qemud, strlen(qemud))) {
		target->fallback_len = strlen(qemud) - 1;
		target->fallback_args = args;
		args = name_behind_colon(args);
	}
	target->args = args;
	target->service_len = args ? args - 1 - text : strlen(text);
	return 0;
}

/**
 * pipe_throttle_ns() - how long the throttle service rests after a transfer
 * @bytes: moved
 *
 * Return: nanoseconds, rounded up.
 */
u64 pipe_throttle_ns(u64 bytes)
{
	return DIV64_U64_ROUND_UP(bytes * NSEC_PER_SEC, PIPE_THROTTLE_RATE);
}
