// SPDX-License-Identifier: GPL-2.0-only
/*
 * Option tables: the board, the kernel, and the run.
 */
#include <errno.h>
#include <string.h>

#include "cli/option.h"
#include "host/log.h"
#include "host/vm_name.h"

#define AT(field)	VMM_OPTION_AT(struct vmm_config, field)

/* A kernel copies at most this many bytes of its command line, its NUL included. */
#define COMMAND_LINE	2048

static const struct vmm_option_word gic_words[] = {
	{ "auto", VMM_GIC_AUTO }, { "2", VMM_GIC_V2 }, { "3", VMM_GIC_V3 }, { }
};

static const struct vmm_option_word board_words[] = {
	{ "auto", VMM_BOARD_AUTO }, { "ranchu", VMM_BOARD_RANCHU }, { "virt", VMM_BOARD_VIRT },
	{ "pc", VMM_BOARD_PC }, { }
};

static const struct vmm_option_word bus_words[] = {
	{ "auto", VMM_BUS_AUTO }, { "mmio", VMM_BUS_MMIO }, { "pci", VMM_BUS_PCI }, { }
};

static const struct vmm_option_word guest_clock_words[] = {
	{ "saved", VMM_GUEST_CLOCK_SAVED }, { "host", VMM_GUEST_CLOCK_HOST }, { }
};

static const struct vmm_option_word huge_words[] = {
	{ "off", VMM_HUGE_OFF }, { "transparent", VMM_HUGE_TRANSPARENT }, { "2M", VMM_HUGE_2M },
	{ "1G", VMM_HUGE_1G }, { }
};

static const struct vmm_option_word window_words[] = {
	{ "auto", VMM_WINDOW_AUTO }, { "on", VMM_WINDOW_ON }, { "off", VMM_WINDOW_OFF }, { }
};

static const struct vmm_option_word pvpanic_words[] = {
	{ "auto", VMM_PVPANIC_AUTO }, { "on", VMM_PVPANIC_ON }, { "off", VMM_PVPANIC_OFF }, { }
};

static const struct vmm_option_word touch_words[] = {
	{ "none", VMM_TOUCH_NONE }, { "single", VMM_TOUCH_SINGLE }, { "multi", VMM_TOUCH_MULTI },
	{ }
};

static const struct vmm_option_word depth_words[] = { { "16", 16 }, { "32", 32 }, { } };

static const struct vmm_option_word pstore_words[] = { { VMM_PSTORE_MEMORY, 0 }, { } };

static const struct vmm_option_word console_words[] = {
	{ "stdio", true }, { "none", false }, { }
};

static const struct vmm_option general_options[] = {
	{
		.key = "config", .arg = "FILE", .type = VMM_OPT_TEXT, .min = 1,
		.max = PATH_MAX_BYTES, AT(config_file),
		.flags = VMM_OPT_FILE | VMM_OPT_NOT_IN_FILE,
		.help = "read options from FILE; those of the command line win",
	},
	{
		.key = "from", .arg = "DIR", .type = VMM_OPT_TEXT, .min = 1,
		.max = PATH_MAX_BYTES, AT(from), .flags = VMM_OPT_FILE | VMM_OPT_FIRST,
		.help = "start from the snapshot DIR, with the options of the saved VM",
	},
	{
		.key = "clone", .type = VMM_OPT_FLAG, AT(clone), .flags = VMM_OPT_FIRST,
		.help = "as one of many from DIR: with its own name, ports, CID, copies of disks",
	},
	{
		.key = "help", .letter = 'h', .type = VMM_OPT_FLAG, AT(help),
		.flags = VMM_OPT_NOT_IN_FILE, .help = "print this help",
	},
};

