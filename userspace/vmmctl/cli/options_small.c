// SPDX-License-Identifier: GPL-2.0-only
/*
 * Option tables: small devices that vmmctl serves itself, and the options that add devices.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/option.h"
#include "host/log.h"

#define BUILTIN(field)	VMM_OPTION_AT(struct vmm_builtin, field)
#define CONFIG(field)	VMM_OPTION_AT(struct vmm_config, field)

static void *builtin_add(struct vmm_config *cfg, enum vmm_builtin_kind kind)
{
	if (cfg->builtins == VMM_BUILTINS)
		return NULL;
	cfg->builtin[cfg->builtins].kind = kind;
	return &cfg->builtin[cfg->builtins++];
}

static void *rng_add(struct vmm_config *cfg)
{
	return builtin_add(cfg, VMM_BUILTIN_RNG);
}

const struct vmm_option_table vmm_options_rng = {
	.name = "rng",
	.title = "Random numbers",
	.about = "A virtio-rng device with the host's random numbers.",
	.first = -1,
	.add = rng_add,
	.most = VMM_BUILTINS,
};

static const struct vmm_option balloon_options[] = {
	{
		.key = "size", .arg = "SIZE", .type = VMM_OPT_SIZE, .max = RANCHU_RAM_MAX,
		.initial = "0", BUILTIN(size), .help = "guest RAM that the guest gives back",
	},
};

static void *balloon_add(struct vmm_config *cfg)
{
	unsigned int i;

	for (i = 0; i < cfg->builtins; i++) {
		if (cfg->builtin[i].kind == VMM_BUILTIN_BALLOON)
			return &cfg->builtin[i];
	}
	return builtin_add(cfg, VMM_BUILTIN_BALLOON);
}

const struct vmm_option_table vmm_options_balloon = {
	.name = "balloon",
	.title = "Balloon",
	.about =
		"A virtio-balloon device. The guest gives back SIZE of its memory, and reports\n"
		"memory that it does not use.",
	.options = balloon_options,
	.count = ARRAY_SIZE(balloon_options),
	.add = balloon_add,
	.most = 1,
};

static const struct vmm_option socket_options[] = {
	{
		.key = "socket", .arg = "PATH", .type = VMM_OPT_TEXT, .min = 1,
		.max = VMM_UNIX_PATH - 1, BUILTIN(path), .flags = VMM_OPT_REQUIRED | VMM_OPT_FILE,
		.help = "Unix socket of the host that vmmctl connects to",
	},
};

static void *console_add(struct vmm_config *cfg)
{
	return builtin_add(cfg, VMM_BUILTIN_CONSOLE);
}

const struct vmm_option_table vmm_options_console = {
	.name = "console",
	.title = "virtio console",
	.about = "The guest's /dev/hvc0 is a connection to a Unix socket.",
	.options = socket_options,
	.count = ARRAY_SIZE(socket_options),
	.add = console_add,
	.most = VMM_BUILTINS,
};

static const struct vmm_option input_options[] = {
	{
		.key = "socket", .arg = "PATH", .type = VMM_OPT_TEXT, .min = 1,
		.max = VMM_UNIX_PATH - 1, BUILTIN(path), .flags = VMM_OPT_FILE,
		.initially = "none: ranchu-vnc and \"vmmctl device NAME input\"",
		.help = "Unix socket of the host from which its events come",
	},
};

static void *keyboard_add(struct vmm_config *cfg)
{
	return builtin_add(cfg, VMM_BUILTIN_KEYBOARD);
}

const struct vmm_option_table vmm_options_keyboard = {
	.name = "keyboard",
	.title = "Keyboard",
	.about =
		"A virtio keyboard. What viewers of ranchu-vnc type goes to it, or its events\n"
		"come from a Unix socket. One can be without socket.",
	.options = input_options,
	.count = ARRAY_SIZE(input_options),
	.add = keyboard_add,
	.most = VMM_BUILTINS,
};

static void *multitouch_add(struct vmm_config *cfg)
{
	return builtin_add(cfg, VMM_BUILTIN_MULTITOUCH);
}

const struct vmm_option_table vmm_options_multitouch = {
	.name = "multitouch",
	.title = "Multitouch screen",
	.about =
		"A virtio touch screen. The pointer of viewers of ranchu-vnc is a finger on it,\n"
		"or its events come from a Unix socket. One can be without socket.",
	.options = input_options,
	.count = ARRAY_SIZE(input_options),
	.add = multitouch_add,
	.most = VMM_BUILTINS,
};

static const struct vmm_option sound_options[] = {
	{
		.key = "play", .arg = "FILE", .type = VMM_OPT_TEXT, .min = 1, .max = PATH_MAX_BYTES,
		BUILTIN(play), .flags = VMM_OPT_FILE,
		.initially = "to the socket, or nowhere",
		.help = "WAV file that gets what the guest plays; it is replaced",
	},
	{
		.key = "record", .arg = "FILE", .type = VMM_OPT_TEXT, .min = 1,
		.max = PATH_MAX_BYTES, BUILTIN(record), .flags = VMM_OPT_FILE,
		.initially = "from the socket, or silence",
		.help = "WAV file that the guest records, from its beginning each time",
	},
	{
		.key = "socket", .arg = "PATH", .type = VMM_OPT_TEXT, .min = 1,
		.max = VMM_UNIX_PATH - 1, BUILTIN(path), .flags = VMM_OPT_FILE,
		.help = "Unix socket of a ranchu-sound, which plays and records by ALSA",
	},
};

static void *sound_add(struct vmm_config *cfg)
{
	return builtin_add(cfg, VMM_BUILTIN_SOUND);
}

const struct vmm_option_table vmm_options_sound = {
	.name = "sound",
	.title = "Sound card",
	.about =
		"A virtio-snd card: it plays and records one or two channels of 8, 16 or 32 bits\n"
		"or floating point, at 8000 to 96000 Hz. The file that it plays to has one\n"
		"format, that of the first sound; sound of another format is dropped and\n"
		"counted. With a file to record, the guest can record in its format only.\n"
		"\"vmmctl device NAME virtio_mmio jack 'mic off'\" (x86_64: virtio_pci) unplugs\n"
		"the microphone, and likewise the headphone.",
	.options = sound_options,
	.count = ARRAY_SIZE(sound_options),
	.first = -1,
	.add = sound_add,
	.most = VMM_BUILTINS,
};

/* Reads a number up to @max that is followed by @end; false if there is none. */
static bool port_read(const char **text, char end, unsigned long max, unsigned long *port)
{
	char *rest;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	*port = strtoul(*text, &rest, 10);
	if (errno || *rest != end || *port > max)
		return false;
	*text = rest + 1;
	return true;
}

