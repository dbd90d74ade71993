// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM's directories of snapshots and of screenshots: commands of its console,
 * the helper program that has the files, which is this program, too, and a VM that has only
 * RAM and a screen.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/directory_link.h"
#include "control/png.h"
#include "host/display.h"
#include "host/vm_dir.h"
#include "tests/snapshot/snapshot_lib.h"
#include "tests/tap.h"

static struct {
	char home[64];		/* directory of VMs' directories */
	char store[96];		/* directory of snapshots */
	char shots[96];		/* directory of screenshots */
	struct vmm_display *display;
	struct vmm_loop *loop;
	struct vmm_instance *instance;
	struct vmm_directory_link *link;
	unsigned int saves;
	int save_err;
	unsigned int loads;
	unsigned int keep;	/* index of the file that the VM keeps open; 0: none */
	int kept;
	void (*lie)(json_t *answer);	/* what a guest that has taken the VM over does */
	u64 shot_call;
	int answered_fd;
	char line[256];
	char answer[8192];	/* text before OK, or the error */
	bool ok;
} test;

/* NFS and 9p refuse flags. The program that has the files uses this function, too. */
int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned int flags)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/no-flags", test.home);
	if (flags && !access(path, F_OK)) {
		errno = EINVAL;
		return -1;
	}
	return syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
}

/* ---- the VM ---- */

static void vm_status(void *arg, json_t *to)
{
	(void)arg;
	json_object_set_new(to, "status", json_string("running"));
}

static int vm_save(void *arg, const int *files, bool changes, u64 call)
{
	struct vmm_answer answer = { 0 };
	struct vmm_ram_job job = { .mem = &vm.mem, .fd = files[1] };
	unsigned int i;

	(void)arg;
	tap_check(!changes);
	test.saves++;
	if (test.save_err)
		return test.save_err;
	tap_equal(getrandom(job.id, sizeof(job.id), 0), sizeof(job.id));
	answer.result = snapshot_write(&job, files[0]);
	tap_check(answer.result &&
		  !json_object_set_new(answer.result, "ran", json_integer(607753)));
	if (test.lie)
		test.lie(answer.result);
	for (i = 0; i < VMM_LINES_FILES && files[i]; i++) {
		if (i && i == test.keep)
			test.kept = files[i];
		else
			close(files[i]);
	}
	vmm_instance_answer(test.instance, call, &answer);
	return VMM_COMMAND_LATER;
}

/* As far as a VM without a board can: the files are those of a snapshot. */
static int vm_load(void *arg, const int *files, u64 call)
{
	struct vmm_answer answer = { 0 };
	struct vmm_snapshot *snapshot;
	unsigned int count = 0;

	(void)arg;
	if (test.save_err)
		return test.save_err;
	for (; count < VMM_LINES_FILES && files[count]; count++)
		;
	snapshot = vmm_snapshot_given(files, count);
	if (!snapshot)
		vmm_answer_fail(&answer, EIO, "%s", vmm_error_last());
	test.loads += !!snapshot;
	vmm_snapshot_close(snapshot);
	while (count)
		close(files[--count]);
	vmm_instance_answer(test.instance, call, &answer);
	return VMM_COMMAND_LATER;
}

static int vm_screen(void *arg, u64 source)
{
	(void)arg;
	if (source)
		return -ENOENT;
	return test.display ? vmm_display_file(test.display) : -EOPNOTSUPP;
}

static void shot(void *arg, int err)
{
	struct vmm_answer answer = { 0 };

	(void)arg;
	tap_equal(err, 0);
	vmm_instance_answer(test.instance, test.shot_call, &answer);
}

static int vm_screenshot(void *arg, int to, u64 call)
{
	struct vmm_shot *taking;
	int err;

	(void)arg;
	test.shot_call = call;
	err = vmm_screenshot_begin(&taking, test.loop, test.display, to, shot, NULL);
	return err ? err : VMM_COMMAND_LATER;
}

static const struct vmm_control_vm control_vm = {
	.status = vm_status, .snapshot = vm_save, .load = vm_load, .screen = vm_screen,
	.screenshot = vm_screenshot,
};

/* ---- its console's client ---- */

static int answered(void *arg)
{
	u64 count;

	(void)arg;
	tap_equal(read(test.answered_fd, &count, sizeof(count)), sizeof(count));
	return 1;
}

