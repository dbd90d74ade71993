/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/vhost-vsock-adb: one open file is the virtio-vsock device of one guest.
 * Its streams end in sockets of the VMM's process: TCP or AF_UNIX, connected,
 * handed in once, and moved by the kernel from then on.
 *
 * To a VMM it is a /dev/vhost-vsock: the ioctls of linux/vhost.h for rings 0
 * (receive) and 1 (transmit), VHOST_VSOCK_SET_GUEST_CID and
 * VHOST_VSOCK_SET_RUNNING. One that knows no more gets a device on which every
 * connection is refused. The event ring, 2, may be set up as well; it is used
 * for the transport reset event only.
 *
 * Streams are named by two ports. A stream's life:
 *
 *	from the host	CONNECT ... the guest answers: event ESTABLISHED
 *					or refuses: event CLOSED
 *	from the guest	event REQUEST, then ATTACH with a socket, or with none
 *			to refuse
 *	either		both sides have closed, or one was reset: event CLOSED
 *
 * A socket belongs to its stream: the VMM closes its copy. As long as any process
 * still holds the socket, the stream moves nothing and waits; it is looked at again
 * after a few milliseconds, then less and less often, ten times a second at least.
 * SO_LINGER has no effect on it, and files that the other end sends along
 * (SCM_RIGHTS) end the stream: they are closed, unread. Neither holds up others, but
 * for the 64 of EMFILE below.
 *
 * A stream without a socket takes no data: the guest has no credit. Events are
 * read() from the file, whole ones; poll() tells when there are any. A REQUEST
 * that the guest has taken back is no event any more, so a read() after poll()
 * may find none.
 *
 * What each errno means, everywhere:
 *	EPERM		no owner yet, or the caller is not the owner's process
 *	EINTR		the caller was killed while it waited for another ioctl
 *	EBUSY		there is an owner already; not while running; SET_STATE: there
 *			are streams that have not ended
 *	EINVAL		an argument is out of range; a reserved CID; a field
 *			that must be zero is not
 *	EADDRINUSE	another guest has this CID, or a stream these ports
 *	EADDRNOTAVAIL	no CID was set
 *	EFAULT		the argument, or memory that it names, cannot be accessed
 *	EBADF		not an open file
 *	ENOTSOCK	not a socket
 *	EPROTONOSUPPORT	a socket of another kind than those named above, or TCP with
 *			something on top, like TLS
 *	ENOTCONN	the socket is not connected; the device is not running
 *	ENOENT		no such stream
 *	EALREADY	the stream has a socket
 *	EMFILE		as many streams as there may be; or 64 sockets of streams that
 *			have ended are still held by others
 *	ESRCH		the owner was killed, and its device serves nobody any more
 *	ENOBUFS		no such ring
 *	EOPNOTSUPP	a feature that was not offered; SET_STATE: a version or a field
 *			that this kernel does not know
 *	EAGAIN		no event, and the file is non-blocking
 *	ENOMEM		out of memory; open: 1024 kernel threads wait for those who keep
 *			sockets of this user's devices
 *	ENOIOCTLCMD	seen as ENOTTY: not an ioctl of this file
 */
#ifndef _UAPI_LINUX_VHOST_VSOCK_ADB_H
#define _UAPI_LINUX_VHOST_VSOCK_ADB_H

#include <linux/types.h>
#include <linux/ioctl.h>
#include <linux/vhost.h>

/* Streams of one guest, connecting and closing ones included. */
#define VHOST_VSOCK_ADB_MAX_STREAMS	2048

/**
 * struct vhost_vsock_adb_connect - argument of CONNECT
 * @guest_port: where to connect to
 * @host_port: where from; 0: one is chosen, and written here
 * @fd: a connected stream socket, which the caller is to close afterwards; -1 to
 *	ATTACH one when the stream is established
 * @padding: 0
 * @cookie: comes back with events of this stream
 */
struct vhost_vsock_adb_connect {
	__u32 guest_port;
	__u32 host_port;
	__s32 fd;
	__u32 padding;
	__u64 cookie;
};

/**
 * struct vhost_vsock_adb_attach - argument of ATTACH
 * @guest_port: the stream's
 * @host_port: the stream's
 * @fd: a connected stream socket, which the caller is to close afterwards; -1 to
 *	refuse the guest's request, or reset the stream
 * @padding: 0
 * @cookie: comes back with events of this stream from now on
 */
struct vhost_vsock_adb_attach {
	__u32 guest_port;
	__u32 host_port;
	__s32 fd;
	__u32 padding;
	__u64 cookie;
};

/* struct vhost_vsock_adb_event.type */
#define VHOST_VSOCK_ADB_REQUEST		1
#define VHOST_VSOCK_ADB_ESTABLISHED	2
#define VHOST_VSOCK_ADB_CLOSED		3

