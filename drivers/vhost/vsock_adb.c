// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vhost-vsock-adb: the device node and its ioctls. One open file is the
 * vsock device of one guest; its streams end in host sockets. Nothing of
 * AF_VSOCK is used, so vhost_vsock may or may not be loaded beside it.
 *
 * Packets from the guest are vsock_adb_tx.c's, packets to it vsock_adb_rx.c's,
 * sockets vsock_adb_sock.c's, the protocol vsock_adb_conn.c's.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>

#include "vsock_adb.h"

/* Times that a reader's memory is looked for, and found, and gone again. */
#define ADB_READ_TRIES 64

/* Guests by their CIDs, so that no two have the same. */
static DEFINE_XARRAY(adb_cids);

/* Another guest may have the CID from here on, even if this device is still at work. */
static void adb_cid_free(struct vsock_adb *adb)
{
	if (adb->cid)
		xa_cmpxchg(&adb_cids, adb->cid, adb, NULL, GFP_KERNEL);
}

static void adb_cid_drop(struct vsock_adb *adb)
{
	adb_cid_free(adb);
	adb->cid = 0;
}

static long adb_set_guest_cid(struct ranchu_vhost *vhost, void *arg)
{
	struct vsock_adb *adb = vsock_adb_of(vhost);
	const u64 cid = *(const u64 *)arg;
	int err;

	/* 0 to 2 are the hypervisor's, loopback's and the host's. */
	if (cid <= ADB_HOST_CID || cid >= U32_MAX)
		return -EINVAL;
	if (cid == adb->cid)
		return 0;
	if (ranchu_vhost_is_running(vhost))
		return -EBUSY;
	err = xa_insert(&adb_cids, cid, adb, GFP_KERNEL_ACCOUNT);
	if (err)
		return err == -EBUSY ? -EADDRINUSE : err;
	adb_cid_drop(adb);
	adb->cid = cid;
	return 0;
}

static long adb_set_running(struct ranchu_vhost *vhost, void *arg)
{
	struct vsock_adb *adb = vsock_adb_of(vhost);
	const int running = *(const int *)arg;

	if (!running) {
		ranchu_vhost_stop(vhost);
		return 0;
	}
	return adb->cid ? ranchu_vhost_start(vhost) : -EADDRNOTAVAIL;
}

/*
 * The memory that CONNECT and ATTACH take, and the socket, are had before the streams'
 * lock: the process may be at the limit of its memory.
 */
static int adb_sock_get(struct vsock_adb *adb, struct ranchu_sock *sock, int fd)
{
	return fd == -1 ? 0 : ranchu_sock_get(sock, adb->closer, fd);
}

/* Everything of CONNECT that needs the streams' lock. */
static long adb_connect_locked(struct vsock_adb *adb, struct adb_stream *stream,
			       struct vhost_vsock_adb_connect *connect,
			       const struct ranchu_sock *sock)
{
	struct adb_ports ports = {
		.guest = connect->guest_port,
		.host = connect->host_port,
	};
	int err;

	if (adb->orphaned)
		return -ESRCH;
	if (!ports.host) {
		err = vsock_adb_pick_port(adb, &ports);
		if (err)
			return err;
	} else if (vsock_adb_stream_find(adb, ports)) {
		return -EADDRINUSE;
	}
	err = vsock_adb_stream_add(adb, stream, ports, ADB_ASKING);
	if (err)
		return err;
	if (sock->socket) {
		vsock_adb_sock_give(stream, sock);
		adb_conn_attach(&stream->conn);
	}
	stream->cookie = connect->cookie;
	connect->host_port = ports.host;
	vsock_adb_stream_ready(stream);
	return 0;
}

static long adb_connect(struct ranchu_vhost *vhost, void *arg)
{
	struct vsock_adb *adb = vsock_adb_of(vhost);
	struct vhost_vsock_adb_connect *connect = arg;
	struct ranchu_sock sock = {};
	struct adb_stream *stream;
	long err;

	if (connect->padding || connect->fd < -1)
		return -EINVAL;
	if (!ranchu_vhost_is_running(vhost))
		return -ENOTCONN;
	stream = vsock_adb_stream_alloc();
	if (!stream)
		return -ENOMEM;
	err = adb_sock_get(adb, &sock, connect->fd);
	if (err)
		goto free;
	err = -EINTR;
	if (!mutex_lock_killable(&adb->lock)) {
		err = adb_connect_locked(adb, stream, connect, &sock);
		mutex_unlock(&adb->lock);
	}
	/* If it cannot be given back: the port is in the stream's events, too. */
	if (!err)
		return 0;
	if (sock.socket)
		ranchu_sock_unget(&sock);
free:
	kfree(stream);
	return err;
}

