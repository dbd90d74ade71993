// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line. Reads argv into a struct vmm_config and checks what can be
 * checked without touching the machine.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "host/host.h"
#include "host/vsock.h"

#define MEMORY_MIN	(64 * MIB)
#define MEMORY_DEFAULT	(1 * GIB)
#define PIPE_NAME_MAX	122	/* bytes that the guest's driver can write */

enum opt {
	OPT_KERNEL = 256,
	OPT_INITRD,
	OPT_APPEND,
	OPT_CPUS,
	OPT_MEMORY,
	OPT_GIC,
	OPT_PIPE,
	OPT_PIPE_SERVICE,
	OPT_PIPE_SOCKET,
	OPT_WINDOW,
	OPT_STATS,
	OPT_STATS_AT,
	OPT_NO_REBOOT,
	OPT_CONSOLE,
	OPT_FSTAB_SYSTEM,
	OPT_FSTAB_VENDOR,
	OPT_DISK,
	OPT_NET,
	OPT_VHOST_USER,
	OPT_VDPA,
	OPT_VIRTIO,
	OPT_VSOCK,
	OPT_VSOCK_UDS,
	OPT_ADB,
	OPT_ADB_SOCKET,
	OPT_ADB_TRANSPORT,
	OPT_VIRTIO_PACKED,
};

static const struct option options[] = {
	{ "kernel", required_argument, NULL, OPT_KERNEL },
	{ "initrd", required_argument, NULL, OPT_INITRD },
	{ "append", required_argument, NULL, OPT_APPEND },
	{ "cpus", required_argument, NULL, OPT_CPUS },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "gic", required_argument, NULL, OPT_GIC },
	{ "pipe", required_argument, NULL, OPT_PIPE },
	{ "pipe-service", required_argument, NULL, OPT_PIPE_SERVICE },
	{ "pipe-socket", required_argument, NULL, OPT_PIPE_SOCKET },
	{ "window", required_argument, NULL, OPT_WINDOW },
	{ "stats", optional_argument, NULL, OPT_STATS },
	{ "stats-at", required_argument, NULL, OPT_STATS_AT },
	{ "no-reboot", no_argument, NULL, OPT_NO_REBOOT },
	{ "console", required_argument, NULL, OPT_CONSOLE },
	{ "fstab-system", required_argument, NULL, OPT_FSTAB_SYSTEM },
	{ "fstab-vendor", required_argument, NULL, OPT_FSTAB_VENDOR },
	{ "disk", required_argument, NULL, OPT_DISK },
	{ "net", required_argument, NULL, OPT_NET },
	{ "vhost-user", required_argument, NULL, OPT_VHOST_USER },
	{ "vdpa", required_argument, NULL, OPT_VDPA },
	{ "virtio", required_argument, NULL, OPT_VIRTIO },
	{ "vsock", required_argument, NULL, OPT_VSOCK },
	{ "vsock-uds", required_argument, NULL, OPT_VSOCK_UDS },
	{ "adb", required_argument, NULL, OPT_ADB },
	{ "adb-socket", required_argument, NULL, OPT_ADB_SOCKET },
	{ "adb-transport", required_argument, NULL, OPT_ADB_TRANSPORT },
	{ "virtio-packed", required_argument, NULL, OPT_VIRTIO_PACKED },
	{ "output", required_argument, NULL, 'o' },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

/* A word that an option takes and what it means. */
struct word {
	const char *text;
	int value;
};

static const struct word gic_words[] = {
	{ "auto", VMM_GIC_AUTO }, { "2", VMM_GIC_V2 }, { "3", VMM_GIC_V3 }, { }
};

static const struct word pipe_words[] = {
	{ "kernel", VMM_PIPE_KERNEL }, { "user", VMM_PIPE_USER }, { "none", VMM_PIPE_NONE }, { }
};

static const struct word window_words[] = {
	{ "auto", VMM_WINDOW_AUTO }, { "on", VMM_WINDOW_ON }, { "off", VMM_WINDOW_OFF }, { }
};

static const struct word extra_words[] = {
	{ "rng", VMM_EXTRA_RNG }, { "balloon", VMM_EXTRA_BALLOON },
	{ "console", VMM_EXTRA_CONSOLE }, { "keyboard", VMM_EXTRA_KEYBOARD },
	{ "multitouch", VMM_EXTRA_MULTITOUCH }, { }
};

