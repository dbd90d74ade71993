/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control plane: commands to a running VM and events from it.
 *
 * A command is a row of a table (struct vmm_command_row). The control socket (server.c) and the
 * emulator's console (emulator.c) use the same tables. Everything here runs in the main thread
 * and never blocks, except for client.c and cli.c, which are the client's end: `vmmctl ps`,
 * `vmmctl stop NAME` and the like.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <jansson.h>

#include "control/lines.h"
#include "machine/machine.h"

/* ---- json.c: parsing untrusted JSON ---- */

#define VMM_JSON_DEPTH	16	/* nested arrays and objects */

json_t *vmm_json_read(const char *text, size_t len, char *why, size_t size);

/* ---- command.c: tables of commands ---- */

#define VMM_ANSWER_ERROR	160	/* bytes of an error's text, its end included */
#define VMM_COMMAND_LATER	1	/* the answer follows by vmm_control_answer() */
#define VMM_COMMAND_SETS	32	/* tables */
#define VMM_COMMAND_ARGS	4	/* of a command */

/**
 * struct vmm_answer - the answer of a command
 * @result: what it returns, or NULL for an empty object; owned by the answer
 * @error: why it failed, "" if it did not
 * @unknown: it failed because there is no such command
 * @file: a file that is sent with @result, not owned by the answer; 0 for none
 * @given: files that came with the request, VMM_LINES_FILES elements, 0 where there
 *	are fewer; a command that keeps one puts 0 in its place. NULL for none
 */
struct vmm_answer {
	json_t *result;
	char error[VMM_ANSWER_ERROR];
	bool unknown;
	int file;
	int *given;
};

/**
 * struct vmm_command_arg - an argument of a command
 * @name: its key; NULL ends a list
 * @type: type of its value
 * @required: the command needs it
 */
struct vmm_command_arg {
	const char *name;
	json_type type;
	bool required;
};

/**
 * struct vmm_command_row - a command
 * @name: its name
 * @help: what it does, one clause
 * @args: its arguments
 * @run: runs it: returns 0 with @answer->result, VMM_COMMAND_LATER, or -errno
 *	with @answer->error. @call identifies the request for a later answer and
 *	is 0 if a later answer is impossible. @args were checked against the row.
 */
struct vmm_command_row {
	const char *name;
	const char *help;
	struct vmm_command_arg args[VMM_COMMAND_ARGS];
	int (*run)(void *arg, u64 call, const json_t *args, struct vmm_answer *answer);
};

/**
 * struct vmm_commands - all commands
 * @count: tables
 * @set: the tables
 * @set.row: first row; a row without a name ends a table
 * @set.arg: argument of its functions
 */
struct vmm_commands {
	unsigned int count;
	struct {
		const struct vmm_command_row *row;
		void *arg;
	} set[VMM_COMMAND_SETS];
};

int vmm_commands_add(struct vmm_commands *commands, const struct vmm_command_row *row, void *arg);
int vmm_commands_run(const struct vmm_commands *commands, const char *name, u64 call,
		     const json_t *args, struct vmm_answer *answer);
