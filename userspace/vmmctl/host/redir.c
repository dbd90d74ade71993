// SPDX-License-Identifier: GPL-2.0-only
/*
 * Host ports that are forwarded to the guest (--redir), as commands to a device "redir".
 * vsock_streams.c handles their clients. Ports are opened when the VM starts, because the
 * sandbox does not allow to listen later: there is "del", but no "add".
 *
 * Source: platform_external_qemu android/android-emu/android/console.cpp (866554d0017e) for
 * the words "tcp:HOST" and "no active redirections".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/vsock.h"

static int redir_list(const struct vmm_vsock_host *host, const struct vmm_config *cfg,
		      struct vmm_text *text)
{
	unsigned int i;

	for (i = 0; host && i < cfg->redirs; i++) {
		if (vmm_vsock_host_redirs(host, i))
			vmm_text_add(text, "tcp:%-5u => %u\n", cfg->redir[i].host_port,
				     cfg->redir[i].guest_port);
	}
	if (!text->len)
		vmm_text_add(text, "no active redirections\n");
	return 0;
}

static int redir_del(struct vmm_vsock_host *host, const struct vmm_config *cfg,
		     const char *value, struct vmm_text *text)
{
	unsigned long port = 0;
	char *rest = NULL;
	unsigned int i;

	if (!strncmp(value, "tcp:", 4) && value[4] >= '0' && value[4] <= '9')
		port = strtoul(value + 4, &rest, 10);
	if (!rest || *rest) {
		vmm_text_add(text, "a port is \"tcp:HOST\"");
		return -EINVAL;
	}
	for (i = 0; host && i < cfg->redirs; i++) {
		if (cfg->redir[i].host_port == port && vmm_vsock_host_redirs(host, i)) {
			vmm_vsock_host_redir_close(host, i);
			return 0;
		}
	}
	vmm_text_add(text, "port %lu is not forwarded", port);
	return -ENXIO;
}

/**
 * vmm_redir_command - run a command about forwarded ports
 * @host: the host's side of the guest's vsock, or NULL
 * @cfg: the command line
 * @device: the command's device; handled if it is "redir"
 * @command: "list" or "del"
 * @value: "tcp:HOST" for "del"
 * @text: gets the output
 *
 * Return: 0; -ENOENT if there is no such command; or -errno with the reason in @text
 */
int vmm_redir_command(struct vmm_vsock_host *host, const struct vmm_config *cfg,
		      const char *device, const char *command, const char *value,
		      struct vmm_text *text)
{
	if (strcmp(device, "redir"))
		return -ENOENT;
	if (!strcmp(command, "list"))
		return redir_list(host, cfg, text);
	if (!strcmp(command, "del"))
		return redir_del(host, cfg, value ? value : "", text);
	return -ENOENT;
}
