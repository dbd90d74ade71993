// SPDX-License-Identifier: GPL-2.0-only
/*
 * Option tables: virtio devices that the kernel, another process or a vDPA device serves.
 */
#include <errno.h>

#include "cli/option.h"
#include "host/host.h"
#include "host/log.h"
#include "virtio/virtio.h"

#define DISK(field)	VMM_OPTION_AT(struct vmm_disk, field)
#define BACKEND(field)	VMM_OPTION_AT(struct vmm_backend, field)
#define CONFIG(field)	VMM_OPTION_AT(struct vmm_config, field)

#define INTERFACE_MAX	15	/* bytes of a network interface's name */
#define TAG_MAX		36	/* bytes of a virtio-fs tag */
#define WWPN_MAX	223	/* bytes of a target's name that vhost-scsi takes */

static const struct vmm_option_word slot_words[] = { { "auto", -1 }, { } };
static const struct vmm_option_word queues_words[] = { { "auto", 0 }, { } };
static const struct vmm_option_word block_words[] = { { "512", 512 }, { "4096", 4096 }, { } };
static const struct vmm_option_word served_words[] = { { "kernel", 0 }, { "user", 1 }, { } };
static const struct vmm_option_word fstab_words[] = { { "system", 0 }, { "vendor", 0 }, { } };

static const struct vmm_option_word kind_words[] = {
	{ "blk", VMM_VHOST_USER_BLK }, { "fs", VMM_VHOST_USER_FS },
	{ "net", VMM_VHOST_USER_NET }, { "rng", VMM_VHOST_USER_RNG },
	{ "console", VMM_VHOST_USER_CONSOLE }, { "gpu", VMM_VHOST_USER_GPU }, { }
};

static const struct vmm_option_word cid_words[] = { { "auto", 0 }, { } };

static const struct vmm_option_word vsock_words[] = {
	{ VMM_VSOCK_ADB_NODE, VMM_VSOCK_ADB }, { VMM_VSOCK_LINUX_NODE, VMM_VSOCK_LINUX }, { }
};

#define SLOT(device)							\
	{								\
		.key = "slot", .arg = "N", .type = VMM_OPT_NUMBER,	\
		.words = slot_words, .max = RANCHU_VIRTIO_MMIO_COUNT - 1, \
		.initial = "auto", VMM_OPTION_AT(device, transport.slot),	\
		.help = "MMIO transport or PCI slot; auto: the next free one", \
	}

#define LEGACY(device)							\
	{								\
		.key = "legacy", .type = VMM_OPT_SWITCH, .initial = "off", \
		VMM_OPTION_AT(device, transport.legacy),			\
		.help = "registers as before virtio 1.0",		\
	}

static const struct vmm_option disk_options[] = {
	{
		.key = "path", .arg = "PATH", .type = VMM_OPT_TEXT, .min = 1,
		.max = PATH_MAX_BYTES, DISK(path), .flags = VMM_OPT_REQUIRED | VMM_OPT_FILE,
		.help = "file or block device",
	},
	{
		.key = "readonly", .type = VMM_OPT_SWITCH, .initial = "off", DISK(readonly),
		.help = "the guest cannot write",
	},
	{
		.key = "direct", .type = VMM_OPT_SWITCH, .initial = "off", DISK(direct),
		.help = "bypass the host's page cache",
	},
	{
		.key = "block", .type = VMM_OPT_WORD, .words = block_words, .initial = "512",
		DISK(block_size), .help = "bytes of a block",
	},
	{
		.key = "queues", .arg = "N", .type = VMM_OPT_NUMBER, .min = 1,
		.max = VMM_DISK_QUEUES, .initial = "1", DISK(queues), .help = "request queues",
	},
	{
		.key = "served", .type = VMM_OPT_WORD, .words = served_words,
		.initial = "kernel", DISK(user),
		.help = "served by the module vhost_ranchu_blk, or by vmmctl (user)",
	},
	{
		.key = "fstab", .type = VMM_OPT_TEXT, .words = fstab_words, DISK(fstab),
		.help = "Android mounts it as this partition",
	},
	SLOT(struct vmm_disk),
	LEGACY(struct vmm_disk),
};

static void *disk_add(struct vmm_config *cfg)
{
	return cfg->disks < VMM_DISKS ? &cfg->disk[cfg->disks++] : NULL;
}

const struct vmm_option_table vmm_options_disk = {
	.name = "disk",
	.title = "Disk",
	.about =
		"A virtio-blk disk. The first --disk is at a003e00.virtio_mmio (arm64) or 00:03.0\n"
		"(x86_64). At SIGUSR2 vmmctl tells the guest of sizes that have changed. A path\n"
		"with a comma can be given in a configuration file only.",
	.options = disk_options,
	.count = ARRAY_SIZE(disk_options),
	.shorthand = "disk",
	.add = disk_add,
	.most = VMM_DISKS,
};

