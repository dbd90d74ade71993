// SPDX-License-Identifier: GPL-2.0-only
/*
 * The configuration file: its values, its mistakes, and that the command line overrides it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/option.h"
#include "tests/tap.h"

#define WORDS	12

static char message[4096];

/* Makes a file with @text; its name is in @path. */
static int make_file(const char *text, size_t len, char *path, size_t size)
{
	int fd = memfd_create("config", 0);

	tap_check(fd >= 0 && write(fd, text, len) == (ssize_t)len);
	snprintf(path, size, "/proc/self/fd/%d", fd);
	return fd;
}

/* Reads words..., --config FILE; messages are in message[]. */
static int parse(struct vmm_config *cfg, const char *text, const char *const *words)
{
	char *argv[WORDS + 4] = { "vmmctl" };
	static char path[64];
	int argc = 1;
	int err;
	int fd;

	while (*words)
		argv[argc++] = (char *)*words++;
	argv[argc++] = "--config";
	argv[argc++] = path;
	fd = make_file(text, strlen(text), path, sizeof(path));
	tap_listen();
	err = vmm_options_parse(cfg, argc, argv);
	tap_heard(message, sizeof(message));
	close(fd);
	return err;
}

static const char *const run[] = { "run", NULL };

static void all_kinds_of_values_are_read(void)
{
	static const char text[] =
		"{ \"kernel\": \"Image\", \"memory\": \"2G\", \"cpus\": 4, \"gic\": 3,\n"
		"  \"no-reboot\": true, \"random-seed\": false, \"stats\": \"F\",\n"
		"  \"virtio-packed\": \"on\", \"vsock\": \"5\", \"adb-port\": 5683,\n"
		"  \"pipe-service\": [ \"a=unix:/a\", \"b=unix:/b\" ], \"virtio\": \"rng\",\n"
		"  \"disk\": [ \"D,queues=2\", { \"type\": \"disk\", \"path\": \"a,b\", \"readonly\": true } ],\n"
		"  \"net\": { \"tap\": \"t\", \"mac\": \"02:00:00:00:00:01\" },\n"
		"  \"device\": [ { \"type\": \"disk\", \"path\": \"E\", \"block\": 4096 },\n"
		"                { \"slot\": 3, \"type\": \"vdpa\", \"dev\": \"V\" }, \"rng\" ] }";
	struct vmm_config cfg;

	tap_equal(parse(&cfg, text, run), 0);
	tap_context("%s", message);
	tap_check(!*message);
	tap_check(!strcmp(cfg.kernel, "Image") && cfg.memory == 2 * GIB && cfg.cpus == 4);
	tap_check(cfg.gic == VMM_GIC_V3 && cfg.no_reboot && !cfg.random_seed);
	tap_check(cfg.stats && !strcmp(cfg.stats_file, "F") && cfg.virtio_packed);
	tap_check(cfg.vsock == VMM_VSOCK_ADB && cfg.vsock_cid == 5 && cfg.adb_port == 5683);
	tap_check(cfg.n_services == 2 && !strcmp(cfg.services[1].path, "/b"));
	tap_check(cfg.disks == 3 && cfg.disk[0].queues == 2);
	tap_check(!strcmp(cfg.disk[1].path, "a,b") && cfg.disk[1].readonly);
	tap_check(!strcmp(cfg.disk[2].path, "E") && cfg.disk[2].block_size == 4096);
	tap_check(!strcmp(cfg.backend[VMM_BACKEND_NET][0].path, "t"));
	tap_equal(cfg.backend[VMM_BACKEND_VDPA][0].transport.slot, 3);
	tap_equal(cfg.builtins, 2);
	vmm_options_free(&cfg);
}

/* Wherever --config stands. */
static void the_command_line_wins(void)
{
	static const char *const words[] = {
		"run", "--cpus=3", "--disk=C", "--vsock=9", "--virtio=balloon=2M", NULL
	};
	static const char text[] =
		"{ \"kernel\": \"I\", \"cpus\": 2, \"memory\": \"512M\", \"disk\": \"F\",\n"
		"  \"vsock\": { \"cid\": 4 }, \"virtio\": \"balloon=4M\" }";
	struct vmm_config cfg;

	tap_equal(parse(&cfg, text, words), 0);
	tap_check(cfg.cpus == 3 && cfg.memory == 512 * MIB && cfg.vsock_cid == 9);
	tap_check(cfg.disks == 2 && !strcmp(cfg.disk[0].path, "F"));
	tap_check(!strcmp(cfg.disk[1].path, "C"));
	tap_check(cfg.builtins == 1 && cfg.builtin[0].size == 2 * MIB);
	vmm_options_free(&cfg);
}

static void one_file_serves_all_commands(void)
{
	static const char *const dtb[] = { "dtb", NULL };
	static const char *const doctor[] = { "doctor", NULL };
	static const char text[] = "{ \"cpus\": 2, \"disk\": \"F,fstab=system\" }";
	struct vmm_config cfg;

	tap_equal(parse(&cfg, text, dtb), 0);
	tap_check(cfg.command == VMM_CMD_DTB && cfg.cpus == 2 && cfg.disks == 1);
	vmm_options_free(&cfg);
	tap_equal(parse(&cfg, text, doctor), 0);
	tap_check(cfg.command == VMM_CMD_DOCTOR && cfg.disks == 1);
	vmm_options_free(&cfg);
}

