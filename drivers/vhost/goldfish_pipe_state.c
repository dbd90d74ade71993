// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshots: stops the device, says what it keeps of its guest, and makes another device
 * what the first one was (linux/vhost_goldfish_pipe.h has the format).
 *
 * A service that can be saved is a row of the table below. The other end of any other
 * pipe is in this host, and stays there: a guest finds such a pipe hung up.
 */
#include <linux/align.h>
#include <linux/mm.h>
#include <linux/ranchu.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "goldfish_pipe.h"

#define STATE_ALIGN sizeof(u64)
#define STATE_WAKES (GOLDFISH_PIPE_WAKE_READ | GOLDFISH_PIPE_WAKE_WRITE)
#define STATE_FIRED (STATE_WAKES | GOLDFISH_PIPE_WAKE_CLOSED | GOLDFISH_PIPE_WAKE_UNLOCK_DMA)
#define STATE_FLAGS (VHOST_GOLDFISH_PIPE_STATE_HUNG_UP | VHOST_GOLDFISH_PIPE_STATE_HAS_BYTES)

/**
 * pipe_set_running_locked() - serve SET_RUNNING
 * @dev: the device
 * @run: it goes on, else it stops
 *
 * A command looks whether it may run with a lock held that this takes after it has said
 * no: so none runs when it returns.
 *
 * Context: the owner's process, @dev->config held; takes each pipe's lock.
 */
void pipe_set_running_locked(struct pipe_dev *dev, bool run)
{
	struct pipe *pipe;
	unsigned long id;

	lockdep_assert_held(&dev->config);
	spin_lock_irq(&dev->line.lock);
	WRITE_ONCE(dev->stopped, !run);
	spin_unlock_irq(&dev->line.lock);
	if (run) {
		ranchu_line_update(&dev->line, false);
		return;
	}
	mutex_lock(&dev->v1.lock);
	mutex_unlock(&dev->v1.lock);
	xa_for_each(&dev->pipes, id, pipe) {
		mutex_lock(&pipe->lock);
		mutex_unlock(&pipe->lock);
		cond_resched();
	}
}

/* ---- what services keep ---- */

/**
 * struct state_service - a service that can be saved
 * @service: the service
 * @used: bytes that it keeps for a pipe; NULL for none
 * @copy: copies them
 * @fill: the same backwards, into a pipe that was opened: 0 or -errno
 */
struct state_service {
	const struct pipe_service *service;
	size_t (*used)(const struct pipe *pipe);
	void (*copy)(const struct pipe *pipe, u8 *data);
	int (*fill)(struct pipe *pipe, const u8 *data, size_t len);
};

static size_t connector_used(const struct pipe *pipe)
{
	const struct pipe_name *name = pipe->priv;

	return name->len;
}

static void connector_copy(const struct pipe *pipe, u8 *data)
{
	const struct pipe_name *name = pipe->priv;

	memcpy(data, name->text, name->len);
}

/* The name is not looked for: either there is more to come, or it was refused. */
static int connector_fill(struct pipe *pipe, const u8 *data, size_t len)
{
	struct pipe_name *name = pipe->priv;

	if (len > sizeof(name->text))
		return -EINVAL;
	memcpy(name->text, data, len);
	name->len = len;
	return 0;
}

static size_t pingpong_used(const struct pipe *pipe)
{
	return pipe_bytes_used(pipe->priv);
}

static void pingpong_copy(const struct pipe *pipe, u8 *data)
{
	pipe_bytes_copy(pipe->priv, data);
}

static int pingpong_fill(struct pipe *pipe, const u8 *data, size_t len)
{
	return pipe_bytes_fill(pipe->priv, data, len) ? 0 : -EINVAL;
}

static const struct state_service state_services[] = {
	{ &pipe_connector, connector_used, connector_copy, connector_fill },
	{ &pipe_zero },
	{ &pipe_pingpong, pingpong_used, pingpong_copy, pingpong_fill },
};

static const struct state_service *state_service_of(const struct pipe_service *service)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(state_services); i++)
		if (state_services[i].service == service)
			return &state_services[i];
	return NULL;
}

/* @name has room for what the field has. */
static const struct state_service *state_service_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(state_services); i++) {
		char padded[sizeof_field(struct vhost_goldfish_pipe_state_pipe, service)] = {};

		strscpy(padded, state_services[i].service->name, sizeof(padded));
		if (!memcmp(padded, name, sizeof(padded)))
			return &state_services[i];
	}
	return NULL;
}

/* ---- GET_STATE ---- */

