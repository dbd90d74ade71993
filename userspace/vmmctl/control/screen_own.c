// SPDX-License-Identifier: GPL-2.0-only
/*
 * Views the screen of this process, as other processes do.
 */
#include <errno.h>
#include <fcntl.h>

#include "control/screen_view.h"

static int ask_display(void *arg, u64 source)
{
	int fd = vmm_display_source_file(arg, source);

	if (fd < 0)
		return fd;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

/**
 * vmm_screen_own_open - open the screen of this process for viewing
 * @view: filled
 * @display: the screen
 *
 * The view must be updated in the main thread.
 *
 * Return: 0, or -errno
 */
int vmm_screen_own_open(struct vmm_screen_view *view, struct vmm_display *display)
{
	return vmm_screen_view_open(view, vmm_display_file(display), ask_display, display);
}
