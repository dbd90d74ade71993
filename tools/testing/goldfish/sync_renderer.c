// SPDX-License-Identifier: GPL-2.0-only
/*
 * A renderer that draws nothing: it gets its file from vmmctl's --sync-socket and answers
 * the guest's waits.
 *
 *	sync_renderer SOCKET answer	increments at once, until the guest is gone
 *	sync_renderer SOCKET make N	makes a timeline with N fences, signals and destroys
 *					them, and answers meanwhile
 *	sync_renderer SOCKET hold	answers nothing
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <linux/goldfish_sync.h>
#include <linux/vhost_goldfish_sync.h>

static int fail(const char *what)
{
	fprintf(stderr, "sync_renderer: %s: %s\n", what, strerror(errno));
	return -1;
}

/* The file comes with one byte. */
static int file_of(const char *path)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd = -1;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (sock < 0 || connect(sock, (struct sockaddr *)&address, sizeof(address)))
		return fail(path);
	if (recvmsg(sock, &message, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&message))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	close(sock);
	return fd < 0 ? fail("no file") : fd;
}

static int command(int file, __u32 cmd, __u32 value, __u64 *id)
{
	struct vhost_goldfish_sync_command arg = { .cmd = cmd, .value = value, .id = *id };

	if (ioctl(file, VHOST_GOLDFISH_SYNC_COMMAND, &arg))
		return fail("COMMAND");
	*id = arg.id;
	return 0;
}

/* Returns 1 for an event of another kind than a wait, 0 if the device has ended. */
static int next(int file, int hold, struct vhost_goldfish_sync_event *event)
{
	ssize_t got;

	for (;;) {
		got = read(file, event, sizeof(*event));
		if (got != sizeof(*event))
			return got ? fail("read") : 0;
		if (event->type != VHOST_GOLDFISH_SYNC_EVENT_WAIT)
			return 1;
		if (hold) {
			printf("sync_renderer: wait %llu\n", event->id);
			fflush(stdout);
		} else if (command(file, GOLDFISH_SYNC_CMD_TIMELINE_INC, 1, &event->id)) {
			return -1;
		}
	}
}

static int expect(int file, __u32 type, __u64 id)
{
	struct vhost_goldfish_sync_event event;

	if (next(file, 0, &event) != 1 || event.type != type || event.id != id ||
	    event.result < 0)
		return fail("another event");
	return 0;
}

static int make(int file, unsigned int n)
{
	__u64 timeline = 0, fence;
	unsigned int i;

	if (command(file, GOLDFISH_SYNC_CMD_CREATE_TIMELINE, 0, &timeline) ||
	    expect(file, VHOST_GOLDFISH_SYNC_EVENT_TIMELINE, timeline))
		return -1;
	for (i = 1; i <= n; i++) {
		fence = timeline;
		if (command(file, GOLDFISH_SYNC_CMD_CREATE_FENCE, i, &fence) ||
		    expect(file, VHOST_GOLDFISH_SYNC_EVENT_FENCE, fence) ||
		    command(file, GOLDFISH_SYNC_CMD_TIMELINE_INC, 1, &fence))
			return -1;
	}
	if (command(file, GOLDFISH_SYNC_CMD_DESTROY_TIMELINE, 0, &timeline))
		return -1;
	printf("sync_renderer: made %u\n", n);
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	struct vhost_goldfish_sync_event event;
	int file, ret, hold;

	if (argc < 3)
		return 2;
	hold = !strcmp(argv[2], "hold");
	file = file_of(argv[1]);
	if (file < 0)
		return 1;
	printf("sync_renderer: ready\n");
	fflush(stdout);
	if (argc > 3 && make(file, strtoul(argv[3], NULL, 0)))
		return 1;
	do {
		ret = next(file, hold, &event);
	} while (ret > 0);
	return ret < 0;
}
