// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VM's end of the directories for its snapshots (--snapshots DIR) and screenshots
 * (--screenshots DIR): commands of the control socket, which the emulator's console uses, and a
 * socket to the program that accesses the files. There is one request at a time; its answer
 * comes asynchronously.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/directory_link.h"
#include "control/folder.h"

#define ANSWER_MAX	65536	/* bytes of an answer */

/**
 * struct vmm_directory_link - a VM's directories
 * @instance: the VM whose commands are answered
 * @loop: the main thread's loop
 * @snapshots: directory of snapshots, or NULL
 * @screenshots: directory of screenshots, or NULL
 * @fd: socket to the program; -1 if it has gone
 * @call: the command that waits for an answer, 0 for none
 * @len: bytes of @answer
 * @answer: the received part, with room for a NUL
 */
struct vmm_directory_link {
	struct vmm_instance *instance;
	struct vmm_loop *loop;
	char *snapshots;
	char *screenshots;
	int fd;
	u64 call;
	size_t len;
	char answer[ANSWER_MAX + 1];
};

/**
 * vmm_snapshot_name_fits - return whether a word can name a snapshot
 * @name: the word
 *
 * Return: whether it can: letters, digits, "_", "-" and ".", but not as the first one; not the name
 *	of a temporary directory
 */
bool vmm_snapshot_name_fits(const char *name)
{
	size_t len;

	for (len = 0; name[len]; len++) {
		char c = name[len];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && !strchr("_-.", c))
			return false;
	}
	return len && len < VMM_SNAPSHOT_NAME && *name != '.' && !strstr(name, VMM_FOLDER_NEW) &&
	       !strstr(name, VMM_FOLDER_OLD);
}

static void link_gone(struct vmm_directory_link *link, const char *why)
{
	struct vmm_answer answer = { 0 };

	vmm_loop_del(link->loop, link->fd);
	close(link->fd);
	link->fd = -1;
	if (!link->call)
		return;
	vmm_answer_fail(&answer, EIO, "%s", why);
	vmm_instance_answer(link->instance, link->call, &answer);
	link->call = 0;
}

/* Handles a complete answer. */
static void link_answered(struct vmm_directory_link *link, char *verdict)
{
	struct vmm_answer answer = { 0 };
	u64 call = link->call;

	if (!strncmp(verdict, "KO: ", 4)) {
		vmm_answer_fail(&answer, EIO, "%.*s", (int)strcspn(verdict + 4, "\n"), verdict + 4);
	} else {
		answer.result = json_pack("{s:s%}", "text", link->answer,
					  (size_t)(verdict - link->answer));
		if (!answer.result)
			vmm_answer_fail(&answer, EIO, "the answer is no text");
	}
	link->call = 0;
	link->len = 0;
	vmm_instance_answer(link->instance, call, &answer);
}

/* Returns the last line of an answer, or NULL if it is incomplete. */
static char *link_verdict(struct vmm_directory_link *link)
{
	char *line = link->answer;

	if (!link->len || link->answer[link->len - 1] != '\n')
		return NULL;
	link->answer[link->len - 1] = '\0';
	line = strrchr(link->answer, '\n');
	link->answer[link->len - 1] = '\n';
	line = line ? line + 1 : link->answer;
	return !strcmp(line, "OK\n") || !strncmp(line, "KO: ", 4) ? line : NULL;
}

static int link_readable(void *arg)
{
	struct vmm_directory_link *link = arg;
	char *verdict;
	ssize_t n;

	n = read(link->fd, link->answer + link->len, ANSWER_MAX - link->len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0 || !link->call) {
		link_gone(link, n ? "the answer is too long" :
				    "the program that has the files is gone");
		return 0;
	}
	link->len += n;
	link->answer[link->len] = '\0';
	verdict = link_verdict(link);
	if (verdict)
		link_answered(link, verdict);
	return 0;
}

/* @word is the argument, or NULL for none, and has no newline. */
static int ask(struct vmm_directory_link *link, u64 call, const char *what, const char *word,
	       struct vmm_answer *answer)
{
	char line[VMM_DIRECTORY_REQUEST];
	int len;

	if (!call)
		return vmm_answer_fail(answer, EINVAL, "it cannot be asked for this way");
	if (link->fd < 0)
		return vmm_answer_fail(answer, EIO, "the program that has the files is gone");
	if (link->call)
		return vmm_answer_fail(answer, EBUSY,
				       "another snapshot or picture is being handled");
	len = snprintf(line, sizeof(line), word ? "%s %s\n" : "%s\n", what, word);
	if ((size_t)len >= sizeof(line))
		return vmm_answer_fail(answer, ENAMETOOLONG, "the name is too long");
	if (write(link->fd, line, len) != len)
		return vmm_answer_fail(answer, EIO,
				       "the program that has the files takes no request");
	link->call = call;
	link->len = 0;
	return VMM_COMMAND_LATER;
}

static int ask_by_name(struct vmm_directory_link *link, u64 call, const char *what,
		       const json_t *args, struct vmm_answer *answer)
{
	const char *name = json_string_value(json_object_get(args, "name"));

	if (!vmm_snapshot_name_fits(name))
		return vmm_answer_fail(answer, EINVAL, "\"%.32s\" cannot name a snapshot", name);
	return ask(link, call, what, name, answer);
}

static int run_list(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	(void)args;
	return ask(arg, call, "list", NULL, answer);
}

static int run_save(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	return ask_by_name(arg, call, "save", args, answer);
}

