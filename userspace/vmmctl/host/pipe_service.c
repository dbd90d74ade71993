// SPDX-License-Identifier: GPL-2.0-only
/*
 * Services of the goldfish pipe that other programs provide: when the guest opens a pipe by a
 * name on the command line, vmmctl connects to the Unix socket of that name and passes the
 * connection to the kernel. After that, vmmctl does not see the pipe's data. adb's pipes are
 * handled by pipe_adb.c.
 *
 * If a service does not accept at once, the guest's pipe is closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/vhost_goldfish_pipe.h>

#include "host/host.h"
#include "host/unix.h"
#include "host/vsock.h"

#define SERVICE_EVENTS	64	/* handled in a row */
#define SERVICE_ADB	"qemud:adb"

/**
 * struct vmm_pipe_services - the services of one guest
 * @cfg: the command line
 * @loop: the main thread's loop
 * @adb: the host's side of adb by pipe, or NULL
 * @fd: the kernel's file of services
 * @missed: services, by their index on the command line, that did not answer, and for which a
 *	message was written
 */
struct vmm_pipe_services {
	const struct vmm_config *cfg;
	struct vmm_loop *loop;
	struct vmm_pipe_adb *adb;
	int fd;
	bool missed[VMM_PIPE_SERVICES];
};

static const struct vmm_pipe_service *service_find(const struct vmm_config *cfg, const char *name)
{
	const struct vmm_pipe_service *service;

	for (service = cfg->services; service < cfg->services + cfg->n_services; service++) {
		if (service->name_len == strlen(name) &&
		    !memcmp(service->name, name, service->name_len))
			return service;
	}
	return NULL;
}

/* Writes one message for each service: the guest may open it any number of times. */
static void service_missed(struct vmm_pipe_services *services,
			   const struct vmm_pipe_service *service, int err)
{
	bool *missed = &services->missed[service - services->cfg->services];

	if (!*missed)
		vmm_note("the guest's pipe:%.*s is refused: %s does not accept (%s)",
			 (int)service->name_len, service->name, service->path, strerror(err));
	*missed = true;
}

static int service_connect(struct vmm_pipe_services *services,
			   const struct vhost_goldfish_pipe_event *event)
{
	const struct vmm_pipe_service *service = service_find(services->cfg, event->name);
	int fd;

	if (services->adb && !strcmp(event->name, SERVICE_ADB))
		return vmm_pipe_adb_connect(services->adb);
	if (!service)
		return -ENOENT;
	fd = vmm_unix_dial(service->path);
	if (fd < 0)
		service_missed(services, service, -fd);
	return fd;
}

/* Answers an open; ENOENT: the guest has closed the pipe meanwhile. */
static void service_answer(struct vmm_pipe_services *services,
			   const struct vhost_goldfish_pipe_event *event)
{
	struct vhost_goldfish_pipe_answer answer = { .open = event->open, .fd = -1 };
	int fd = service_connect(services, event);

	if (fd >= 0)
		answer.fd = fd;
	if (ioctl(services->fd, VHOST_GOLDFISH_PIPE_ANSWER, &answer) && errno != ENOENT)
		vmm_error(errno, "%s refuses a service's socket", VMM_PIPE_NODE);
	if (fd >= 0)
		close(fd);
}

static int services_readable(void *arg)
{
	struct vmm_pipe_services *services = arg;
	struct vhost_goldfish_pipe_event event;
	unsigned int i;
	ssize_t n;

	for (i = 0; i < SERVICE_EVENTS; i++) {
		n = read(services->fd, &event, sizeof(event));
		if (n == sizeof(event)) {
			service_answer(services, &event);
			continue;
		}
		if (n >= 0 || (errno != EAGAIN && errno != EINTR)) {
			vmm_error(n < 0 ? errno : ENODEV, "cannot read events of the pipe");
			vmm_loop_del(services->loop, services->fd);
		}
		break;
	}
	return 0;
}