static const struct word vsock_words[] = {
	{ VMM_VSOCK_ADB_NODE, VMM_VSOCK_ADB }, { VMM_VSOCK_LINUX_NODE, VMM_VSOCK_LINUX }, { }
};

static const struct word adb_transport_words[] = {
	{ "vsock", VMM_ADB_BY_VSOCK }, { "pipe", VMM_ADB_BY_PIPE }, { }
};

static const struct word adb_words[] = {
	{ "auto", VMM_ADB_AUTO }, { "on", VMM_ADB_ON }, { "off", VMM_ADB_OFF }, { }
};

static const struct word switch_words[] = { { "on", true }, { "off", false }, { } };

static const struct word console_words[] = { { "stdio", true }, { "none", false }, { } };

static const struct word command_words[] = {
	{ "run", VMM_CMD_RUN },
	{ "dtb", VMM_CMD_DTB },
	{ "doctor", VMM_CMD_DOCTOR },
	{ "help", VMM_CMD_HELP },
	{ "--help", VMM_CMD_HELP },
	{ "-h", VMM_CMD_HELP },
	{ }
};

/**
 * vmm_options_usage - print how vmmctl is called
 * @to: stdout or stderr
 */
void vmm_options_usage(FILE *to)
{
	fputs("usage: vmmctl run --kernel IMAGE [options]   boot a guest on the ranchu board\n"
	      "       vmmctl dtb [options] [-o FILE]        write the board's device tree\n"
	      "       vmmctl doctor                         say what this host lacks\n"
	      "\n"
	      "board options\n"
	      "  --kernel IMAGE        raw arm64 kernel image\n"
	      "  --initrd FILE         initial RAM disk\n"
	      "  --append STRING       kernel command line; the console is ttyAMA0\n"
	      "  --cpus N              1 to 8, default 1\n"
	      "  --memory SIZE         64M to 30G, default 1G\n"
	      "  --gic auto|2|3        auto: 2 where the host has it, else 3\n"
	      "  --fstab-system DEV    guest device of the system partition, if not a disk's\n"
	      "  --fstab-vendor DEV    guest device of the vendor partition, likewise\n"
	      "\n"
	      "run options\n"
	      "  --pipe kernel|user|none   who serves the goldfish pipe, default kernel\n"
	      "  --pipe-service NAME=unix:PATH  the guest's pipe:NAME is a connection to the\n"
	      "                        Unix socket PATH, a new one for each open; repeatable\n"
	      "  --pipe-socket PATH    who connects to PATH may offer services of the pipe by\n"
	      "                        itself (libranchu-pipe)\n"
	      "  --window auto|on|off  registers readable without an exit\n"
	      "  --disk PATH[,readonly][,direct][,block=512|4096][,queues=N][,served=kernel|user]\n"
	      "                        [,fstab=system|vendor]\n"
	      "                        a virtio-blk disk; again for more; the first at a003e00.virtio_mmio;\n"
	      "                        at SIGUSR2 the guest is told of sizes that have changed\n"
	      "  --net tap=NAME[,mac=MAC]  virtio-net on the host's tap interface, by vhost-net\n"
	      "  --vhost-user TYPE,socket=PATH[,queues=N][,tag=NAME][,mac=MAC]\n"
	      "                        a device that a process serves: blk, fs (with a tag), net,\n"
	      "                        rng or console\n"
	      "  --vdpa dev=NODE       a vDPA device, /dev/vhost-vdpa-N\n"
	      "                        these and --disk: also slot=N (0 to 31: that transport) and\n"
	      "                        legacy (registers of before virtio 1.0)\n"
	      "  --virtio rng          the host's random numbers\n"
	      "  --virtio balloon[=SIZE]   SIZE of the guest's memory, and what is free, is the host's\n"
	      "  --virtio console=PATH the guest's /dev/hvc0 is a connection to the Unix socket PATH\n"
	      "  --virtio keyboard=PATH, --virtio multitouch=PATH\n"
	      "                        events come from the Unix socket PATH\n"
	      "  --vsock CID[,dev=NODE]    virtio-vsock, by " VMM_VSOCK_ADB_NODE " (default)\n"
	      "                        or " VMM_VSOCK_LINUX_NODE "; with the former also\n"
	      "  --adb auto|on|off     be an emulator on 127.0.0.1:5555 or the next free pair\n"
	      "  --adb-socket PATH     adb connect localfilesystem:PATH reaches the guest\n"
	      "  --adb-transport vsock|pipe    pipe: by pipe:qemud:adb, without --vsock\n"
	      "  --vsock-uds PATH      \"CONNECT <port>\" at PATH reaches the guest's port, and\n"
	      "                        the guest reaches PATH_<port> at the host's port\n"
	      "  --virtio-packed on|off    offer packed rings, default off\n"
	      "  --console stdio|none  Ctrl-A x leaves, Ctrl-A Ctrl-A sends Ctrl-A\n"
	      "  --no-reboot           a reset of the guest ends vmmctl\n"
	      "  --stats[=FILE]        statistics at the end and at SIGUSR1, FILE as JSON lines\n"
	      "  --stats-at PREFIX     also whenever the guest prints a line that begins so\n",
	      to);
}