static int run_load(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	return ask_by_name(arg, call, "load", args, answer);
}

static int run_delete(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	return ask_by_name(arg, call, "delete", args, answer);
}

/* As in the emulator's console; an invalid name is answered like a missing snapshot. */
static int run_path(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	const char *name = json_string_value(json_object_get(args, "name"));

	if (vmm_snapshot_name_fits(name))
		return ask(arg, call, "path", name, answer);
	answer->result = json_pack("{s:s}", "text", VMM_NO_SNAPSHOT "\n");
	return answer->result ? 0 : -ENOMEM;
}

static int run_directory(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	const struct vmm_directory_link *link = arg;

	(void)call;
	(void)args;
	answer->result = json_pack("{s:s}", "directory", link->snapshots);
	return answer->result ? 0 : -ENOMEM;
}

static int run_screenshot(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	const char *dir = json_string_value(json_object_get(args, "directory"));

	if (dir && (!*dir || strchr(dir, '\n')))
		return vmm_answer_fail(answer, EINVAL, "\"%.32s\" cannot name a directory", dir);
	return ask(arg, call, "screenshot", dir, answer);
}

static const struct vmm_command_row snapshot_rows[] = {
	{ "snapshots", "list what --snapshots DIR has, as text", { }, run_list },
	{ "snapshot-save", "save the VM to DIR/NAME", { { "name", JSON_STRING, true } },
	  run_save },
	{ "snapshot-load", "load DIR/NAME into the VM", { { "name", JSON_STRING, true } },
	  run_load },
	{ "snapshot-delete", "remove DIR/NAME", { { "name", JSON_STRING, true } }, run_delete },
	{ "snapshot-path", "return the path of a snapshot, or \"" VMM_NO_SNAPSHOT "\"",
	  { { "name", JSON_STRING, true } }, run_path },
	{ "query-snapshots", "return the path of DIR", { }, run_directory },
	{ }
};

static const struct vmm_command_row screenshot_rows[] = {
	{ "screenshot-save", "write a picture of the screen below --screenshots DIR",
	  { { "directory", JSON_STRING, false } }, run_screenshot },
	{ }
};

/* Starts the program, with its end of the socket as standard input and output. */
static int link_spawn(const struct vmm_directory_link *link, int fd)
{
	char *const argv[] = {
		(char *)"vmmctl", (char *)"snapshot", (char *)"serve",
		(char *)vmm_instance_name(link->instance),
		link->snapshots ? link->snapshots : (char *)"",
		link->screenshots ? link->screenshots : (char *)"", NULL
	};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	pid_t pid;
	int err;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	/*
	 * In a process group of its own: a terminal's Ctrl-C is for the VM, with which this
	 * ends.
	 */
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
				 POSIX_SPAWN_SETPGROUP);
	err = posix_spawn(&pid, "/proc/self/exe", &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return err;
}

static int link_directory(const char *option, const char *dir, char **path)
{
	if (!dir)
		return 0;
	*path = realpath(dir, NULL);
	return *path ? 0 : vmm_error(errno, "--%s %s", option, dir);
}

static int link_commands(struct vmm_directory_link *link)
{
	struct vmm_commands *commands = vmm_instance_commands(link->instance);
	int err = 0;

	if (link->snapshots)
		err = vmm_commands_add(commands, snapshot_rows, link);
	if (link->screenshots && !err)
		err = vmm_commands_add(commands, screenshot_rows, link);
	return err;
}

/* Starts the program; it ends when this end of the socket is closed. */
static int link_start(struct vmm_directory_link *link)
{
	int fd[2];
	int err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd))
		return vmm_error(errno, "the program that has the VM's directories");
	link->fd = fd[0];
	err = link_spawn(link, fd[1]);
	close(fd[1]);
	if (!err && fcntl(link->fd, F_SETFL, O_NONBLOCK))
		err = errno;
	if (err)
		return vmm_error(err, "the program that has the VM's directories");
	return vmm_loop_add(link->loop, link->fd, link_readable, link);
}

/**
 * vmm_directory_link_open - open the directories that a VM's console writes to
 * @instance: the VM, which has a directory; commands are added to it
 * @loop: the main thread's loop
 * @snapshots: directory of snapshots, or NULL
 * @screenshots: directory of screenshots, or NULL
 *
 * Starts a program: called before the sandbox is entered. The commands exist as long as @instance.
 *
 * Return: the VM's end, or NULL after a message
 */
struct vmm_directory_link *vmm_directory_link_open(struct vmm_instance *instance,
						   struct vmm_loop *loop, const char *snapshots,
						   const char *screenshots)
{
	struct vmm_directory_link *link = calloc(1, sizeof(*link));

	if (!link) {
		vmm_error(ENOMEM, "the VM's directories");
		return NULL;
	}
	*link = (struct vmm_directory_link){ .instance = instance, .loop = loop, .fd = -1 };
	if (!link_directory("snapshots", snapshots, &link->snapshots) &&
	    !link_directory("screenshots", screenshots, &link->screenshots) &&
	    !link_start(link) && !link_commands(link))
		return link;
	vmm_directory_link_close(link);
	return NULL;
}

/**
 * vmm_directory_link_close - close the directories; the program ends
 * @link: may be NULL
 */
void vmm_directory_link_close(struct vmm_directory_link *link)
{
	if (!link)
		return;
	if (link->fd >= 0) {
		vmm_loop_del(link->loop, link->fd);
		close(link->fd);
	}
	free(link->snapshots);
	free(link->screenshots);
	free(link);
}
