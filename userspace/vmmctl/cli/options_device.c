// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line's virtio devices that somebody else serves: --net, --vhost-user,
 * --vdpa. Their words are taken apart by one table for all of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "virtio/virtio.h"

/* IFNAMSIZ, which is Linux' and not the C library's. */
#define INTERFACE_MAX	15

/* The first of them are the types of vhost-user, in their order. */
enum detail {
	D_BLK, D_FS, D_NET, D_RNG, D_CONSOLE,
	D_TAP, D_SOCKET, D_DEV, D_MAC, D_TAG, D_QUEUES, D_SLOT, D_LEGACY
};

static char *const detail_words[] = {
	[D_BLK] = "blk", [D_FS] = "fs", [D_NET] = "net", [D_RNG] = "rng",
	[D_CONSOLE] = "console", [D_TAP] = "tap", [D_SOCKET] = "socket", [D_DEV] = "dev",
	[D_MAC] = "mac", [D_TAG] = "tag", [D_QUEUES] = "queues", [D_SLOT] = "slot",
	[D_LEGACY] = "legacy", NULL
};

#define BIT(d)		(1U << (d))
#define TYPES		(BIT(VMM_VHOST_USER_TYPES) - 1)
#define PLACE		(BIT(D_SLOT) | BIT(D_LEGACY))
#define TAG_MAX		36	/* bytes, of virtio-fs */

/* Each kind's option, what it needs, and what else it takes. */
static const struct {
	const char *option;
	unsigned int needs;
	unsigned int takes;
} kinds[VMM_FRONT_KINDS] = {
	[VMM_FRONT_NET] = {
		.option = "net",
		.needs = BIT(D_TAP),
		.takes = BIT(D_MAC) | PLACE,
	},
	[VMM_FRONT_VHOST_USER] = {
		.option = "vhost-user",
		.needs = BIT(D_SOCKET),
		.takes = TYPES | BIT(D_MAC) | BIT(D_TAG) | BIT(D_QUEUES) | PLACE,
	},
	[VMM_FRONT_VDPA] = {
		.option = "vdpa",
		.needs = BIT(D_DEV),
		.takes = PLACE,
	},
};

/**
 * vmm_options_place - read what a device's option says about its transport
 * @place: filled
 * @option: the option, for messages
 * @name: "slot" or "legacy"; what follows that word does not matter
 * @value: what follows its "="; NULL for nothing
 *
 * Return: 0, or -EINVAL
 */
int vmm_options_place(struct vmm_place *place, const char *option, const char *name,
		      const char *value)
{
	char *rest = NULL;

	if (*name == 'l') {
		place->legacy = true;
		return value ? vmm_error(-EINVAL, "--%s: legacy has no value", option) : 0;
	}
	if (value && *value >= '0' && *value <= '9')
		place->slot = strtoul(value, &rest, 10);
	if (!rest || *rest || place->slot < 0 || place->slot >= RANCHU_VIRTIO_MMIO_COUNT)
		return vmm_error(-EINVAL, "--%s: a slot is 0 to %d", option,
				 RANCHU_VIRTIO_MMIO_COUNT - 1);
	return 0;
}

