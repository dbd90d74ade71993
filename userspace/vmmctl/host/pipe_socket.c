// SPDX-License-Identifier: GPL-2.0-only
/*
 * Services of the goldfish pipe that come by themselves: who connects to the
 * socket is given a file of services of its own, and the rest is between it and
 * the kernel. The file's last close takes its services away, so a program may
 * end and come again while the guest runs.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/vhost_goldfish_pipe.h>

#include "host/host.h"
#include "host/unix.h"
#include "host/vsock.h"

/**
 * struct vmm_pipe_socket - the socket
 * @listener: it
 * @device_fd: the kernel's device
 */
struct vmm_pipe_socket {
	struct vmm_vsock_listener listener;
	int device_fd;
};

static void socket_accepted(void *arg, struct vmm_vsock_listener *listener __attribute__((unused)),
			    int sock)
{
	struct vmm_pipe_socket *socket = arg;
	int services;

	if (sock < 0)
		return;
	services = ioctl(socket->device_fd, VHOST_GOLDFISH_PIPE_SERVICES, 0);
	if (services < 0) {
		vmm_error(errno, "%s has no services of other processes", VMM_PIPE_NODE);
	} else {
		/* Who has gone meanwhile needs none. */
		vmm_unix_send_files(sock, "s", 1, &services, 1, MSG_DONTWAIT);
		close(services);
	}
	close(sock);
}

/**
 * vmm_pipe_socket_open - let programs offer services
 * @cfg: the command line
 * @loop: the main thread's loop
 * @device_fd: the kernel's device, owned by us
 * @socket: filled; NULL if the command line names no socket
 *
 * Return: 0, or -errno
 */
int vmm_pipe_socket_open(const struct vmm_config *cfg, struct vmm_loop *loop, int device_fd,
			 struct vmm_pipe_socket **socket)
{
	struct vmm_pipe_socket *new;
	int err;

	*socket = NULL;
	if (!cfg->pipe_socket)
		return 0;
	new = calloc(1, sizeof(*new));
	if (!new)
		return vmm_error(ENOMEM, "services of the pipe");
	new->listener.loop = loop;
	new->listener.accepted = socket_accepted;
	new->listener.arg = new;
	new->listener.fd = -1;
	new->device_fd = device_fd;
	err = vmm_vsock_listener_unix(&new->listener, cfg->pipe_socket);
	if (err) {
		free(new);
		return err;
	}
	vmm_vsock_listen(&new->listener, true);
	*socket = new;
	return 0;
}

/**
 * vmm_pipe_socket_close - listen no more
 * @socket: may be NULL
 */
void vmm_pipe_socket_close(struct vmm_pipe_socket *socket)
{
	if (!socket)
		return;
	vmm_vsock_listener_close(&socket->listener);
	free(socket);
}