static long adb_attach_locked(struct vsock_adb *adb,
			      const struct vhost_vsock_adb_attach *attach,
			      struct ranchu_sock *sock)
{
	struct adb_ports ports = {
		.guest = attach->guest_port,
		.host = attach->host_port,
	};
	struct adb_stream *stream;

	if (adb->orphaned)
		return -ESRCH;
	stream = vsock_adb_stream_find(adb, ports);
	if (!stream || stream->conn.state == ADB_DEAD)
		return -ENOENT;
	if (!sock->socket) {
		vsock_adb_stream_close(stream, ECONNRESET);
		return 0;
	}
	if (stream->sock.socket)
		return -EALREADY;
	vsock_adb_sock_give(stream, sock);
	sock->socket = NULL;
	stream->cookie = attach->cookie;
	adb_conn_attach(&stream->conn);
	vsock_adb_stream_ready(stream);
	return 0;
}

static long adb_attach(struct ranchu_vhost *vhost, void *arg)
{
	struct vsock_adb *adb = vsock_adb_of(vhost);
	const struct vhost_vsock_adb_attach *attach = arg;
	struct ranchu_sock sock = {};
	long err;

	if (attach->padding || attach->fd < -1)
		return -EINVAL;
	err = adb_sock_get(adb, &sock, attach->fd);
	if (err)
		return err;
	err = -EINTR;
	if (!mutex_lock_killable(&adb->lock)) {
		err = adb_attach_locked(adb, attach, &sock);
		mutex_unlock(&adb->lock);
	}
	if (sock.socket)
		ranchu_sock_unget(&sock);
	return err;
}

static long adb_reset_transport(struct ranchu_vhost *vhost, void *arg)
{
	struct vsock_adb *adb = vsock_adb_of(vhost);
	unsigned int bucket;

	/* A few at a time: the worker and vCPUs wait for the lock. */
	for (bucket = 0; bucket < HASH_SIZE(adb->streams); bucket++) {
		if (mutex_lock_killable(&adb->lock))
			return -EINTR;
		vsock_adb_streams_close(adb, bucket);
		mutex_unlock(&adb->lock);
		cond_resched();
	}
	if (mutex_lock_killable(&adb->lock))
		return -EINTR;
	/* A driver that starts later has nothing to be told. */
	adb->transport_reset = adb->vrings[ADB_EVENT].running;
	mutex_unlock(&adb->lock);
	ranchu_vring_request(&adb->vrings[ADB_EVENT]);
	return 0;
}

/*
 * The rings stand still, and only a start of theirs, which the device's lock keeps out,
 * would have anybody look at streams and events meanwhile.
 */
static long adb_state_check(struct ranchu_vhost *vhost, const struct vhost_vsock_adb_state *state)
{
	struct vsock_adb *adb = vsock_adb_of(vhost);

	if (state->size != sizeof(*state))
		return -EINVAL;
	if (ranchu_vhost_is_running(vhost))
		return -EBUSY;
	return adb->cid ? 0 : -EADDRNOTAVAIL;
}

static long adb_get_state(struct ranchu_vhost *vhost, void *arg)
{
	struct vsock_adb *adb = vsock_adb_of(vhost);
	struct vhost_vsock_adb_state *state = arg;
	long err = adb_state_check(vhost, state);

	if (err)
		return err;
	state->version = VHOST_VSOCK_ADB_STATE_VERSION;
	state->field[0] = (struct vhost_vsock_adb_field) {
		.tag = VHOST_VSOCK_ADB_STATE_CID, .length = sizeof(u64), .value = adb->cid,
	};
	state->field[1] = (struct vhost_vsock_adb_field) {
		.tag = VHOST_VSOCK_ADB_STATE_STREAMS, .length = sizeof(u64),
		.value = READ_ONCE(adb->n_streams),
	};
	return 0;
}

