// SPDX-License-Identifier: GPL-2.0-only
/*
 * The connector: the service that every pipe starts with. It reads
 * `pipe:<name>[:<args>]` and a NUL, and hands the pipe to the service of that
 * name. A new service is one file and one line in the table here.
 */
#include <linux/slab.h>
#include <linux/string.h>

#include "goldfish_pipe.h"

static const struct pipe_service *const pipe_services[] = {
	&pipe_zero,
	&pipe_pingpong,
	&pipe_throttle,
};

static const struct pipe_service *service_find(const char *name, size_t len)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pipe_services); i++) {
		const struct pipe_service *service = pipe_services[i];

		if (strlen(service->name) == len &&
		    !memcmp(service->name, name, len))
			return service;
	}
	return NULL;
}

static int connector_bind(struct pipe *pipe, struct pipe_name *name)
{
	const struct pipe_service *service;
	struct pipe_target target;
	const char *args;
	int err;

	err = pipe_name_parse(name, &target);
	if (err)
		return err;
	args = target.args;
	service = service_find(target.service, target.service_len);
	if (!service && target.fallback_len) {
		args = target.fallback_args;
		service = service_find(target.service, target.fallback_len);
	}
	if (!service)
		return -EINVAL;

	err = service->open(pipe, args);
	if (err) {
		pipe->priv = name;
		return -EINVAL;
	}
	pipe->service = service;
	kfree(name);
	return 0;
}

static ssize_t connector_write(struct pipe *pipe, struct iov_iter *from)
{
	struct pipe_name *name = pipe->priv;
	unsigned int room = sizeof(name->text) - name->len;
	size_t copied;
	int taken, err;

	if (!room)
		return -EIO;
	copied = copy_from_iter(name->text + name->len, room, from);
	if (!copied)
		return -EFAULT;
	taken = pipe_name_take(name, copied);
	if (taken < 0 || name->text[name->len - 1])
		return taken;
	err = connector_bind(pipe, name);
	if (err) {
		/* Refused for good: there is no room for another name. */
		name->len = sizeof(name->text);
		return err;
	}
	return taken;
}

static ssize_t connector_read(struct pipe *pipe, struct iov_iter *to)
{
	return -EIO;
}

static u32 connector_poll(struct pipe *pipe)
{
	return GOLDFISH_PIPE_POLL_OUT;
}

static int connector_open(struct pipe *pipe, const char *args)
{
	struct pipe_name *name = kzalloc(sizeof(*name), GFP_KERNEL_ACCOUNT);

	if (!name)
		return -ENOMEM;
	pipe->priv = name;
	return 0;
}

static void connector_close(struct pipe *pipe)
{
	kfree(pipe->priv);
}

/* Not in the table: no guest can ask for it by name. */
const struct pipe_service pipe_connector = {
	.name = "connector",
	.open = connector_open,
	.write = connector_write,
	.read = connector_read,
	.poll = connector_poll,
	.close = connector_close,
};
