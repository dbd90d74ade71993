// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lists of option tables, devices and commands, in the order of the help.
 */
#include <string.h>

#include "cli/option.h"

const struct vmm_option_table *const vmm_option_areas[VMM_AREAS + 1] = {
	&vmm_options_board, &vmm_options_peripherals, &vmm_options_devices, &vmm_options_pipe,
	&vmm_options_sync, &vmm_options_adb,
	&vmm_options_session, &vmm_options_dtb, &vmm_options_general, NULL
};

const struct vmm_option_table *const vmm_option_devices[] = {
	&vmm_options_disk, &vmm_options_net, &vmm_options_scsi, &vmm_options_vhost_user,
	&vmm_options_vdpa, &vmm_options_vsock, &vmm_options_rng, &vmm_options_balloon,
	&vmm_options_console, &vmm_options_keyboard, &vmm_options_multitouch,
	&vmm_options_sound, &vmm_options_address_space, NULL
};

const struct vmm_command_info vmm_commands[] = {
	{ "run", "--kernel IMAGE | --from DIR [options]", "boot a guest, or load a snapshot",
	  VMM_CMD_RUN },
	{ "avd", "list | info NAME [options] | NAME [options] [-- run options]",
	  "run an emulator's AVD, with the emulator's options", VMM_CMD_AVD },
	{ "dtb", "[options] [-o FILE]", "write the arm64 board's device tree", VMM_CMD_DTB },
	{ "doctor", "[run options]", "check what this host lacks for such a run", VMM_CMD_DOCTOR },
	{ "ps", "[--json]", "list the VMs that run", VMM_CMD_CONTROL },
	{ "status", "NAME", "show a VM's status", VMM_CMD_CONTROL },
	{ "stats", "NAME", "show a VM's statistics", VMM_CMD_CONTROL },
	{ "screenshot", "NAME FILE", "write a VM's screen to FILE, as PNG", VMM_CMD_CONTROL },
	{ "emu", "NAME COMMAND...", "run a command of the emulator's console", VMM_CMD_CONTROL },
	{ "device", "NAME DEVICE COMMAND [VALUE...]", "run a command of a VM's device",
	  VMM_CMD_CONTROL },
	{ "pause", "NAME", "stop a VM's vCPUs", VMM_CMD_CONTROL },
	{ "resume", "NAME", "resume a VM's vCPUs", VMM_CMD_CONTROL },
	{ "power-button", "NAME", "press a guest's power button", VMM_CMD_CONTROL },
	{ "reset", "NAME", "reset a VM's guest", VMM_CMD_CONTROL },
	{ "snapshot", "save|load NAME DIR [--changes] | check|del|list DIR",
	  "save a VM to DIR, or load DIR into it; check, remove or list snapshots",
	  VMM_CMD_CONTROL },
	{ "stop", "NAME", "end a VM in order", VMM_CMD_CONTROL },
	{ "kill", "NAME", "end a VM at once", VMM_CMD_CONTROL },
	{ "sandbox", "", "list the system calls that a VM may make", VMM_CMD_CONTROL },
	{ "help", "[TOPIC]", "explain a command, a device or a group of options", VMM_CMD_HELP },
	{ "version", "", "print the version", VMM_CMD_VERSION },
	{ }
};

/**
 * vmm_option_device_find - find a device's table
 * @type: its type
 * @len: bytes of @type
 *
 * Return: the table, or NULL
 */
const struct vmm_option_table *vmm_option_device_find(const char *type, size_t len)
{
	const struct vmm_option_table *const *device;

	for (device = vmm_option_devices; *device; device++) {
		if (strlen((*device)->name) == len && !memcmp((*device)->name, type, len))
			return *device;
	}
	return NULL;
}

/**
 * vmm_option_types - list the types of devices
 * @small: only those that --virtio can add
 * @text: filled, with commas
 * @size: bytes of @text
 */
void vmm_option_types(bool small, char *text, size_t size)
{
	const struct vmm_option_table *const *device;
	size_t len = 0;

	*text = '\0';
	for (device = vmm_option_devices; *device && len < size; device++) {
		if (!small || !((*device)->shorthand || (*device)->not_virtio))
			len += snprintf(text + len, size - len, "%s%s", len ? ", " : "",
					(*device)->name);
	}
}

/**
 * vmm_command_find - find a command
 * @name: its name, or an option with the same meaning
 *
 * Return: its row, or NULL
 */
const struct vmm_command_info *vmm_command_find(const char *name)
{
	const struct vmm_command_info *info;

	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	else if (!strcmp(name, "--version"))
		name = "version";
	for (info = vmm_commands; info->name; info++) {
		if (!strcmp(info->name, name))
			return info;
	}
	return NULL;
}