static bool adb_field_is(const struct vhost_vsock_adb_field *field, u32 tag, u64 first, u64 last)
{
	return field->tag == tag && field->length == sizeof(u64) &&
	       field->value >= first && field->value <= last;
}

static long adb_set_state(struct ranchu_vhost *vhost, void *arg)
{
	struct vsock_adb *adb = vsock_adb_of(vhost);
	const struct vhost_vsock_adb_state *state = arg;
	long err = adb_state_check(vhost, state);

	if (err)
		return err;
	if (state->version != VHOST_VSOCK_ADB_STATE_VERSION)
		return -EOPNOTSUPP;
	if (!adb_field_is(&state->field[0], VHOST_VSOCK_ADB_STATE_CID, ADB_HOST_CID + 1,
			  U32_MAX - 1) ||
	    !adb_field_is(&state->field[1], VHOST_VSOCK_ADB_STATE_STREAMS, 0,
			  VHOST_VSOCK_ADB_MAX_STREAMS))
		return -EINVAL;
	if (mutex_lock_killable(&adb->lock))
		return -EINTR;
	/* The event tells the guest of all streams, also of those that had ended before. */
	if (vsock_adb_streams_forget_dead(adb))
		adb->transport_reset = true;
	else
		err = -EBUSY;
	mutex_unlock(&adb->lock);
	return err;
}

/*
 * Each counter is read once, without the lock: anybody may ask, and a vCPU does not
 * wait until he has looked.
 */
static void adb_read_stats(struct vsock_adb *adb, struct vhost_vsock_adb_stats *out)
{
	const struct vhost_vsock_adb_stats *in = &adb->stats;

	*out = (struct vhost_vsock_adb_stats) {
		.streams = READ_ONCE(adb->n_streams),
		.opened = READ_ONCE(in->opened),
		.bytes_to_guest = READ_ONCE(in->bytes_to_guest),
		.bytes_to_host = READ_ONCE(in->bytes_to_host),
		.packets_to_guest = READ_ONCE(in->packets_to_guest),
		.packets_to_host = READ_ONCE(in->packets_to_host),
		.bad_packets = READ_ONCE(in->bad_packets),
		.faults = atomic64_read(&adb->vhost.faults),
		.queued = READ_ONCE(in->queued),
		.queued_packets = READ_ONCE(in->queued_packets),
	};
}

static long adb_get_stats(struct ranchu_vhost *vhost, void __user *argp)
{
	const size_t head_size = offsetofend(struct vhost_vsock_adb_stats, padding);
	struct vhost_vsock_adb_stats head, out;

	if (copy_from_user(&head, argp, head_size))
		return -EFAULT;
	if (head.size < head_size || head.padding)
		return -EINVAL;
	adb_read_stats(vsock_adb_of(vhost), &out);
	out.size = min_t(u32, head.size, sizeof(out));
	return copy_to_user(argp, &out, out.size) ? -EFAULT : 0;
}

static const struct ranchu_vhost_ioctl adb_ioctls[] = {
	{ VHOST_VSOCK_SET_GUEST_CID, .locked = adb_set_guest_cid },
	{ VHOST_VSOCK_SET_RUNNING, .locked = adb_set_running },
	{ VHOST_VSOCK_ADB_CONNECT, .locked = adb_connect },
	{ VHOST_VSOCK_ADB_ATTACH, .locked = adb_attach },
	{ VHOST_VSOCK_ADB_RESET_TRANSPORT, .locked = adb_reset_transport },
	{ VHOST_VSOCK_ADB_GET_STATS, adb_get_stats, true },
	{ VHOST_VSOCK_ADB_GET_STATE, .locked = adb_get_state },
	{ VHOST_VSOCK_ADB_SET_STATE, .locked = adb_set_state },
};