const struct vmm_option_table vmm_options_general = {
	.name = "config",
	.title = "Configuration file and snapshot",
	.about =
		"FILE has one JSON object. Its members are the options of the command line\n"
		"without their dashes: numbers, strings, true for a flag, and an array for\n"
		"options that may be repeated. \"device\" is an array of objects with a \"type\"\n"
		"and the keys of that device. A path is relative to the directory in which\n"
		"vmmctl starts. An option of the command line replaces that of the file;\n"
		"devices of both are added. It may have \"from\" and \"clone\".\n\n"
		"Example: { \"kernel\": \"Image\", \"memory\": \"2G\", \"cpus\": 4, \"device\":\n"
		"[ { \"type\": \"disk\", \"path\": \"a.img\", \"readonly\": true } ] }\n\n"
		"DIR is what \"vmmctl snapshot save NAME DIR\" has written. A disk that the guest\n"
		"writes to is what it was then: the image if that is as it was, or else what DIR\n"
		"has of it, and then the guest's writes end with the VM. A clone never writes to\n"
		"an image. A disk that is only read must be as it was.",
	.options = general_options,
	.count = ARRAY_SIZE(general_options),
	.commands = VMM_COMMAND(VMM_CMD_RUN) | VMM_COMMAND(VMM_CMD_DTB) |
		VMM_COMMAND(VMM_CMD_DOCTOR),
	.first = -1,
};

#define SCREEN_MIN	16	/* pixels of a side */
#define SCREEN_MAX	4096

/* Each kind may be given once; the command line replaces the configuration file. */
static int sound_read(struct vmm_reader *reader, const char *where, const char *text)
{
	static const char wav[] = "wav=", record[] = "record=", socket[] = "socket=";
	const char *value = text + strcspn(text, "=");

	value += *value == '=';
	value = *value ? vmm_option_file(reader, where, value) : value;
	if (!value)
		return -EINVAL;
	if (!strncmp(text, wav, strlen(wav)) && *value)
		reader->cfg->sound = value;
	else if (!strncmp(text, record, strlen(record)) && *value)
		reader->cfg->sound_record = value;
	else if (!strncmp(text, socket, strlen(socket)) && *value &&
		 strlen(value) < VMM_UNIX_PATH)
		reader->cfg->sound_socket = value;
	else
		return vmm_error(-EINVAL,
				 "%s: \"%s\" is not wav=FILE, record=FILE or socket=PATH", where,
				 text);
	return 0;
}