static void *backend_add(struct vmm_config *cfg, enum vmm_backend_kind kind)
{
	if (cfg->backends[kind] == VMM_BACKENDS)
		return NULL;
	return &cfg->backend[kind][cfg->backends[kind]++];
}

static const struct vmm_option scsi_options[] = {
	{
		.key = "wwpn", .arg = "NAME", .type = VMM_OPT_TEXT, .min = 1, .max = WWPN_MAX,
		BACKEND(path), .flags = VMM_OPT_REQUIRED,
		.help = "target of the host, naa.*, fc.* or iqn.*",
	},
	{
		.key = "queues", .arg = "N", .type = VMM_OPT_NUMBER, .min = 1,
		.max = VMM_SCSI_QUEUES, .initial = "1", BACKEND(queues), .help = "request queues",
	},
	SLOT(struct vmm_backend),
	LEGACY(struct vmm_backend),
};

static void *scsi_add(struct vmm_config *cfg)
{
	return backend_add(cfg, VMM_BACKEND_SCSI);
}

const struct vmm_option_table vmm_options_scsi = {
	.name = "scsi",
	.title = "SCSI controller",
	.about =
		"A virtio-scsi controller, served by vhost-scsi: its disks are the logical units of\n"
		"a target of the host, a directory in /sys/kernel/config/target/vhost, which one VM\n"
		"can use at a time. A VM with one cannot be saved.",
	.options = scsi_options,
	.count = ARRAY_SIZE(scsi_options),
	.shorthand = "scsi",
	.first = -1,
	.add = scsi_add,
	.most = VMM_BACKENDS,
};

static const struct vmm_option net_options[] = {
	{
		.key = "tap", .arg = "NAME", .type = VMM_OPT_TEXT, .min = 1, .max = INTERFACE_MAX,
		BACKEND(path), .flags = VMM_OPT_REQUIRED, .help = "tap interface of the host",
	},
	{
		.key = "mac", .arg = "MAC", .type = VMM_OPT_MAC, BACKEND(mac),
		.initially = "vmmctl's choice", .help = "the guest's address",
	},
	SLOT(struct vmm_backend),
	LEGACY(struct vmm_backend),
};

static void *net_add(struct vmm_config *cfg)
{
	cfg->nets_named++;
	return backend_add(cfg, VMM_BACKEND_NET);
}

/* A VM that starts from a snapshot has as many network devices as the saved one. */
static void *net_again(struct vmm_config *cfg)
{
	struct vmm_backend *backend;

	if (cfg->nets_named >= cfg->backends[VMM_BACKEND_NET])
		return NULL;
	backend = &cfg->backend[VMM_BACKEND_NET][cfg->nets_named++];
	backend->inherited = false;
	return backend;
}

const struct vmm_option_table vmm_options_net = {
	.name = "net",
	.title = "Network interface",
	.about =
		"A virtio-net interface, connected to a tap interface of the host by vhost-net.\n"
		"The tap interface must exist: \"ip tuntap add tap0 mode tap user $USER\" makes one.\n"
		"With --from, the first --net is about the saved VM's first interface, and so on; a\n"
		"clone needs tap interfaces of its own.",
	.options = net_options,
	.count = ARRAY_SIZE(net_options),
	.shorthand = "net",
	.first = -1,
	.add = net_add,
	.again = net_again,
	.most = VMM_BACKENDS,
};

enum vhost_user_row { VU_KIND, VU_SOCKET, VU_QUEUES, VU_TAG, VU_MAC };

static const struct vmm_option vhost_user_options[] = {
	[VU_KIND] = {
		.key = "kind", .type = VMM_OPT_WORD, .words = kind_words, BACKEND(type),
		.flags = VMM_OPT_REQUIRED | VMM_OPT_BARE,
		.help = "what the process serves; \"kind=\" may be left out",
	},
	[VU_SOCKET] = {
		.key = "socket", .arg = "PATH", .type = VMM_OPT_TEXT, .min = 1,
		.max = VMM_UNIX_PATH - 1, BACKEND(path), .flags = VMM_OPT_REQUIRED | VMM_OPT_FILE,
		.help = "Unix socket at which the process listens",
	},
	[VU_QUEUES] = {
		.key = "queues", .arg = "N", .type = VMM_OPT_NUMBER, .words = queues_words,
		.min = 1, .max = VMM_VIRTIO_QUEUES, .initial = "auto", BACKEND(queues),
		.help = "queues; auto: as many as the process has",
	},
	[VU_TAG] = {
		.key = "tag", .arg = "NAME", .type = VMM_OPT_TEXT, .min = 1, .max = TAG_MAX,
		BACKEND(tag), .help = "fs only: the file system's name in the guest",
	},
	[VU_MAC] = {
		.key = "mac", .arg = "MAC", .type = VMM_OPT_MAC, BACKEND(mac),
		.initially = "vmmctl's choice", .help = "net only: the guest's address",
	},
	SLOT(struct vmm_backend),
	LEGACY(struct vmm_backend),
};