static void adb_event_kicked(struct ranchu_vring *vring)
{
	struct vsock_adb *adb = vsock_adb_of(vring->dev);
	struct virtio_vsock_event event = {
		.id = cpu_to_le32(VIRTIO_VSOCK_EVENT_TRANSPORT_RESET),
	};
	struct iovec iov[ADB_RX_IOV];
	struct ranchu_chain chain = { .iov = iov, .max = ARRAY_SIZE(iov) };
	struct iov_iter to;
	unsigned int n = 0;
	size_t written;

	mutex_lock(&adb->lock);
	/* Fresh buffers are of interest only while there is something to say. */
	while (adb->transport_reset && !vring->vq.fault) {
		if (n++ == ADB_BAD_BUFFERS || ranchu_vq_next(&vring->vq, &chain) <= 0) {
			if (ranchu_vq_enable_kicks(&vring->vq))
				ranchu_vring_request(vring);
			break;
		}
		iov_iter_init(&to, ITER_DEST, chain.iov + chain.n_out,
			      chain.n_in, chain.in_len);
		written = copy_to_iter(&event, sizeof(event), &to);
		ranchu_vq_push(&vring->vq, &chain, written);
		adb->transport_reset = written < sizeof(event);
	}
	mutex_unlock(&adb->lock);
}

static void adb_kicked(struct ranchu_vring *vring)
{
	switch (vring - vring->dev->vrings) {
	case ADB_RX:
		vsock_adb_rx_kicked(vring);
		break;
	case ADB_TX:
		vsock_adb_tx_kicked(vring);
		break;
	case ADB_EVENT:
		adb_event_kicked(vring);
		break;
	}
}

/*
 * The file may be in the queue of a socket that a stream holds, and nobody reads
 * that any more: sockets are to be let go of before the file is. Nor may one come
 * later: another process with the owner's memory can still call us.
 */
static void adb_orphaned(struct ranchu_vhost *vhost)
{
	struct vsock_adb *adb = vsock_adb_of(vhost);

	mutex_lock(&adb->lock);
	adb->orphaned = true;
	vsock_adb_streams_free(adb);
	mutex_unlock(&adb->lock);
	ranchu_closer_finish(adb->closer);
}

static void adb_released(struct ranchu_vhost *vhost)
{
	struct vsock_adb *adb = vsock_adb_of(vhost);

	mutex_lock(&adb->lock);
	vsock_adb_streams_free(adb);
	adb->orphaned = false;
	adb->transport_reset = false;
	adb->tx_held = false;
	adb->rx_starved = false;
	mutex_unlock(&adb->lock);
	ranchu_closer_finish(adb->closer);
	adb_cid_drop(adb);
	wake_up_interruptible(&adb->event_wait);
}

static const struct ranchu_vhost_ops adb_ops = {
	.name = "vhost-vsock-adb",
	/* Of vsock's own none: streams need no feature. */
	.features = RANCHU_VQ_FEATURES,
	.optional = BIT(ADB_EVENT),
	.in_vcpu = BIT(ADB_TX),
	.kicked = adb_kicked,
	.orphaned = adb_orphaned,
	.released = adb_released,
	.ioctls = adb_ioctls,
	.n_ioctls = ARRAY_SIZE(adb_ioctls),
};

static void adb_event_fill(const struct adb_stream *stream,
			   struct vhost_vsock_adb_event *event)
{
	memset(event, 0, sizeof(*event));
	event->type = stream->event;
	event->guest_port = stream->ports.guest;
	event->host_port = stream->ports.host;
	event->cookie = stream->cookie;
	if (event->type == VHOST_VSOCK_ADB_CLOSED)
		event->error = stream->error;
}

/* Nobody is, between two owners. */
static bool adb_is_owner(struct vsock_adb *adb)
{
	return READ_ONCE(adb->vhost.mm) == current->mm;
}

/*
 * Into memory that is there, while the lock is held that the guest's packets need: if it
 * is not, that is for the caller to see to, without the lock. Returns false then.
 */
static bool adb_give_event(const struct adb_stream *stream, void __user *to)
{
	struct vhost_vsock_adb_event event;
	unsigned long left;

	adb_event_fill(stream, &event);
	pagefault_disable();
	left = copy_to_user(to, &event, sizeof(event));
	pagefault_enable();
	return !left;
}

/* Returns bytes, 0 if there is no event, -EFAULT if there is no memory for the first. */
static ssize_t adb_read_events_locked(struct vsock_adb *adb, char __user *buf, size_t len)
{
	const size_t size = sizeof(struct vhost_vsock_adb_event);
	struct adb_stream *stream;
	ssize_t done = 0;

	lockdep_assert_held(&adb->lock);
	/* Under the lock, so that one who is late does not listen for the next. */
	if (!adb_is_owner(adb))
		return -EPERM;
	adb->listening = true;
	while (len - done >= size) {
		stream = list_first_entry_or_null(&adb->events, struct adb_stream,
						  event_node);
		if (!stream)
			break;
		if (!adb_give_event(stream, buf + done))
			return done ?: -EFAULT;
		vsock_adb_stream_told(stream);
		done += size;
	}
	return done;
}

