// SPDX-License-Identifier: GPL-2.0-only
/*
 * The connector: the service that every pipe starts with. It reads
 * `pipe:<name>[:<args>]` and a NUL, and hands the pipe to the service of that
 * name. A new service is one file and one line in the table here, or a process
 * that offers it (goldfish_pipe_services.c).
 */
#include <linux/slab.h>
#include <linux/string.h>

#include "goldfish_pipe.h"

static const struct pipe_service *const pipe_services[] = {
	&pipe_zero,
	&pipe_pingpong,
	&pipe_throttle,
	&pipe_dmatest,
};

/**
 * pipe_service_find() - find a built-in service by its name
 * @name: not necessarily ending in NUL
 * @len: bytes in @name
 *
 * Return: the service, or NULL.
 */
const struct pipe_service *pipe_service_find(const char *name, size_t len)
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

/* Returns -ENOENT if there is no such service, other errors if it refuses. */
static int connector_try(struct pipe *pipe, const char *name, size_t len,
			 const char *args)
{
	const struct pipe_service *service = pipe_service_find(name, len);
	int err;

	if (!service)
		return pipe_remote_open(pipe, name, len, args);
	err = service->open(pipe, args);
	if (!err)
		WRITE_ONCE(pipe->service, service);
	return err;
}

static int connector_bind(struct pipe *pipe, struct pipe_name *name)
{
	struct pipe_target target;
	int err;

	err = pipe_name_parse(name, &target);
	if (err)
		return err;
	/* A name may have colons in it, and then stands for the whole. */
	err = connector_try(pipe, target.service, strlen(target.service), NULL);
	if (err == -ENOENT)
		err = connector_try(pipe, target.service, target.service_len,
				    target.args);
	if (err == -ENOENT && target.fallback_len)
		err = connector_try(pipe, target.service, target.fallback_len,
				    target.fallback_args);
	if (err) {
		pipe->priv = name;
		return -EINVAL;
	}
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
