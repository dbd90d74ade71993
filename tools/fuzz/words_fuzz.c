// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: who may connect to vmmctl for a guest's streams, and what they say:
 * clients of adb by vsock and by the pipe, programs that ask for a port, guests that
 * answer, refuse, lie or say wrong words. When all are gone, nobody waits any more.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/vsock.h"
#include "machine/machine.h"
#include "fuzz.h"

#define SIDES	12	/* sockets whose other end is vmmctl's */
#define CALLS	32
#define TAKEN	16	/* sockets that the device was given */

static struct {
	char dir[32];
	char uds[64];
	char adb[64];
	char pipe_adb[64];
	struct vmm_config cfg;
	struct vmm_config pipe_cfg;
	struct vmm_loop *loop;
	struct vmm_vsock_host *host;
	struct vmm_pipe_adb *pipe;
	int tick_fd;
	int side[SIDES];
	unsigned int sides;
	/* The device. */
	int err;
	int event_fd;
	bool event_waits;
	struct vhost_vsock_adb_event event;
	struct vhost_vsock_adb_connect call[CALLS];
	unsigned int calls;
	int taken[TAKEN];
	unsigned int takes;
} fuzz;

static int device_connect(void *arg, struct vhost_vsock_adb_connect *connect)
{
	if (fuzz.err)
		return fuzz.err;
	connect->host_port = 50000 + fuzz.calls;
	fuzz.call[fuzz.calls++ % CALLS] = *connect;
	return 0;
}

static int device_attach(void *arg, const struct vhost_vsock_adb_attach *attach)
{
	if (fuzz.err)
		return fuzz.err;
	if (attach->fd >= 0 && fuzz.takes < TAKEN)
		fuzz.taken[fuzz.takes++] = dup(attach->fd);
	return 0;
}

static int device_event(void *arg, struct vhost_vsock_adb_event *event)
{
	vmm_event_clear(fuzz.event_fd);
	if (!fuzz.event_waits)
		return 0;
	fuzz.event_waits = false;
	*event = fuzz.event;
	return 1;
}

static const struct vmm_vsock_device device = {
	.connect = device_connect, .attach = device_attach, .event = device_event,
};

static int tick(void *arg)
{
	vmm_event_clear(fuzz.tick_fd);
	return 1;
}

/* The tick is served last, because it comes last. */
static void serve(void)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		vmm_event_signal(fuzz.tick_fd);
		MUST(!vmm_loop_add(fuzz.loop, fuzz.tick_fd, tick, NULL));
		MUST(vmm_loop_run(fuzz.loop) == 1);
		vmm_loop_del(fuzz.loop, fuzz.tick_fd);
	}
}

static void clean_up(void)
{
	unlink(fuzz.uds);
	unlink(fuzz.adb);
	unlink(fuzz.pipe_adb);
	rmdir(fuzz.dir);
}

static void set_up(void)
{
	snprintf(fuzz.dir, sizeof(fuzz.dir), "/tmp/vmmctl-fuzz-XXXXXX");
	MUST(mkdtemp(fuzz.dir));
	atexit(clean_up);
	snprintf(fuzz.uds, sizeof(fuzz.uds), "%s/u", fuzz.dir);
	snprintf(fuzz.adb, sizeof(fuzz.adb), "%s/a", fuzz.dir);
	snprintf(fuzz.pipe_adb, sizeof(fuzz.pipe_adb), "%s/p", fuzz.dir);
	fuzz.cfg = (struct vmm_config){
		.vsock = VMM_VSOCK_ADB, .adb = VMM_ADB_OFF,
		.vsock_uds = fuzz.uds, .adb_socket = fuzz.adb,
	};
	fuzz.pipe_cfg = (struct vmm_config){
		.adb = VMM_ADB_OFF, .adb_transport = VMM_ADB_BY_PIPE,
		.adb_socket = fuzz.pipe_adb,
	};
	fuzz.loop = vmm_loop_create();
	fuzz.event_fd = vmm_event_create();
	fuzz.tick_fd = vmm_event_create();
	fuzz.host = vmm_vsock_host_open(&fuzz.cfg, fuzz.loop);
	fuzz.pipe = vmm_pipe_adb_open(&fuzz.pipe_cfg, fuzz.loop);
	MUST(fuzz.host && fuzz.pipe);
}