/* The same, after making sure that there is memory, however long that takes. */
static ssize_t adb_read_events(struct vsock_adb *adb, char __user *buf, size_t len)
{
	const size_t size = sizeof(struct vhost_vsock_adb_event);
	unsigned int tries = 0;
	ssize_t done;

	if (!adb_is_owner(adb))
		return -EPERM;
	do {
		if (mutex_lock_killable(&adb->lock))
			return -EINTR;
		done = adb_read_events_locked(adb, buf, len);
		mutex_unlock(&adb->lock);
		/* Memory that is there for a moment only, again and again, is none. */
	} while (done == -EFAULT && tries++ < ADB_READ_TRIES &&
		 !fault_in_writeable(buf, size));
	return done;
}

static bool adb_has_events(struct vsock_adb *adb)
{
	return !list_empty_careful(&adb->events);
}

static ssize_t adb_read(struct file *file, char __user *buf, size_t len,
			loff_t *pos)
{
	struct vsock_adb *adb = file->private_data;
	ssize_t done;

	if (len < sizeof(struct vhost_vsock_adb_event))
		return -EINVAL;
	for (;;) {
		done = adb_read_events(adb, buf, len);
		if (done)
			return done;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(adb->event_wait, adb_has_events(adb) ||
					     !adb_is_owner(adb)))
			return -ERESTARTSYS;
	}
}

static __poll_t adb_poll(struct file *file, poll_table *wait)
{
	struct vsock_adb *adb = file->private_data;

	poll_wait(file, &adb->event_wait, wait);
	/* Nobody else waits for the lock. */
	if (adb_is_owner(adb) && !mutex_lock_killable(&adb->lock)) {
		if (adb_is_owner(adb))
			adb->listening = true;
		mutex_unlock(&adb->lock);
	}
	return adb_has_events(adb) ? EPOLLIN | EPOLLRDNORM : 0;
}

static int adb_open(struct inode *inode, struct file *file)
{
	struct vsock_adb *adb = kvzalloc(sizeof(*adb), GFP_KERNEL_ACCOUNT);
	int err;

	if (!adb)
		return -ENOMEM;
	mutex_init(&adb->lock);
	vsock_adb_streams_init(adb);
	adb->closer = ranchu_closer_create(&adb->vhost.worker);
	err = adb->closer ? ranchu_vhost_init(&adb->vhost, &adb_ops, adb->vrings, ADB_RINGS) :
			    -ENOMEM;
	if (err) {
		ranchu_closer_destroy(adb->closer);
		kvfree(adb);
		return err;
	}
	file->private_data = adb;
	return 0;
}

static void adb_free(struct ranchu_release *release)
{
	struct vsock_adb *adb = container_of(release, struct vsock_adb, release);

	ranchu_vhost_destroy(&adb->vhost);
	ranchu_closer_destroy(adb->closer);
	kvfree(adb);
}

/* By anybody: the file may have come through a socket. */
static int adb_release(struct inode *inode, struct file *file)
{
	struct vsock_adb *adb = file->private_data;

	/* Now, however long the rest takes: the next guest may want it. */
	adb_cid_free(adb);
	ranchu_release(&adb->release, adb->vhost.process, THIS_MODULE, adb_free);
	return 0;
}

static long adb_ioctl(struct file *file, unsigned int number, unsigned long arg)
{
	struct vsock_adb *adb = file->private_data;

	return ranchu_vhost_ioctl(&adb->vhost, number, (void __user *)arg);
}

static const struct file_operations adb_fops = {
	.owner = THIS_MODULE,
	.open = adb_open,
	.release = adb_release,
	.read = adb_read,
	.poll = adb_poll,
	.unlocked_ioctl = adb_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice adb_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vhost-vsock-adb",
	.fops = &adb_fops,
};
module_misc_device(adb_misc);

MODULE_DESCRIPTION("Guest vsock streams, adb's above all, relayed to host sockets");
MODULE_LICENSE("GPL");
