// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scanouts: resources on screens, and cursors.
 */
#include <endian.h>
#include <errno.h>

#include "gpu.h"

/**
 * gpu_scanout_set - show a resource on a screen
 * @gpu: the device
 * @scanout: number of the screen, not trusted
 * @id: number of the resource, 0 to show nothing
 * @rect: the part of it that is shown
 *
 * Return: 0, -ENXIO for no such screen, -ENOENT for no such resource, -EINVAL for a rectangle
 *	outside the resource or for one that cannot be shown, -ENOMEM, or the renderer's -errno
 */
int gpu_scanout_set(struct gpu *gpu, u32 scanout, u32 id, const struct gpu_rect *rect)
{
	struct gpu_resource *r = NULL;
	int err;

	if (scanout >= gpu->scanouts)
		return -ENXIO;
	if (id) {
		r = gpu_resource_find(gpu, id);
		if (!r)
			return -ENOENT;
		if (!rect->width || !rect->height || !gpu_rect_in(rect, r->width, r->height))
			return -EINVAL;
		err = gpu_pixels_read(gpu, r, rect);
		if (err)
			return err;
	}
	gpu->scanout[scanout].resource = r;
	gpu->scanout[scanout].read_at = r ? gpu->drawn : 0;
	gpu->scanout[scanout].rect = *rect;
	gpu->display->scanout(gpu->display_arg, scanout);
	return 0;
}

/**
 * gpu_scanouts_forget - stop showing a resource
 * @gpu: the device
 * @r: the resource, NULL for all
 */
void gpu_scanouts_forget(struct gpu *gpu, const struct gpu_resource *r)
{
	unsigned int i;

	for (i = 0; i < gpu->scanouts; i++) {
		struct gpu_scanout *scanout = &gpu->scanout[i];

		if (!scanout->resource || (r && scanout->resource != r))
			continue;
		scanout->resource = NULL;
		gpu->display->scanout(gpu->display_arg, i);
	}
}

/* Intersects two ranges; the length is 0 if they do not meet. */
static void span_meet(u32 *a, u32 *a_len, u32 b, u32 b_len)
{
	u32 first = *a > b ? *a : b;
	u32 end = *a + *a_len < b + b_len ? *a + *a_len : b + b_len;

	*a = first;
	*a_len = end > first ? end - first : 0;
}

/**
 * gpu_scanouts_flush - show changed pixels
 * @gpu: the device
 * @r: the resource
 * @rect: the changed pixels
 *
 * A driver that flips pages flushes the new page at once, and gpu_scanout_set() has read that page
 * already. With a renderer that runs everything in order, it is not read again if nothing may
 * have changed the renderer's pixels since.
 *
 * Return: 0, -EINVAL if they are outside the resource, or the renderer's -errno
 */
int gpu_scanouts_flush(struct gpu *gpu, struct gpu_resource *r, const struct gpu_rect *rect)
{
	unsigned int i;
	int err;

	if (!gpu_rect_in(rect, r->width, r->height))
		return -EINVAL;
	for (i = 0; i < gpu->scanouts; i++) {
		const struct gpu_scanout *scanout = &gpu->scanout[i];
		bool known = gpu->renderer->ops->in_order && scanout->read_at == gpu->drawn;
		struct gpu_rect part = *rect;

		if (scanout->resource != r)
			continue;
		/* Both are inside the resource, so no sum wraps. */
		span_meet(&part.x, &part.width, scanout->rect.x, scanout->rect.width);
		span_meet(&part.y, &part.height, scanout->rect.y, scanout->rect.height);
		if (!part.width || !part.height)
			continue;
		err = known ? 0 : gpu_pixels_read(gpu, r, &part);
		if (err)
			return err;
		part.x -= scanout->rect.x;
		part.y -= scanout->rect.y;
		gpu->display->damage(gpu->display_arg, i, &part);
	}
	return 0;
}

static struct gpu_scanout *scanout_of(struct gpu *gpu, const struct virtio_gpu_update_cursor *in)
{
	u32 scanout = le32toh(in->pos.scanout_id);

	return scanout < gpu->scanouts ? &gpu->scanout[scanout] : NULL;
}

static void cursor_place(struct gpu_cursor *cursor, const struct virtio_gpu_update_cursor *in)
{
	cursor->x = le32toh(in->pos.x);
	cursor->y = le32toh(in->pos.y);
}

/**
 * gpu_cursor_update - set a cursor's pixels and position
 * @gpu: the device
 * @in: the request; resource 0 hides the cursor
 *
 * Return: 0, -ENXIO for no such screen, -ENOENT for no such resource, -EINVAL for one of
 *	another size or that cannot be shown, -ENOMEM, or the renderer's -errno
 */
int gpu_cursor_update(struct gpu *gpu, const struct virtio_gpu_update_cursor *in)
{
	const struct gpu_rect all = { 0, 0, GPU_CURSOR, GPU_CURSOR };
	struct gpu_scanout *scanout = scanout_of(gpu, in);
	struct gpu_cursor *cursor;
	struct gpu_resource *r;
	int err;

	if (!scanout)
		return -ENXIO;
	cursor = &scanout->cursor;
	if (!in->resource_id) {
		cursor->shown = false;
		cursor_place(cursor, in);
		gpu->display->cursor_pos(gpu->display_arg, scanout - gpu->scanout);
		return 0;
	}
	r = gpu_resource_find(gpu, le32toh(in->resource_id));
	if (!r)
		return -ENOENT;
	if (r->width != GPU_CURSOR || r->height != GPU_CURSOR)
		return -EINVAL;
	err = gpu_pixels_read(gpu, r, &all);
	if (err)
		return err;
	gpu_resource_cursor(r, cursor->pixels);
	cursor->shown = true;
	cursor->hot_x = le32toh(in->hot_x);
	cursor->hot_y = le32toh(in->hot_y);
	cursor_place(cursor, in);
	gpu->display->cursor_image(gpu->display_arg, scanout - gpu->scanout);
	return 0;
}

/**
 * gpu_cursor_move - move a cursor
 * @gpu: the device
 * @in: the request
 *
 * Return: 0, or -ENXIO for no such screen
 */
int gpu_cursor_move(struct gpu *gpu, const struct virtio_gpu_update_cursor *in)
{
	struct gpu_scanout *scanout = scanout_of(gpu, in);

	if (!scanout)
		return -ENXIO;
	cursor_place(&scanout->cursor, in);
	gpu->display->cursor_pos(gpu->display_arg, scanout - gpu->scanout);
	return 0;
}
