/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Notifications for a service manager that has started vmmctl.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include "machine/machine.h"

struct vmm_notify;

struct vmm_notify *vmm_notify_open(struct vmm_loop *loop);
void vmm_notify_close(struct vmm_notify *notify);
void vmm_notify_send(struct vmm_notify *notify, const char *text);

#endif /* NOTIFY_H */