json_t *vmm_commands_list(const struct vmm_commands *commands);
int vmm_answer_fail(struct vmm_answer *answer, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- vm_commands.c: the commands that every VM has ---- */

/* How a command ends a VM. */
enum vmm_control_end {
	VMM_CONTROL_STOP,	/* in order, as SIGTERM does */
	VMM_CONTROL_KILL,	/* at once */
	VMM_CONTROL_QUIT,	/* in order, and it counts as a success */
};

/**
 * struct vmm_control_vm - what the commands act on
 * @status: adds members about the VM
 * @end: ends the VM
 * @pause: stops vCPUs and devices, or resumes them; VMM_COMMAND_LATER if @call is
 *	answered when that is done, else 0 or -errno
 * @reset: resets the guest
 * @button: presses the guest's power button, -EOPNOTSUPP if it has none; may be NULL
 * @device: runs a command of a device, see vmm_board_command(); may be NULL
 * @screen: with 0, writes the newest frame to the screen's file, and returns the file; with the
 *	number of a source, returns its file, or -ENOENT if it is gone; may be NULL
 * @screenshot: writes a picture of the screen to a file, which it closes:
 *	VMM_COMMAND_LATER, or -errno; may be NULL
 * @snapshot: saves the VM, or only the changes of its RAM, to @files, which it keeps, state
 *	first: VMM_COMMAND_LATER, or -errno and keeps none; may be NULL
 * @load: loads a snapshot from @files, which it keeps, manifest first: as @snapshot
 * @guest: connects ranchu-services; takes ownership of its end of the link, and returns a file
 *	that is sent with the answer; may be NULL
 * @stats: returns the counters, an object of objects of numbers; NULL with errno
 *
 * The functions that return int return 0 or -errno: -EBUSY and -EAGAIN for what cannot be
 * done in the VM's present state, -EALREADY for what is so already.
 */
struct vmm_control_vm {
	void (*status)(void *arg, json_t *to);
	int (*end)(void *arg, enum vmm_control_end how);
	int (*pause)(void *arg, bool pause, u64 call);
	int (*reset)(void *arg);
	int (*button)(void *arg);
	int (*device)(void *arg, const char *device, const char *command, const char *value,
		      struct vmm_text *text);
	int (*screen)(void *arg, u64 source);
	int (*screenshot)(void *arg, int to, u64 call);
	int (*snapshot)(void *arg, const int *files, bool changes, u64 call);
	int (*load)(void *arg, const int *files, u64 call);
	int (*guest)(void *arg, int link);
	json_t *(*stats)(void *arg);
};

/**
 * struct vmm_vm_commands - the commands that every VM has
 * @vm: what they act on
 * @arg: argument of its functions
 * @name: name of the VM
 * @commands: all commands, for the one that lists them
 */
struct vmm_vm_commands {
	const struct vmm_control_vm *vm;
	void *arg;
	const char *name;
	const struct vmm_commands *commands;
};

int vmm_vm_commands_add(struct vmm_commands *commands, struct vmm_vm_commands *vm);

/* ---- prometheus.c: statistics as Prometheus reads them ---- */

char *vmm_prometheus(const json_t *stats, const char *name);

/* ---- server.c: the control socket ---- */

#define VMM_CONTROL_CLIENTS	32
#define VMM_CONTROL_LINE	65536	/* bytes of a request, the newline included */
#define VMM_CONTROL_OUT		VMM_LINES_OUT

struct vmm_control;

struct vmm_control *vmm_control_open(struct vmm_loop *loop, int fd,
				     const struct vmm_commands *commands);
void vmm_control_close(struct vmm_control *control);
void vmm_control_event(struct vmm_control *control, const char *event, json_t *data);
void vmm_control_answer(struct vmm_control *control, u64 call, struct vmm_answer *answer);
void vmm_control_flush(struct vmm_control *control);

/* ---- post.c: events about errors of devices, from any thread ---- */

struct vmm_event_post;

struct vmm_event_post *vmm_event_post_open(struct vmm_loop *loop,
					   void (*fn)(void *arg, const char *event, json_t *data),
					   void *arg);
void vmm_event_post_close(struct vmm_event_post *post);

/* ---- request.c: parsing requests and formatting answers ---- */

/**
 * struct vmm_request - a request of a client
 * @object: the parsed request, or NULL
 * @execute: name of the command
 * @args: its arguments, or NULL
 * @id: returned in the answer, or NULL
 */
struct vmm_request {
	json_t *object;
	const char *execute;
	json_t *args;
	json_t *id;
};

int vmm_request_read(struct vmm_request *request, const char *line, size_t len,
		     struct vmm_answer *answer);
void vmm_request_free(struct vmm_request *request);
char *vmm_answer_line(struct vmm_answer *answer, json_t *id);
char *vmm_event_line(const char *event, json_t *data, unsigned long lost);
char *vmm_greeting_line(void);

/* ---- client.c: the client's end ---- */

struct vmm_client;

struct vmm_client *vmm_client_open(const char *path, int timeout_ms);
struct vmm_client *vmm_client_await(const char *path, int timeout_ms);
void vmm_client_give(struct vmm_client *client, const int *files, unsigned int count);
void vmm_client_close(struct vmm_client *client);
json_t *vmm_client_call(struct vmm_client *client, const char *command, json_t *args);
int vmm_client_file(struct vmm_client *client);
void vmm_client_events(struct vmm_client *client, void (*event)(void *arg, const char *name),
		       void *arg);
const char *vmm_client_error(const struct vmm_client *client);
bool vmm_client_lost(const struct vmm_client *client);
pid_t vmm_client_pid(const struct vmm_client *client);
int vmm_client_pidfd(const struct vmm_client *client);

/* ---- snapshot.c: vmmctl snapshot ---- */

int vmm_snapshot_cli(const char *base, int argc, char **argv);

/* ---- cli.c: vmmctl ps, vmmctl stop NAME ... ---- */

int vmm_control_cli(int argc, char **argv);
bool vmm_control_is_command(const char *word);

#endif /* CONTROL_H */