/* Reads tcp:HOST:GUEST. The guest's port is a vsock port; the last number is reserved. */
static int redir_read(struct vmm_reader *reader, const char *where, const char *text)
{
	struct vmm_config *cfg = reader->cfg;
	unsigned long host_port, guest_port;
	const char *at = text + 4;
	unsigned int i;

	if (strncmp(text, "tcp:", 4) || !port_read(&at, ':', 65535, &host_port) || !host_port ||
	    !port_read(&at, '\0', 0xfffffffe, &guest_port))
		return vmm_error(-EINVAL, "%s: \"%.80s\" is not tcp:HOST:GUEST", where, text);
	for (i = 0; i < cfg->redirs; i++) {
		if (cfg->redir[i].host_port == host_port)
			return vmm_error(-EINVAL, "%s: port %lu is forwarded already", where,
					 host_port);
	}
	if (cfg->redirs == VMM_REDIRS)
		return vmm_error(-EINVAL, "%s: there can be at most %d", where, VMM_REDIRS);
	cfg->redir[cfg->redirs].host_port = host_port;
	cfg->redir[cfg->redirs].guest_port = guest_port;
	cfg->redirs++;
	return 0;
}

static const struct vmm_option address_space_options[] = {
	{
		.key = "socket", .arg = "PATH", .type = VMM_OPT_TEXT, .min = 1,
		.max = VMM_LISTEN_PATH - 1, CONFIG(address_socket), .flags = VMM_OPT_FILE,
		.initially = "no service",
		.help = "the program that connects to PATH answers the guest's pings, and\n"
			"shows memory in its blocks",
	},
};

/* It can exist only once, and its fields are members of the config. */
static void *address_space_add(struct vmm_config *cfg)
{
	cfg->address_space = true;
	return cfg;
}

