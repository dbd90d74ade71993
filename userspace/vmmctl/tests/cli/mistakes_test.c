// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mistakes of users: each one gets one line, which names the option and the allowed values.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/option.h"
#include "tests/tap.h"

#define WORDS	12
#define TEXT_MAX_BYTES	2047	/* of a command line for an arm64 kernel */

static char message[4096];

/* Reads a command line; messages are in message[]. */
static int parse(struct vmm_config *cfg, const char *const *words)
{
	char *argv[WORDS + 2] = { "vmmctl" };
	int argc = 1;
	int err;

	while (*words)
		argv[argc++] = (char *)*words++;
	tap_listen();
	err = vmm_options_parse(cfg, argc, argv);
	tap_heard(message, sizeof(message));
	return err;
}

static const struct {
	const char *words[WORDS];
	const char *says[3];
} mistakes[] = {
	/* Values that older versions misread or ignored. */
	{ { "run", "--kernel=I", "--disk=D,direct=no" }, { "--disk", "direct", "on or off" } },
	{ { "run", "--kernel=I", "--disk=D,readonly=1" }, { "--disk", "readonly", "on or off" } },
	{ { "run", "--kernel=I", "--disk=D,block=4096xyz" }, { "4096xyz", "512 or 4096" } },
	{ { "run", "--kernel=I", "--disk=D,block= 512" }, { "block", "512 or 4096" } },
	{ { "run", "--kernel=I", "--disk=D,slot=1 " }, { "--disk", "slot", "0 to 31" } },
	{ { "run", "--kernel=I", "--virtio", "rng=x" }, { "--virtio rng", "no value" } },
	{ { "run", "--kernel=I", "--virtio", "console" }, { "--virtio console", "socket=PATH" } },
	{ { "run", "--kernel=I", "--virtio", "balloon=1X" }, { "balloon", "size", "30G" } },
	{ { "run", "--kernel=I", "--virtio", "balloon=1G" }, { "balloon" } },
	{ { "run", "--kernel=I", "--virtio", "disk" }, { "disk", "rng, balloon" } },
	{ { "run", "--kernel=I", "--virtio", "sound=x" }, { "--virtio sound", "no value" } },
	{ { "run", "--kernel=I", "--device=sound,wav=x" }, { "wav", "play, record, socket" } },
	{ { "run", "--kernel=I", "--device=sound,play=" }, { "--device", "play" } },
	{ { "run", "--kernel=I", "--sound=x" },
	  { "--sound", "wav=FILE, record=FILE or socket=PATH" } },
	{ { "run", "--kernel=I", "--sound=wav=" },
	  { "--sound", "wav=FILE, record=FILE or socket=PATH" } },
	{ { "run", "--kernel=I", "--sound=record=" },
	  { "--sound", "wav=FILE, record=FILE or socket=PATH" } },
	{ { "run", "--kernel=I", "--sound=alsa=x" },
	  { "--sound", "wav=FILE, record=FILE or socket=PATH" } },
	{ { "run", "--kernel=I", "--memory=1Gx" }, { "--memory", "1Gx", "64M to 30G" } },
	{ { "run", "--kernel=I", "--cpus=2x" }, { "--cpus", "2x", "1 to 32" } },
	{ { "run", "--kernel=I", "--vsock=3x" }, { "--vsock", "cid", "3 to 4294967294" } },
	/* The message names the wrong option, and not its neighbour. */
	{ { "run", "-xk" }, { "run", "-xk", "vmmctl help run" } },
	{ { "run", "--kernel=I", "--no-reboot=1" }, { "--no-reboot", "no value" } },
	{ { "run", "--fstab", "x" }, { "--fstab", "--fstab-system or --fstab-vendor" } },
	{ { "run", "--kernel=I", "--nothing=1" }, { "run", "--nothing;" } },
	{ { "run", "nope.img,ro" }, { "run", "nope.img,ro" } },
	{ { "run", "--kernel=I", "--disk", "nope.img,ro" }, { "--disk", "\"ro\"", "readonly" } },
	{ { "run", "--kernel=I", "--", "x" }, { "run", "\"x\"" } },
	{ { "run", "--kernel" }, { "--kernel", "IMAGE" } },
	{ { "run", "--kernel=I", "--gic" }, { "--gic", "auto, 2 or 3" } },
	{ { "run", "--kernel=I", "--board=other" }, { "--board", "auto, ranchu, virt or pc" } },
	{ { "run", "--kernel=I", "--board=ranchu", "--virtio-bus=pci" },
	  { "--virtio-bus", "ranchu", "mmio only" } },
	{ { "run", "--kernel=I", "--virtio=address-space" },
	  { "--virtio", "there is no device \"address-space\"", "multitouch, sound" } },
	{ { "run", "--kernel=I", "--board=ranchu", "--device=address-space" },
	  { "--device address-space", "ranchu", "no PCI bus" } },
	{ { "dtb", "--kernel=I", "--virtio-bus=pci" }, { "--virtio-bus", "mmio only" } },
	{ { "dtb", "--kernel=I", "--board=pc" }, { "--board", "no device tree" } },
	{ { "run", "--kernel=I", "--board=virt", "--virtio-bus=pci", "--disk=D,fstab=system" },
	  { "--disk", "fstab", "--virtio-bus mmio" } },
	{ { "run", "--kernel=I", "-" }, { "run", "\"-\"" } },
	/* Options without an effect. */
	{ { "dtb", "--pstore=F" }, { "--pstore", "no option of dtb" } },
	{ { "dtb", "--sound=wav=F" }, { "--sound", "no option of dtb" } },
	{ { "dtb", "--hw-dpad=on" }, { "--hw-dpad", "no option of dtb" } },
	{ { "dtb", "--huge-pages=2M" }, { "--huge-pages", "no option of dtb" } },
	{ { "run", "--kernel=I", "--huge-pages=4M" },
	  { "--huge-pages", "off, transparent, 2M or 1G" } },
	{ { "run", "--kernel=I", "--huge-pages=2M", "--virtio=balloon" },
	  { "--huge-pages", "balloon" } },
	{ { "run", "--kernel=I", "--device=keyboard", "--device=keyboard" },
	  { "--device keyboard", "one can be without socket=" } },
	{ { "run", "--kernel=I", "--device=multitouch", "--virtio=multitouch" },
	  { "--device multitouch", "one can be without socket=" } },
	{ { "run", "--kernel=I", "--dma-pool=8M" }, { "--dma-pool", "--access-platform on" } },
	{ { "run", "--kernel=I", "--memory=64M", "--access-platform=on", "--dma-pool=33M" },
	  { "--dma-pool", "33 MiB", "half of the guest's 64" } },
	{ { "run", "--kernel=I", "--board=pc", "--access-platform=on", "--dma-pool=8M" },
	  { "--dma-pool", "pc board" } },
	{ { "run", "--kernel=" }, { "--kernel", "0 bytes" } },
	{ { "run", "--kernel=I", "--stats=" }, { "--stats" } },
	{ { "run", "--kernel=I", "--pipe=none", "--guest-services" },
	  { "--guest-services", "--pipe is none" } },
	{ { "run", "--kernel=I", "--quit-after-boot=9" },
	  { "--quit-after-boot", "--guest-services" } },
	{ { "run", "--kernel=I", "--guest-services", "--quit-after-boot=0" },
	  { "--quit-after-boot", "1" } },
	{ { "help", "nothing" }, { "nothing", "vmmctl help" } },
	{ { "help", "run", "dtb" }, { "dtb" } },
	{ { "version", "x" }, { "version", "\"x\"" } },
	/* Options that are given twice. */
	{ { "run", "--kernel=I", "--cpus=2", "--cpus=2" }, { "--cpus", "twice" } },
	{ { "run", "--kernel=I", "--no-reboot", "--no-re" }, { "--no-reboot", "twice" } },
	{ { "run", "--kernel=I", "--disk=D,queues=2,queues=2" }, { "--disk", "queues", "twice" } },
	{ { "run", "--kernel=I", "--disk=D,path=E" }, { "--disk", "path", "twice" } },
	{ { "run", "--kernel=I", "--vsock=3", "--vsock=4" }, { "--vsock", "twice" } },
	{ { "run", "--kernel=I", "--vsock=3", "--device=vsock,cid=4" }, { "one vsock" } },
	{ { "run", "--kernel=I", "--virtio=balloon", "--virtio=balloon" }, { "one balloon" } },
	{ { "run", "--kernel=I", "--vhost-user=blk,kind=fs,socket=S" }, { "kind", "twice" } },
	/* The common syntax of all devices. */
	{ { "run", "--kernel=I", "--device=nothing" }, { "--device", "nothing", "disk, net" } },
	{ { "run", "--kernel=I", "--device=" }, { "--device", "disk, net" } },
	{ { "run", "--kernel=I", "--device=disk" }, { "--device", "path=PATH" } },
	{ { "run", "--kernel=I", "--device=disk,a.img" }, { "a.img", "path, readonly" } },
	{ { "run", "--kernel=I", "--device=disk,path=a,siz=2" }, { "siz", "path, readonly" } },
	{ { "run", "--kernel=I", "--device=disk,path" }, { "path", "needs a value" } },
	{ { "run", "--kernel=I", "--device=rng,x=1" }, { "rng", "no keys" } },
	{ { "run", "--kernel=I", "--device=vhost-user,socket=S" }, { "kind=blk|fs" } },
	{ { "run", "--kernel=I", "--vhost-user=gpu,socket=S", "--vhost-user=gpu,socket=T" },
	  { "--vhost-user", "one screen" } },
	{ { "run", "--kernel=I", "--vhost-user=gpu,socket=S,legacy" }, { "legacy registers" } },
	/* Ports of adb. */
	{ { "run", "--kernel=I", "--vsock=3", "--adb-port=5556" },
	  { "--adb-port", "5556", "odd" } },
	{ { "run", "--kernel=I", "--vsock=3", "--adb-port=99999" }, { "--adb-port", "65535" } },
	{ { "run", "--kernel=I", "--adb-port=5557" }, { "--adb-port", "--vsock" } },
	{ { "run", "--kernel=I", "--vsock=3", "--adb=off", "--adb-port=5557" }, { "--adb off" } },
	{ { "run", "--kernel=I", "--vsock=3", "--adb-users=me" },
	  { "--adb-users", "owner or all" } },
	{ { "run", "--kernel=I", "--vsock=3", "--adb=off", "--adb-users=all" },
	  { "--adb-users all", "port" } },
	{ { "run", "--kernel=I", "--adb-users=all" }, { "--adb-users all", "port" } },
	{ { "run", "--kernel=I", "--rtc=maybe" }, { "--rtc", "maybe", "on or off" } },
	{ { "run", "--kernel=I", "--pvpanic=yes" }, { "--pvpanic", "yes", "auto, on or off" } },
	{ { "run", "--kernel=I", "--stall-detector=8" }, { "--stall-detector", "on or off" } },
	{ { "run", "--kernel=I", "--board=pc", "--stall-detector=on" },
	  { "--stall-detector", "pc board" } },
	{ { "run", "--kernel=I", "--config=/no/where" }, { "/no/where", "No such file" } },
};