/**
 * struct state_out - a state that is written
 * @data: where to; NULL to find out how many bytes there are
 * @size: of @data
 * @at: bytes so far, those that do not fit included
 */
struct state_out {
	u8 *data;
	size_t size;
	size_t at;
};

/* Room for @len bytes, zeroed up to the next multiple of 8; NULL if there is none. */
static u8 *state_room(struct state_out *out, size_t len)
{
	size_t at = out->at;

	out->at += ALIGN(len, STATE_ALIGN);
	if (!out->data || out->at > out->size)
		return NULL;
	memset(out->data + at, 0, out->at - at);
	return out->data + at;
}

static u8 *state_field(struct state_out *out, u32 tag, size_t len)
{
	struct vhost_goldfish_pipe_field *field = (void *)state_room(out, sizeof(*field));

	if (field) {
		field->tag = cpu_to_le32(tag);
		field->length = cpu_to_le32(len);
	}
	return state_room(out, len);
}

static void state_put(struct state_out *out, u32 tag, const void *data, size_t len)
{
	u8 *to = state_field(out, tag, len);

	if (to)
		memcpy(to, data, len);
}

/* Also what has been hung up: its service has nothing to say any more. */
static const struct state_service *state_of_open(struct pipe *pipe)
{
	const struct state_service *service = state_service_of(pipe->service);
	bool has_dma;

	if (pipe->hung_up || !service)
		return NULL;
	mutex_lock(&pipe->dev->dma.lock);
	has_dma = !list_empty(&pipe->dma);
	mutex_unlock(&pipe->dev->dma.lock);
	return has_dma ? NULL : service;
}

/* Its place on the list of those that have something to tell, from 1 on. */
static u32 state_turn(struct pipe_dev *dev, const struct pipe *pipe)
{
	const struct pipe_signal *signal;
	u32 turn = 1;

	lockdep_assert_held(&dev->signal_lock);
	list_for_each_entry(signal, &dev->signalled, node) {
		if (signal == &pipe->signal)
			return turn;
		turn++;
	}
	return turn;
}

static void state_put_signal(struct pipe *pipe, bool saved,
			     struct vhost_goldfish_pipe_state_pipe *field)
{
	struct pipe_dev *dev = pipe->dev;
	u32 fired, armed;

	spin_lock_irq(&dev->signal_lock);
	fired = pipe->signal.fired;
	armed = pipe->signal.armed;
	/* The guest is told of a hang-up that comes with the snapshot. */
	if (!saved && !pipe->hung_up)
		fired |= GOLDFISH_PIPE_WAKE_CLOSED;
	if (fired)
		field->turn = cpu_to_le32(state_turn(dev, pipe));
	spin_unlock_irq(&dev->signal_lock);
	field->fired = cpu_to_le32(fired);
	field->armed = cpu_to_le32(armed);
}

static void state_put_pipe(struct state_out *out, struct pipe *pipe)
{
	const struct state_service *service = state_of_open(pipe);
	struct vhost_goldfish_pipe_state_pipe field = {
		.command_gpa = cpu_to_le64(pipe->command_gpa),
		.id = cpu_to_le32(pipe->id),
		.max_buffers = cpu_to_le32(pipe->max_buffers),
	};
	size_t bytes = 0;
	u32 flags = 0;
	u8 *data;

	lockdep_assert_held(&pipe->lock);
	if (service) {
		memcpy(field.service, service->service->name,
		       strnlen(service->service->name, sizeof(field.service) - 1));
		bytes = service->used ? service->used(pipe) : 0;
	} else {
		flags = VHOST_GOLDFISH_PIPE_STATE_HUNG_UP;
	}
	if (bytes)
		flags |= VHOST_GOLDFISH_PIPE_STATE_HAS_BYTES;
	field.flags = cpu_to_le32(flags);
	state_put_signal(pipe, service, &field);
	state_put(out, VHOST_GOLDFISH_PIPE_STATE_PIPE, &field, sizeof(field));
	if (!bytes)
		return;
	data = state_field(out, VHOST_GOLDFISH_PIPE_STATE_BYTES, bytes);
	if (data)
		service->copy(pipe, data);
}

static void state_put_device(struct state_out *out, struct pipe_dev *dev, u32 pipes)
{
	struct vhost_goldfish_pipe_state_device field = {
		.open_gpa = cpu_to_le64(dev->open_gpa),
		.signal_gpa = cpu_to_le64(dev->signal_gpa),
		.signal_count = cpu_to_le32(dev->signal_count),
		.version = cpu_to_le32(dev->version),
		.open_set = cpu_to_le32(dev->open_set),
		.pipes = cpu_to_le32(pipes),
	};

	spin_lock_irq(&dev->line.lock);
	field.published = cpu_to_le32(min(dev->published, dev->signal_count));
	field.raised = cpu_to_le32(ranchu_line_raised(&dev->line));
	spin_unlock_irq(&dev->line.lock);
	state_put(out, VHOST_GOLDFISH_PIPE_STATE_DEVICE, &field, sizeof(field));
}