static void *client(void *arg)
{
	struct vmm_client *client;
	json_t *result;
	char path[256];

	(void)arg;
	snprintf(path, sizeof(path), "%s/ranchu/vm/control.sock", test.home);
	client = vmm_client_open(path, 20000);
	result = client ? vmm_client_call(client, "emu", json_pack("{s:s}", "line", test.line)) :
			  NULL;
	test.ok = result;
	snprintf(test.answer, sizeof(test.answer), "%s", result ?
		 json_string_value(json_object_get(result, "text")) :
		 client ? vmm_client_error(client) : "not reached");
	json_decref(result);
	vmm_client_close(client);
	eventfd_write(test.answered_fd, 1);
	return NULL;
}

/* Returns true for OK; the other text is in test.answer. */
static bool said_ok(const char *line)
{
	pthread_t thread;

	snprintf(test.line, sizeof(test.line), "%s", line);
	tap_equal(pthread_create(&thread, NULL, client, NULL), 0);
	tap_equal(vmm_loop_run(test.loop), 1);
	pthread_join(thread, NULL);
	return test.ok;
}

static bool is_there(const char *name)
{
	char path[256];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", test.store, name);
	return !lstat(path, &st);
}

static bool is_whole(const char *name)
{
	struct vmm_snapshot *snapshot;
	char path[256];
	bool whole;

	snprintf(path, sizeof(path), "%s/%s", test.store, name);
	snapshot = vmm_snapshot_open(path);
	whole = snapshot && !vmm_snapshot_check(snapshot);
	vmm_snapshot_close(snapshot);
	return whole;
}

/* ---- cases ---- */

static void no_directory(void)
{
	tap_check(said_ok("avd snapshot list"));
	tap_check(!strcmp(test.answer, "There is no snapshot available.\n"));
	tap_check(!said_ok("avd snapshot save one"));
	tap_check(strstr(test.answer, "--snapshots"));
	tap_check(!said_ok("avd snapshotspath"));
	tap_check(strstr(test.answer, "--snapshots"));
}

static void saved_listed_removed(void)
{
	char want[256];

	test.link = vmm_directory_link_open(test.instance, test.loop, test.store, test.shots);
	tap_check(test.link);
	tap_check(said_ok("avd snapshot list"));
	tap_check(!strcmp(test.answer, "There is no snapshot available.\n"));
	tap_check(said_ok("avd snapshot save one"));
	tap_check(!strcmp(test.answer, ""));
	tap_check(is_whole("one"));
	tap_check(said_ok("avd snapshot save two"));
	tap_check(said_ok("avd snapshot list"));
	tap_check(!strncmp(test.answer, "List of snapshots present on all disks:\n"
			   "ID        TAG                 VM SIZE                DATE       VM CLOCK\n"
			   "--        one ", 119));
	tap_check(strstr(test.answer, "\n--        two ") &&
		  strstr(test.answer, "   00:10:07.753\n"));
	tap_check(said_ok("avd snapshotspath"));
	snprintf(want, sizeof(want), "%s\n", test.store);
	tap_check(!strcmp(test.answer, want));
	tap_check(said_ok("avd snapshotpath one"));
	snprintf(want, sizeof(want), "%s/one\n", test.store);
	tap_check(!strcmp(test.answer, want));
	tap_check(said_ok("avd snapshot del one"));
	tap_check(!is_there("one"));
	tap_check(is_whole("two"));
	tap_check(!said_ok("avd snapshot delete one"));
	tap_check(strstr(test.answer, "there is no "));
}

static void replaced(void)
{
	tap_check(said_ok("avd snapshot save two"));
	tap_check(is_whole("two"));
	tap_equal(test.saves, 3);
}

