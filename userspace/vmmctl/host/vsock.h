/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host's ends of the guest's vsock streams: who may connect, and the requests to the kernel's
 * device for that (vsock_streams.c), listening sockets (listener.c), clients' requests
 * (unix_socket.c), and what adb expects of an emulator (adb.c), by vsock or by the goldfish pipe
 * (pipe_adb.c).
 *
 * Everything runs in the main thread's loop and does not block. vmmctl does not see data: a
 * stream's socket is passed to the kernel.
 */
#ifndef VSOCK_H
#define VSOCK_H

#include <linux/vhost_vsock_adb.h>

#include "machine/machine.h"

struct vmm_vsock_host;
struct vmm_adb;

/* Ports of emulators: consoles, each with adb's behind it, up to 5682 and 5683. */
#define VMM_ADB_FIRST_CONSOLE	5554
#define VMM_ADB_PAIRS		65
struct vmm_tcp_owner;

/* ---- vsock_streams.c: clients and their streams ---- */

/**
 * struct vmm_vsock_device - the kernel's device, or a test's
 * @connect: VHOST_VSOCK_ADB_CONNECT; 0 or -errno
 * @attach: VHOST_VSOCK_ADB_ATTACH; 0 or -errno
 * @event: takes an event; 1, 0 if there is none, or -errno
 */
struct vmm_vsock_device {
	int (*connect)(void *arg, struct vhost_vsock_adb_connect *connect);
	int (*attach)(void *arg, const struct vhost_vsock_adb_attach *attach);
	int (*event)(void *arg, struct vhost_vsock_adb_event *event);
};

#define VMM_VSOCK_CLIENTS	32	/* that may wait at once, of each kind */

struct vmm_vsock_host *vmm_vsock_host_open(const struct vmm_config *cfg, struct vmm_loop *loop);
void vmm_vsock_host_close(struct vmm_vsock_host *host);
int vmm_vsock_host_attach(struct vmm_vsock_host *host, const struct vmm_vsock_device *device,
			  void *arg, int fd);
void vmm_vsock_host_detach(struct vmm_vsock_host *host);
void vmm_vsock_host_running(struct vmm_vsock_host *host);
int vmm_vsock_host_console(const struct vmm_vsock_host *host);
const struct vmm_adb *vmm_vsock_host_ports(const struct vmm_vsock_host *host);
void vmm_vsock_host_on_adb(struct vmm_vsock_host *host, void (*fn)(void *arg), void *arg);
unsigned int vmm_vsock_host_waiting(const struct vmm_vsock_host *host);
bool vmm_vsock_host_redirs(const struct vmm_vsock_host *host, unsigned int index);
void vmm_vsock_host_redir_close(struct vmm_vsock_host *host, unsigned int index);

/* ---- redir.c: commands for forwarded ports ---- */

int vmm_redir_command(struct vmm_vsock_host *host, const struct vmm_config *cfg,
		      const char *device, const char *command, const char *value,
		      struct vmm_text *text);

/* ---- listener.c: listening sockets ---- */

/**
 * struct vmm_vsock_listener - a listening socket in the loop
 * @loop: the main thread's loop
 * @accepted: gets a client's socket, or -errno if accepting failed
 * @arg: first argument of @accepted
 * @fd: the listening socket, -1 for none
 * @path: of a Unix socket, which is removed at the end; NULL for TCP, whose @fd
 *	belongs to another object
 * @packets: it is a Unix socket of packets
 * @watched: it is in the loop
 * @paused: accepting failed, for example without descriptors: repeated when the timer expires
 * @timer_fd: timer for @paused, 0 until it is needed
 * @owner: finds the user of a TCP client, or NULL
 * @refused: counts TCP clients of other users that were refused
 */
struct vmm_vsock_listener {
	struct vmm_loop *loop;
	void (*accepted)(void *arg, struct vmm_vsock_listener *listener, int fd);
	void *arg;
	int fd;
	const char *path;
	bool packets;
	bool watched;
	bool paused;
	int timer_fd;
	struct vmm_tcp_owner *owner;
	unsigned int refused;
};

int vmm_vsock_listener_unix(struct vmm_vsock_listener *listener, const char *path);
int vmm_vsock_listener_tcp(struct vmm_vsock_listener *listener, int fd,
			   enum vmm_adb_users users);
void vmm_vsock_listen(struct vmm_vsock_listener *listener, bool on);
void vmm_vsock_listener_close(struct vmm_vsock_listener *listener);

/* ---- unix_socket.c: the line by which a Unix client requests a port ---- */

#define VMM_UNIX_LINE	32	/* bytes of a request, its end included */

/* State of a request that is being read. */
enum vmm_unix_line {
	VMM_UNIX_LINE_PART,	/* incomplete */
	VMM_UNIX_LINE_WHOLE,	/* complete and valid */
	VMM_UNIX_LINE_WRONG,	/* invalid */
};

/**
 * struct vmm_unix_request - a request that is being read
 * @len: bytes in @line
 * @line: the bytes so far
 * @port: the guest's port, when the request is complete
 */
struct vmm_unix_request {
	size_t len;
	char line[VMM_UNIX_LINE];
	u32 port;
};

int vmm_unix_parse(const char *line, size_t len, u32 *port);
enum vmm_unix_line vmm_unix_read(struct vmm_unix_request *request, int fd);
int vmm_unix_connect(const char *path, u32 port);

/* ---- adb.c: an emulator's ports for adb ---- */

#define VMM_ADB_GUEST_PORT	5555	/* where adbd listens */
#define VMM_ADB_SERVER_PORT	5037
#define VMM_ADB_NOTICE		32	/* bytes, more than any notice has */

struct vmm_adb *vmm_adb_open(struct vmm_loop *loop, unsigned int port, bool console);
void vmm_adb_close(struct vmm_adb *adb);
int vmm_adb_fd(const struct vmm_adb *adb);
int vmm_adb_console_fd(const struct vmm_adb *adb);
int vmm_adb_console_fd6(int fd);
int vmm_adb_listen(unsigned int port, const char *option);
unsigned int vmm_adb_port(const struct vmm_adb *adb);
int vmm_adb_dial(const struct vmm_adb *adb);
void vmm_adb_notify(struct vmm_adb *adb);
bool vmm_adb_tick(struct vmm_adb *adb);
size_t vmm_adb_notice(char *text, unsigned int port);
unsigned int vmm_adb_server_port(const char *value);

/* ---- adb_listed.c: waiting until the adb server lists the guest ---- */

struct vmm_adb_listed;

struct vmm_adb_listed *vmm_adb_listed_open(struct vmm_loop *loop, const struct vmm_adb *adb,
					   unsigned int seconds,
					   void (*fn)(void *arg, bool silent), void *arg);
void vmm_adb_listed_ask(struct vmm_adb_listed *listed);
void vmm_adb_listed_close(struct vmm_adb_listed *listed);

/* ---- pipe_adb.c: adb by the goldfish pipe ---- */

int vmm_pipe_adb_console(const struct vmm_pipe_adb *adb);
const struct vmm_adb *vmm_pipe_adb_ports(const struct vmm_pipe_adb *adb);
struct vmm_pipe_adb *vmm_pipe_adb_open(const struct vmm_config *cfg, struct vmm_loop *loop);
void vmm_pipe_adb_close(struct vmm_pipe_adb *a);
int vmm_pipe_adb_connect(struct vmm_pipe_adb *a);

#endif /* VSOCK_H */
