// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unix sockets: addresses, listening, connecting, passing files. Only the user can connect to a
 * socket at which vmmctl listens (mode 0600), from the moment it exists.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/log.h"
#include "host/unix.h"

#define UNIX_BACKLOG	64
#define UNIX_FILES	32	/* in one message, at most */
#define UNIX_PLACES	16	/* listening sockets, at most */

/**
 * struct unix_place - the file of a socket at which vmmctl listens
 * @used: the element is valid; set last, because a signal handler in any thread may read it
 * @dev: device of the file
 * @ino: inode of the file; no other file gets it while the socket is open
 * @path: path of the file
 */
static struct unix_place {
	bool used;
	dev_t dev;
	ino_t ino;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
} unix_places[UNIX_PLACES];

/* If @abstract, a leading "@" stands for the NUL of an abstract address. */
static int unix_address(struct sockaddr_un *addr, socklen_t *addr_len, const char *path,
			bool abstract)
{
	size_t len = strlen(path);

	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	if (!len || len >= sizeof(addr->sun_path))
		return -ENAMETOOLONG;
	memcpy(addr->sun_path, path, len);
	*addr_len = sizeof(*addr);
	if (abstract && *path == '@') {
		addr->sun_path[0] = '\0';
		*addr_len = offsetof(struct sockaddr_un, sun_path) + len;
	}
	return 0;
}

static int unix_socket(int type)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

/* Closes @fd, and returns the -errno of before. */
static int unix_failed(int fd)
{
	int err = -errno;

	close(fd);
	return err;
}

static int unix_bind(const char *path, int type, int backlog)
{
	struct sockaddr_un addr;
	socklen_t len;
	int err = unix_address(&addr, &len, path, false);
	int fd;

	if (err)
		return err;
	fd = unix_socket(type | SOCK_NONBLOCK);
	if (fd < 0)
		return fd;
	/*
	 * Linux creates the file with the socket's own mode, so there is no moment in which
	 * other users may connect, and the path is looked up once.
	 */
	if (fchmod(fd, 0600) || bind(fd, (const struct sockaddr *)&addr, len))
		return unix_failed(fd);
	if (listen(fd, backlog)) {
		err = unix_failed(fd);
		unlink(path);
		return err;
	}
	return fd;
}

/**
 * vmm_unix_bind - listen at a path, for this user alone
 * @path: path of the socket; must not exist
 * @backlog: clients that may wait
 *
 * Return: a non-blocking file, or -errno without a message
 */
int vmm_unix_bind(const char *path, int backlog)
{
	return unix_bind(path, SOCK_STREAM, backlog);
}

/* @timeout_ms: timeout of connect, sends and receives; 0: none. */
static int unix_connect(const char *path, int type, unsigned int timeout_ms)
{
	const struct timeval wait = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	struct sockaddr_un addr;
	socklen_t len;
	int err = unix_address(&addr, &len, path, type == SOCK_DGRAM);
	int fd;

	if (err)
		return err;
	fd = unix_socket(type);
	if (fd < 0)
		return fd;
	/* Also limits connect(), which waits for a process that does not accept. */
	if (timeout_ms && (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) ||
			   setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait))))
		return unix_failed(fd);
	return connect(fd, (const struct sockaddr *)&addr, len) ? unix_failed(fd) : fd;
}

/*
 * Removes the socket of a program that has died: it refuses connections. A file that is no
 * socket refuses them as well, and is kept.
 */
static void unix_remove_stale(const char *path, int type)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) || !S_ISSOCK(st.st_mode))
		return;
	fd = unix_connect(path, type | SOCK_NONBLOCK, 0);
	if (fd >= 0)
		close(fd);
	else if (fd == -ECONNREFUSED)
		unlink(path);
}

/* An element with the same path is reused: its file has been replaced. */
static struct unix_place *unix_place_for(const char *path)
{
	struct unix_place *unused = NULL;
	unsigned int i;

	for (i = 0; i < UNIX_PLACES; i++) {
		struct unix_place *place = &unix_places[i];

		if (place->used && !strcmp(place->path, path))
			return place;
		if (!place->used && !unused)
			unused = place;
	}
	return unused;
}

/* Stores a socket that was created at @path, so that it is removed at the end. */
static int unix_note(const char *path)
{
	struct unix_place *place = unix_place_for(path);
	struct stat st;

	if (!place)
		return -ENFILE;
	if (lstat(path, &st))
		return -errno;
	place->dev = st.st_dev;
	place->ino = st.st_ino;
	memcpy(place->path, path, strlen(path) + 1);
	__atomic_store_n(&place->used, true, __ATOMIC_SEQ_CST);
	return 0;
}