static void loaded(void)
{
	char path[256], file[300];

	tap_check(said_ok("avd snapshot load two"));
	tap_check(!strcmp(test.answer, ""));
	tap_equal(test.loads, 1);
	tap_check(said_ok("avd snapshot load two"));
	tap_equal(test.loads, 2);
	tap_check(is_whole("two"));
	tap_check(!said_ok("avd snapshot load nothing"));
	tap_check(strstr(test.answer, "cannot open "));
	tap_check(!said_ok("avd snapshot load ../two"));
	tap_check(strstr(test.answer, "cannot name a snapshot"));
	test.save_err = -EBUSY;
	tap_check(!said_ok("avd snapshot load two"));
	tap_check(strstr(test.answer, "busy"));
	test.save_err = 0;
	/* A file that is none of the snapshot's, and no file at all. */
	tap_check(said_ok("avd snapshot save torn"));
	snprintf(path, sizeof(path), "%s/torn", test.store);
	snprintf(file, sizeof(file), "%s/" VMM_SNAPSHOT_RAM, path);
	tap_equal(truncate(file, 4096), 0);
	tap_check(!said_ok("avd snapshot load torn"));
	tap_check(strstr(test.answer, "ram does not have"));
	tap_equal(unlink(file), 0);
	tap_equal(mkfifo(file, 0600), 0);
	tap_check(!said_ok("avd snapshot load torn"));
	tap_check(strstr(test.answer, "ram does not have"));
	tap_check(said_ok("avd snapshot del torn"));
	tap_equal(test.loads, 2);
}

static void what_fails_is_said(void)
{
	test.save_err = -EBUSY;
	tap_check(!said_ok("avd snapshot save three"));
	tap_check(strstr(test.answer, "busy"));
	tap_check(!is_there("three"));
	test.save_err = 0;
	tap_check(!said_ok("avd snapshot load"));
	tap_check(strstr(test.answer, "needs a name"));
	tap_check(!said_ok("avd snapshot save"));
	tap_check(!said_ok("avd snapshot"));
	tap_check(!said_ok("avd snapshot remap 1"));
}

/* ---- a guest has taken the VM over ---- */

static void lie_of_command_line(json_t *answer)
{
	json_object_set_new(answer, "layers",
			    json_pack("[{s:s, s:[s, s]}]", "directory", "/", "words",
				      "--sound=wav=/home/u/.bashrc", "--sandbox=off"));
	json_object_set_new(answer, "something", json_string("else"));
}

static void lie_of_disk(json_t *answer)
{
	json_object_set_new(answer, "images", json_pack("[{s:s}]", "path", "/home/u/secret"));
}

static void lie_of_base(json_t *answer)
{
	json_object_set_new(json_object_get(answer, "ram"), "base",
			    json_pack("{s:s, s:s}", "path", "/home/u/other", "id",
				      "00112233445566778899aabbccddeeff"));
}

static json_t *body_of(const char *name)
{
	struct vmm_snapshot *snapshot;
	char path[256];
	json_t *body;

	snprintf(path, sizeof(path), "%s/%s", test.store, name);
	snapshot = vmm_snapshot_open(path);
	body = snapshot ? json_deep_copy(vmm_snapshot_body(snapshot)) : NULL;
	vmm_snapshot_close(snapshot);
	return body;
}

/* The snapshot has the command line of the VM's start, not that of the VM's answer. */
static void a_vm_that_lies_is_not_believed(void)
{
	json_t *want = json_loads(ORIGIN, 0, NULL);
	json_t *body;

	test.lie = lie_of_command_line;
	tap_check(said_ok("avd snapshot save lie"));
	body = body_of("lie");
	tap_check(body && json_equal(json_object_get(body, "layers"),
				     json_object_get(want, "layers")));
	tap_check(!json_object_get(body, "something"));
	json_decref(body);
	json_decref(want);
	tap_check(said_ok("avd snapshot del lie"));
	test.lie = lie_of_disk;
	tap_check(!said_ok("avd snapshot save lie"));
	tap_check(strstr(test.answer, "does not fit what it was started with"));
	tap_check(!is_there("lie"));
	test.lie = lie_of_base;
	tap_check(!said_ok("avd snapshot save lie"));
	tap_check(strstr(test.answer, "does not fit what it was started with"));
	tap_check(!is_there("lie"));
	test.lie = NULL;
}

/* Such a VM could change the RAM of running clones. */
static void a_vm_that_keeps_a_file_is_noticed(void)
{
	test.keep = 1;
	tap_check(!said_ok("avd snapshot save kept"));
	tap_check(strstr(test.answer, "the VM can still write to ram"));
	tap_check(!is_there("kept"));
	test.keep = 0;
	close(test.kept);
	tap_check(said_ok("avd snapshot save kept"));
	tap_check(is_whole("kept"));
	tap_check(said_ok("avd snapshot del kept"));
}

