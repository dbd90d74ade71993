/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * host/ owns the connections to the host: the terminal, sockets, device nodes, adb, and the
 * check of what this host can do. No other room knows a path.
 */
#ifndef HOST_H
#define HOST_H

#include "host/log.h"
#include "machine/config.h"

struct vmm_console;
struct vmm_display;
struct vmm_guest;
struct vmm_loop;
struct vmm_pipe_adb;
struct vmm_vm;
struct vmm_vsock_host;

/**
 * struct vmm_host - what devices are connected to on the host; outlives each life of
 *	the guest
 * @console: the terminal, or NULL
 * @display: the screen, or NULL
 * @vsock: the host's ends of vsock streams, or NULL
 * @pipe_adb: the host's side of adb by pipe, or NULL
 * @guest: the guest services, or NULL
 */
struct vmm_host {
	struct vmm_console *console;
	struct vmm_display *display;
	struct vmm_vsock_host *vsock;
	struct vmm_pipe_adb *pipe_adb;
	struct vmm_guest *guest;
};

/* Device nodes of the kernel. */
#define VMM_PIPE_NODE		"/dev/vhost-goldfish-pipe"
#define VMM_SYNC_NODE		"/dev/vhost-goldfish-sync"
#define VMM_BLK_NODE		"/dev/vhost-ranchu-blk"
#define VMM_NET_NODE		"/dev/vhost-net"
#define VMM_SCSI_NODE		"/dev/vhost-scsi"
#define VMM_SCSI_TARGETS	"/sys/kernel/config/target/vhost"
#define VMM_VSOCK_ADB_NODE	"/dev/vhost-vsock-adb"
#define VMM_VSOCK_LINUX_NODE	"/dev/vhost-vsock"

/* ---- console.c: the terminal behind the board's UART ---- */

#define VMM_CONSOLE_LINE	256	/* bytes of a line that are compared */

/**
 * struct vmm_console_guest - the device that accepts input
 * @take: accepts up to @len bytes, returns how many; main thread
 */
struct vmm_console_guest {
	size_t (*take)(void *arg, const u8 *bytes, size_t len);
};

struct vmm_console *vmm_console_open(struct vmm_loop *loop, int in, int out);
void vmm_console_close(struct vmm_console *con);
void vmm_console_leave(struct vmm_console *con);
void vmm_console_attach(struct vmm_console *con, const struct vmm_console_guest *guest, void *arg);
void vmm_console_watch(struct vmm_console *con, const char *prefix,
		       void (*fn)(void *arg, const char *line), void *arg);
void vmm_console_put(struct vmm_console *con, u8 byte);
void vmm_console_ready(struct vmm_console *con);
void vmm_console_flush(struct vmm_console *con);
void vmm_console_foreground(struct vmm_console *con);
u64 vmm_console_dropped(struct vmm_console *con);

/* ---- doctor.c: what this host can do ---- */

int vmm_doctor(const struct vmm_config *cfg);

/* ---- doctor_run.c: what a run needs ---- */

unsigned int vmm_doctor_run(const struct vmm_config *cfg);

/* ---- pipe_service.c: services of the pipe that other programs provide ---- */

struct vmm_pipe_services;

int vmm_pipe_services_open(const struct vmm_vm *vm, int device_fd,
			   struct vmm_pipe_services **services);
void vmm_pipe_services_close(struct vmm_pipe_services *services);
int vmm_pipe_guest_services(int device_fd);

/* ---- file_socket.c: files of kernel devices for programs that connect to a socket ---- */

struct vmm_file_socket;

/**
 * struct vmm_file_offer - a file that a kernel device creates for another process
 * @device_fd: the device's file, owned by the caller
 * @request: the ioctl that returns a new file
 * @node: the device's name, for messages
 * @what: the file's name, for messages
 */
struct vmm_file_offer {
	int device_fd;
	unsigned long request;
	const char *node;
	const char *what;
};

int vmm_file_socket_open(const char *path, struct vmm_loop *loop,
			 const struct vmm_file_offer *offer, struct vmm_file_socket **socket);
void vmm_file_socket_close(struct vmm_file_socket *socket);

#endif /* HOST_H */
