/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Screenshots of a VM as PNG files.
 */
#ifndef CONTROL_PNG_H
#define CONTROL_PNG_H

#include <stdio.h>

#include "types.h"

/* ---- png.c ---- */

int vmm_png_write(FILE *to, const u8 *rgb, unsigned int width, unsigned int height);

/* ---- screenshot.c ---- */

struct vmm_client;
struct vmm_display;
struct vmm_loop;
struct vmm_shot;

int vmm_screenshot(int screen_fd, struct vmm_client *client, const char *path);
int vmm_screenshot_begin(struct vmm_shot **taking, struct vmm_loop *loop,
			 struct vmm_display *display, int fd,
			 void (*done)(void *arg, int err), void *arg);
void vmm_screenshot_abandon(struct vmm_shot *shot);

#endif /* CONTROL_PNG_H */