static void answer_of_disk(json_t *answer)
{
	json_object_set_new(answer, "images", json_pack("[{s:{s:i}}]", "disk", "size", 0));
}

static bool is_in(const char *name, const char *file)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s/%s", test.store, name, file);
	return !access(path, F_OK);
}

static void origin_set(const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/ranchu/vm/origin", test.home);
	tap_equal(unlink(path), 0);
	tap_equal(vmm_instance_origin(test.instance, text), 0);
}

/* A VM that keeps the file of a disk could change disks of clones. */
static void a_vm_that_keeps_a_disk_is_noticed(void)
{
	origin_set(ORIGIN_WITH("\"/disk\""));
	test.lie = answer_of_disk;
	test.keep = 2;
	tap_check(!said_ok("avd snapshot save kept"));
	tap_check(strstr(test.answer, "the VM can still write to disk-0"));
	tap_check(!is_there("kept"));
	close(test.kept);
	/* The file of a disk that the VM does not have is removed. */
	test.keep = 3;
	tap_check(said_ok("avd snapshot save kept"));
	close(test.kept);
	tap_check(is_in("kept", "disk-0"));
	tap_check(!is_in("kept", "disk-1"));
	/* A snapshot with disks is replaced and removed. */
	test.keep = 0;
	tap_check(said_ok("avd snapshot save kept"));
	tap_check(said_ok("avd snapshot del kept"));
	tap_check(!is_there("kept"));
	test.lie = NULL;
	origin_set(ORIGIN);
}

/* The VM can remove the file of its origin, but cannot make one. */
static void without_an_origin_nothing_is_saved(void)
{
	unsigned int saves = test.saves;
	char path[256], kept[256];

	snprintf(path, sizeof(path), "%s/ranchu/vm/origin", test.home);
	snprintf(kept, sizeof(kept), "%s/kept", test.home);
	tap_equal(rename(path, kept), 0);
	tap_check(!said_ok("avd snapshot save four"));
	tap_check(strstr(test.answer, "what the VM was started with cannot be read"));
	tap_check(!is_there("four"));
	tap_equal(test.saves, saves);
	tap_equal(rename(kept, path), 0);
}

static unsigned int entries(const char *dir)
{
	unsigned int count = 0;
	struct dirent *entry;
	DIR *d = opendir(dir);

	while (d && (entry = readdir(d)))
		count += *entry->d_name != '.';
	if (d)
		closedir(d);
	return count;
}

static void without_flags_of_rename(void)
{
	unsigned int before = entries(test.store);
	char path[128];

	snprintf(path, sizeof(path), "%s/no-flags", test.home);
	tap_equal(mkdir(path, 0700), 0);
	tap_check(said_ok("avd snapshot save nfs"));
	tap_check(is_whole("nfs"));
	tap_check(said_ok("avd snapshot save nfs"));
	tap_check(is_whole("nfs"));
	tap_equal(entries(test.store), before + 1);
	tap_check(said_ok("avd snapshot del nfs"));
	tap_equal(entries(test.store), before);
	rmdir(path);
}

static int file_in(const char *dir, const char *name)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s/%s", test.store, dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? -errno : 0;
}

static void folder_in_store(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", test.store, name);
	tap_equal(mkdir(path, 0700), 0);
}

/* Returns the process number of the program that has the files, the first child. */
static int server_pid(void)
{
	char path[64], children[64] = "";
	FILE *from;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	from = fopen(path, "re");
	if (!from)
		return 0;
	tap_check(fgets(children, sizeof(children), from));
	fclose(from);
	return atoi(children);
}

/* Directories of a killed saver, of a running one, and of an old one with our pid. */
static void what_killed_ones_left_is_removed(void)
{
	char same[64], path[256];
	int fd;

	folder_in_store("left.new-1");
	tap_equal(file_in("left.new-1", VMM_SNAPSHOT_RAM), 0);
	folder_in_store("left.new-2");
	snprintf(path, sizeof(path), "%s/left.new-2", test.store);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tap_equal(flock(fd, LOCK_EX), 0);
	snprintf(same, sizeof(same), "left.new-%d", server_pid());
	folder_in_store(same);
	tap_equal(file_in(same, "mine"), 0);
	tap_check(said_ok("avd snapshot save left"));
	tap_check(is_whole("left"));
	tap_check(!is_there("left.new-1"));
	tap_check(is_there("left.new-2") && is_there(same));
	close(fd);
	snprintf(path, sizeof(path), "%s/%s/mine", test.store, same);
	tap_equal(unlink(path), 0);
	tap_check(said_ok("avd snapshot del left"));
	tap_check(!is_there("left.new-2") && !is_there(same));
	tap_check(!is_there("left"));
	/* Names of temporary directories are refused. */
	tap_check(!said_ok("avd snapshot save left.new-3"));
	tap_check(strstr(test.answer, "cannot name a snapshot"));
}