static int services_add(int fd, const char *name, size_t len)
{
	struct vhost_goldfish_pipe_service arg = { 0 };

	memcpy(arg.name, name, len);
	if (!ioctl(fd, VHOST_GOLDFISH_PIPE_ADD_SERVICE, &arg))
		return 0;
	if (errno == EEXIST)
		return -EEXIST;
	return vmm_error(errno, "%s refuses the service %s", VMM_PIPE_NODE, arg.name);
}

static int services_add_ours(int fd, const char *name, size_t len)
{
	int err = services_add(fd, name, len);

	return err == -EEXIST ? vmm_error(-EEXIST, "--pipe-service: there is a service %.*s",
					  (int)len, name) : err;
}

/* Creates a non-blocking file of services. */
static int services_file(int device_fd)
{
	int fd = ioctl(device_fd, VHOST_GOLDFISH_PIPE_SERVICES, 0);

	if (fd < 0)
		return vmm_error(errno, "%s has no services of other processes", VMM_PIPE_NODE);
	if (!fcntl(fd, F_SETFL, O_NONBLOCK))
		return fd;
	vmm_error(errno, "services of the pipe");
	close(fd);
	return -EIO;
}

static int services_open(struct vmm_pipe_services *services, int device_fd)
{
	unsigned int i;
	int err = 0;

	services->fd = services_file(device_fd);
	if (services->fd < 0)
		return services->fd;
	if (services->adb)
		err = services_add_ours(services->fd, SERVICE_ADB, strlen(SERVICE_ADB));
	for (i = 0; i < services->cfg->n_services && !err; i++)
		err = services_add_ours(services->fd, services->cfg->services[i].name,
					services->cfg->services[i].name_len);
	return err ? err : vmm_loop_add(services->loop, services->fd, services_readable, services);
}

/**
 * vmm_pipe_services_open - offer the services of the command line
 * @vm: has no board yet
 * @device_fd: the kernel device, owned by the caller
 * @services: filled; NULL if the command line has none
 *
 * Return: 0, or -errno
 */
int vmm_pipe_services_open(const struct vmm_vm *vm, int device_fd,
			   struct vmm_pipe_services **services)
{
	int err;

	*services = NULL;
	if (!vm->cfg->n_services && !vm->host.pipe_adb)
		return 0;
	*services = calloc(1, sizeof(**services));
	if (!*services)
		return vmm_error(ENOMEM, "services of the pipe");
	(*services)->cfg = vm->cfg;
	(*services)->loop = vm->loop;
	(*services)->adb = vm->host.pipe_adb;
	err = services_open(*services, device_fd);
	if (err) {
		vmm_pipe_services_close(*services);
		*services = NULL;
	}
	return err;
}

/**
 * vmm_pipe_services_close - remove all services, and close their pipes
 * @services: may be NULL
 */
void vmm_pipe_services_close(struct vmm_pipe_services *services)
{
	if (!services)
		return;
	if (services->fd >= 0) {
		vmm_loop_del(services->loop, services->fd);
		close(services->fd);
	}
	free(services);
}

/**
 * vmm_pipe_guest_services - create a file of services with the names of the guest services
 * @device_fd: the kernel's device
 *
 * Names that are used already, for example by --pipe-service, are left out.
 *
 * Return: the file, which does not block, or -errno after a message
 */
int vmm_pipe_guest_services(int device_fd)
{
	static const char *const names[] = {
		"QemuMiscPipe", "qemud", "logcat", "clipboard", "multidisplay",
		"FakeRotatingCameraSensor",
	};
	int fd = services_file(device_fd);
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(names) && fd >= 0 && !err; i++) {
		err = services_add(fd, names[i], strlen(names[i]));
		if (err == -EEXIST)
			err = 0;
	}
	if (!err)
		return fd;
	close(fd);
	return err;
}
