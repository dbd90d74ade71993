// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes and reads the saved state of a device. The first error is remembered, so that a
 * model writes or reads all its fields and checks for an error once, at the end.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/log.h"
#include "machine/state.h"

static const char magic[4] = { 'R', 'N', 'C', 'H' };

/**
 * struct state_head - beginning of a blob
 * @magic: "RNCH"
 * @name: the device, filled up with zeros
 * @version: of the device's fields
 * @length: bytes of the fields
 */
struct state_head {
	char magic[4];
	char name[VMM_STATE_NAME];
	__le32 version;
	__le32 length;
};

/**
 * struct state_field - beginning of a field
 * @tag: which
 * @length: bytes that follow
 */
struct state_field {
	__le32 tag;
	__le32 length;
};

/* Doubles the buffer, up to the limit. */
static int grow(struct vmm_state *state, size_t len)
{
	size_t room = state->room ? state->room : 4096;
	u8 *bytes;

	if (len > VMM_STATE_SIZE - state->len)
		return -E2BIG;
	while (room < state->len + len)
		room *= 2;
	if (room == state->room)
		return 0;
	bytes = realloc(state->bytes, room);
	if (!bytes)
		return -ENOMEM;
	state->bytes = bytes;
	state->room = room;
	return 0;
}

static void append(struct vmm_state *state, const void *data, size_t len)
{
	if (!state->err)
		state->err = grow(state, len);
	if (state->err || !len)
		return;
	memcpy(state->bytes + state->len, data, len);
	state->len += len;
}

/**
 * vmm_state_begin - begin to write a blob
 * @state: filled; vmm_state_free() frees it
 * @name: the device, shorter than VMM_STATE_NAME
 * @version: of the fields that follow
 *
 * Return: 0, or -errno
 */
int vmm_state_begin(struct vmm_state *state, const char *name, u32 version)
{
	struct state_head head = { .version = htole32(version) };

	*state = (struct vmm_state){ 0 };
	memcpy(head.magic, magic, sizeof(magic));
	memcpy(head.name, name, strnlen(name, sizeof(head.name) - 1));
	append(state, &head, sizeof(head));
	return state->err ? vmm_error(-state->err, "state of %s", name) : 0;
}

/**
 * vmm_state_put - write a field
 * @state: begun
 * @tag: which field
 * @data: its bytes
 * @len: how many
 */
void vmm_state_put(struct vmm_state *state, u32 tag, const void *data, u32 len)
{
	struct state_field field = { .tag = htole32(tag), .length = htole32(len) };

	append(state, &field, sizeof(field));
	append(state, data, len);
}

/**
 * vmm_state_end - finish writing a blob
 * @state: begun; its @bytes and @len are the result
 *
 * Return: 0, or the -errno of the first error
 */
int vmm_state_end(struct vmm_state *state)
{
	struct state_head *head = (struct state_head *)state->bytes;

	if (!state->err)
		head->length = htole32(state->len - sizeof(*head));
	return state->err;
}

/**
 * vmm_state_open - begin to read a blob
 * @state: @bytes and @len are set
 * @name: the device that it must be of
 * @version: the newest version that is understood
 *
 * Return: the blob's version, at least 1; -EINVAL for bytes that are no blob of this device,
 *	-EOPNOTSUPP for a newer one
 */
int vmm_state_open(struct vmm_state *state, const char *name, u32 version)
{
	struct state_head head;
	u32 have;

	state->at = sizeof(head);
	state->err = -EINVAL;
	if (state->len < sizeof(head))
		return state->err;
	memcpy(&head, state->bytes, sizeof(head));
	if (memcmp(head.magic, magic, sizeof(magic)) || head.name[VMM_STATE_NAME - 1] ||
	    strcmp(head.name, name) || le32toh(head.length) != state->len - sizeof(head))
		return state->err;
	have = le32toh(head.version);
	if (!have)
		return state->err;
	state->err = have > version ? -EOPNOTSUPP : 0;
	return state->err ? state->err : (int)have;
}