static int mac_read(u8 *mac, const char *text)
{
	unsigned int i;
	char *rest;

	for (i = 0; i < 6; i++) {
		unsigned long byte = strtoul(text, &rest, 16);

		if (rest != text + 2 || *rest != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		mac[i] = byte;
		text = rest + 1;
	}
	/* A group's address is nobody's own. */
	return mac[0] & 1 ? -EINVAL : 0;
}

static int path_read(struct vmm_front *front, const char *option, const char *value)
{
	front->path = value;
	return value && *value ? 0 : vmm_error(-EINVAL, "--%s has an empty path", option);
}

static int queues_read(struct vmm_front *front, const char *option, const char *value)
{
	front->queues = value && *value && !value[1] ? *value - '0' : 0;
	if (front->queues >= 1 && front->queues <= VMM_VIRTIO_QUEUES)
		return 0;
	return vmm_error(-EINVAL, "--%s: there are 1 to %d queues", option, VMM_VIRTIO_QUEUES);
}

static int detail_read(struct vmm_front *front, const char *option, int detail, const char *value)
{
	if (detail < VMM_VHOST_USER_TYPES) {
		front->type = detail;
		return value ? vmm_error(-EINVAL, "--%s: a type has no value", option) : 0;
	}
	switch (detail) {
	case D_SOCKET:
	case D_DEV:
		return path_read(front, option, value);
	case D_TAG:
		front->tag = value;
		if (value && *value && strlen(value) <= TAG_MAX)
			return 0;
		return vmm_error(-EINVAL, "--%s: a tag has 1 to %d bytes", option, TAG_MAX);
	case D_QUEUES:
		return queues_read(front, option, value);
	case D_TAP:
		front->path = value;
		if (value && *value && strlen(value) <= INTERFACE_MAX)
			return 0;
		return vmm_error(-EINVAL, "--%s: an interface's name has 1 to %d bytes", option,
				 INTERFACE_MAX);
	case D_MAC:
		if (value && !mac_read(front->mac, value))
			return 0;
		return vmm_error(-EINVAL, "--%s: \"%s\" is no station's MAC address", option,
				 value ? value : "");
	default:
		return vmm_options_place(&front->place, option, detail_words[detail], value);
	}
}

/* What only some types of vhost-user devices have. */
static int check_type(const struct vmm_front *front, unsigned int given)
{
	if (!(given & TYPES) || (given & TYPES) & ((given & TYPES) - 1))
		return vmm_error(-EINVAL, "--vhost-user needs one of blk, fs, net, rng, console");
	if (front->type == VMM_VHOST_USER_FS && !(given & BIT(D_TAG)))
		return vmm_error(-EINVAL, "--vhost-user: fs needs tag=");
	if (front->type != VMM_VHOST_USER_FS && given & BIT(D_TAG))
		return vmm_error(-EINVAL, "--vhost-user: only fs has a tag");
	if (front->type != VMM_VHOST_USER_NET && given & BIT(D_MAC))
		return vmm_error(-EINVAL, "--vhost-user: only net has a MAC address");
	return 0;
}

/**
 * vmm_options_front - read an option that makes a device which somebody else serves
 * @cfg: gets one more
 * @kind: which option
 * @text: its value; taken apart where it stands
 *
 * Return: 0, or -EINVAL
 */
int vmm_options_front(struct vmm_config *cfg, enum vmm_front_kind kind, char *text)
{
	struct vmm_front *front = &cfg->front[kind][cfg->fronts[kind]];
	const char *option = kinds[kind].option;
	unsigned int needs = kinds[kind].needs;
	unsigned int takes = kinds[kind].takes | needs;
	unsigned int given = 0;

	if (cfg->fronts[kind] == VMM_FRONTS)
		return vmm_error(-EINVAL, "--%s: there are at most %d", option, VMM_FRONTS);
	*front = (struct vmm_front){ .place.slot = -1 };
	while (*text) {
		const char *whole = text;
		char *value = NULL;
		int detail = getsubopt(&text, detail_words, &value);
		int err;

		if (detail < 0 || !(takes & BIT(detail)))
			return vmm_error(-EINVAL, "--%s does not know \"%s\"", option, whole);
		err = detail_read(front, option, detail, value);
		if (err)
			return err;
		given |= BIT(detail);
	}
	if (needs & ~given)
		return vmm_error(-EINVAL, "--%s needs %s=", option,
				 detail_words[__builtin_ctz(needs)]);
	if (kind == VMM_FRONT_VHOST_USER && check_type(front, given))
		return -EINVAL;
	cfg->fronts[kind]++;
	return 0;
}