static const struct vmm_option board_options[] = {
	{
		.key = "kernel", .arg = "IMAGE", .type = VMM_OPT_TEXT, .min = 1,
		.max = PATH_MAX_BYTES, AT(kernel), .flags = VMM_OPT_FILE,
		.help = "arm64: an Image, also compressed by gzip or in an EFI zboot file;\n"
			"x86_64: a bzImage, or a vmlinux with a PVH entry",
	},
	{
		.key = "initrd", .arg = "FILE", .type = VMM_OPT_TEXT, .min = 1,
		.max = PATH_MAX_BYTES, AT(initrd), .flags = VMM_OPT_FILE,
		.help = "initial RAM disk",
	},
	{
		.key = "append", .arg = "STRING", .type = VMM_OPT_TEXT, .max = COMMAND_LINE - 1,
		.initial = "", AT(append),
		.help = "kernel command line; the console is ttyAMA0, on x86_64 ttyS0",
	},
	{
		.key = "cpus", .arg = "N", .type = VMM_OPT_NUMBER, .min = 1, .max = VMM_MAX_CPUS,
		.initial = "1", AT(cpus), .help = "virtual CPUs",
	},
	{
		.key = "memory", .arg = "SIZE", .type = VMM_OPT_SIZE, .min = 64 * MIB,
		.max = RANCHU_RAM_MAX, .step = MIB, .initial = "1G", AT(memory),
		.help = "guest RAM",
	},
	{
		.key = "board", .type = VMM_OPT_WORD, .words = board_words, .initial = "auto",
		AT(board),
		.help = "arm64: ranchu, or virt, the emulator's on aarch64 hosts, with PCI and a\n"
			"power button; x86_64: pc; auto: ranchu or pc",
	},
	{
		.key = "virtio-bus", .type = VMM_OPT_WORD, .words = bus_words, .initial = "auto",
		AT(virtio_bus),
		.help = "bus of virtio devices; auto: on the pc board pci, else mmio",
	},
	{
		.key = "gic", .type = VMM_OPT_WORD, .words = gic_words, .initial = "auto",
		AT(gic),
		.help = "arm64: interrupt controller; auto: 2 if the host has it, else 3",
	},
	{
		.key = "rtc", .type = VMM_OPT_SWITCH, .initial = "on", AT(rtc),
		.help = "a clock with the host's time: a PL031, on x86_64 a PC's; off: as the\n"
			"arm64 reference board, which has none",
	},
	{
		.key = "pvpanic", .type = VMM_OPT_WORD, .words = pvpanic_words, .initial = "auto",
		AT(pvpanic),
		.help = "a panic of the guest's kernel, reported by its driver pvpanic, ends\n"
			"vmmctl with code 4; auto: on for the pc board, off for the others",
	},
	{
		.key = "stall-detector", .type = VMM_OPT_SWITCH, .initial = "off",
		AT(stall_detector),
		.help = "arm64: end with code 4 if a vCPU takes no interrupts for 8 s, by the\n"
			"stock driver vcpu_stall_detector; it has each vCPU exit every 4 s",
	},
	{
		.key = "vmgenid", .type = VMM_OPT_SWITCH, .initial = "on", AT(vmgenid),
		.help = "tell the guest when it starts from a snapshot, so that its random\n"
			"numbers are unique; off, arm64: as the reference board",
	},
	{
		.key = "guest-clock", .type = VMM_OPT_WORD, .words = guest_clock_words,
		.initial = "saved", AT(guest_clock),
		.help = "x86_64, with --from: saved: the guest's clocks continue from the\n"
			"snapshot's time; host: they count the time since then",
	},
	{
		.key = "access-platform", .type = VMM_OPT_SWITCH, .initial = "off",
		AT(access_platform),
		.help = "offer VIRTIO_F_ACCESS_PLATFORM: drivers of virtio devices share what the\n"
			"guest's DMA API hands out and nothing else, as swiotlb=force wants it",
	},
	{
		.key = "dma-pool", .arg = "SIZE", .type = VMM_OPT_SIZE, .min = MIB,
		.max = RANCHU_RAM_MAX, .step = MIB, .initially = "none", AT(dma_pool),
		.help = "arm64: the tree has a restricted DMA pool of that size, and virtio\n"
			"devices see no other memory; needs --access-platform on",
	},
	{
		.key = "fstab-system", .arg = "DEV", .type = VMM_OPT_TEXT, .min = 1, .max = 255,
		AT(fstab_system),
		.help = "guest device of Android's system partition, if it is on no --disk",
	},
	{
		.key = "fstab-vendor", .arg = "DEV", .type = VMM_OPT_TEXT, .min = 1, .max = 255,
		AT(fstab_vendor), .help = "guest device of the vendor partition, likewise",
	},
};

const struct vmm_option_table vmm_options_board = {
	.name = "board",
	.title = "Board",
	.about =
		"The guest is a machine of the host's architecture with the goldfish devices of\n"
		"Android's emulator: an arm64 board, which boots a Linux kernel with a\n"
		"device tree, or an x86_64 PC, which boots one with ACPI tables.",
	.options = board_options,
	.count = ARRAY_SIZE(board_options),
	.commands = VMM_COMMAND(VMM_CMD_RUN) | VMM_COMMAND(VMM_CMD_DTB) |
		VMM_COMMAND(VMM_CMD_DOCTOR),
	.first = -1,
};