static void a_file_of_somebody_else_stays(void)
{
	char path[256];

	tap_check(said_ok("avd snapshot save shared"));
	tap_equal(file_in("shared", "notes"), 0);
	tap_check(!said_ok("avd snapshot del shared"));
	tap_check(strstr(test.answer, "contains notes"));
	tap_check(!said_ok("avd snapshot save shared"));
	tap_check(strstr(test.answer, "contains notes"));
	tap_check(is_whole("shared"));
	snprintf(path, sizeof(path), "%s/shared/notes", test.store);
	tap_equal(unlink(path), 0);
	tap_check(said_ok("avd snapshot del shared"));
}

/* This is checked before anything is written, and before the VM is asked. */
static void changes_do_not_replace_what_they_need(void)
{
	unsigned int saves = test.saves;
	char origin[256], kept[256], path[256];
	FILE *to;

	tap_check(said_ok("avd snapshot save base"));
	snprintf(origin, sizeof(origin), "%s/ranchu/vm/origin", test.home);
	snprintf(kept, sizeof(kept), "%s/kept", test.home);
	snprintf(path, sizeof(path), "%s/base", test.store);
	tap_equal(rename(origin, kept), 0);
	to = fopen(origin, "we");
	fprintf(to, "%.*s,\"base\":{\"path\":\"%s\",\"id\":\"0\"}}", (int)strlen(ORIGIN) - 1,
		ORIGIN, path);
	fclose(to);
	snprintf(kept, sizeof(kept), "%s/ranchu", test.home);
	hear();
	tap_equal(vmm_snapshot_save(kept, "vm", path, true), -EEXIST);
	heard();
	tap_check(strstr(said, "cannot be replaced by them"));
	tap_check(strchr(said, '\n') == said + strlen(said) - 1);
	tap_equal(test.saves, saves + 1);
	tap_check(is_whole("base"));
	snprintf(kept, sizeof(kept), "%s/kept", test.home);
	tap_equal(rename(kept, origin), 0);
	tap_check(said_ok("avd snapshot del base"));
}

/* Runs `vmmctl snapshot WHAT DIR`; its output is in test.answer. */
static int command(const char *what, const char *dir)
{
	char *argv[5] = { 0 };
	int kept = dup(STDOUT_FILENO);
	int out = memfd_create("out", MFD_CLOEXEC);
	int code;
	ssize_t n;

	argv[2] = (char *)what;
	argv[3] = (char *)dir;
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	code = vmm_snapshot_cli(test.home, dir ? 4 : 3, argv);
	fflush(stdout);
	dup2(kept, STDOUT_FILENO);
	n = pread(out, test.answer, sizeof(test.answer) - 1, 0);
	test.answer[n > 0 ? n : 0] = '\0';
	close(kept);
	close(out);
	return code;
}

static void by_the_command_line(void)
{
	char path[256];

	tap_check(said_ok("avd snapshot save cli"));
	tap_equal(command("list", test.store), 0);
	tap_check(strstr(test.answer, "\n--        cli "));
	/* As a shell completes it. */
	snprintf(path, sizeof(path), "%s/cli/", test.store);
	tap_equal(command("del", path), 0);
	tap_check(!is_there("cli"));
	tap_equal(command("del", path), 1);
	snprintf(path, sizeof(path), "%s/none", test.store);
	tap_equal(command("list", path), 1);
	tap_equal(command("list", NULL), 0);
	tap_equal(command("del", NULL), 2);
	tap_equal(command("load", path), 2);
}

static unsigned int lines_said(void)
{
	unsigned int lines = 0;
	const char *c;

	for (c = said; *c; c++)
		lines += *c == '\n';
	return lines;
}

