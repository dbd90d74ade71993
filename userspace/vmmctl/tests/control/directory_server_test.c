// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program that has the files of a VM's directories, as `vmmctl snapshot serve`: requests
 * are lines of its standard input, and what it answers is compared. It is not started by a VM
 * here, so the requests may be any.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control/control.h"
#include "control/directory_link.h"
#include "tests/snapshot/snapshot_lib.h"
#include "tests/tap.h"

static struct {
	char home[64];		/* directory of VMs' directories, too */
	char store[96];		/* directory of snapshots */
	char shots[96];		/* directory of screenshots */
	char answer[65536];	/* what the program has written */
	int code;		/* its exit code */
} test;

/* ---- the program ---- */

static pid_t program_start(const char *snapshots, const char *screenshots, int in, int out)
{
	char *const argv[] = {
		(char *)"vmmctl", (char *)"snapshot", (char *)"serve", (char *)"vm",
		(char *)snapshots, (char *)screenshots, NULL
	};
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	tap_equal(posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

/* Returns a file with the requests, from its start. */
static int requests_file(const char *requests)
{
	FILE *file = tmpfile();
	int fd = -1;

	if (tap_check(file)) {
		fputs(requests, file);
		rewind(file);
		fd = dup(fileno(file));
		fclose(file);
	}
	return fd;
}

/* Gives the program all requests, and waits for its end. */
static void serve(const char *snapshots, const char *screenshots, const char *requests)
{
	FILE *answers = tmpfile();
	int fd = requests_file(requests);
	int status = 0;
	size_t n = 0;
	pid_t pid;

	test.code = -1;
	if (tap_check(answers && fd >= 0)) {
		pid = program_start(snapshots, screenshots, fd, fileno(answers));
		if (tap_check(waitpid(pid, &status, 0) == pid && WIFEXITED(status)))
			test.code = WEXITSTATUS(status);
		rewind(answers);
		n = fread(test.answer, 1, sizeof(test.answer) - 1, answers);
	}
	test.answer[n] = '\0';
	close(fd);
	if (answers)
		fclose(answers);
	tap_context("answer: %.100s", test.answer);
}

/* One request, with both directories. */
static bool says(const char *request, const char *answer)
{
	char line[1024];

	snprintf(line, sizeof(line), "%s\n", request);
	serve(test.store, test.shots, line);
	tap_equal(test.code, 0);
	return tap_check(!strcmp(test.answer, answer));
}

static bool has(const char *text)
{
	return strstr(test.answer, text);
}

/* ---- snapshots ---- */

static void store_path(char path[PATH_MAX], const char *name)
{
	snprintf(path, PATH_MAX, "%s/%s", test.store, name);
}

/* Moves a snapshot of snapshot_lib's VM, which has run for @ran ms, into the store. */
static void snapshot_put(const char *name, s64 ran)
{
	json_t *manifest, *body;
	char path[PATH_MAX];

	snapshot_make(7);
	manifest = json_load_file(path_of(VMM_SNAPSHOT_MANIFEST), 0, NULL);
	body = json_object_get(manifest, "body");
	if (tap_check(body)) {
		if (ran >= 0)
			json_object_set_new(body, "ran", json_integer(ran));
		json_object_set_new(body, "created", json_integer(1700000000));
		manifest_write(body);
	}
	json_decref(manifest);
	store_path(path, name);
	tap_equal(rename(dir, path), 0);
	tap_equal(mkdir(dir, 0700), 0);
}

static void nothing_is_listed(void)
{
	says("list", "There is no snapshot available.\nOK\n");
}

static void rows_are_listed(void)
{
	char *row;

	snapshot_put("two", 607753);
	snapshot_put("one", -1);
	serve(test.store, "", "list\n");
	tap_equal(test.code, 0);
	tap_check(has("List of snapshots present on all disks:\nID "));
	row = strstr(test.answer, "\n--        one ");
	/* How long its guest has run is not known. */
	tap_check(row && strstr(row, "2023-11-14 22:13:20              -\n"));
	row = row ? strstr(row + 1, "\n--        two ") : NULL;
	tap_check(row && strstr(row, "2023-11-14 22:13:20   00:10:07.753\n"));
	tap_check(!strcmp(test.answer + strlen(test.answer) - 4, "\nOK\n"));
}

/* Neither what is no snapshot, nor a directory of a name that no snapshot has. */
static void others_are_not_listed(void)
{
	char path[PATH_MAX];

	store_path(path, "three");
	tap_equal(mkdir(path, 0700), 0);
	store_path(path, ".new-one");
	tap_equal(mkdir(path, 0700), 0);
	serve(test.store, "", "list\n");
	tap_check(has(" one ") && !has("three") && !has(".new-one"));
	store_path(path, "three");
	tap_equal(rmdir(path), 0);
	store_path(path, ".new-one");
	tap_equal(rmdir(path), 0);
}

static void no_directory_is_told(void)
{
	serve("/nowhere/at/all", "", "list\n");
	tap_equal(test.code, 0);
	tap_check(strstr(test.answer, "KO: snapshot: cannot read /nowhere/at/all: "));
	tap_check(strstr(test.answer, ": No such file or directory\n"));
}

static void paths_are_told(void)
{
	char want[256];

	snprintf(want, sizeof(want), "%s/one\nOK\n", test.store);
	says("path one", want);
	says("path none", "NO_SNAPSHOT\nOK\n");
}

static void names_are_checked(void)
{
	static const char *const bad[] = {
		"../one", "/one", ".", "..", "", "a/b", ".new-one", "one.old-2", "a b", "a\tb",
	};
	static const char *const what[] = { "save", "delete", "path" };
	char line[128], want[256];
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(what); i++) {
		for (j = 0; j < ARRAY_SIZE(bad); j++) {
			snprintf(line, sizeof(line), "%s %s", what[i], bad[j]);
			snprintf(want, sizeof(want), "KO: snapshot: \"%s\" is no valid name\n",
				 bad[j]);
			says(line, want);
		}
		says(what[i], "KO: snapshot: \"\" is no valid name\n");
	}
}

/* A path that has no room for the name is not cut. */
static void long_paths_are_refused(void)
{
	static char store[PATH_MAX];

	memset(store, 'a', sizeof(store) - 4);
	store[0] = '/';
	serve(store, "", "path one-two-three\nsave one-two-three\n");
	tap_equal(test.code, 0);
	tap_check(!strcmp(test.answer, "KO: snapshot: one-two-three\n"
			  "KO: snapshot: one-two-three\n"));
}

static void one_is_removed(void)
{
	struct stat st;
	char path[PATH_MAX];

	store_path(path, "two");
	says("delete two", "OK\n");
	tap_check(lstat(path, &st) && errno == ENOENT);
	serve(test.store, "", "delete two\n");
	tap_check(!strncmp(test.answer, "KO: snapshot: ", 14));
	store_path(path, "one");
	tap_equal(lstat(path, &st), 0);
}

/* No VM of the name runs: nothing is made. */
static void a_vm_that_is_gone_is_told(void)
{
	struct stat st;
	char path[PATH_MAX];

	serve(test.store, test.shots, "save four\n");
	tap_equal(test.code, 0);
	tap_check(!strncmp(test.answer, "KO: ", 4));
	store_path(path, "four");
	tap_check(lstat(path, &st) && errno == ENOENT);
	serve(test.store, test.shots, "screenshot\n");
	tap_equal(test.code, 0);
	tap_check(!strncmp(test.answer, "KO: screenshot: the VM cannot be reached", 40));
}

static void screenshots_stay_below(void)
{
	char line[256], want[512];

	snprintf(line, sizeof(line), "screenshot %s", test.store);
	snprintf(want, sizeof(want), "KO: screenshot: %s is not below --screenshots %s\n",
		 test.store, test.shots);
	says(line, want);
	says("screenshot /nowhere/at/all",
	     "KO: screenshot: /nowhere/at/all: No such file or directory\n");
}

/* Of each kind there are requests only if there is a directory. */
static void without_a_directory(void)
{
	static const char *const requests[] = { "list", "save one", "delete one", "path one" };
	char line[64], want[128];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		snprintf(line, sizeof(line), "%s\n", requests[i]);
		snprintf(want, sizeof(want), "KO: there is no request \"%.*s\"\n",
			 (int)strcspn(requests[i], " "), requests[i]);
		serve("", test.shots, line);
		tap_check(!strcmp(test.answer, want));
	}
	serve(test.store, "", "screenshot\n");
	tap_check(!strcmp(test.answer, "KO: there is no request \"screenshot\"\n"));
}

