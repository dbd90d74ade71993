// SPDX-License-Identifier: GPL-2.0-only
/*
 * A picture of a VM's screen as a PNG file: made by whoever wants the file, or by a job of
 * the VM in a file that it is given.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/png.h"
#include "control/screen_view.h"
#include "host/log.h"
#include "machine/machine.h"

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
 * struct vmm_shot - a picture that is being written
 * @job: writes it
 * @view: the screen
 * @fd: the file, or -1
 * @err: how it went
 * @done: told in the main thread that it is over
 * @arg: argument of @done
 */
struct vmm_shot {
	struct vmm_job job;
	struct vmm_screen_view view;
	int fd;
	int err;
	void (*done)(void *arg, int err);
	void *arg;
};

static int bytes_write(int fd, const char *bytes, size_t len)
{
	ssize_t n;

	for (; len; bytes += n, len -= n) {
		n = write(fd, bytes, len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n < 0)
			n = 0;
	}
	return 0;
}

/*
 * Nothing that the job uses is anybody else's. The file has no FILE: exit() would wait for
 * one that another thread is writing to.
 */
static void shot_take(void *arg)
{
	struct vmm_shot *shot = arg;
	char *png = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&png, &len);

	vmm_screen_view_update(&shot->view);
	shot->err = memory ? shot_write(&shot->view, memory) : -errno;
	if (memory && fclose(memory) && !shot->err)
		shot->err = -errno;
	if (!shot->err)
		shot->err = bytes_write(shot->fd, png, len);
	free(png);
	if (close(shot->fd) && !shot->err)
		shot->err = -errno;
	shot->fd = -1;
}

static void shot_free(struct vmm_shot *shot)
{
	if (shot->fd >= 0)
		close(shot->fd);
	vmm_screen_view_close(&shot->view);
	free(shot);
}

static int shot_taken(void *arg)
{
	struct vmm_shot *shot = arg;

	shot->done(shot->arg, shot->err);
	shot_free(shot);
	return 0;
}

static int shot_open(struct vmm_shot *shot, int screen_fd, int fd)
{
	struct stat st;

	shot->fd = fd;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) ||
	    (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
		return -EINVAL;
	return vmm_screen_view_open(&shot->view, screen_fd);
}

/**
 * vmm_screenshot_begin - make a picture of a screen in a file that is open
 * @taking: filled: the picture, until @done is told
 * @loop: the main loop
 * @screen_fd: the screen's file; is not needed afterwards
 * @fd: a regular file, which gets the picture from where it stands; is closed in any case
 * @done: told in the main thread how it went, 0 or -errno
 * @arg: argument of @done
 *
 * Makes no file: may be called in the sandbox.
 *
 * Return: 0, or -errno: -EINVAL if @fd is no regular file that can be
 *	written: others may make their writer wait
 */
int vmm_screenshot_begin(struct vmm_shot **taking, struct vmm_loop *loop, int screen_fd, int fd,
			 void (*done)(void *arg, int err), void *arg)
{
	struct vmm_shot *shot = calloc(1, sizeof(*shot));
	int err = -ENOMEM;

	if (shot) {
		shot->done = done;
		shot->arg = arg;
		err = shot_open(shot, screen_fd, fd);
	}
	if (!shot)
		close(fd);
	if (!err)
		err = vmm_job_start(&shot->job, loop, shot_take, shot_taken, shot);
	if (err && shot)
		shot_free(shot);
	if (!err)
		*taking = shot;
	return err;
}

/**
 * vmm_screenshot_abandon - wait for a picture for the last time
 * @shot: may be NULL. Memory of one that does not end is left to it
 */
void vmm_screenshot_abandon(struct vmm_shot *shot)
{
	if (shot && vmm_job_abandon(&shot->job, VMM_JOB_LAST_MS))
		shot_free(shot);
}
