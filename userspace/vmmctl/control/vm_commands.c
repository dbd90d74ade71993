// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands that every VM has. Commands of QEMU's monitor protocol with the same meaning are
 * accepted under QEMU's names as well.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/control.h"

#define VERSION_MAJOR	1

static int answer_with(struct vmm_answer *answer, json_t *result)
{
	if (!result)
		return vmm_answer_fail(answer, ENOMEM, "out of memory");
	answer->result = result;
	return 0;
}

static bool rests(const json_t *status, const char *word)
{
	return json_is_true(json_object_get(status, "running")) || !strcmp(word, "paused");
}

/* Sets the VM's state as the reason if @err depends on it; a device may have its own reason. */
static int not_now(const struct vmm_vm_commands *c, struct vmm_answer *answer, int err)
{
	json_t *status;
	const char *word;

	if (err >= 0)
		return err;
	status = json_object();
	c->vm->status(c->arg, status);
	word = json_string_value(json_object_get(status, "status"));
	if (err == -EALREADY)
		vmm_answer_fail(answer, err, "the VM is %s already", word ? word : "there");
	else if ((err == -EBUSY || err == -EAGAIN) && !(word && rests(status, word)))
		vmm_answer_fail(answer, err, "the VM is busy: it is %s", word ? word : "starting");
	json_decref(status);
	return err;
}

static int run_status(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	const struct vmm_vm_commands *c = arg;
	json_t *status = json_pack("{s:s}", "name", c->name);

	(void)call;
	(void)args;
	if (status)
		c->vm->status(c->arg, status);
	return answer_with(answer, status);
}

static int run_stop(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	const struct vmm_vm_commands *c = arg;

	(void)call;
	(void)args;
	(void)answer;
	return c->vm->end(c->arg, VMM_CONTROL_STOP);
}

static int run_kill(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	const struct vmm_vm_commands *c = arg;

	(void)call;
	(void)args;
	(void)answer;
	return c->vm->end(c->arg, VMM_CONTROL_KILL);
}

static int run_quit(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	const struct vmm_vm_commands *c = arg;

	(void)call;
	(void)args;
	(void)answer;
	return c->vm->end(c->arg, VMM_CONTROL_QUIT);
}

static int run_pause(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	const struct vmm_vm_commands *c = arg;

	(void)args;
	return not_now(c, answer, c->vm->pause(c->arg, true, call));
}

static int run_resume(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	const struct vmm_vm_commands *c = arg;

	(void)args;
	return not_now(c, answer, c->vm->pause(c->arg, false, call));
}

static int run_reset(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	const struct vmm_vm_commands *c = arg;

	(void)call;
	(void)args;
	return not_now(c, answer, c->vm->reset(c->arg));
}

static int run_button(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	const struct vmm_vm_commands *c = arg;
	int err = c->vm->button ? c->vm->button(c->arg) : -EOPNOTSUPP;

	(void)call;
	(void)args;
	return err == -EOPNOTSUPP ?
	       vmm_answer_fail(answer, -err, "the guest has no power button") :
	       not_now(c, answer, err);
}

/* As in QEMU: presses the power button if there is one, else stops the VM. */
static int run_powerdown(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	const struct vmm_vm_commands *c = arg;
	int err = c->vm->button ? c->vm->button(c->arg) : -EOPNOTSUPP;

	return err == -EOPNOTSUPP ? run_stop(arg, call, args, answer) : not_now(c, answer, err);
}

/* If a device fails, the reason is in @text or was logged. */
static int run_device(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	const struct vmm_vm_commands *c = arg;
	const char *device = json_string_value(json_object_get(args, "device"));
	const char *command = json_string_value(json_object_get(args, "command"));
	const char *value = json_string_value(json_object_get(args, "value"));
	static struct vmm_text text;
	int err;

	(void)call;
	vmm_text_clear(&text);
	err = c->vm->device ? c->vm->device(c->arg, device, command, value, &text) : -ENOENT;
	if (err == -ENOENT)
		return vmm_answer_fail(answer, ENOENT,
				       "no device \"%.32s\" has a command \"%.32s\"",
				       device, command);
	if (err)
		return text.len ? vmm_answer_fail(answer, err, "%s", text.bytes) :
				  not_now(c, answer, err);
	return answer_with(answer, json_pack("{s:s}", "text", text.bytes));
}

