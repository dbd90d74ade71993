// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options of a VM that is resumed from a snapshot: those of the snapshot's command lines, of the
 * configuration file that may name the snapshot, and of the command line; and the options that a
 * clone does not inherit.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "tests/snapshot/snapshot_lib.h"
#include "tests/tap.h"

#define WORDS	12

static char message[4096];

/* Makes a snapshot in @dir of a VM that was started with these words, in "/home/u". */
static void saved_with(const char *const *words)
{
	size_t len;
	char *text;
	json_t *body, *list = json_array();

	snapshot_make(1);
	text = (char *)file_read(VMM_SNAPSHOT_MANIFEST, &len);
	body = vmm_manifest_parse(text, len, "test");
	free(text);
	while (*words)
		json_array_append_new(list, json_string(*words++));
	json_object_set_new(body, "layers", json_pack("[{s:s, s:o}]", "directory", "/home/u",
						      "words", list));
	manifest_write(body);
	json_decref(body);
}

/* Reads `run` and @words, and a file with @text, if any. */
static int parse(struct vmm_config *cfg, const char *const *words, const char *text)
{
	char *argv[WORDS + 5] = { "vmmctl", "run" };
	static char path[64];
	int argc = 2;
	int fd = -1;
	int err;

	while (*words)
		argv[argc++] = (char *)*words++;
	if (text) {
		fd = memfd_create("config", 0);
		tap_equal(write(fd, text, strlen(text)), strlen(text));
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		argv[argc++] = "--config";
		argv[argc++] = path;
	}
	tap_listen();
	err = vmm_options_parse(cfg, argc, argv);
	tap_heard(message, sizeof(message));
	if (fd >= 0)
		close(fd);
	return err;
}

static void forget(struct vmm_config *cfg)
{
	vmm_snapshot_close(cfg->snapshot);
	vmm_options_free(cfg);
}

static const char *const nothing[] = { NULL };

static void the_file_may_name_the_snapshot(void)
{
	static const char *const was[] = { "--kernel=Image", "--cpus=4", "--name=one", NULL };
	struct vmm_config cfg;
	char text[256];

	saved_with(was);
	/* At any position, the file's other options replace the snapshot's. */
	snprintf(text, sizeof(text), "{ \"memory\": \"2G\", \"from\": \"%s\" }", dir);
	tap_equal(parse(&cfg, nothing, text), 0);
	tap_context("%s", message);
	tap_check(cfg.snapshot && !cfg.clone);
	tap_check(!strcmp(cfg.kernel, "/home/u/Image") && cfg.cpus == 4 && cfg.memory == 2 * GIB);
	tap_check(!strcmp(cfg.name, "one"));
	forget(&cfg);
	snprintf(text, sizeof(text), "{ \"from\": \"%s\", \"clone\": true, \"cpus\": 2 }", dir);
	tap_equal(parse(&cfg, nothing, text), 0);
	tap_check(cfg.snapshot && cfg.clone && cfg.cpus == 2 && !cfg.name);
	forget(&cfg);
}

static void the_command_line_names_another(void)
{
	static const char *const was[] = { "--kernel=Image", NULL };
	const char *const words[] = { "--from", dir, NULL };
	struct vmm_config cfg;

	saved_with(was);
	tap_equal(parse(&cfg, words, "{ \"from\": \"/nowhere\", \"clone\": true }"), 0);
	tap_check(cfg.snapshot && cfg.clone && !strcmp(cfg.from, dir));
	forget(&cfg);
	tap_check(parse(&cfg, nothing, "{ \"from\": \"/nowhere\" }") < 0);
	tap_check(strstr(message, "/nowhere"));
	forget(&cfg);
	tap_check(parse(&cfg, nothing, "{ \"clone\": true }") < 0);
	tap_check(strstr(message, "--clone needs --from DIR"));
	forget(&cfg);
}