static void other_requests_are_refused(void)
{
	says("", "KO: there is no request \"\"\n");
	says("listing", "KO: there is no request \"listing\"\n");
	/* The next request is served all the same. */
	serve(test.store, "", "a-request-of-many-letters\npath none\n");
	tap_equal(test.code, 0);
	tap_check(!strcmp(test.answer, "KO: there is no request \"a-request-of-man\"\n"
			  "NO_SNAPSHOT\nOK\n"));
}

/* A line that has no end, or is longer than any request, ends the program. */
static void lines_are_bounded(void)
{
	static char line[VMM_DIRECTORY_REQUEST + 16];

	serve(test.store, "", "");
	tap_equal(test.code, EXIT_SUCCESS);
	tap_check(!*test.answer);
	serve(test.store, "", "path none");
	tap_equal(test.code, EXIT_FAILURE);
	tap_check(!*test.answer);
	memset(line, 'a', sizeof(line) - 2);
	line[sizeof(line) - 2] = '\n';
	serve(test.store, "", line);
	tap_equal(test.code, EXIT_FAILURE);
	tap_check(!*test.answer);
}

/* Nobody reads the answers. */
static void a_full_disk_ends_it(void)
{
	int fd = requests_file("path none\npath none\n");
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	int status = 0;
	pid_t pid;

	if (full < 0) {
		tap_skip("no /dev/full here");
		close(fd);
		return;
	}
	pid = program_start(test.store, "", fd, full);
	tap_equal(waitpid(pid, &status, 0), pid);
	tap_check(WIFEXITED(status));
	tap_equal(WEXITSTATUS(status), EXIT_FAILURE);
	close(full);
	close(fd);
}