static u32 state_count_open(struct pipe_dev *dev)
{
	struct pipe *pipe;
	unsigned long id;
	u32 n = 0;

	xa_for_each(&dev->pipes, id, pipe)
		n += !!READ_ONCE(pipe->service);
	return n;
}

/* No command runs, so that pipes stay, and so do the bytes of those that are saved. */
static int state_write(struct state_out *out, struct pipe_dev *dev)
{
	struct pipe *pipe;
	unsigned long id;

	lockdep_assert_held(&dev->config);
	out->at = 0;
	state_put_device(out, dev, state_count_open(dev));
	xa_for_each(&dev->pipes, id, pipe) {
		mutex_lock(&pipe->lock);
		if (pipe->service)
			state_put_pipe(out, pipe);
		mutex_unlock(&pipe->lock);
		cond_resched();
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

static int state_get_locked(struct pipe_dev *dev, struct state_out *out)
{
	int err;

	if (!pipe_is_stopped(dev))
		return -EBUSY;
	if (pipe_speaks_v1(dev) && (state_count_open(dev) || dev->v1.regs.params))
		return -EOPNOTSUPP;
	err = state_write(out, dev);
	if (err)
		return err;
	if (out->at > out->size)
		return -ENOSPC;
	out->data = kvmalloc(out->at, GFP_KERNEL_ACCOUNT);
	if (!out->data)
		return -ENOMEM;
	out->size = out->at;
	err = state_write(out, dev);
	if (err)
		return err;
	/* A pipe that was hung up meanwhile has no bytes any more, which is less. */
	return out->at > out->size ? -EBUSY : 0;
}

/**
 * pipe_get_state() - serve GET_STATE
 * @dev: the device
 * @argp: struct vhost_goldfish_pipe_state
 *
 * Context: the owner's process; takes @dev->config.
 * Return: 0, or -errno as the header has it.
 */
long pipe_get_state(struct pipe_dev *dev, void __user *argp)
{
	struct vhost_goldfish_pipe_state arg;
	struct state_out out = {};
	int idx, err;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	out.size = arg.size;
	idx = pipe_config_enter(dev);
	if (idx < 0)
		return idx;
	err = state_get_locked(dev, &out);
	pipe_config_leave(dev, idx);
	if (!err && copy_to_user(u64_to_user_ptr(arg.data), out.data, out.at))
		err = -EFAULT;
	kvfree(out.data);
	arg.size = out.at;
	arg.version = VHOST_GOLDFISH_PIPE_STATE_VERSION;
	if ((!err || err == -ENOSPC) && copy_to_user(argp, &arg, sizeof(arg)))
		err = -EFAULT;
	return err;
}

/* ---- SET_STATE ---- */

/**
 * struct state_in - a state that is read
 * @data: the fields
 * @left: bytes of them
 */
struct state_in {
	const u8 *data;
	size_t left;
};

/* The next field, which must be this one; NULL if it is not. */
static const u8 *state_next(struct state_in *in, u32 tag, size_t *len)
{
	const struct vhost_goldfish_pipe_field *field = (const void *)in->data;
	const u8 *data = in->data + sizeof(*field);
	size_t bytes;

	if (in->left < sizeof(*field) || le32_to_cpu(field->tag) != tag)
		return NULL;
	bytes = ALIGN((size_t)le32_to_cpu(field->length), STATE_ALIGN);
	if (bytes > in->left - sizeof(*field))
		return NULL;
	*len = le32_to_cpu(field->length);
	in->data = data + bytes;
	in->left -= sizeof(*field) + bytes;
	return data;
}

/* The same for a field of a known length. */
static const void *state_take(struct state_in *in, u32 tag, size_t len)
{
	size_t have;
	const u8 *data = state_next(in, tag, &have);

	return data && have == len ? data : NULL;
}

/**
 * struct state_turns - who has something to tell, in the order in which it will
 * @pipe: by turn, from 0 on
 */
struct state_turns {
	struct pipe *pipe[VHOST_GOLDFISH_PIPE_MAX_ID];
};

static bool state_pipe_possible(const struct vhost_goldfish_pipe_state_pipe *field,
				const struct state_service *service)
{
	const u32 flags = le32_to_cpu(field->flags);
	const u32 max_buffers = le32_to_cpu(field->max_buffers);
	const u32 fired = le32_to_cpu(field->fired);

	return !(flags & ~STATE_FLAGS) && max_buffers &&
	       max_buffers <= GOLDFISH_PIPE_MAX_BUFFERS &&
	       !(le32_to_cpu(field->armed) & ~STATE_WAKES) && !(fired & ~STATE_FIRED) &&
	       !fired == !field->turn &&
	       le32_to_cpu(field->turn) <= VHOST_GOLDFISH_PIPE_MAX_ID &&
	       !service == !!(flags & VHOST_GOLDFISH_PIPE_STATE_HUNG_UP) &&
	       (!(flags & VHOST_GOLDFISH_PIPE_STATE_HAS_BYTES) || (service && service->fill));
}

/* A pipe that is hung up needs a service that closes: that of no name. */
static int state_open(struct pipe *pipe, const struct state_service *service)
{
	const struct pipe_service *ops = service ? service->service : &pipe_connector;
	int err = ops->open(pipe, NULL);

	if (err)
		return err;
	WRITE_ONCE(pipe->service, ops);
	return 0;
}

static int state_fill(struct pipe *pipe, const struct state_service *service, struct state_in *in)
{
	size_t len;
	const u8 *bytes = state_next(in, VHOST_GOLDFISH_PIPE_STATE_BYTES, &len);

	return bytes && len ? service->fill(pipe, bytes, len) : -EINVAL;
}

static int state_set_pipe_locked(struct pipe *pipe, struct state_in *in,
				 const struct vhost_goldfish_pipe_state_pipe *field,
				 const struct state_service *service)
{
	int err;

	lockdep_assert_held(&pipe->lock);
	pipe->command_gpa = le64_to_cpu(field->command_gpa);
	pipe->command_memory = PIPE_NO_MEMORY;
	pipe->max_buffers = le32_to_cpu(field->max_buffers);
	err = state_open(pipe, service);
	if (!err && le32_to_cpu(field->flags) & VHOST_GOLDFISH_PIPE_STATE_HAS_BYTES)
		err = state_fill(pipe, service, in);
	if (err)
		return err;
	spin_lock_irq(&pipe->dev->signal_lock);
	pipe->signal.armed = le32_to_cpu(field->armed);
	pipe->signal.fired = le32_to_cpu(field->fired);
	WRITE_ONCE(pipe->hung_up, !service);
	spin_unlock_irq(&pipe->dev->signal_lock);
	return 0;
}

/* @next: ids are greater than those before. Returns 0 or -errno. */
static int state_set_pipe(struct pipe_dev *dev, struct state_in *in, u32 *next,
			  struct state_turns *turns)
{
	const struct vhost_goldfish_pipe_state_pipe *field =
		state_take(in, VHOST_GOLDFISH_PIPE_STATE_PIPE, sizeof(*field));
	const struct state_service *service = NULL;
	struct pipe *pipe;
	u32 id, turn;
	int err;

	if (!field)
		return -EINVAL;
	id = le32_to_cpu(field->id);
	turn = le32_to_cpu(field->turn);
	if (field->service[0]) {
		service = state_service_find(field->service);
		if (!service)
			return -EINVAL;
	}
	if (id < *next || id >= VHOST_GOLDFISH_PIPE_MAX_ID || !state_pipe_possible(field, service))
		return -EINVAL;
	*next = id + 1;
	pipe = pipe_get(dev, id);
	if (!pipe)
		return -ENOMEM;
	/*
	 * Pipes that were not on the list, but are told of a hang-up now, have all the same
	 * turn, behind the others.
	 */
	while (turn && turn <= VHOST_GOLDFISH_PIPE_MAX_ID && turns->pipe[turn - 1])
		turn++;
	if (turn > VHOST_GOLDFISH_PIPE_MAX_ID)
		return -EINVAL;
	mutex_lock(&pipe->lock);
	err = state_set_pipe_locked(pipe, in, field, service);
	mutex_unlock(&pipe->lock);
	if (!err && turn)
		turns->pipe[turn - 1] = pipe;
	return err;
}

/* Another thread of the owner's may have hung it up meanwhile, and the owner's end closed it. */
static void state_set_turn(struct pipe *pipe)
{
	struct pipe_dev *dev = pipe->dev;

	mutex_lock(&pipe->lock);
	spin_lock_irq(&dev->signal_lock);
	if (pipe->service)
		pipe_batch_add(&dev->signalled, &pipe->signal, pipe->signal.fired);
	spin_unlock_irq(&dev->signal_lock);
	mutex_unlock(&pipe->lock);
}

static void state_set_turns(const struct state_turns *turns)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(turns->pipe); i++) {
		if (turns->pipe[i])
			state_set_turn(turns->pipe[i]);
		cond_resched();
	}
}