static void each_gets_one_line(void)
{
	struct vmm_config cfg;
	unsigned int i;
	unsigned int j;

	for (i = 0; i < ARRAY_SIZE(mistakes); i++) {
		tap_context("mistake %u: %s %s", i, mistakes[i].words[0],
			    mistakes[i].words[1] ? mistakes[i].words[1] : "");
		tap_check(parse(&cfg, mistakes[i].words) < 0);
		vmm_options_free(&cfg);
		tap_check(!strncmp(message, "vmmctl: ", 8));
		tap_check(strchr(message, '\n') == message + strlen(message) - 1);
		for (j = 0; j < 3 && mistakes[i].says[j]; j++) {
			tap_context("mistake %u, \"%s\" in %s", i, mistakes[i].says[j], message);
			tap_check(strstr(message, mistakes[i].says[j]));
		}
	}
}

static void right_words_are_silent(void)
{
	static const char *const right[][WORDS] = {
		{ "run", "--kernel=I", "--disk=D,readonly=off,direct=on,legacy" },
		{ "run", "--kern", "I", "--mem", "2G", "--fstab-s", "x" },
		{ "run", "--kernel", "I", "--disk", "a=b", "--disk=path=c", "--" },
		{ "run", "--kernel=I", "--stats", "--virtio=rng", "--virtio", "rng" },
		{ "run", "--kernel=I", "--vsock=3", "--adb-port=5683" },
		{ "dtb", "-ofile" },
		{ "doctor", "--disk=D", "--net=tap=t" },
		{ "help", "run" }, { "help", "disk" }, { "--help" }, { "-h" }, { "--version" },
		{ "dtb", "-h", "--nothing" },
	};
	struct vmm_config cfg;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(right); i++) {
		tap_context("%u: %s", i, message);
		tap_equal(parse(&cfg, right[i]), 0);
		vmm_options_free(&cfg);
		tap_check(!*message);
	}
}

