/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names of VMs and their directories, which have a VM's sockets, state and log; and the list of
 * VMs.
 *
 *	BASE/NAME/lock		locked for as long as the VM lives
 *	BASE/NAME/control.sock	the control socket
 *	BASE/NAME/state		one line of JSON: name, pid, start, status
 *	BASE/NAME/log		the last messages of vmmctl
 *	BASE/NAME/origin	options of the VM, for its snapshots (snapshot/origin.c)
 *
 * BASE is $XDG_RUNTIME_DIR/ranchu, else /run/ranchu.
 */
#ifndef VM_DIR_H
#define VM_DIR_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "host/vm_name.h"

#define VMM_DIR_LOG	(256 * 1024)	/* bytes of the log, at most */
#define VMM_DIR_ORIGIN	"origin"

struct vmm_dir;

int vmm_dir_base(char *path, size_t size);
struct vmm_dir *vmm_dir_open(const char *base, const char *name);
void vmm_dir_close(struct vmm_dir *dir);
void vmm_dir_leave(void);
int vmm_dir_control(const struct vmm_dir *dir);
int vmm_dir_origin(struct vmm_dir *dir, const char *text, size_t len);
const char *vmm_dir_path(const struct vmm_dir *dir);
size_t vmm_dir_state(struct vmm_dir *dir, const char *text, size_t len);
size_t vmm_dir_log(struct vmm_dir *dir, const char *text, size_t len);

/* For programs that look for VMs. */
int vmm_dir_each(const char *base, void (*fn)(void *arg, const char *name), void *arg);
bool vmm_dir_lives(const char *base, const char *name);
int vmm_dir_file(const char *base, const char *name, const char *file, char *path, size_t size);

#endif /* VM_DIR_H */