static const struct tap_case cases[] = {
	{ "an empty directory has no snapshot", nothing_is_listed },
	{ "snapshots are listed by name, with their dates and clocks", rows_are_listed },
	{ "what is no snapshot is not listed", others_are_not_listed },
	{ "a directory that is not there is told", no_directory_is_told },
	{ "paths are those of snapshots that are there", paths_are_told },
	{ "names that leave the directory are refused", names_are_checked },
	{ "a path that is too long is not cut", long_paths_are_refused },
	{ "one snapshot is removed, and no other", one_is_removed },
	{ "a VM that is gone is told", a_vm_that_is_gone_is_told },
	{ "screenshots stay below their directory", screenshots_stay_below },
	{ "without a directory there are no requests for it", without_a_directory },
	{ "other requests are refused, and the next is served", other_requests_are_refused },
	{ "a line without an end ends the program", lines_are_bounded },
	{ "answers that cannot be written end the program", a_full_disk_ends_it },
};

int main(int argc, char **argv)
{
	char command[128];
	int failed;

	if (argc > 1 && vmm_control_is_command(argv[1]))
		return vmm_control_cli(argc, argv);
	snprintf(test.home, sizeof(test.home), "/tmp/ranchu-serve-%d", (int)getpid());
	snprintf(test.store, sizeof(test.store), "%s/store", test.home);
	snprintf(test.shots, sizeof(test.shots), "%s/shots", test.home);
	setenv("XDG_RUNTIME_DIR", test.home, 1);
	setenv("TZ", "UTC0", 1);
	if (mkdir(test.home, 0700) || mkdir(test.store, 0700) || mkdir(test.shots, 0700) ||
	    !snapshot_vm())
		return 1;
	failed = tap_run(cases, ARRAY_SIZE(cases));
	vmm_mem_destroy(&vm.mem);
	rmdir(dir);
	snprintf(command, sizeof(command), "rm -r %s", test.home);
	return system(command) ? 1 : failed;
}