static void switches_may_be_off(void)
{
	static const char *const words[] = {
		"run", "--kernel=I", "--disk=D,readonly=off,direct=on", NULL
	};
	struct vmm_config cfg;

	tap_equal(parse(&cfg, words), 0);
	tap_check(!cfg.disk[0].readonly && cfg.disk[0].direct);
	vmm_options_free(&cfg);
}

/* The message has both numbers: the length, and the limit of a guest. */
static void long_command_lines_are_refused(void)
{
	char text[3001];
	const char *const words[] = { "run", "--kernel=I", "--append", text, NULL };
	struct vmm_config cfg;

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	tap_check(parse(&cfg, words) < 0);
	vmm_options_free(&cfg);
	tap_context("%s", message);
	tap_check(strstr(message, "--append has 3000 bytes; 0 to 2047 are allowed\n"));
	text[TEXT_MAX_BYTES] = '\0';
	tap_equal(parse(&cfg, words), 0);
	tap_equal(strlen(cfg.append), TEXT_MAX_BYTES);
	vmm_options_free(&cfg);
}

static void devices_have_one_grammar(void)
{
	static const char *const words[] = {
		"run", "--kernel=I", "--device", "disk,readonly,path=a=b,queues=3",
		"--device=net,tap=t0", "--device=vhost-user,fs,tag=T,socket=S",
		"--device=vsock,cid=7,dev=/dev/vhost-vsock", "--device=console,socket=C",
		"--device=balloon,size=16M", "--device=rng", NULL
	};
	struct vmm_config cfg;

	tap_equal(parse(&cfg, words), 0);
	tap_check(cfg.disks == 1 && !strcmp(cfg.disk[0].path, "a=b"));
	tap_check(cfg.disk[0].readonly && cfg.disk[0].queues == 3);
	tap_equal(cfg.disk[0].transport.slot, -1);
	tap_check(!strcmp(cfg.backend[VMM_BACKEND_NET][0].path, "t0"));
	tap_equal(cfg.backend[VMM_BACKEND_VHOST_USER][0].type, VMM_VHOST_USER_FS);
	tap_check(cfg.vsock == VMM_VSOCK_LINUX && cfg.vsock_cid == 7);
	tap_equal(cfg.builtins, 3);
	tap_check(!strcmp(cfg.builtin[0].path, "C"));
	tap_equal(cfg.builtin[1].size, 16 * MIB);
	vmm_options_free(&cfg);
}

