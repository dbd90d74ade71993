// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a running VM shows to other programs. If its directory cannot be created, a VM without
 * --name runs without a directory and a control socket.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/emulator.h"
#include "control/instance.h"
#include "host/file_thread.h"
#include "host/notify.h"
#include "host/vm_dir.h"

/**
 * struct vmm_instance - the outside view of a running VM
 * @name: its name
 * @dir: its directory, or NULL
 * @file: writes to the files in it, or NULL
 * @lock: protects what follows
 * @state: the last state, for the file of that name
 * @state_len: bytes of it that are to be written; 0 if they were
 * @control: its control socket, or NULL
 * @emulator: the emulator's console, or NULL
 * @notify: the service manager, or NULL
 * @commands: commands of the control socket
 * @vm: the commands that every VM has
 * @since: when it was started, seconds of the epoch
 * @post: events from other threads
 */
struct vmm_instance {
	char name[VMM_NAME_MAX];
	struct vmm_dir *dir;
	struct vmm_file_thread *file;
	pthread_mutex_t lock;
	char state[256];
	size_t state_len;
	struct vmm_control *control;
	struct vmm_emulator *emulator;
	struct vmm_notify *notify;
	struct vmm_commands commands;
	struct vmm_vm_commands vm;
	time_t since;
	struct vmm_event_post *post;
};

static size_t state_write(struct vmm_instance *instance)
{
	char text[sizeof(instance->state)];
	size_t len;

	pthread_mutex_lock(&instance->lock);
	len = instance->state_len;
	memcpy(text, instance->state, len);
	instance->state_len = 0;
	pthread_mutex_unlock(&instance->lock);
	return len ? vmm_dir_state(instance->dir, text, len) : 0;
}

/* A record is a message for the log. With any, a state that is to be written is written. */
static size_t dir_write(void *arg, const void *record, size_t len)
{
	struct vmm_instance *instance = arg;
	size_t lost = len ? vmm_dir_log(instance->dir, record, len) : 0;

	return lost + state_write(instance);
}

static void instance_log(void *arg, const char *line, size_t len)
{
	struct vmm_instance *instance = arg;

	vmm_file_thread_text(instance->file, line, len);
}

/* Has the last state written, with the next record if there is no room for one more. */
static void state_put(struct vmm_instance *instance, const char *text, size_t len)
{
	if (!instance->file)
		return;
	pthread_mutex_lock(&instance->lock);
	memcpy(instance->state, text, len);
	instance->state_len = len;
	pthread_mutex_unlock(&instance->lock);
	vmm_file_thread_text(instance->file, "", 0);
}

/* Sends an event from another thread: a device's error. */
static void instance_posted(void *arg, const char *event, json_t *data)
{
	vmm_instance_event(arg, event, data);
}

/* Returns 0 also without a directory if the VM can run without one. */
static int instance_directory(struct vmm_instance *instance, bool named)
{
	char base[PATH_MAX];
	int err = vmm_dir_base(base, sizeof(base));

	if (!err) {
		instance->dir = vmm_dir_open(base, instance->name);
		err = instance->dir ? 0 : -errno;
	}
	if (!err) {
		instance->file = vmm_file_thread_open("vm-directory", "log_dropped_bytes",
						      VMM_FILE_ROOM, dir_write, instance);
		return instance->file ? 0 : -ENOMEM;
	}
	if (err == -EAGAIN)
		return vmm_error(err, "--name: a VM named \"%s\" runs already", instance->name);
	if (named)
		return vmm_error(-err, "--name: cannot make %s/%s", base, instance->name);
	vmm_note("no control socket: cannot make %s/%s: %s", base, instance->name,
		 strerror(-err));
	return 0;
}

static int instance_socket(struct vmm_instance *instance, struct vmm_loop *loop)
{
	if (!instance->dir)
		return 0;
	vmm_log_also(instance_log, instance);
	instance->control = vmm_control_open(loop, vmm_dir_control(instance->dir),
					     &instance->commands);
	return instance->control ? 0 : -EIO;
}

/**
 * vmm_instance_open - open the outside view of a VM
 * @name: its name, or NULL for one made from the process ID
 * @loop: the main thread's loop
 * @vm: what commands act on
 * @arg: argument of its functions
 *
 * Return: the outside view, or NULL after a message
 */
struct vmm_instance *vmm_instance_open(const char *name, struct vmm_loop *loop,
				       const struct vmm_control_vm *vm, void *arg)
{
	struct vmm_instance *instance = calloc(1, sizeof(*instance));

	if (!instance) {
		vmm_error(ENOMEM, "control socket");
		return NULL;
	}
	pthread_mutex_init(&instance->lock, NULL);
	/* Seeds jansson's hash tables now, because jansson opens a file for that. */
	json_object_seed(0);
	if (name)
		snprintf(instance->name, sizeof(instance->name), "%s", name);
	else
		vmm_name_default(instance->name);
	instance->since = time(NULL);
	instance->vm = (struct vmm_vm_commands){ .vm = vm, .arg = arg, .name = instance->name };
	if (vmm_vm_commands_add(&instance->commands, &instance->vm) ||
	    vmm_emu_commands_add(&instance->commands) ||
	    instance_directory(instance, name) || instance_socket(instance, loop)) {
		vmm_instance_close(instance);
		return NULL;
	}
	instance->post = vmm_event_post_open(loop, instance_posted, instance);
	instance->notify = vmm_notify_open(loop);
	vmm_instance_state(instance, "starting");
	return instance;
}

