// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of kernel devices for other programs: a program that connects to the socket gets a new
 * file of the device, and uses it without vmmctl. The file's last close undoes what the program
 * has done, so a program may end and be started again while the guest runs.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/host.h"
#include "host/unix.h"
#include "host/vsock.h"

/**
 * struct vmm_file_socket - the socket
 * @listener: the listening socket
 * @offer: the file that clients get
 */
struct vmm_file_socket {
	struct vmm_vsock_listener listener;
	struct vmm_file_offer offer;
};

static void socket_accepted(void *arg, struct vmm_vsock_listener *listener __attribute__((unused)),
			    int sock)
{
	struct vmm_file_socket *socket = arg;
	int file;

	if (sock < 0)
		return;
	file = ioctl(socket->offer.device_fd, socket->offer.request, 0);
	if (file < 0) {
		vmm_error(errno, "%s has no %s for another process", socket->offer.node,
			  socket->offer.what);
	} else {
		/* No error if the client has gone meanwhile. */
		vmm_unix_send_files(sock, "s", 1, &file, 1, MSG_DONTWAIT);
		close(file);
	}
	close(sock);
}

/**
 * vmm_file_socket_open - give programs files of a kernel device
 * @path: of the socket; NULL for none
 * @loop: the main thread's loop
 * @offer: which files; copied
 * @socket: filled; NULL if @path is
 *
 * Return: 0, or -errno
 */
int vmm_file_socket_open(const char *path, struct vmm_loop *loop,
			 const struct vmm_file_offer *offer, struct vmm_file_socket **socket)
{
	struct vmm_file_socket *new;
	int err;

	*socket = NULL;
	if (!path)
		return 0;
	new = calloc(1, sizeof(*new));
	if (!new)
		return vmm_error(ENOMEM, "the socket %s", path);
	new->listener.loop = loop;
	new->listener.accepted = socket_accepted;
	new->listener.arg = new;
	new->listener.fd = -1;
	new->offer = *offer;
	err = vmm_vsock_listener_unix(&new->listener, path);
	if (err) {
		vmm_file_socket_close(new);
		return err;
	}
	vmm_vsock_listen(&new->listener, true);
	*socket = new;
	return 0;
}

/**
 * vmm_file_socket_close - close the socket
 * @socket: may be NULL
 */
void vmm_file_socket_close(struct vmm_file_socket *socket)
{
	if (!socket)
		return;
	vmm_vsock_listener_close(&socket->listener);
	free(socket);
}