const struct vmm_option_table vmm_options_address_space = {
	.name = "address-space",
	.title = "Goldfish address space",
	.about =
		"The emulator's PCI function 607d:f153, by which a guest and a renderer share\n"
		"memory: an area of 16 GiB that the guest's driver gives out in blocks. x86_64,\n"
		"and arm64 with --board virt.",
	.options = address_space_options,
	.count = ARRAY_SIZE(address_space_options),
	.not_virtio = true,
	.first = -1,
	.add = address_space_add,
	.most = 1,
};

#define REPEATS		(VMM_OPT_REPEATS | VMM_OPT_FILE)

static const struct vmm_option device_options[] = {
	{
		.key = "device", .arg = "TYPE[,KEY=VALUE]...", .type = VMM_OPT_DEVICE,
		.flags = REPEATS, .help = "a device; \"vmmctl help TYPE\" lists its keys",
	},
	{
		.key = "disk", .arg = "PATH[,KEY=VALUE]...", .type = VMM_OPT_DEVICE,
		.device = &vmm_options_disk, .flags = REPEATS,
		.help = "short for --device disk,path=PATH and further keys",
	},
	{
		.key = "net", .arg = "tap=NAME[,KEY=VALUE]...", .type = VMM_OPT_DEVICE,
		.device = &vmm_options_net, .flags = VMM_OPT_REPEATS,
		.help = "short for --device net,tap=NAME and further keys",
	},
	{
		.key = "scsi", .arg = "wwpn=NAME[,KEY=VALUE]...", .type = VMM_OPT_DEVICE,
		.device = &vmm_options_scsi, .flags = VMM_OPT_REPEATS,
		.help = "short for --device scsi,wwpn=NAME and further keys",
	},
	{
		.key = "vhost-user", .arg = "KIND,socket=PATH[,KEY=VALUE]...",
		.type = VMM_OPT_DEVICE, .device = &vmm_options_vhost_user, .flags = REPEATS,
		.help = "short for --device vhost-user,kind=KIND,socket=PATH\n"
			"and further keys",
	},
	{
		.key = "vdpa", .arg = "dev=NODE[,KEY=VALUE]...", .type = VMM_OPT_DEVICE,
		.device = &vmm_options_vdpa, .flags = REPEATS,
		.help = "short for --device vdpa,dev=NODE and further keys",
	},
	{
		.key = "vsock", .arg = "CID[,dev=NODE]", .type = VMM_OPT_DEVICE,
		.device = &vmm_options_vsock,
		.help = "short for --device vsock,cid=CID and further keys",
	},
	{
		.key = "virtio", .arg = "TYPE[=VALUE]", .type = VMM_OPT_OWN,
		.read = vmm_option_virtio, .flags = REPEATS,
		.help = "short for --device TYPE with its one key; VALUE may have commas",
	},
	{
		.key = "vsock-uds", .arg = "PATH", .type = VMM_OPT_TEXT, .min = 1,
		.max = VMM_LISTEN_PATH - 1, CONFIG(vsock_uds), .flags = VMM_OPT_FILE,
		.help = "\"CONNECT PORT\" at the Unix socket PATH reaches the guest's port; the\n"
			"guest reaches PATH_PORT at the host's port",
	},
	{
		.key = "redir", .arg = "tcp:HOST:GUEST", .type = VMM_OPT_OWN, .read = redir_read,
		.flags = VMM_OPT_REPEATS,
		.help = "port HOST of 127.0.0.1 reaches the guest's vsock port GUEST",
	},
	{
		.key = "virtio-packed", .type = VMM_OPT_SWITCH, .initial = "off",
		CONFIG(virtio_packed), .help = "offer packed rings",
	},
};

const struct vmm_option_table vmm_options_devices = {
	.name = "devices",
	.title = "Devices",
	.about =
		"Each device is \"--device TYPE,KEY=VALUE,...\"; the older options are short for\n"
		"it. A key that is on or off may stand alone for on.",
	.options = device_options,
	.count = ARRAY_SIZE(device_options),
	.commands = VMM_COMMAND(VMM_CMD_RUN) | VMM_COMMAND(VMM_CMD_DOCTOR),
	.first = -1,
};