static int no_screen(struct vmm_answer *answer)
{
	return vmm_answer_fail(answer, EOPNOTSUPP, "there is no screen");
}

static int run_screen(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	const struct vmm_vm_commands *c = arg;
	u64 source = json_integer_value(json_object_get(args, "source"));
	int fd = c->vm->screen ? c->vm->screen(c->arg, source) : -EOPNOTSUPP;

	(void)call;
	if (fd == -EOPNOTSUPP)
		return no_screen(answer);
	if (fd == -ENOENT)
		return vmm_answer_fail(answer, -fd, "the screen has no such source any more");
	if (fd < 0)
		return not_now(c, answer, fd);
	answer->file = fd;
	return 0;
}

/* The file comes with the request. */
static int run_screenshot(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	const struct vmm_vm_commands *c = arg;
	int to, err;

	(void)args;
	if (!call || !answer->given || !answer->given[0])
		return vmm_answer_fail(answer, EINVAL, "a file is needed");
	if (!c->vm->screenshot)
		return no_screen(answer);
	to = answer->given[0];
	answer->given[0] = 0;
	err = c->vm->screenshot(c->arg, to, call);
	if (err == -EOPNOTSUPP)
		return no_screen(answer);
	if (err == -EINPROGRESS)
		return vmm_answer_fail(answer, err, "another picture is being written");
	return err == -EINVAL ? vmm_answer_fail(answer, -err, "a regular file is needed") :
				not_now(c, answer, err);
}

/* The files come with the request: two, and one for each disk. */
static int run_snapshot(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	const struct vmm_vm_commands *c = arg;
	bool changes = json_is_true(json_object_get(args, "changes"));
	int err;

	if (!call || !answer->given || !answer->given[0] || !answer->given[1])
		return vmm_answer_fail(answer, EINVAL, "two files are needed: state and RAM");
	err = c->vm->snapshot ? c->vm->snapshot(c->arg, answer->given, changes, call) : -EOPNOTSUPP;
	if (err >= 0)
		memset(answer->given, 0, VMM_LINES_FILES * sizeof(*answer->given));
	return not_now(c, answer, err);
}

/* The files come with the request: manifest, states, RAM, and each disk that was saved. */
static int run_load(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	const struct vmm_vm_commands *c = arg;
	int err;

	(void)args;
	if (!call || !answer->given || !answer->given[0] || !answer->given[1] || !answer->given[2])
		return vmm_answer_fail(answer, EINVAL,
				       "three files are needed: manifest, state and RAM");
	err = c->vm->load ? c->vm->load(c->arg, answer->given, call) : -EOPNOTSUPP;
	if (err >= 0)
		memset(answer->given, 0, VMM_LINES_FILES * sizeof(*answer->given));
	return not_now(c, answer, err);
}

/* A socket of packets comes with the request. */
static int run_guest_services(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	const struct vmm_vm_commands *c = arg;
	int fd;

	(void)call;
	(void)args;
	if (!answer->given || !answer->given[0])
		return vmm_answer_fail(answer, EINVAL, "a socket is needed");
	fd = c->vm->guest ? c->vm->guest(c->arg, answer->given[0]) : -EOPNOTSUPP;
	if (fd == -EOPNOTSUPP)
		return vmm_answer_fail(answer, -fd, "it was started without --guest-services");
	if (fd == -EALREADY)
		return vmm_answer_fail(answer, -fd, "its guest is served already");
	if (fd < 0)
		return not_now(c, answer, fd);
	answer->given[0] = 0;
	answer->file = fd;
	return 0;
}