/**
 * struct vhost_vsock_adb_event - what read() returns
 * @type: REQUEST: the guest wants to connect to @host_port. ESTABLISHED: the
 *	guest has answered a CONNECT; not told if CLOSED is to be read, too.
 *	CLOSED: the stream is no more.
 * @guest_port: the stream's
 * @host_port: the stream's
 * @error: of CLOSED: 0, or ECONNREFUSED: the guest refused the CONNECT, or
 *	ECONNRESET: one side reset the stream
 * @cookie: the stream's; 0 until there is one
 */
struct vhost_vsock_adb_event {
	__u32 type;
	__u32 guest_port;
	__u32 host_port;
	__u32 error;
	__u64 cookie;
};

/**
 * struct vhost_vsock_adb_stats - argument of GET_STATS
 * @size: bytes of this struct, set by the caller; on return bytes filled
 * @padding: 0
 * @streams: streams now
 * @opened: streams ever
 * @bytes_to_guest: payload
 * @bytes_to_host: payload
 * @packets_to_guest: all operations
 * @packets_to_host: the same
 * @bad_packets: dropped or answered with a reset because they made no sense
 * @faults: times that the guest broke one of its rings
 * @queued: bytes from the guest that wait for their sockets, now
 * @queued_packets: packets to the host that had to wait for their sockets
 */
struct vhost_vsock_adb_stats {
	__u32 size;
	__u32 padding;
	__u64 streams;
	__u64 opened;
	__u64 bytes_to_guest;
	__u64 bytes_to_host;
	__u64 packets_to_guest;
	__u64 packets_to_host;
	__u64 bad_packets;
	__u64 faults;
	__u64 queued;
	__u64 queued_packets;
};

/* Version of the fields below. A number is never used for anything else. */
#define VHOST_VSOCK_ADB_STATE_VERSION	1

/* Fields of a state, all of which are there, in this order. */
#define VHOST_VSOCK_ADB_STATE_CID	1	/* 8 bytes: the guest's CID */
#define VHOST_VSOCK_ADB_STATE_STREAMS	2	/* 8 bytes: streams that there were */

/**
 * struct vhost_vsock_adb_field - a field of a state
 * @tag: VHOST_VSOCK_ADB_STATE_...
 * @length: bytes of @value that mean something: 8
 * @value: the value
 */
struct vhost_vsock_adb_field {
	__u32 tag;
	__u32 length;
	__u64 value;
};

/**
 * struct vhost_vsock_adb_state - argument of GET_STATE and SET_STATE
 * @size: bytes of this struct, set by the caller of both
 * @version: GET_STATE: filled; SET_STATE: VHOST_VSOCK_ADB_STATE_VERSION
 * @field: GET_STATE: filled
 *
 * What the module keeps of a guest beside its rings, for a snapshot. Where each ring
 * goes on is VHOST_GET_VRING_BASE's. Both ioctls are for the owner, and only while the
 * device does not run (VHOST_VSOCK_SET_RUNNING 0): nothing is in flight then. They
 * answer EBUSY otherwise.
 *
 * Streams are not saved: their other ends are sockets. GET_STATE leaves them alone, so
 * that a guest that goes on keeps them. SET_STATE is for a device without streams but for
 * those that have ended, of which the guest is not told any more. The CID is set already
 * and may be another one than the saved. From then on the device owes
 * the guest the event TRANSPORT_RESET, which is put into the event ring when that runs:
 * the guest's streams end, its listeners stay, and it asks for its CID again.
 */
struct vhost_vsock_adb_state {
	__u32 size;
	__u32 version;
	struct vhost_vsock_adb_field field[2];
};

#define VHOST_VSOCK_ADB_CONNECT \
	_IOWR(VHOST_VIRTIO, 0xa0, struct vhost_vsock_adb_connect)
#define VHOST_VSOCK_ADB_ATTACH \
	_IOW(VHOST_VIRTIO, 0xa1, struct vhost_vsock_adb_attach)
/* Closes all streams and tells the guest by the event ring, if that runs. */
#define VHOST_VSOCK_ADB_RESET_TRANSPORT	_IO(VHOST_VIRTIO, 0xa2)
#define VHOST_VSOCK_ADB_GET_STATS \
	_IOWR(VHOST_VIRTIO, 0xa3, struct vhost_vsock_adb_stats)
#define VHOST_VSOCK_ADB_GET_STATE \
	_IOWR(VHOST_VIRTIO, 0xa4, struct vhost_vsock_adb_state)
#define VHOST_VSOCK_ADB_SET_STATE \
	_IOW(VHOST_VIRTIO, 0xa5, struct vhost_vsock_adb_state)

#endif /* _UAPI_LINUX_VHOST_VSOCK_ADB_H */