/**
 * vmm_state_get - read a field
 * @state: open
 * @tag: the field that must come next
 * @data: filled; zeros after an error
 * @len: bytes that it must have
 */
void vmm_state_get(struct vmm_state *state, u32 tag, void *data, u32 len)
{
	struct state_field field;

	memset(data, 0, len);
	if (state->err)
		return;
	state->err = -EINVAL;
	if (state->len - state->at < sizeof(field))
		return;
	memcpy(&field, state->bytes + state->at, sizeof(field));
	if (le32toh(field.tag) != tag || le32toh(field.length) != len ||
	    state->len - state->at - sizeof(field) < len)
		return;
	memcpy(data, state->bytes + state->at + sizeof(field), len);
	state->at += sizeof(field) + len;
	state->err = 0;
}

/**
 * vmm_state_get_any - read a field of any length
 * @state: open
 * @tag: the field that must come next
 * @len: filled: its bytes; 0 after an error
 *
 * Return: the field, which is part of the blob; NULL after an error
 */
const u8 *vmm_state_get_any(struct vmm_state *state, u32 tag, u32 *len)
{
	struct state_field field;
	const u8 *data;

	*len = 0;
	if (state->err)
		return NULL;
	state->err = -EINVAL;
	if (state->len - state->at < sizeof(field))
		return NULL;
	memcpy(&field, state->bytes + state->at, sizeof(field));
	if (le32toh(field.tag) != tag ||
	    state->len - state->at - sizeof(field) < le32toh(field.length))
		return NULL;
	*len = le32toh(field.length);
	data = state->bytes + state->at + sizeof(field);
	state->at += sizeof(field) + *len;
	state->err = 0;
	return data;
}

/**
 * vmm_state_open_any - begin to read a blob of any device
 * @state: @bytes and @len are set
 * @name: filled: the device
 * @version: filled: of its fields
 *
 * Return: 0, or -EINVAL for bytes that are no blob
 */
int vmm_state_open_any(struct vmm_state *state, char name[VMM_STATE_NAME], u32 *version)
{
	struct state_head head = { .version = 0 };
	int err;

	memset(name, 0, VMM_STATE_NAME);
	if (state->len >= sizeof(head)) {
		memcpy(&head, state->bytes, sizeof(head));
		memcpy(name, head.name, VMM_STATE_NAME - 1);
	}
	vmm_state_open(state, name, ~0U);
	err = state->err;
	*version = le32toh(head.version);
	return err;
}

/**
 * vmm_state_next - read the next field, whatever its tag is
 * @state: open
 * @tag: filled
 * @data: filled: the field, which is part of the blob
 * @len: filled: bytes of it
 *
 * Return: whether there was one; vmm_state_close() returns an error if one ended the fields
 */
bool vmm_state_next(struct vmm_state *state, u32 *tag, const u8 **data, u32 *len)
{
	struct state_field field;

	if (state->err || state->at == state->len)
		return false;
	if (state->len - state->at >= sizeof(field)) {
		memcpy(&field, state->bytes + state->at, sizeof(field));
		*tag = le32toh(field.tag);
		*data = vmm_state_get_any(state, *tag, len);
	} else {
		state->err = -EINVAL;
	}
	return !state->err;
}

/**
 * vmm_state_close - finish reading a blob
 * @state: open
 *
 * Return: 0, the -errno of the first error, or -EINVAL if fields are left over
 */
int vmm_state_close(struct vmm_state *state)
{
	if (!state->err && state->at != state->len)
		state->err = -EINVAL;
	return state->err;
}

/**
 * vmm_state_free - free a blob that was written here
 * @state: may be one that failed
 */
void vmm_state_free(struct vmm_state *state)
{
	free(state->bytes);
	*state = (struct vmm_state){ 0 };
}