static int word_find(const struct word *words, const char *text, int *value)
{
	for (; words->text; words++) {
		if (!strcmp(words->text, text)) {
			*value = words->value;
			return 0;
		}
	}
	return -EINVAL;
}

static int word_option(const struct word *words, const char *name, const char *text, int *value)
{
	if (word_find(words, text, value))
		return vmm_error(-EINVAL, "--%s does not know \"%s\"", name, text);
	return 0;
}

/**
 * vmm_options_size - read a size
 * @text: a decimal number, then nothing, K, M or G
 * @bytes: filled
 *
 * Return: 0, -EINVAL if it is no size, -ERANGE if it does not fit 64 bits
 */
int vmm_options_size(const char *text, u64 *bytes)
{
	u64 unit = 1;
	u64 number;
	char *rest;

	/* strtoull takes blanks and signs, which no size has. */
	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	number = strtoull(text, &rest, 10);
	if (errno)
		return -ERANGE;
	if (*rest) {
		switch (*rest++) {
		case 'K':
		case 'k':
			unit = KIB;
			break;
		case 'M':
		case 'm':
			unit = MIB;
			break;
		case 'G':
		case 'g':
			unit = GIB;
			break;
		default:
			return -EINVAL;
		}
		if (*rest)
			return -EINVAL;
	}
	return __builtin_mul_overflow(number, unit, bytes) ? -ERANGE : 0;
}

static int memory_option(struct vmm_config *cfg, const char *text)
{
	if (vmm_options_size(text, &cfg->memory))
		return vmm_error(-EINVAL, "--memory: \"%s\" is no size", text);
	if (cfg->memory < MEMORY_MIN || cfg->memory > RANCHU_RAM_MAX || cfg->memory % MIB)
		return vmm_error(-EINVAL, "--memory: %s is not 64M to 30G in whole MiB", text);
	return 0;
}

static int cpus_option(struct vmm_config *cfg, const char *text)
{
	if (text[0] < '1' || text[0] > '0' + VMM_MAX_CPUS || text[1])
		return vmm_error(-EINVAL, "--cpus: \"%s\" is not 1 to %d", text, VMM_MAX_CPUS);
	cfg->cpus = text[0] - '0';
	return 0;
}

static int disk_detail(struct vmm_disk *disk, char **text)
{
	enum { READONLY, DIRECT, BLOCK, QUEUES, SERVED, FSTAB, SLOT, LEGACY };
	static char *const words[] = {
		[READONLY] = "readonly", [DIRECT] = "direct", [BLOCK] = "block",
		[QUEUES] = "queues", [SERVED] = "served", [FSTAB] = "fstab",
		[SLOT] = "slot", [LEGACY] = "legacy", NULL
	};
	const char *whole = *text;
	char *value = NULL;

	switch (getsubopt(text, words, &value)) {
	case READONLY:
		disk->readonly = true;
		return 0;
	case DIRECT:
		disk->direct = true;
		return 0;
	case BLOCK:
		disk->block_size = value ? atoi(value) : 0;
		if (disk->block_size == 512 || disk->block_size == 4096)
			return 0;
		return vmm_error(-EINVAL, "--disk: blocks have 512 or 4096 bytes");
	case QUEUES:
		disk->queues = value && !value[1] ? *value - '0' : 0;
		if (disk->queues >= 1 && disk->queues <= VMM_DISK_QUEUES)
			return 0;
		return vmm_error(-EINVAL, "--disk: there are 1 to %d queues", VMM_DISK_QUEUES);
	case SERVED:
		disk->user = value && !strcmp(value, "user");
		if (disk->user || (value && !strcmp(value, "kernel")))
			return 0;
		return vmm_error(-EINVAL, "--disk is served=kernel or served=user");
	case FSTAB:
		disk->fstab = value;
		if (value && (!strcmp(value, "system") || !strcmp(value, "vendor")))
			return 0;
		return vmm_error(-EINVAL, "--disk is fstab=system or fstab=vendor");
	case SLOT:
	case LEGACY:
		return vmm_options_place(&disk->place, "disk", whole, value);
	default:
		return vmm_error(-EINVAL, "--disk does not know \"%s\"", whole);
	}
}