static bool state_device_possible(const struct vhost_goldfish_pipe_state_device *field)
{
	const u32 version = le32_to_cpu(field->version);

	return (version == GOLDFISH_PIPE_DEVICE_VERSION ||
		(version == GOLDFISH_PIPE_DEVICE_VERSION_1 && !field->pipes)) &&
	       le32_to_cpu(field->open_set) <= 1 && le32_to_cpu(field->raised) <= 1 &&
	       le32_to_cpu(field->signal_count) <= VHOST_GOLDFISH_PIPE_MAX_ID &&
	       le32_to_cpu(field->published) <= le32_to_cpu(field->signal_count) &&
	       le32_to_cpu(field->pipes) <= VHOST_GOLDFISH_PIPE_MAX_ID;
}

static void state_set_device(struct pipe_dev *dev,
			     const struct vhost_goldfish_pipe_state_device *field)
{
	WRITE_ONCE(dev->open_gpa, le64_to_cpu(field->open_gpa));
	WRITE_ONCE(dev->open_set, !!field->open_set);
	dev->signal_gpa = le64_to_cpu(field->signal_gpa);
	dev->signal_count = le32_to_cpu(field->signal_count);
	pipe_signal_place(dev);
	spin_lock_irq(&dev->line.lock);
	WRITE_ONCE(dev->version, le32_to_cpu(field->version));
	dev->published = le32_to_cpu(field->published);
	pipe_window_put(dev, GOLDFISH_PIPE_REG_GET_SIGNALLED, dev->published);
	pipe_window_put(dev, GOLDFISH_PIPE_REG_VERSION, dev->version);
	spin_unlock_irq(&dev->line.lock);
	ranchu_line_restore(&dev->line, le32_to_cpu(field->raised));
}

