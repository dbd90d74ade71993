// SPDX-License-Identifier: GPL-2.0-only
/*
 * A screenshot of a VM as a PNG file: written by a program that has the screen's file, or by a job
 * of the VM to a file that a client has passed.
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

/* Removes an incomplete file; a device node stays. */
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

static int ask_client(void *arg, u64 source)
{
	return vmm_screen_ask(arg, source);
}

/**
 * vmm_screenshot - write a screenshot
 * @screen_fd: the screen's file
 * @client: the VM that has passed it, or NULL
 * @path: path of the PNG file
 *
 * Return: 0, or -errno after a message
 */
int vmm_screenshot(int screen_fd, struct vmm_client *client, const char *path)
{
	struct vmm_screen_view view;
	int err = vmm_screen_view_open(&view, screen_fd, client ? ask_client : NULL, client);

	if (err)
		return vmm_error(-err, "the screen's file is invalid");
	if (vmm_screen_view_update(&view))
		err = file_write(&view, path);
	else
		err = vmm_error(-EIO, "the VM does not pass the screen's pixels");
	vmm_screen_view_close(&view);
	return err;
}

/**
 * struct vmm_shot - a screenshot that is being written
 * @job: the job that writes it
 * @view: the screen
 * @fd: the file, or -1
 * @err: result of the job
 * @done: called in the main thread when it is complete
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
 * The job has a copy of the screen, and uses no data of other threads. It writes without a FILE of
 * stdio, because exit() would wait for one that another thread is writing to.
 */
static void shot_take(void *arg)
{
	struct vmm_shot *shot = arg;
	char *png = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&png, &len);

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

static int shot_open(struct vmm_shot *shot, struct vmm_display *display, int fd)
{
	struct stat st;
	int err;

	shot->fd = fd;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) ||
	    (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
		return -EINVAL;
	err = vmm_screen_own_open(&shot->view, display);
	if (err)
		return err;
	return vmm_screen_view_update(&shot->view) ? 0 : -EIO;
}

/**
 * vmm_screenshot_begin - begin to write a screenshot to an open file
 * @taking: filled: the screenshot, valid until @done is called
 * @loop: the main loop
 * @display: the screen, whose newest frame is in its file or source
 * @fd: a regular file, written from its current position; closed in any case
 * @done: called in the main thread with the result, 0 or -errno
 * @arg: argument of @done
 *
 * Opens no file: may be called in the sandbox.
 *
 * Return: 0, or -errno: -EINVAL if @fd is no regular file that can be written, because writing to
 *	another kind of file may block
 */
int vmm_screenshot_begin(struct vmm_shot **taking, struct vmm_loop *loop,
			 struct vmm_display *display, int fd,
			 void (*done)(void *arg, int err), void *arg)
{
	struct vmm_shot *shot = calloc(1, sizeof(*shot));
	int err = -ENOMEM;

	if (shot) {
		shot->done = done;
		shot->arg = arg;
		err = shot_open(shot, display, fd);
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
 * vmm_screenshot_abandon - wait briefly for a screenshot, and free it
 * @shot: may be NULL; its memory is not freed if the job does not end
 */
void vmm_screenshot_abandon(struct vmm_shot *shot)
{
	if (shot && vmm_job_abandon(&shot->job, VMM_JOB_LAST_MS))
		shot_free(shot);
}
