// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator console's "avd" commands, except for those of devices.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/emulator_rows.h"
#include "host/discovery.h"

/* Returns a string of a command's result, to be freed, or NULL with a reason. */
static char *ask(struct vmm_emu *emu, const char *name, const char *key,
		 char why[VMM_ANSWER_ERROR])
{
	json_t *result = NULL;
	const char *text;
	char *copy;

	if (vmm_emu_control(emu, name, NULL, &result, why))
		return NULL;
	text = json_string_value(json_object_get(result, key));
	copy = text ? strdup(text) : NULL;
	if (!copy)
		vmm_emu_fail(why, ENOENT, "there is none");
	json_decref(result);
	return copy;
}

static int show(struct vmm_emu *emu, const char *name, const char *key,
		char why[VMM_ANSWER_ERROR])
{
	char *text = ask(emu, name, key, why);

	if (!text)
		return -ENOENT;
	vmm_text_add(emu->text, "%s\n", text);
	free(text);
	return 0;
}

int vmm_emu_avd_name(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR])
{
	(void)args;
	return show(emu, "query-name", "name", why);
}

/* A VM without an AVD has a directory only while it runs. */
int vmm_emu_avd_path(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR])
{
	(void)args;
	if (!show(emu, "status", "avd", why))
		return 0;
	*why = '\0';
	return show(emu, "status", "directory", why);
}

/* Only `vmmctl avd` writes the file. */
int vmm_emu_avd_discoverypath(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR])
{
	(void)args;
	if (!*vmm_discovery_path())
		return vmm_emu_fail(why, ENOENT, "there is no such file: vmmctl ps lists VMs");
	vmm_text_add(emu->text, "%s\n", vmm_discovery_path());
	return 0;
}

int vmm_emu_avd_status(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR])
{
	char *status = ask(emu, "status", "status", why);

	(void)args;
	if (!status)
		return -ENOENT;
	vmm_text_add(emu->text, "virtual device is %s\n",
		     strcmp(status, "running") ? "stopped" : "running");
	free(status);
	return 0;
}

int vmm_emu_avd_stop(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR])
{
	int err = vmm_emu_control(emu, "pause", NULL, NULL, why);

	(void)args;
	return err == -EALREADY ? vmm_emu_fail(why, -err, "virtual device already stopped") : err;
}

int vmm_emu_avd_start(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR])
{
	int err = vmm_emu_control(emu, "resume", NULL, NULL, why);

	(void)args;
	return err == -EALREADY ? vmm_emu_fail(why, -err, "virtual device already running") : err;
}

int vmm_emu_avd_windowtype(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR])
{
	(void)args;
	(void)why;
	vmm_text_add(emu->text, "windowtype=headless\n");
	return 0;
}

#define NO_SNAPSHOTS	"there is no directory for snapshots: see --snapshots"

int vmm_emu_avd_snapshotspath(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR])
{
	int err = show(emu, "query-snapshots", "directory", why);

	(void)args;
	return err ? vmm_emu_fail(why, ENOENT, NO_SNAPSHOTS) : 0;
}

int vmm_emu_avd_snapshotpath(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR])
{
	json_t *result = NULL;
	int err = vmm_emu_control(emu, "snapshot-path", json_pack("{s:s}", "name", args), &result,
				  why);

	vmm_emu_say_text(emu, result);
	return err == -ENOENT ? vmm_emu_fail(why, ENOENT, NO_SNAPSHOTS) : err;
}

/* Handles "list", and "save", "load" and "del" with a name. */
int vmm_emu_avd_snapshot(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR])
{
	static const struct {
		const char *word;
		const char *command;
	} words[] = {
		{ "save", "snapshot-save" }, { "load", "snapshot-load" },
		{ "del", "snapshot-delete" }, { "delete", "snapshot-delete" },
	};
	json_t *result = NULL;
	const char *name;
	size_t len, i;
	int err;

	name = vmm_emu_word_cut(args, &len);
	if (vmm_emu_word_is("list", args, len)) {
		err = vmm_emu_control(emu, "snapshots", NULL, &result, why);
		json_decref(result);
		if (err != -ENOENT)
			return err;
		*why = '\0';
		vmm_text_add(emu->text, "There is no snapshot available.\n");
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		if (!vmm_emu_word_is(words[i].word, args, len))
			continue;
		if (!*name)
			return vmm_emu_fail(why, EINVAL, "argument '%s' needs a name",
					    words[i].word);
		err = vmm_emu_control(emu, words[i].command, json_pack("{s:s}", "name", name),
				      &result, why);
		json_decref(result);
		return err == -ENOENT ? vmm_emu_fail(why, ENOENT, NO_SNAPSHOTS) : err;
	}
	return vmm_emu_fail(why, EINVAL, "snapshot needs list, save NAME, load NAME or del NAME");
}