static void side_add(int fd)
{
	if (fd >= 0)
		fuzz.side[fuzz.sides++] = fd;
}

static int dial(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	close(fd);
	return -1;
}

static void side_new(struct input *in)
{
	unsigned int what = take(in, 1) & 3;

	if (fuzz.sides == SIDES)
		return;
	if (what == 3)
		side_add(vmm_pipe_adb_connect(fuzz.pipe));
	else
		side_add(dial(what == 0 ? fuzz.uds : what == 1 ? fuzz.adb : fuzz.pipe_adb));
}

static void side_send(struct input *in)
{
	static const char *const words[] = {
		"CONNECT 5555\n", "CONNECT ", "12\n", "accept", "start", "acc", "ept", "\n",
	};
	unsigned int how = take(in, 1);
	char bytes[32];
	unsigned int i;
	int fd;

	if (!fuzz.sides)
		return;
	fd = fuzz.side[how % fuzz.sides];
	how = take(in, 1);
	if (how < 0xc0) {
		const char *word = words[how % ARRAY_SIZE(words)];

		send(fd, word, strlen(word), MSG_NOSIGNAL | MSG_DONTWAIT);
		return;
	}
	for (i = 0; i < (how & 0x1f); i++)
		bytes[i] = take(in, 1);
	send(fd, bytes, i, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void side_close(unsigned int i)
{
	close(fuzz.side[i]);
	fuzz.side[i] = fuzz.side[--fuzz.sides];
}

static void side_leave(struct input *in)
{
	unsigned int how = take(in, 1);
	char bytes[256];

	if (!fuzz.sides)
		return;
	if (how & 0x80)
		side_close(how % fuzz.sides);
	else if (how & 0x40)
		shutdown(fuzz.side[how % fuzz.sides], how & 0x20 ? SHUT_WR : SHUT_RD);
	else
		recv(fuzz.side[how % fuzz.sides], bytes, sizeof(bytes), MSG_DONTWAIT);
}

/* What the device says of a connection, or of one that there never was. */
static void device_says(struct input *in)
{
	const struct vhost_vsock_adb_connect *call = &fuzz.call[take(in, 1) % CALLS];

	fuzz.event = (struct vhost_vsock_adb_event){
		.type = take(in, 1) & 7,
		.guest_port = call->guest_port,
		.host_port = call->host_port,
		.cookie = call->cookie,
	};
	if (take(in, 1) > 0xf0) {
		fuzz.event.guest_port = take(in, 2);
		fuzz.event.cookie ^= take(in, 2);
	}
	fuzz.event_waits = true;
	vmm_event_signal(fuzz.event_fd);
}

static void act(struct input *in)
{
	unsigned int what = take(in, 1) & 15;

	if (what < 3)
		side_new(in);
	else if (what < 8)
		side_send(in);
	else if (what < 10)
		side_leave(in);
	else if (what < 13)
		device_says(in);
	else if (what == 13)
		vmm_vsock_host_running(fuzz.host);
	else if (what == 14)
		fuzz.err = take(in, 1) & 1 ? -ENOBUFS : 0;
	serve();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	if (!fuzz.loop)
		set_up();
	fuzz.err = 0;
	fuzz.event_waits = false;
	MUST(!vmm_vsock_host_attach(fuzz.host, &device, NULL, fuzz.event_fd));
	while (in.left)
		act(&in);
	while (fuzz.sides)
		side_close(fuzz.sides - 1);
	while (fuzz.takes)
		close(fuzz.taken[--fuzz.takes]);
	serve();
	vmm_vsock_host_detach(fuzz.host);
	serve();
	MUST(!vmm_vsock_host_waiting(fuzz.host));
	return 0;
}