static int run_stats(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	const struct vmm_vm_commands *c = arg;

	(void)call;
	(void)args;
	answer->result = c->vm->stats(c->arg);
	return answer->result ? 0 : not_now(c, answer, -errno);
}

static int run_metrics(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	const struct vmm_vm_commands *c = arg;
	json_t *stats = c->vm->stats(c->arg);
	json_t *result;
	char *text;

	(void)call;
	(void)args;
	if (!stats)
		return not_now(c, answer, -errno);
	text = vmm_prometheus(stats, c->name);
	result = text ? json_pack("{s:s}", "text", text) : NULL;
	free(text);
	json_decref(stats);
	return answer_with(answer, result);
}

static int run_capabilities(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	(void)arg;
	(void)call;
	(void)args;
	(void)answer;
	return 0;
}

static int run_query_commands(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	const struct vmm_vm_commands *c = arg;

	(void)call;
	(void)args;
	return answer_with(answer, vmm_commands_list(c->commands));
}

static int run_query_name(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	const struct vmm_vm_commands *c = arg;

	(void)call;
	(void)args;
	return answer_with(answer, json_pack("{s:s}", "name", c->name));
}

static int run_query_version(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	(void)arg;
	(void)call;
	(void)args;
	return answer_with(answer, json_pack("{s:i}", "protocol", VERSION_MAJOR));
}

static const struct vmm_command_row rows[] = {
	{ "status", "return the VM's status", { }, run_status },
	{ "stop", "end the VM in order", { }, run_stop },
	{ "kill", "end the VM at once", { }, run_kill },
	{ "pause", "stop the vCPUs", { }, run_pause },
	{ "resume", "resume the vCPUs", { }, run_resume },
	{ "reset", "reset the guest", { }, run_reset },
	{ "power-button", "press the guest's power button", { }, run_button },
	{ "device", "run a command of a device",
	  { { "device", JSON_STRING, true }, { "command", JSON_STRING, true },
	    { "value", JSON_STRING, false } }, run_device },
	{ "screen", "return the screen's file, with the newest frame, or the file of a source",
	  { { "source", JSON_INTEGER, false } }, run_screen },
	{ "screenshot", "write a screenshot, as PNG, to a file that comes with the request",
	  { }, run_screenshot },
	{ "snapshot", "save the VM to files that come with the request",
	  { { "changes", JSON_TRUE, false } }, run_snapshot },
	{ "load", "load the snapshot whose files come with the request", { }, run_load },
	{ "guest-services", "connect guest services by a socket that comes with the request",
	  { }, run_guest_services },
	{ "stats", "return statistics", { }, run_stats },
	{ "metrics", "return statistics as text for Prometheus", { }, run_metrics },
	{ "quit", "end the VM in order, with exit code 0", { }, run_quit },
	{ "query-commands", "list the commands", { }, run_query_commands },
	{ "query-name", "return the VM's name", { }, run_query_name },
	{ "query-status", "the same as status", { }, run_status },
	{ "query-version", "return the protocol's version", { }, run_query_version },
	{ "qmp_capabilities", "enable events", { { "enable", JSON_ARRAY, false } },
	  run_capabilities },
	{ "cont", "the same as resume", { }, run_resume },
	{ "system_reset", "the same as reset", { }, run_reset },
	{ "system_powerdown", "the same as power-button, or stop if there is none", { },
	  run_powerdown },
	{ }
};

/**
 * vmm_vm_commands_add - add the commands that every VM has
 * @commands: the commands are added to it
 * @vm: what they act on; @vm->commands is set
 *
 * Return: 0, or -ENOSPC
 */
int vmm_vm_commands_add(struct vmm_commands *commands, struct vmm_vm_commands *vm)
{
	vm->commands = commands;
	return vmm_commands_add(commands, rows, vm);
}