/**
 * vmm_instance_origin - write down what the VM is started with, before the sandbox
 * @instance: the VM
 * @text: see vmm_origin_text()
 *
 * Without a directory there is no control socket either, and nobody can save the VM.
 *
 * Return: 0, or -errno after a message
 */
int vmm_instance_origin(struct vmm_instance *instance, const char *text)
{
	int err = 0;

	if (instance->dir)
		err = vmm_dir_origin(instance->dir, text, strlen(text));
	return err ? vmm_error(-err, "cannot make %s/" VMM_DIR_ORIGIN,
			       vmm_dir_path(instance->dir)) : 0;
}

/**
 * vmm_instance_emulator - serve the emulator's console
 * @instance: the VM
 * @loop: the main thread's loop
 * @fds: listening, non-blocking files; owned by the caller
 * @count: how many, at most VMM_LINES_FDS
 * @token: the token of clients; must exist as long as the VM
 *
 * Return: 0, or -errno after a message
 */
int vmm_instance_emulator(struct vmm_instance *instance, struct vmm_loop *loop, const int *fds,
			  unsigned int count, const struct vmm_emu_token *token)
{
	instance->emulator = vmm_emulator_open(loop, fds, count, &instance->commands, token);
	return instance->emulator ? 0 : -EIO;
}

/**
 * vmm_instance_close - close the outside view
 * @instance: may be NULL
 */
void vmm_instance_close(struct vmm_instance *instance)
{
	if (!instance)
		return;
	vmm_event_post_close(instance->post);
	vmm_emulator_close(instance->emulator);
	vmm_notify_close(instance->notify);
	vmm_control_close(instance->control);
	/*
	 * A thread that has not ended may have a message for the log. A directory whose files
	 * do not answer would not be removed either.
	 */
	if (vmm_file_threads_left()) {
		vmm_file_threads_last(false);
		if (instance->file && !vmm_file_thread_busy(instance->file))
			vmm_dir_leave();
		return;
	}
	vmm_log_also(NULL, NULL);
	if (!vmm_file_thread_close(instance->file, -1))
		return;
	vmm_dir_close(instance->dir);
	pthread_mutex_destroy(&instance->lock);
	free(instance);
}

/**
 * vmm_instance_name - return the VM's name
 * @instance: the VM
 *
 * Return: the name
 */
const char *vmm_instance_name(const struct vmm_instance *instance)
{
	return instance->name;
}

/**
 * vmm_instance_path - return the path of the VM's directory
 * @instance: the VM
 *
 * Return: its path, or NULL if it has none
 */
const char *vmm_instance_path(const struct vmm_instance *instance)
{
	return instance->dir ? vmm_dir_path(instance->dir) : NULL;
}

/**
 * vmm_instance_commands - return the commands, so that others can be added
 * @instance: the VM
 *
 * Return: the commands
 */
struct vmm_commands *vmm_instance_commands(struct vmm_instance *instance)
{
	return &instance->commands;
}

/**
 * vmm_instance_event - send an event
 * @instance: may be NULL
 * @event: its name
 * @data: its data, or NULL; the reference is consumed
 *
 * Context: main thread.
 */
void vmm_instance_event(struct vmm_instance *instance, const char *event, json_t *data)
{
	if (instance)
		vmm_control_event(instance->control, event, data);
	else
		json_decref(data);
}

/**
 * vmm_instance_state - set the VM's status
 * @instance: may be NULL
 * @status: a word
 */
void vmm_instance_state(struct vmm_instance *instance, const char *status)
{
	char text[sizeof(instance->state)];
	int len;

	if (!instance)
		return;
	len = snprintf(text, sizeof(text),
		       "{\"name\":\"%s\",\"pid\":%d,\"since\":%lld,\"status\":\"%s\"}\n",
		       instance->name, (int)getpid(), (long long)instance->since, status);
	state_put(instance, text, len);
	snprintf(text, sizeof(text), "STATUS=%s: %s", instance->name, status);
	vmm_notify_send(instance->notify, text);
}

/**
 * vmm_instance_answer - answer a command whose answer was to come later
 * @instance: the VM
 * @call: number of the request
 * @answer: its result is consumed
 */
void vmm_instance_answer(struct vmm_instance *instance, u64 call, struct vmm_answer *answer)
{
	if (instance->control && !(call & VMM_EMULATOR_CALL)) {
		vmm_control_answer(instance->control, call, answer);
		return;
	}
	vmm_emulator_answer(instance->emulator, call, answer);
	json_decref(answer->result);
	answer->result = NULL;
}

/**
 * vmm_instance_ready - call when the VM can be used
 * @instance: the VM
 */
void vmm_instance_ready(struct vmm_instance *instance)
{
	vmm_notify_send(instance->notify, "READY=1");
	vmm_instance_event(instance, "READY", NULL);
}