static int state_set_all(struct pipe_dev *dev, struct state_in *in, struct state_turns *turns)
{
	const struct vhost_goldfish_pipe_state_device *device =
		state_take(in, VHOST_GOLDFISH_PIPE_STATE_DEVICE, sizeof(*device));
	u32 i, pipes, next = 0;
	int err = 0;

	if (!device || !state_device_possible(device))
		return -EINVAL;
	pipes = le32_to_cpu(device->pipes);
	for (i = 0; i < pipes && !err; i++) {
		err = fatal_signal_pending(current) ? -EINTR :
						      state_set_pipe(dev, in, &next, turns);
		cond_resched();
	}
	if (!err && in->left)
		err = -EINVAL;
	if (err)
		return err;
	state_set_turns(turns);
	state_set_device(dev, device);
	return 0;
}

static int state_set_locked(struct pipe_dev *dev, struct state_in *in)
{
	struct state_turns *turns;
	int err;

	lockdep_assert_held(&dev->config);
	if (!pipe_is_stopped(dev) || state_count_open(dev))
		return -EBUSY;
	turns = kvzalloc(sizeof(*turns), GFP_KERNEL_ACCOUNT);
	if (!turns)
		return -ENOMEM;
	err = state_set_all(dev, in, turns);
	/* Nothing of it stays. */
	if (err)
		pipe_close_all(dev);
	kvfree(turns);
	return err;
}

/**
 * pipe_set_state() - serve SET_STATE
 * @dev: the device
 * @argp: struct vhost_goldfish_pipe_state
 *
 * Context: the owner's process; takes @dev->config.
 * Return: 0, or -errno as the header has it.
 */
long pipe_set_state(struct pipe_dev *dev, void __user *argp)
{
	struct vhost_goldfish_pipe_state arg;
	struct state_in in = {};
	void *data;
	int idx, err;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	if (arg.version != VHOST_GOLDFISH_PIPE_STATE_VERSION)
		return -EOPNOTSUPP;
	if (!arg.size || arg.size > VHOST_GOLDFISH_PIPE_STATE_MAX)
		return -EINVAL;
	data = kvmalloc(arg.size, GFP_KERNEL_ACCOUNT);
	if (!data)
		return -ENOMEM;
	err = -EFAULT;
	if (copy_from_user(data, u64_to_user_ptr(arg.data), arg.size))
		goto free;
	in.data = data;
	in.left = arg.size;
	idx = pipe_config_enter(dev);
	if (idx < 0) {
		err = idx;
		goto free;
	}
	err = state_set_locked(dev, &in);
	pipe_config_leave(dev, idx);
free:
	kvfree(data);
	return err;
}