static void argv_is_left_as_it_was(void)
{
	char disk[] = "D,readonly,queues=2";
	char virtio[] = "console=/a,b";
	const char *const words[] = {
		"run", "--kernel=I", "--disk", disk, "--virtio", virtio, NULL
	};
	struct vmm_config cfg;

	tap_equal(parse(&cfg, words), 0);
	tap_check(!strcmp(disk, "D,readonly,queues=2") && !strcmp(virtio, "console=/a,b"));
	tap_check(!strcmp(cfg.builtin[0].path, "/a,b"));
	vmm_options_free(&cfg);
}

static void help_has_its_topic(void)
{
	static const char *const run[] = { "run", "--kernel=I", "--help", NULL };
	static const char *const disk[] = { "help", "disk", NULL };
	struct vmm_config cfg;

	tap_equal(parse(&cfg, run), 0);
	tap_equal(cfg.command, VMM_CMD_HELP);
	tap_check(cfg.topic && !strcmp(cfg.topic, "run"));
	tap_equal(parse(&cfg, disk), 0);
	tap_check(cfg.topic && !strcmp(cfg.topic, "disk"));
}

static const struct tap_case cases[] = {
	{ "each mistake gets one line", each_gets_one_line },
	{ "what is right is silent", right_words_are_silent },
	{ "switches may be off", switches_may_be_off },
	{ "kernel command lines that are too long are refused", long_command_lines_are_refused },
	{ "all devices have one grammar", devices_have_one_grammar },
	{ "argv is left as it was", argv_is_left_as_it_was },
	{ "help has its topic", help_has_its_topic },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