/* However many there are, one line tells of files that have nothing to do with snapshots. */
static void a_list_tells_of_other_files_in_a_line(void)
{
	static const char *const names[] = { "notes.txt", "torn.bin", "folder", "empty" };
	char path[256];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", test.store, names[i]);
		if (i < 2)
			close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
		else
			tap_equal(mkdir(path, 0700), 0);
	}
	tap_equal(file_in("folder", "data"), 0);
	snprintf(path, sizeof(path), "%s/folder", test.store);
	hear();
	tap_equal(command("list", path), 0);
	heard();
	tap_check(!strcmp(test.answer, "There is no snapshot available.\n"));
	tap_equal(lines_said(), 1);
	tap_check(strstr(said, "which are not listed: 1\n"));
	hear();
	tap_equal(command("list", test.store), 0);
	heard();
	tap_check(!strstr(test.answer, "folder") && !strstr(test.answer, "notes"));
	tap_equal(lines_said(), 1);
	tap_check(strstr(said, "which are not listed: 4\n"));
	/* A snapshot beside them is listed, and one that is torn is named, with what is wrong. */
	tap_check(said_ok("avd snapshot save whole"));
	snprintf(path, sizeof(path), "%s/folder/manifest.json", test.store);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	hear();
	tap_equal(command("list", test.store), 0);
	heard();
	tap_check(strstr(test.answer, "\n--        whole "));
	tap_check(!strstr(test.answer, "folder"));
	tap_equal(lines_said(), 3);
	tap_check(strstr(said, "/folder is not listed\n"));
	tap_check(strstr(said, "which are not listed: 3\n"));
	tap_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/folder/data", test.store);
	tap_equal(unlink(path), 0);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", test.store, names[i]);
		tap_equal(remove(path), 0);
	}
	tap_check(said_ok("avd snapshot del whole"));
}

/* A name never leaves the directory. */
static void names(void)
{
	static const char *const bad[] = {
		"../one", "/tmp/one", ".", "..", ".hidden", "a/b", "a b",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	unsigned int saves = test.saves;
	char line[256];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		tap_context("%s", bad[i]);
		snprintf(line, sizeof(line), "avd snapshot save %s", bad[i]);
		tap_check(!said_ok(line));
		tap_check(strstr(test.answer, "cannot name a snapshot"));
	}
	tap_equal(test.saves, saves);
}

/* For other directories, no path and no content is returned. */
static void paths(void)
{
	static const char *const bad[] = {
		"..", "../shots", ".", "/", "one/../two", "none", "a b", "two/ram",
	};
	char line[256];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		tap_context("%s", bad[i]);
		snprintf(line, sizeof(line), "avd snapshotpath %s", bad[i]);
		tap_check(said_ok(line));
		tap_check(!strcmp(test.answer, "NO_SNAPSHOT\n"));
	}
	tap_check(!said_ok("avd snapshotpath"));
}

/* Other directories are kept, and not listed. */
static void others_files(void)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/mine", test.store);
	tap_equal(mkdir(path, 0700), 0);
	tap_check(!said_ok("avd snapshot save mine"));
	tap_check(strstr(test.answer, "is no snapshot"));
	tap_check(!said_ok("avd snapshot del mine"));
	tap_check(is_there("mine"));
	tap_check(said_ok("avd snapshot list"));
	tap_check(!strstr(test.answer, "mine"));
	rmdir(path);
}

/* Checks that a file begins like a PNG file of the screen's size. */
static bool is_picture(const char *path)
{
	u8 head[24] = { 0 };
	FILE *from = fopen(path, "re");
	bool whole;

	if (!from)
		return false;
	whole = fread(head, 1, sizeof(head), from) == sizeof(head);
	fclose(from);
	return whole && !memcmp(head, "\x89PNG\r\n\x1a\n", 8) && head[19] == 5 && head[23] == 3;
}

static unsigned int pictures(const char *dir)
{
	unsigned int count = 0;
	struct dirent *entry;
	DIR *d = opendir(dir);

	while (d && (entry = readdir(d)))
		count += *entry->d_name != '.' && entry->d_type == DT_REG;
	if (d)
		closedir(d);
	return count;
}