/* PATH[,detail]...; a path with a comma cannot be said. */
static int disk_option(struct vmm_config *cfg, char *text)
{
	struct vmm_disk *disk = &cfg->disk[cfg->disks];
	int err = 0;

	if (cfg->disks == VMM_DISKS)
		return vmm_error(-EINVAL, "--disk: there are at most %d", VMM_DISKS);
	*disk = (struct vmm_disk){ .path = text, .block_size = 512, .queues = 1,
				   .place.slot = -1 };
	text += strcspn(text, ",");
	if (text == disk->path)
		return vmm_error(-EINVAL, "--disk has no path");
	cfg->disks++;
	if (!*text)
		return 0;
	*text++ = '\0';
	do
		err = disk_detail(disk, &text);
	while (!err && *text);
	return err;
}

/* KIND or KIND=ARG; the model reads ARG. */
static int extra_option(struct vmm_config *cfg, char *text)
{
	struct vmm_extra *extra = &cfg->extra[cfg->extras];
	char *arg = strchr(text, '=');
	int kind = 0;
	int err;

	if (cfg->extras == VMM_EXTRAS)
		return vmm_error(-EINVAL, "--virtio: %d are the most", VMM_EXTRAS);
	if (arg)
		*arg++ = '\0';
	err = word_option(extra_words, "virtio", text, &kind);
	if (err)
		return err;
	*extra = (struct vmm_extra){ .kind = kind, .arg = arg };
	cfg->extras++;
	return 0;
}

/**
 * vmm_extra_count - count small virtio devices
 * @cfg: the command line
 * @kind: which
 *
 * Return: how many
 */
unsigned int vmm_extra_count(const struct vmm_config *cfg, enum vmm_extra_kind kind)
{
	unsigned int n = 0;
	unsigned int i;

	for (i = 0; i < cfg->extras; i++)
		n += cfg->extra[i].kind == kind;
	return n;
}

/**
 * vmm_extra_arg - find what was said about a small virtio device
 * @cfg: the command line
 * @kind: which
 * @index: which of them
 *
 * Return: the text, or NULL
 */
const char *vmm_extra_arg(const struct vmm_config *cfg, enum vmm_extra_kind kind,
			  unsigned int index)
{
	unsigned int i;

	for (i = 0; i < cfg->extras; i++) {
		if (cfg->extra[i].kind == kind && !index--)
			return cfg->extra[i].arg;
	}
	return NULL;
}

/* CID, or CID,dev=NODE. 0 to 2 and the highest are not for guests. */
static int vsock_option(struct vmm_config *cfg, const char *text)
{
	static const char dev[] = ",dev=";
	int value = VMM_VSOCK_ADB;
	unsigned long long cid;
	char *rest;

	errno = 0;
	cid = strtoull(text, &rest, 10);
	if (*text < '0' || *text > '9' || errno || (*rest && *rest != ','))
		return vmm_error(-EINVAL, "--vsock: \"%s\" is not CID[,dev=NODE]", text);
	if (cid < 3 || cid > 0xfffffffe)
		return vmm_error(-EINVAL, "--vsock: the CID is not 3 to 4294967294");
	if (*rest && (strncmp(rest, dev, strlen(dev)) ||
		      word_find(vsock_words, rest + strlen(dev), &value)))
		return vmm_error(-EINVAL, "--vsock: \"%s\" is not dev=" VMM_VSOCK_ADB_NODE
				 " or dev=" VMM_VSOCK_LINUX_NODE, rest + 1);
	cfg->vsock_cid = cid;
	cfg->vsock = value;
	return 0;
}

