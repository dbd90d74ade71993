/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands of the command line for running VMs.
 */
#ifndef CONTROL_CLI_H
#define CONTROL_CLI_H

#include <sys/types.h>

pid_t vmm_cli_state_pid(const char *base, const char *name);
int vmm_cli_end(const char *base, const char *name, const char *command, int sig);

#endif /* CONTROL_CLI_H */