static void *vhost_user_add(struct vmm_config *cfg)
{
	return backend_add(cfg, VMM_BACKEND_VHOST_USER);
}

/* There is one screen, and legacy drivers have no GPU. */
static int gpu_check(const struct vmm_config *cfg, const char *where,
		     const struct vmm_backend *backend)
{
	unsigned int i;

	if (backend->transport.legacy)
		return vmm_error(-EINVAL, "%s: a gpu has no legacy registers", where);
	for (i = 0; i < cfg->backends[VMM_BACKEND_VHOST_USER]; i++) {
		const struct vmm_backend *other = &cfg->backend[VMM_BACKEND_VHOST_USER][i];

		if (other != backend && other->type == VMM_VHOST_USER_GPU)
			return vmm_error(-EINVAL, "%s: there is a gpu already, and one screen",
					 where);
	}
	return 0;
}

/* Some keys are for one kind only. */
static int vhost_user_check(const struct vmm_config *cfg, const char *where, const void *item,
			    u64 given)
{
	const struct vmm_backend *backend = item;

	if (backend->type == VMM_VHOST_USER_FS && !(given & 1 << VU_TAG))
		return vmm_error(-EINVAL, "%s: fs needs tag=NAME", where);
	if (backend->type != VMM_VHOST_USER_FS && given & 1 << VU_TAG)
		return vmm_error(-EINVAL, "%s: tag is for fs only, and this is %s", where,
				 kind_words[backend->type].text);
	if (backend->type != VMM_VHOST_USER_NET && given & 1 << VU_MAC)
		return vmm_error(-EINVAL, "%s: mac is for net only, and this is %s", where,
				 kind_words[backend->type].text);
	return backend->type == VMM_VHOST_USER_GPU ? gpu_check(cfg, where, backend) : 0;
}

const struct vmm_option_table vmm_options_vhost_user = {
	.name = "vhost-user",
	.title = "Device of another process",
	.about = "A virtio device that another process serves by the vhost-user protocol.",
	.options = vhost_user_options,
	.count = ARRAY_SIZE(vhost_user_options),
	.shorthand = "vhost-user",
	.first = -1,
	.add = vhost_user_add,
	.most = VMM_BACKENDS,
	.check = vhost_user_check,
};

static const struct vmm_option vdpa_options[] = {
	{
		.key = "dev", .arg = "NODE", .type = VMM_OPT_TEXT, .min = 1,
		.max = PATH_MAX_BYTES, BACKEND(path), .flags = VMM_OPT_REQUIRED | VMM_OPT_FILE,
		.help = "device node, /dev/vhost-vdpa-N",
	},
	SLOT(struct vmm_backend),
	LEGACY(struct vmm_backend),
};

static void *vdpa_add(struct vmm_config *cfg)
{
	return backend_add(cfg, VMM_BACKEND_VDPA);
}

const struct vmm_option_table vmm_options_vdpa = {
	.name = "vdpa",
	.title = "vDPA device",
	.about = "A virtio device that vDPA hardware or a vDPA simulator of the host serves.",
	.options = vdpa_options,
	.count = ARRAY_SIZE(vdpa_options),
	.shorthand = "vdpa",
	.first = -1,
	.add = vdpa_add,
	.most = VMM_BACKENDS,
};

static const struct vmm_option vsock_options[] = {
	{
		.key = "cid", .arg = "CID", .type = VMM_OPT_NUMBER, .words = cid_words, .min = 3,
		.max = 0xfffffffe, CONFIG(vsock_cid), .flags = VMM_OPT_REQUIRED,
		.help = "the guest's address; auto: the first from 77 on that is free",
	},
	{
		.key = "dev", .type = VMM_OPT_WORD, .words = vsock_words,
		.initial = VMM_VSOCK_ADB_NODE, CONFIG(vsock), .help = "kernel module",
	},
};

/* It can exist only once, and its fields are members of the config. */
static void *vsock_add(struct vmm_config *cfg)
{
	return cfg;
}

const struct vmm_option_table vmm_options_vsock = {
	.name = "vsock",
	.title = "vsock",
	.about =
		"Sockets between guest and host. " VMM_VSOCK_ADB_NODE " is the module\n"
		"vhost_vsock_adb, which relays streams to host sockets: adb and --vsock-uds need\n"
		"it. " VMM_VSOCK_LINUX_NODE " is Linux' own AF_VSOCK.",
	.options = vsock_options,
	.count = ARRAY_SIZE(vsock_options),
	.shorthand = "vsock",
	.add = vsock_add,
	.most = 1,
};