/* NAME=unix:PATH; NAME may have colons in it. Both are as long as they can be. */
static int service_option(struct vmm_config *cfg, const char *text)
{
	struct vmm_pipe_service *service = &cfg->services[cfg->n_services];
	static const char middle[] = "=unix:";
	const char *end = strstr(text, middle);

	if (!end || end == text)
		return vmm_error(-EINVAL, "--pipe-service: \"%s\" is not NAME=unix:PATH", text);
	if (cfg->n_services == VMM_PIPE_SERVICES)
		return vmm_error(-EINVAL, "--pipe-service: %d are the most", VMM_PIPE_SERVICES);
	service->name = text;
	service->name_len = end - text;
	service->path = end + strlen(middle);
	if (service->name_len > PIPE_NAME_MAX)
		return vmm_error(-EINVAL, "--pipe-service: a name has 1 to %d bytes",
				 PIPE_NAME_MAX);
	if (!*service->path || strlen(service->path) >= VMM_UNIX_PATH)
		return vmm_error(-EINVAL, "--pipe-service: a path has 1 to %d bytes",
				 VMM_UNIX_PATH - 1);
	cfg->n_services++;
	return 0;
}

/* The longest port's name must fit behind it as well. */
static int socket_option(const char **option, const char *name, const char *path)
{
	if (!*path || strlen(path) + strlen("_4294967295") >= VMM_UNIX_PATH)
		return vmm_error(-EINVAL, "--%s: a path has 1 to %zu bytes", name,
				 VMM_UNIX_PATH - 1 - strlen("_4294967295"));
	*option = path;
	return 0;
}

static int virtio_option(struct vmm_config *cfg, int opt)
{
	int value = 0;
	int err;

	switch (opt) {
	case OPT_DISK:
		return disk_option(cfg, optarg);
	case OPT_NET:
		return vmm_options_front(cfg, VMM_FRONT_NET, optarg);
	case OPT_VHOST_USER:
		return vmm_options_front(cfg, VMM_FRONT_VHOST_USER, optarg);
	case OPT_VDPA:
		return vmm_options_front(cfg, VMM_FRONT_VDPA, optarg);
	case OPT_VIRTIO:
		return extra_option(cfg, optarg);
	case OPT_VSOCK:
		return vsock_option(cfg, optarg);
	case OPT_VSOCK_UDS:
		return socket_option(&cfg->vsock_uds, "vsock-uds", optarg);
	case OPT_ADB:
		err = word_option(adb_words, "adb", optarg, &value);
		cfg->adb = value;
		return err;
	case OPT_ADB_TRANSPORT:
		err = word_option(adb_transport_words, "adb-transport", optarg, &value);
		cfg->adb_transport = value;
		return err;
	case OPT_ADB_SOCKET:
		return socket_option(&cfg->adb_socket, "adb-socket", optarg);
	case OPT_VIRTIO_PACKED:
		err = word_option(switch_words, "virtio-packed", optarg, &value);
		cfg->virtio_packed = value;
		return err;
	default:
		return 1;
	}
}

static int board_option(struct vmm_config *cfg, int opt)
{
	int value = 0;
	int err;

	switch (opt) {
	case OPT_KERNEL:
		cfg->kernel = optarg;
		return 0;
	case OPT_INITRD:
		cfg->initrd = optarg;
		return 0;
	case OPT_APPEND:
		cfg->append = optarg;
		return 0;
	case OPT_CPUS:
		return cpus_option(cfg, optarg);
	case OPT_MEMORY:
		return memory_option(cfg, optarg);
	case OPT_GIC:
		err = word_option(gic_words, "gic", optarg, &value);
		cfg->gic = value;
		return err;
	case OPT_FSTAB_SYSTEM:
		cfg->fstab_system = optarg;
		return 0;
	case OPT_FSTAB_VENDOR:
		cfg->fstab_vendor = optarg;
		return 0;
	default:
		return 1;
	}
}

static int run_option(struct vmm_config *cfg, int opt)
{
	int value = 0;
	int err = 0;

	switch (opt) {
	case OPT_PIPE:
		err = word_option(pipe_words, "pipe", optarg, &value);
		cfg->pipe = value;
		return err;
	case OPT_PIPE_SERVICE:
		return service_option(cfg, optarg);
	case OPT_PIPE_SOCKET:
		return socket_option(&cfg->pipe_socket, "pipe-socket", optarg);
	case OPT_WINDOW:
		err = word_option(window_words, "window", optarg, &value);
		cfg->window = value;
		return err;
	case OPT_CONSOLE:
		err = word_option(console_words, "console", optarg, &value);
		cfg->console = value;
		return err;
	case OPT_STATS:
		cfg->stats = true;
		if (optarg)
			cfg->stats_file = optarg;
		return 0;
	case OPT_STATS_AT:
		cfg->stats_at = optarg;
		return 0;
	case OPT_NO_REBOOT:
		cfg->no_reboot = true;
		return 0;
	default:
		return 1;
	}
}

