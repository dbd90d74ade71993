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

static json_t *layer(const char *const *words)
{
	json_t *list = json_array();

	while (*words)
		json_array_append_new(list, json_string(*words++));
	return json_pack("{s:s, s:o}", "directory", "/home/u", "words", list);
}

/*
 * A snapshot in @dir of a VM that was started with these words, in "/home/u", or of one that was
 * started with the others from such a snapshot.
 */
static void saved_twice(const char *const *words, const char *const *others)
{
	json_t *layers = json_array();
	json_t *body;
	size_t len;
	char *text;

	snapshot_make(1);
	text = (char *)file_read(VMM_SNAPSHOT_MANIFEST, &len);
	body = vmm_manifest_parse(text, len, "test");
	free(text);
	json_array_append_new(layers, layer(words));
	if (others)
		json_array_append_new(layers, layer(others));
	json_object_set_new(body, "layers", layers);
	manifest_write(body);
	json_decref(body);
}

static void saved_with(const char *const *words)
{
	saved_twice(words, NULL);
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

/* ---- networks: those of the saved VM, at other tap interfaces ---- */

static const char *const networks[] = {
	"--kernel=Image", "--net=tap=tap0,slot=5", "--net=tap=tap1,mac=02:00:00:00:00:07", NULL
};

static const struct vmm_backend *net(const struct vmm_config *cfg, unsigned int index)
{
	return &cfg->backend[VMM_BACKEND_NET][index];
}

static void a_clone_needs_its_own_taps(void)
{
	const char *const none[] = { "--from", dir, "--clone", NULL };
	const char *const one[] = { "--from", dir, "--clone", "--net=tap=mine0", NULL };
	const char *const both[] = {
		"--from", dir, "--clone", "--net=tap=mine0", "--net=tap=mine1", NULL
	};
	struct vmm_config cfg;

	saved_with(networks);
	tap_equal(parse(&cfg, none, NULL), -EINVAL);
	tap_check(strstr(message, "--clone: tap0 is the saved VM's tap interface"));
	forget(&cfg);
	tap_equal(parse(&cfg, one, NULL), -EINVAL);
	tap_check(strstr(message, "--clone: tap1 is the saved VM's tap interface"));
	forget(&cfg);
	tap_equal(parse(&cfg, both, NULL), 0);
	tap_context("%s", message);
	tap_equal(cfg.backends[VMM_BACKEND_NET], 2);
	tap_check(!strcmp(net(&cfg, 0)->path, "mine0") && !strcmp(net(&cfg, 1)->path, "mine1"));
	/* What is not given stays: the guest has the devices where they were. */
	tap_check(net(&cfg, 0)->transport.slot == 5 && net(&cfg, 1)->mac[5] == 7);
	forget(&cfg);
}

static void the_original_has_its_tap(void)
{
	const char *const none[] = { "--from", dir, NULL };
	const char *const one[] = { "--from", dir, "--net=tap=other", NULL };
	struct vmm_config cfg;
	char text[256];

	saved_with(networks);
	tap_equal(parse(&cfg, none, NULL), 0);
	tap_check(cfg.backends[VMM_BACKEND_NET] == 2 && !strcmp(net(&cfg, 0)->path, "tap0"));
	forget(&cfg);
	tap_equal(parse(&cfg, one, NULL), 0);
	tap_equal(cfg.backends[VMM_BACKEND_NET], 2);
	tap_check(!strcmp(net(&cfg, 0)->path, "other") && !strcmp(net(&cfg, 1)->path, "tap1"));
	forget(&cfg);
	/* The file has the first one, the command line the next. */
	snprintf(text, sizeof(text),
		 "{ \"from\": \"%s\", \"clone\": true, \"net\": [{ \"tap\": \"f\" }] }", dir);
	tap_equal(parse(&cfg, one + 2, text), 0);
	tap_context("%s", message);
	tap_equal(cfg.backends[VMM_BACKEND_NET], 2);
	tap_check(!strcmp(net(&cfg, 0)->path, "f") && !strcmp(net(&cfg, 1)->path, "other"));
	forget(&cfg);
}

/* The clone's command line is the second of its snapshot: its tap is the guest's now. */
static void a_clone_that_was_saved_has_its_tap(void)
{
	const char *const words[] = { "--from", dir, NULL };
	const char *const more[] = { "--from", dir, "--net=tap=third", "--net=tap=new", NULL };
	struct vmm_config cfg;

	saved_twice((const char *const []){ "--kernel=Image", "--net=tap=tap0,slot=5", NULL },
		    (const char *const []){ "--from=/nowhere", "--clone", "--net=tap=mine", NULL });
	tap_equal(parse(&cfg, words, NULL), 0);
	tap_context("%s", message);
	tap_equal(cfg.backends[VMM_BACKEND_NET], 1);
	tap_check(!strcmp(net(&cfg, 0)->path, "mine") && net(&cfg, 0)->transport.slot == 5);
	forget(&cfg);
	/* More devices than there were are added, and refused when the guest is loaded. */
	tap_equal(parse(&cfg, more, NULL), 0);
	tap_equal(cfg.backends[VMM_BACKEND_NET], 2);
	tap_check(!strcmp(net(&cfg, 0)->path, "third") && !strcmp(net(&cfg, 1)->path, "new"));
	tap_check(net(&cfg, 1)->transport.slot == -1);
	forget(&cfg);
}

static const struct tap_case cases[] = {
	{ "a clone needs tap interfaces of its own", a_clone_needs_its_own_taps },
	{ "the original has its tap interface", the_original_has_its_tap },
	{ "a clone that was saved has its tap interface", a_clone_that_was_saved_has_its_tap },
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