/* Checks that the answer is the path of a picture. */
static bool said_picture(const char *dir)
{
	size_t len = strlen(dir);

	if (strncmp(test.answer, dir, len) || strncmp(test.answer + len, "/Screenshot_", 12))
		return false;
	test.answer[strcspn(test.answer, "\n")] = '\0';
	return is_picture(test.answer);
}

static void pictures_are_taken(void)
{
	static const u8 pixels[4 * 5 * 3];
	char line[256], below[128];

	tap_check(!said_ok("screenrecord screenshot"));
	tap_check(strstr(test.answer, "there is no screen"));
	tap_equal(pictures(test.shots), 0);
	test.display = vmm_display_open(5, 3);
	vmm_display_frame(test.display, VMM_PIXELS_RGBX8888, 0, pixels);
	tap_check(said_ok("screenrecord screenshot"));
	tap_check(said_picture(test.shots));
	/* Several in the same second: none replaces another. */
	tap_check(said_ok("screenrecord screenshot --display 0"));
	tap_check(said_picture(test.shots));
	snprintf(line, sizeof(line), "screenrecord screenshot %s", test.shots);
	tap_check(said_ok(line));
	tap_check(said_picture(test.shots));
	tap_equal(pictures(test.shots), 3);
	snprintf(below, sizeof(below), "%s/be low", test.shots);
	tap_equal(mkdir(below, 0700), 0);
	snprintf(line, sizeof(line), "screenrecord screenshot --display 0 %s", below);
	tap_check(said_ok(line));
	tap_check(said_picture(below));
	tap_equal(pictures(test.shots), 3);
}

/* For any request of the console's client or the VM, nothing is written elsewhere. */
static void pictures_stay_in_the_directory(void)
{
	char bad[4][160], line[1024];
	unsigned int i;

	snprintf(bad[0], sizeof(bad[0]), "%s", test.store);
	snprintf(bad[1], sizeof(bad[1]), "%s/..", test.shots);
	snprintf(bad[2], sizeof(bad[2]), "%s/link", test.shots);
	snprintf(bad[3], sizeof(bad[3]), "%s-too", test.shots);
	tap_equal(symlink(test.store, bad[2]), 0);
	tap_equal(mkdir(bad[3], 0700), 0);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		tap_context("%s", bad[i]);
		snprintf(line, sizeof(line), "screenrecord screenshot %s", bad[i]);
		tap_check(!said_ok(line));
		tap_check(strstr(test.answer, "is not below --screenshots"));
		tap_equal(pictures(bad[i]), 0);
	}
	tap_context("nowhere");
	tap_check(!said_ok("screenrecord screenshot /nowhere/at/all"));
	tap_check(strstr(test.answer, "No such file"));
}

/* The control socket's own command, with a file that is passed along. */
static void *passer(void *arg)
{
	struct vmm_client *client;
	char path[256];
	json_t *result;

	snprintf(path, sizeof(path), "%s/ranchu/vm/control.sock", test.home);
	client = vmm_client_open(path, 20000);
	if (arg)
		vmm_client_give(client, arg, 1);
	result = vmm_client_call(client, "screenshot", NULL);
	test.ok = result;
	snprintf(test.answer, sizeof(test.answer), "%s", vmm_client_error(client));
	json_decref(result);
	vmm_client_close(client);
	eventfd_write(test.answered_fd, 1);
	return NULL;
}

static bool passed(int *fd)
{
	pthread_t thread;

	tap_equal(pthread_create(&thread, NULL, passer, fd), 0);
	tap_equal(vmm_loop_run(test.loop), 1);
	pthread_join(thread, NULL);
	return test.ok;
}

static void a_file_may_be_passed(void)
{
	char path[128];
	int fd, pipe_fd[2];

	snprintf(path, sizeof(path), "%s/passed.png", test.home);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	tap_check(passed(&fd));
	tap_check(is_picture(path));
	close(fd);
	tap_check(!passed(NULL));
	tap_check(strstr(test.answer, "a file is needed"));
	/* A pipe, whose reader could make the VM wait. */
	tap_equal(pipe(pipe_fd), 0);
	tap_check(!passed(&pipe_fd[1]));
	tap_check(strstr(test.answer, "a regular file is needed"));
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	tap_check(!passed(&fd));
	close(fd);
}