static const char *option_name(int opt)
{
	const struct option *o = options;

	while (o->val != opt)
		o++;
	return o->name;
}

/* An option that its command does not have is refused, not ignored. */
static int one_option(struct vmm_config *cfg, int opt)
{
	int ret = 1;

	if (cfg->command != VMM_CMD_DOCTOR)
		ret = board_option(cfg, opt);
	if (ret == 1 && cfg->command == VMM_CMD_RUN)
		ret = run_option(cfg, opt);
	if (ret == 1 && cfg->command == VMM_CMD_RUN)
		ret = virtio_option(cfg, opt);
	if (ret == 1 && cfg->command == VMM_CMD_DTB && opt == 'o') {
		cfg->output = optarg;
		ret = 0;
	}
	if (ret == 1)
		return vmm_error(-EINVAL, "--%s is no option of this command", option_name(opt));
	return ret;
}

/* How clients of adb get to the guest, and what needs the guest's streams. */
static int adb_check(struct vmm_config *cfg)
{
	bool by_pipe = cfg->adb_transport == VMM_ADB_BY_PIPE;
	bool carried = by_pipe || cfg->vsock == VMM_VSOCK_ADB;

	if (by_pipe && cfg->pipe == VMM_PIPE_NONE)
		return vmm_error(-EINVAL,
				 "--adb-transport pipe needs a pipe, which is switched off");
	if (cfg->vsock_uds && cfg->vsock != VMM_VSOCK_ADB)
		return vmm_error(-EINVAL, "--vsock-uds needs --vsock CID,dev=" VMM_VSOCK_ADB_NODE);
	if ((cfg->adb == VMM_ADB_ON || cfg->adb_socket) && !carried)
		return vmm_error(-EINVAL, "--%s needs --vsock CID,dev=" VMM_VSOCK_ADB_NODE
				 " or --adb-transport pipe",
				 cfg->adb == VMM_ADB_ON ? "adb" : "adb-socket");
	if (cfg->adb == VMM_ADB_AUTO)
		cfg->adb = carried ? VMM_ADB_ON : VMM_ADB_OFF;
	return 0;
}

static int options_check(struct vmm_config *cfg)
{
	if (cfg->command == VMM_CMD_RUN && !cfg->kernel)
		return vmm_error(-EINVAL, "run needs --kernel");
	if ((cfg->n_services || cfg->pipe_socket) && cfg->pipe == VMM_PIPE_NONE)
		return vmm_error(-EINVAL, "--pipe-%s needs a pipe, which is switched off",
				 cfg->pipe_socket ? "socket" : "service");
	if (cfg->stats_at && !cfg->console)
		return vmm_error(-EINVAL, "--stats-at needs the console, which is switched off");
	return adb_check(cfg);
}

/**
 * vmm_options_parse - read the command line
 * @cfg: filled
 * @argc: as main() got it
 * @argv: as main() got it; @cfg points into it
 *
 * Return: 0, or -EINVAL
 */
int vmm_options_parse(struct vmm_config *cfg, int argc, char **argv)
{
	int command;
	int opt;
	int err;

	*cfg = (struct vmm_config){
		.append = "", .memory = MEMORY_DEFAULT, .cpus = 1, .console = true,
	};
	if (argc < 2)
		return vmm_error(-EINVAL, "no command; vmmctl help lists them");
	if (word_find(command_words, argv[1], &command))
		return vmm_error(-EINVAL, "no command is \"%s\"; vmmctl help lists them", argv[1]);
	cfg->command = command;
	if (command == VMM_CMD_HELP)
		return 0;
	/* getopt takes the command for the program's name. 0 starts afresh. */
	argc--;
	argv++;
	optind = 0;
	opterr = 0;
	for (;;) {
		opt = getopt_long(argc, argv, ":o:h", options, NULL);
		if (opt == -1)
			break;
		if (opt == 'h') {
			cfg->command = VMM_CMD_HELP;
			return 0;
		}
		if (opt == '?' || opt == ':')
			return vmm_error(-EINVAL, opt == '?' ? "unknown option %s" :
					 "%s needs a value", argv[optind - 1]);
		err = one_option(cfg, opt);
		if (err)
			return err;
	}
	if (optind < argc)
		return vmm_error(-EINVAL, "what is \"%s\"?", argv[optind]);
	return options_check(cfg);
}
