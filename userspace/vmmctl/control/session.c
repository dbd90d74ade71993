// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens and closes what a run of a VM needs of the host, in the order in which the parts
 * need one another, and enters the sandbox.
 */
#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "backends/vhost_user_gpu.h"
#include "control/confine.h"
#include "control/session.h"
#include "host/display.h"
#include "host/ending.h"
#include "host/file_thread.h"
#include "host/log_thread.h"
#include "host/vsock.h"
#include "machine/limits.h"

/*
 * Keeps the C library from opening files later, which the sandbox would refuse: it counts
 * CPUs before it creates a second arena for malloc(), and reads the time zone again.
 */
static void library_files(void)
{
	mallopt(M_ARENA_MAX, 1);
	setenv("TZ", "UTC0", 1);
	tzset();
}

/* Runs in a vCPU's thread, inside the write that completed the line. */
static void session_line(void *arg, const char *line)
{
	struct vmm_session *s = arg;

	vmm_stats_snapshot(s->steering.stats, &s->vm, line);
}

static void session_adb(void *arg)
{
	struct vmm_session *s = arg;

	vmm_steering_booted(&s->steering, "adb");
}

static int session_vsock(struct vmm_session *s)
{
	if (s->cfg->vsock != VMM_VSOCK_ADB)
		return 0;
	s->host.vsock = vmm_vsock_host_open(s->cfg, s->devices);
	if (!s->host.vsock)
		return -EIO;
	vmm_vsock_host_on_adb(s->host.vsock, session_adb, s);
	return 0;
}

static int session_pipe_adb(struct vmm_session *s)
{
	if (s->cfg->adb_transport != VMM_ADB_BY_PIPE)
		return 0;
	s->host.pipe_adb = vmm_pipe_adb_open(s->cfg, s->devices);
	return s->host.pipe_adb ? 0 : -EIO;
}

static int session_display(struct vmm_session *s)
{
	s->host.display = vmm_display_open(s->cfg->screen_width, s->cfg->screen_height);
	if (!s->host.display)
		return -EIO;
	return vmm_screen_socket_open(s->cfg, s->devices, s->host.display, &s->screen);
}

static int session_guest(struct vmm_session *s)
{
	int err = vmm_steering_guest(&s->steering);

	s->host.guest = s->steering.guest;
	return err;
}

/* Returns the port of a listening socket, 0 if there is none. */
static unsigned int port_of(int fd)
{
	struct sockaddr_in addr = { 0 };
	socklen_t len = sizeof(addr);

	if (fd < 0 || getsockname(fd, (struct sockaddr *)&addr, &len))
		return 0;
	return ntohs(addr.sin_port);
}

/* If adb has a pair of ports, the console has the first of them. */
static int session_emulator(struct vmm_session *s)
{
	int fd = -1;
	int err;

	if (s->host.vsock)
		fd = vmm_vsock_host_console(s->host.vsock);
	if (s->host.pipe_adb && fd < 0)
		fd = vmm_pipe_adb_console(s->host.pipe_adb);
	err = vmm_emulator_port_open(&s->emulator, s->cfg, s->loop, fd, s->steering.instance);
	if (!err)
		s->steering.console_port = port_of(fd >= 0 ? fd : s->emulator.own_fd);
	return err;
}

/* A guest from a snapshot is ready when adb has found it again. */
static int session_ready(struct vmm_session *s)
{
	const struct vmm_adb *adb = NULL;

	if (!s->cfg->snapshot)
		return 0;
	if (s->host.vsock)
		adb = vmm_vsock_host_ports(s->host.vsock);
	if (s->host.pipe_adb && !adb)
		adb = vmm_pipe_adb_ports(s->host.pipe_adb);
	return adb ? vmm_steering_wait_for_adb(&s->steering, adb) : 0;
}

static int session_console(struct vmm_session *s)
{
	if (!s->cfg->console)
		return 0;
	s->host.console = vmm_console_open(s->loop, STDIN_FILENO, STDOUT_FILENO);
	if (!s->host.console)
		return -EIO;
	s->steering.console = s->host.console;
	if (s->cfg->stats_at)
		vmm_console_watch(s->host.console, s->cfg->stats_at, session_line, s);
	return 0;
}

static int session_open_host(struct vmm_session *s)
{
	int err = vmm_images_lock(&s->images, s->cfg);

	if (!err)
		err = vmm_boot_open(&s->boot, s->cfg);
	if (!err)
		err = vmm_probe_window(s->cfg, &s->read_window);
	if (!err)
		err = session_vsock(s);
	if (!err)
		err = session_pipe_adb(s);
	if (!err)
		err = session_display(s);
	if (!err)
		err = session_guest(s);
	if (!err)
		err = vmm_steering_directories(&s->steering);
	if (!err)
		err = session_emulator(s);
	if (!err)
		err = session_ready(s);
	return err ? err : session_console(s);
}

/**
 * vmm_session_open - open what a run needs, before the VM is created
 * @s: VMM_SESSION_NONE with @cfg; vmm_session_close() closes it, also after an error
 *
 * Return: 0, or -errno after a message
 */
int vmm_session_open(struct vmm_session *s)
{
	int err;

	vmm_sandbox_limits();
	vmm_limits_raise();
	library_files();
	s->loop = vmm_loop_create();
	if (s->loop)
		s->devices = vmm_loop_create_inner(s->loop);
	if (!s->devices)
		return -ENOMEM;
	err = vmm_session_signals(s);
	if (err)
		return err;
	err = vmm_log_thread_open(STDERR_FILENO);
	if (err)
		return err;
	s->steering.cfg = s->cfg;
	s->steering.loop = s->loop;
	s->steering.devices = s->devices;
	s->steering.hold.images = &s->images;
	s->steering.stats = vmm_stats_open(s->cfg);
	if (!s->steering.stats)
		return -EIO;
	err = vmm_steering_open(&s->steering);
	return err ? err : session_open_host(s);
}

/**
 * vmm_session_close - close what vmm_session_open() has opened
 * @s: opened, or in part
 */
void vmm_session_close(struct vmm_session *s)
{
	vmm_pipe_adb_close(s->host.pipe_adb);
	vmm_vsock_host_close(s->host.vsock);
	vmm_console_close(s->host.console);
	vmm_screen_socket_close(s->screen);
	vmm_display_close(s->host.display);
	vmm_steering_close(&s->steering);
	vmm_emulator_port_close(&s->emulator);
	vmm_stats_close(s->steering.stats);
	vmm_boot_close(&s->boot);
	vmm_images_unlock(&s->images);
	vmm_ending_close(s->loop);
	if (s->signal_fd >= 0)
		close(s->signal_fd);
	if (s->cont_fd >= 0)
		close(s->cont_fd);
	vmm_log_thread_close();
	vmm_loop_destroy(s->devices);
	vmm_loop_destroy(s->loop);
}

/**
 * vmm_session_confine - enter the sandbox, if the command line asks for it
 * @s: opened; a second call does nothing
 *
 * Return: 0, or -errno after a message
 */
int vmm_session_confine(struct vmm_session *s)
{
	int err = 0;

	if (s->cfg->sandbox && !s->confined) {
		err = vmm_confine(s->cfg);
		vmm_stats_keep(s->steering.stats);
	}
	s->confined = true;
	if (!err)
		vmm_file_threads_begin();
	return err;
}