static const struct vmm_option peripheral_options[] = {
	{
		.key = "huge-pages", .type = VMM_OPT_WORD, .words = huge_words,
		.initial = "transparent", AT(huge_pages),
		.help = "host pages of guest RAM; transparent: huge pages if there are\n"
			"some; 2M, 1G: pages of that size, all reserved at the start",
	},
	{
		.key = "snapshots", .arg = "DIR", .type = VMM_OPT_TEXT, .min = 1,
		.max = PATH_MAX_BYTES, AT(snapshots), .flags = VMM_OPT_FILE,
		.initially = "none",
		.help = "directory for the emulator console's avd snapshot save NAME",
	},
	{
		.key = "screenshots", .arg = "DIR", .type = VMM_OPT_TEXT, .min = 1,
		.max = PATH_MAX_BYTES, AT(screenshots), .flags = VMM_OPT_FILE,
		.initially = "none",
		.help = "directory for screenshots of the emulator's console:\n"
			"screenrecord screenshot",
	},
	{
		.key = "pstore", .arg = "FILE|memory", .type = VMM_OPT_TEXT, .min = 1,
		.max = PATH_MAX_BYTES, AT(pstore), .words = pstore_words, .flags = VMM_OPT_FILE,
		.initially = "no store",
		.help = "x86_64: 64 KiB that survive a reset of the guest, where its kernel\n"
			"(ramoops) keeps its last messages; FILE keeps them when vmmctl ends",
	},
	{
		.key = "screen-width", .arg = "N", .type = VMM_OPT_NUMBER, .min = SCREEN_MIN,
		.max = SCREEN_MAX, .initial = "720", AT(screen_width),
		.help = "pixels of a row of the goldfish framebuffer, and of a gpu's screen",
	},
	{
		.key = "screen-height", .arg = "N", .type = VMM_OPT_NUMBER, .min = SCREEN_MIN,
		.max = SCREEN_MAX, .initial = "1280", AT(screen_height),
		.help = "rows of it",
	},
	{
		.key = "screen-socket", .arg = "PATH", .type = VMM_OPT_TEXT, .min = 1,
		.max = VMM_LISTEN_PATH - 1, AT(screen_socket), .flags = VMM_OPT_FILE,
		.help = "Unix socket for a program that draws on the screen, as\n"
			"ranchu-gles does",
	},
	{
		.key = "screen-depth", .type = VMM_OPT_WORD, .words = depth_words,
		.initial = "32", AT(screen_depth),
		.help = "bits per pixel, for drivers that read it; Linux' own uses 16",
	},
	{
		.key = "hw-keyboard", .type = VMM_OPT_SWITCH, .initial = "on", AT(hw_keyboard),
		.help = "the goldfish events have the keys of a keyboard",
	},
	{
		.key = "hw-dpad", .type = VMM_OPT_SWITCH, .initial = "off", AT(hw_dpad),
		.help = "they have a directional pad",
	},
	{
		.key = "hw-trackball", .type = VMM_OPT_SWITCH, .initial = "off",
		AT(hw_trackball), .help = "they have a trackball",
	},
	{
		.key = "hw-touch", .type = VMM_OPT_WORD, .words = touch_words,
		.initial = "multi", AT(hw_touch), .help = "fingers that the screen reports",
	},
	{
		.key = "sound", .arg = "wav=FILE|record=FILE|socket=PATH", .type = VMM_OPT_OWN,
		.read = sound_read, .flags = VMM_OPT_REPEATS | VMM_OPT_FILE,
		.initially = "nowhere, and silence",
		.help = "what the guest plays by goldfish audio goes to a WAV file; it records\n"
			"from one, of 8000 Hz, one channel and 16 bits; a ranchu-sound that listens\n"
			"at PATH plays and records what has no file",
	},
	{
		.key = "battery", .type = VMM_OPT_SWITCH, .initial = "on", AT(battery),
		.help = "a battery; off: the guest sees its charger only",
	},
};

const struct vmm_option_table vmm_options_peripherals = {
	.name = "peripherals",
	.title = "Memory, screen, keys, sound, battery and stores",
	.about =
		"Further devices and memory of the guest.",
	.options = peripheral_options,
	.count = ARRAY_SIZE(peripheral_options),
	.commands = VMM_COMMAND(VMM_CMD_RUN) | VMM_COMMAND(VMM_CMD_DOCTOR),
	.first = -1,
};

static int name_read(struct vmm_reader *reader, const char *where, const char *text)
{
	if (!vmm_name_valid(text))
		return vmm_error(-EINVAL, "%s: \"%s\" is not 1 to %d letters, digits, . - and _",
				 where, text, VMM_NAME_MAX - 1);
	reader->cfg->name = text;
	return 0;
}