/* It serves no VM but the one that has started it. */
static void program_ends_with_the_vm(void)
{
	int pid = server_pid();
	int status = -1;

	vmm_directory_link_close(test.link);
	test.link = NULL;
	tap_equal(waitpid(pid, &status, 0), pid);
	tap_equal(status, 0);
	/* The commands exist as long as the instance. */
	vmm_instance_close(test.instance);
	test.instance = vmm_instance_open("vm", test.loop, &control_vm, NULL);
	if (!tap_check(test.instance))
		return;
	test.link = vmm_directory_link_open(test.instance, test.loop, test.store, test.shots);
	tap_check(test.link);
	tap_check(said_ok("avd snapshot list"));
	tap_check(server_pid() != pid);
}

static void program_is_gone(void)
{
	int pid = server_pid();

	tap_check(pid > 1 && !kill(pid, SIGKILL));
	usleep(100000);
	tap_check(!said_ok("avd snapshot list"));
	tap_check(strstr(test.answer, "is gone"));
	tap_check(!said_ok("avd snapshot save four"));
	tap_check(strstr(test.answer, "is gone"));
	tap_check(said_ok("ping"));
	tap_check(said_ok("avd snapshotspath"));
}

static const struct tap_case cases[] = {
	{ "without_a_directory", no_directory },
	{ "saved_listed_removed", saved_listed_removed },
	{ "one_that_is_there_is_replaced", replaced },
	{ "one_is_loaded", loaded },
	{ "what_fails_is_said", what_fails_is_said },
	{ "a_vm_that_lies_is_not_believed", a_vm_that_lies_is_not_believed },
	{ "a_vm_that_keeps_a_file_is_noticed", a_vm_that_keeps_a_file_is_noticed },
	{ "a_vm_that_keeps_a_disk_is_noticed", a_vm_that_keeps_a_disk_is_noticed },
	{ "without_an_origin_nothing_is_saved", without_an_origin_nothing_is_saved },
	{ "without_flags_of_rename", without_flags_of_rename },
	{ "what_killed_ones_left_is_removed", what_killed_ones_left_is_removed },
	{ "a_file_of_somebody_else_stays", a_file_of_somebody_else_stays },
	{ "changes_do_not_replace_what_they_need", changes_do_not_replace_what_they_need },
	{ "by_the_command_line", by_the_command_line },
	{ "a_list_tells_of_other_files_in_a_line", a_list_tells_of_other_files_in_a_line },
	{ "names_stay_in_the_directory", names },
	{ "paths_are_those_of_snapshots", paths },
	{ "what_is_no_snapshot_stays", others_files },
	{ "pictures_are_taken", pictures_are_taken },
	{ "pictures_stay_in_the_directory", pictures_stay_in_the_directory },
	{ "a_file_may_be_passed", a_file_may_be_passed },
	{ "the_program_ends_with_the_vm", program_ends_with_the_vm },
	{ "the_program_is_gone", program_is_gone },
};

int main(int argc, char **argv)
{
	char base[128];
	int failed;

	snprintf(test.home, sizeof(test.home), "/tmp/ranchu-snapshots-%d",
		 argc > 1 ? (int)getppid() : (int)getpid());
	setenv("XDG_RUNTIME_DIR", test.home, 1);
	if (argc == 6) {
		vmm_dir_base(base, sizeof(base));
		return vmm_directory_serve(base, argv[3], argv[4], argv[5]);
	}
	snprintf(test.store, sizeof(test.store), "%s/store", test.home);
	snprintf(test.shots, sizeof(test.shots), "%s/shots", test.home);
	if (mkdir(test.home, 0700) || mkdir(test.store, 0700) || mkdir(test.shots, 0700) ||
	    !snapshot_vm())
		return 1;
	test.answered_fd = eventfd(0, EFD_CLOEXEC);
	test.loop = vmm_loop_create();
	test.instance = vmm_instance_open("vm", test.loop, &control_vm, NULL);
	if (!test.instance || vmm_instance_origin(test.instance, ORIGIN) ||
	    vmm_loop_add(test.loop, test.answered_fd, answered, NULL))
		return 1;
	failed = tap_run(cases, ARRAY_SIZE(cases));
	vmm_directory_link_close(test.link);
	vmm_instance_close(test.instance);
	vmm_loop_destroy(test.loop);
	vmm_display_close(test.display);
	snprintf(base, sizeof(base), "rm -r %s", test.home);
	return system(base) ? 1 : failed;
}
