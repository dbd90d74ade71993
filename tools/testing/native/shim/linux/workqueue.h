/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_LINUX_WORKQUEUE_H
#define SHIM_LINUX_WORKQUEUE_H

/* A device is released where it is closed: nothing is ever queued. */
struct delayed_work {
	int unused;
};

#endif /* SHIM_LINUX_WORKQUEUE_H */