/* Uses only calls that are safe in signal handlers, and allowed in the sandbox. */
static void unix_place_leave(struct unix_place *place)
{
	struct stat st;

	if (!fstatat(AT_FDCWD, place->path, &st, AT_SYMLINK_NOFOLLOW) &&
	    st.st_dev == place->dev && st.st_ino == place->ino)
		unlinkat(AT_FDCWD, place->path, 0);
	__atomic_store_n(&place->used, false, __ATOMIC_SEQ_CST);
}

static int unix_listen(const char *path, int type)
{
	int err = 0;
	int fd;

	unix_remove_stale(path, type);
	fd = unix_bind(path, type, UNIX_BACKLOG);
	if (fd >= 0)
		err = unix_note(path);
	if (fd >= 0 && err) {
		close(fd);
		unlink(path);
		fd = err;
	}
	return fd < 0 ? vmm_error(-fd, "cannot listen at \"%s\"", path) : fd;
}

/**
 * vmm_unix_remove - remove the file of a listening socket
 * @path: path of the socket; a file that has replaced it is kept
 *
 * The socket must still be open: otherwise another file could have its inode.
 */
void vmm_unix_remove(const char *path)
{
	struct unix_place *place = unix_place_for(path);

	if (place && place->used)
		unix_place_leave(place);
}

/**
 * vmm_unix_leave - remove the files of all listening sockets
 *
 * Context: any thread, and signal handlers.
 */
void vmm_unix_leave(void)
{
	unsigned int i;

	for (i = 0; i < UNIX_PLACES; i++) {
		if (__atomic_load_n(&unix_places[i].used, __ATOMIC_SEQ_CST))
			unix_place_leave(&unix_places[i]);
	}
}

/**
 * vmm_unix_listen - listen at a path, for this user alone
 * @path: path of the socket; one at which no program listens is replaced
 *
 * Return: a non-blocking file, or -errno
 */
int vmm_unix_listen(const char *path)
{
	return unix_listen(path, SOCK_STREAM);
}

/**
 * vmm_unix_listen_packets - listen for connections of packets (SOCK_SEQPACKET)
 * @path: as for vmm_unix_listen()
 *
 * Return: a non-blocking file, or -errno
 */
int vmm_unix_listen_packets(const char *path)
{
	return unix_listen(path, SOCK_SEQPACKET);
}

/**
 * vmm_unix_dial - connect to a socket
 * @path: of the socket
 *
 * Return: a non-blocking file, or -errno without a message; a program that does not accept at
 *	once counts as absent
 */
int vmm_unix_dial(const char *path)
{
	return unix_connect(path, SOCK_STREAM | SOCK_NONBLOCK, 0);
}

/**
 * vmm_unix_dial_packets - connect to a socket of packets
 * @path: of the socket
 *
 * Return: as vmm_unix_dial()
 */
int vmm_unix_dial_packets(const char *path)
{
	return unix_connect(path, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
}

/**
 * vmm_unix_dial_wait - connect to a socket, and wait if necessary
 * @path: of the socket
 * @timeout_ms: timeout of the connect, and of sends and receives
 *
 * Return: a blocking file, or -errno without a message
 */
int vmm_unix_dial_wait(const char *path, unsigned int timeout_ms)
{
	return unix_connect(path, SOCK_STREAM, timeout_ms);
}

/**
 * vmm_unix_dial_datagram - connect to a datagram socket
 * @path: path of the socket; with a leading "@", an abstract address
 *
 * Return: a blocking file, or -errno without a message
 */
int vmm_unix_dial_datagram(const char *path)
{
	return unix_connect(path, SOCK_DGRAM, 0);
}

/**
 * vmm_unix_send_files - send bytes with files
 * @sock: connection
 * @data: the bytes; a file cannot be sent alone
 * @len: how many, at least one
 * @fds: the files; owned by the caller
 * @count: how many, at most 32
 * @flags: of sendmsg()
 *
 * Return: 0, or -errno; -EIO if not all bytes were sent
 */
int vmm_unix_send_files(int sock, const void *data, size_t len, const int *fds,
			unsigned int count, int flags)
{
	union {
		struct cmsghdr head;
		u8 room[CMSG_SPACE(UNIX_FILES * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (count > UNIX_FILES)
		return -E2BIG;
	if (count) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fds, count * sizeof(int));
	}
	do
		n = sendmsg(sock, &msg, flags | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}