/* --stats, or --stats=FILE. */
static int stats_read(struct vmm_reader *reader, const char *where, const char *text)
{
	if (text && !*text)
		return vmm_error(-EINVAL, "%s: the file has no name", where);
	text = text ? vmm_option_file(reader, where, text) : NULL;
	reader->cfg->stats = true;
	reader->cfg->stats_file = text;
	return 0;
}

static const struct vmm_option session_options[] = {
	{
		.key = "name", .arg = "NAME", .type = VMM_OPT_OWN, .read = name_read,
		.initially = "vm and the process's number",
		.help = "name of the VM, for commands such as \"vmmctl stop NAME\"",
	},
	{
		.key = "sandbox", .type = VMM_OPT_SWITCH, .initial = "on", AT(sandbox),
		.help = "restrict the process to what the guest needs",
	},
	{
		.key = "console", .type = VMM_OPT_WORD, .words = console_words,
		.initial = "stdio", AT(console),
		.help = "the guest's UART; on stdio, Ctrl-A x leaves and Ctrl-A Ctrl-A sends\n"
			"Ctrl-A",
	},
	{
		.key = "no-reboot", .type = VMM_OPT_FLAG, AT(no_reboot),
		.help = "a reset of the guest ends vmmctl",
	},
	{
		.key = "random-seed", .type = VMM_OPT_SWITCH, .initial = "on", AT(random_seed),
		.help = "give the guest's kernel new random bytes at each boot, for its random\n"
			"numbers and its place in memory",
	},
	{
		.key = "window", .type = VMM_OPT_WORD, .words = window_words, .initial = "auto",
		AT(window), .help = "registers that the guest reads without an exit",
	},
	{
		.key = "stats", .arg = "FILE", .type = VMM_OPT_OWN, .read = stats_read,
		.flags = VMM_OPT_MAY_BE_ALONE | VMM_OPT_FILE,
		.help = "statistics at the end and at SIGUSR1, in FILE as JSON lines",
	},
	{
		.key = "stats-at", .arg = "PREFIX", .type = VMM_OPT_TEXT, .max = 255,
		AT(stats_at),
		.help = "statistics also when the guest prints a line that begins with PREFIX",
	},
	{
		.key = "stats-every", .arg = "SECONDS", .type = VMM_OPT_NUMBER, .min = 1,
		.max = 86400, AT(stats_every), .help = "statistics also at this interval",
	},
	{
		.key = "quit-after-boot", .arg = "SECONDS", .type = VMM_OPT_NUMBER, .min = 1,
		.max = 86400, AT(quit_after_boot),
		.help = "end when the guest has booted, or with an error after SECONDS; needs\n"
			"--guest-services",
	},
};

const struct vmm_option_table vmm_options_session = {
	.name = "session",
	.title = "Console, statistics and end of a run",
	.about =
		"A run ends when the guest switches itself off, at SIGTERM, SIGINT or SIGHUP, or\n"
		"when the user leaves the console. After a reset vmmctl boots the guest again.",
	.options = session_options,
	.count = ARRAY_SIZE(session_options),
	.commands = VMM_COMMAND(VMM_CMD_RUN) | VMM_COMMAND(VMM_CMD_DOCTOR),
	.first = -1,
};

static const struct vmm_option dtb_options[] = {
	{
		.key = "output", .letter = 'o', .arg = "FILE", .type = VMM_OPT_TEXT, .min = 1,
		.max = PATH_MAX_BYTES, AT(output),
		.flags = VMM_OPT_FILE | VMM_OPT_NOT_IN_FILE,
		.initially = "standard output", .help = "file for the device tree",
	},
};

const struct vmm_option_table vmm_options_dtb = {
	.name = "output",
	.title = "Output",
	.options = dtb_options,
	.count = ARRAY_SIZE(dtb_options),
	.commands = VMM_COMMAND(VMM_CMD_DTB),
	.first = -1,
};