/* The file of a saved VM may have named the snapshot that it was resumed from. */
static void a_layers_file_names_no_snapshot(void)
{
	static const char text[] = "{ \"from\": \"/nowhere\", \"clone\": true, \"cpus\": 3 }";
	const char *const words[] = { "--from", dir, NULL };
	char option[64];
	const char *const was[] = { "--kernel=Image", option, NULL };
	int fd = memfd_create("config", 0);
	struct vmm_config cfg;

	tap_equal(write(fd, text, strlen(text)), strlen(text));
	snprintf(option, sizeof(option), "--config=/proc/self/fd/%d", fd);
	saved_with(was);
	tap_equal(parse(&cfg, words, NULL), 0);
	tap_check(cfg.snapshot && !cfg.clone && cfg.cpus == 3 && !strcmp(cfg.from, dir));
	forget(&cfg);
	close(fd);
}

/* Files that the original writes to, and sockets that it uses. */
static const char *const everything[] = {
	"--kernel=Image", "--name=one", "--adb-port=5601", "--adb-socket=adb.sock",
	"--vsock=5", "--vsock-uds=v.sock", "--pipe-socket=pipe.sock", "--stats=stats.json",
	"--sound=wav=out.wav", "--sound=record=in.wav", "--snapshots=snapshots",
	"--device=sound,play=card.wav,record=mic.wav", "--device=console,socket=hvc.sock",
	"--device=keyboard,socket=keys.sock", "--device=keyboard,socket=more.sock",
	"--pstore=oops", NULL
};

static void a_clone_leaves_the_original_its_files(void)
{
	const char *const words[] = { "--from", dir, "--clone", NULL };
	struct vmm_config cfg;
	unsigned int i;

	saved_with(everything);
	tap_equal(parse(&cfg, words, NULL), 0);
	tap_context("%s", message);
	tap_check(!cfg.name && !cfg.adb_port && !cfg.adb_socket && !cfg.vsock_uds);
	tap_check(!cfg.pipe_socket && !cfg.stats_file && !cfg.snapshots);
	tap_check(!strcmp(cfg.pstore, VMM_PSTORE_MEMORY));
	tap_check(!cfg.sound && !strcmp(cfg.sound_record, "/home/u/in.wav"));
	tap_equal(cfg.builtins, 4);
	for (i = 0; i < cfg.builtins; i++)
		tap_check(!cfg.builtin[i].play && !cfg.builtin[i].path == !cfg.builtin[i].alone);
	tap_check(!strcmp(cfg.builtin[0].record, "/home/u/mic.wav"));
	forget(&cfg);
}

static void a_clone_is_given_files_of_its_own(void)
{
	const char *const words[] = {
		"--from", dir, "--clone", "--sound=wav=mine.wav", "--snapshots=mine", NULL
	};
	struct vmm_config cfg;

	saved_with(everything);
	tap_equal(parse(&cfg, words, NULL), 0);
	tap_check(!strcmp(cfg.sound, "mine.wav") && !strcmp(cfg.snapshots, "mine"));
	forget(&cfg);
}

/* A VM that is resumed as itself has all of them. */
static void the_original_has_them_again(void)
{
	const char *const words[] = { "--from", dir, NULL };
	struct vmm_config cfg;

	saved_with(everything);
	tap_equal(parse(&cfg, words, NULL), 0);
	tap_check(!strcmp(cfg.sound, "/home/u/out.wav") && cfg.snapshots && cfg.name);
	tap_check(!strcmp(cfg.builtin[0].play, "/home/u/card.wav") && !cfg.builtin[1].alone);
	forget(&cfg);
}

static const struct tap_case cases[] = {
	{ "a clone leaves the original its files", a_clone_leaves_the_original_its_files },
	{ "a clone is given files of its own", a_clone_is_given_files_of_its_own },
	{ "the original has them again", the_original_has_them_again },

	{ "the file may name the snapshot", the_file_may_name_the_snapshot },
	{ "the command line names another", the_command_line_names_another },
	{ "a layer's file names no snapshot", a_layers_file_names_no_snapshot },
};

int main(void)
{
	int code;

	if (!snapshot_vm())
		return 1;
	code = tap_run(cases, ARRAY_SIZE(cases));
	snapshot_remove();
	vmm_mem_destroy(&vm.mem);
	return code;
}
