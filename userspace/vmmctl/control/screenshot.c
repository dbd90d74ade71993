// SPDX-License-Identifier: GPL-2.0-only
/*
 * A picture of a VM's screen as a PNG file: made by whoever wants the file, or by the VM in
 * a file that it is given.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/png.h"
#include "control/screen_view.h"
#include "host/log.h"

static int shot_write(const struct vmm_screen_view *view, FILE *to)
{
	u32 width = vmm_screen_view_width(view);
	u32 height = vmm_screen_view_height(view);
	u8 *rgb = malloc(3 * (size_t)width * height);
	u32 x, y;
	int err;

	if (!rgb)
		return -ENOMEM;
	for (y = 0; y < height; y++) {
		for (x = 0; x < width; x++)
			vmm_screen_view_rgb(view, x, y, rgb + 3 * ((size_t)y * width + x));
	}
	err = vmm_png_write(to, rgb, width, height);
	free(rgb);
	return err;
}

/* Half a picture is none; a device that was written to is left alone. */
static int file_write(const struct vmm_screen_view *view, const char *path)
{
	FILE *to = fopen(path, "we");
	struct stat st;
	bool regular;
	int err;

	if (!to)
		return vmm_error(errno, "cannot create %s", path);
	regular = !fstat(fileno(to), &st) && S_ISREG(st.st_mode);
	err = shot_write(view, to);
	if (fclose(to) && !err)
		err = -errno;
	if (!err)
		return 0;
	if (regular)
		unlink(path);
	return vmm_error(-err, "cannot write %s", path);
}

/**
 * vmm_screenshot - make a picture of a screen
 * @screen_fd: the screen's file
 * @path: of the PNG file
 *
 * Return: 0, or -errno after a message
 */
int vmm_screenshot(int screen_fd, const char *path)
{
	struct vmm_screen_view view;
	int err = vmm_screen_view_open(&view, screen_fd);

	if (err)
		return vmm_error(-err, "the screen's file is of no use");
	vmm_screen_view_update(&view);
	err = file_write(&view, path);
	vmm_screen_view_close(&view);
	return err;
}

/**
 * vmm_screenshot_to - make a picture of a screen in a file that is open
 * @screen_fd: the screen's file
 * @fd: a regular file, which gets the picture from where it stands; is closed in any case
 *
 * Makes no file and prints no message: may be called in the sandbox.
 *
 * Return: 0, or -errno: -EINVAL if @fd is no regular file, whose writer might have to wait
 */
int vmm_screenshot_to(int screen_fd, int fd)
{
	struct vmm_screen_view view;
	struct stat st;
	FILE *to;
	int err;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	to = fdopen(fd, "w");
	if (!to) {
		err = -errno;
		close(fd);
		return err;
	}
	err = vmm_screen_view_open(&view, screen_fd);
	if (!err) {
		vmm_screen_view_update(&view);
		err = shot_write(&view, to);
		vmm_screen_view_close(&view);
	}
	if (fclose(to) && !err)
		err = -errno;
	return err;
}
