/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pictures of a VM's screen, as PNG files. For programs that look at a VM from outside.
 */
#ifndef CONTROL_PNG_H
#define CONTROL_PNG_H

#include <stdio.h>

#include "types.h"

/* ---- png.c ---- */

int vmm_png_write(FILE *to, const u8 *rgb, unsigned int width, unsigned int height);

/* ---- screenshot.c ---- */

int vmm_screenshot(int screen_fd, const char *path);
int vmm_screenshot_to(int screen_fd, int fd);

#endif /* CONTROL_PNG_H */
