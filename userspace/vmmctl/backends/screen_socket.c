// SPDX-License-Identifier: GPL-2.0-only
/*
 * A socket for a program that draws for the guest without a virtio GPU. The program supplies the
 * screen's content by the protocol of a GPU's display socket. One program at a time can draw.
 * When it ends, its last frame stays on the screen until the next program connects.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "backends/vhost_user_gpu.h"
#include "host/host.h"
#include "host/vsock.h"

/**
 * struct vmm_screen_socket - the socket
 * @listener: the listening socket
 * @gpu: the connection of the drawing program, and its screen
 * @refused: a second program was refused, and a message was written
 */
struct vmm_screen_socket {
	struct vmm_vsock_listener listener;
	struct vmm_gpu_socket *gpu;
	bool refused;
};

static void screen_accepted(void *arg, struct vmm_vsock_listener *listener, int sock)
{
	struct vmm_screen_socket *socket = arg;

	if (sock < 0)
		return;
	if (vmm_gpu_socket_free(socket->gpu)) {
		socket->refused = false;
		if (vmm_gpu_socket_take(socket->gpu, sock))
			close(sock);
		return;
	}
	/* One message for each drawing program, however often others connect. */
	if (!socket->refused)
		vmm_note("%s: a program draws already: another one is refused", listener->path);
	socket->refused = true;
	close(sock);
}

/**
 * vmm_screen_socket_open - let a program draw on the screen
 * @cfg: the command line, which has the path
 * @loop: the main thread's loop
 * @display: the screen
 * @socket: filled; NULL if the command line has no path
 *
 * Return: 0, or -errno after a message
 */
int vmm_screen_socket_open(const struct vmm_config *cfg, struct vmm_loop *loop,
			   struct vmm_display *display, struct vmm_screen_socket **socket)
{
	const struct vmm_gpu_host host = {
		.loop = loop, .display = display, .width = cfg->screen_width,
		.height = cfg->screen_height, .node = cfg->screen_socket, .alone = true,
	};
	struct vmm_screen_socket *new;
	int err;

	*socket = NULL;
	if (!cfg->screen_socket)
		return 0;
	new = calloc(1, sizeof(*new));
	if (new)
		new->gpu = vmm_gpu_socket_create(&host);
	if (!new || !new->gpu) {
		free(new);
		return vmm_error(ENOMEM, "the socket %s", cfg->screen_socket);
	}
	new->listener = (struct vmm_vsock_listener){
		.loop = loop, .accepted = screen_accepted, .arg = new, .fd = -1,
	};
	err = vmm_vsock_listener_unix(&new->listener, cfg->screen_socket);
	if (err) {
		vmm_screen_socket_close(new);
		return err;
	}
	vmm_vsock_listen(&new->listener, true);
	*socket = new;
	return 0;
}

/**
 * vmm_screen_socket_close - close the socket and the connection
 * @socket: may be NULL
 */
void vmm_screen_socket_close(struct vmm_screen_socket *socket)
{
	if (!socket)
		return;
	vmm_vsock_listener_close(&socket->listener);
	vmm_gpu_socket_destroy(socket->gpu);
	free(socket);
}