static const struct {
	const char *text;
	const char *says[2];
} mistakes[] = {
	{ "", { ":1:" } },
	{ "{", { ":1:" } },
	{ "{ \"cpus\": 2,\n \"cpus\": 3 }", { ":2:", "cpus" } },
	{ "[]", { "an array", "object" } },
	{ "7", { ":1:" } },
	{ "{ \"nothing\": 1 }", { "\"nothing\"" } },
	{ "{ \"cpu\": 1 }", { "\"cpu\"" } },
	{ "{ \"config\": \"F\" }", { "\"config\"" } },
	{ "{ \"output\": \"F\" }", { "\"output\"" } },
	{ "{ \"cpus\": 33 }", { "cpus", "1 to 32" } },
	{ "{ \"disk\": { \"type\": \"net\", \"path\": \"D\" } }",
	  { "disk: \"type\" is \"disk\"", "left out" } },
	{ "{ \"net\": { \"type\": 1, \"tap\": \"t\" } }", { "\"type\" is \"net\"" } },
	{ "{ \"cpus\": -1 }", { "cpus", "1 to 32" } },
	{ "{ \"cpus\": 1.5 }", { "cpus is a fraction", "1 to 32" } },
	{ "{ \"cpus\": true }", { "cpus is true", "1 to 32" } },
	{ "{ \"cpus\": null }", { "cpus is null", "1 to 32" } },
	{ "{ \"cpus\": [ 1 ] }", { "cpus is an array", "1 to 32" } },
	{ "{ \"memory\": 1024 }", { "memory", "64M to 30G" } },
	{ "{ \"kernel\": 1 }", { "kernel is a number" } },
	{ "{ \"kernel\": \"a\\u0000b\" }", { ":1:" } },
	{ "{ \"no-reboot\": 1 }", { "no-reboot", "true or false" } },
	{ "{ \"no-reboot\": \"on\" }", { "no-reboot", "true or false" } },
	{ "{ \"virtio-packed\": \"yes\" }", { "virtio-packed", "on or off" } },
	{ "{ \"device\": {} }", { "device", "disk, net" } },
	{ "{ \"device\": { \"type\": 1 } }", { "device", "disk, net" } },
	{ "{ \"device\": [ \"rng\", { \"type\": \"x\" } ] }", { "device[1]", "disk, net" } },
	{ "{ \"device\": { \"type\": \"disk\" } }", { "path=PATH" } },
	{ "{ \"disk\": { \"path\": \"a\", \"ro\": true } }", { "disk", "\"ro\"" } },
	{ "{ \"disk\": { \"path\": \"a\", \"queues\": 9 } }", { "disk: queues", "1 to 8" } },
	{ "{ \"disk\": { \"path\": [ \"a\" ] } }", { "disk: path is an array" } },
	{ "{ \"disk\": [ [ \"a\" ] ] }", { "disk[0] is an array" } },
	{ "{ \"vhost-user\": { \"blk\": \"\", \"socket\": \"S\" } }", { "vhost-user", "\"blk\"" } },
	{ "{ \"vsock\": 3, \"device\": [ \"vsock,cid=3\", \"vsock,cid=4\" ] }", { "vsock" } },
};

static void mistakes_get_one_line(void)
{
	static const char *const words[] = { "run", "--kernel=I", NULL };
	struct vmm_config cfg;
	unsigned int i;
	unsigned int j;

	for (i = 0; i < ARRAY_SIZE(mistakes); i++) {
		tap_context("%s", mistakes[i].text);
		tap_check(parse(&cfg, mistakes[i].text, words) < 0);
		vmm_options_free(&cfg);
		tap_check(!strncmp(message, "vmmctl: /proc/self/fd/", 22));
		tap_check(strchr(message, '\n') == message + strlen(message) - 1);
		for (j = 0; j < 2 && mistakes[i].says[j]; j++) {
			tap_context("%s: \"%s\" in %s", mistakes[i].text, mistakes[i].says[j],
				    message);
			tap_check(strstr(message, mistakes[i].says[j]));
		}
	}
}

static void files_have_a_largest_size(void)
{
	char *text = malloc(VMM_CONFIG_FILE_MAX + 2);
	struct vmm_config cfg;

	tap_check(text);
	memset(text, ' ', VMM_CONFIG_FILE_MAX + 1);
	memcpy(text, "{}", 2);
	text[VMM_CONFIG_FILE_MAX + 1] = '\0';
	tap_check(parse(&cfg, text, (const char *const []){ "dtb", NULL }) == -EFBIG);
	vmm_options_free(&cfg);
	text[VMM_CONFIG_FILE_MAX] = '\0';
	tap_equal(parse(&cfg, text, (const char *const []){ "dtb", NULL }), 0);
	vmm_options_free(&cfg);
	free(text);
}

static const struct tap_case cases[] = {
	{ "all kinds of values are read", all_kinds_of_values_are_read },
	{ "the command line wins", the_command_line_wins },
	{ "one file serves all commands", one_file_serves_all_commands },
	{ "mistakes get one line", mistakes_get_one_line },
	{ "files have a largest size", files_have_a_largest_size },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
