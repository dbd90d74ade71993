// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that cannot be saved: each is refused, with its name in the message. And states that a
 * running VM does not go back to, because they are those of other devices.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/vhost_goldfish_pipe.h>

#include "devices/devices.h"
#include "host/display.h"
#include "tests/tap.h"
#include "virtio/models.h"

static char message[400];

/* ---- the pipe's module: what it answers to GET_STATE ---- */

static int state_errno;

int open(const char *path, int flags, ...)
{
	if (strcmp(path, VMM_PIPE_NODE))
		return syscall(SYS_openat, AT_FDCWD, path, flags, 0);
	return memfd_create(path, MFD_CLOEXEC);
}

int ioctl(int fd, unsigned long request, ...)
{
	(void)fd;
	if (request != VHOST_GOLDFISH_PIPE_GET_STATE)
		return 0;
	errno = state_errno;
	return -1;
}

static void line_set(struct vmm_line *line, bool raised)
{
	(void)line;
	(void)raised;
}

static int line_attach(struct vmm_line *line)
{
	(void)line;
	return 0;
}

static const struct vmm_line_ops line_ops = { .set = line_set, .attach = line_attach };

static struct vmm_device *pipe_of(struct vmm_vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->board.devices; i++) {
		if (!strcmp(vm->board.dev[i].ops->name, "pipe"))
			return &vm->board.dev[i];
	}
	return NULL;
}

/* Returns what saving the pipe returned; what it said is in @message. */
static int save_pipe(int err)
{
	struct vmm_config cfg = {
		.pipe = VMM_PIPE_USER, .sync = VMM_SYNC_NONE, .memory = MIB, .cpus = 1,
		.screen_width = 320, .screen_height = 480, .screen_depth = 32,
	};
	struct vmm_vm vm = {
		.cfg = &cfg, .line_ops = &line_ops, .fd = -1, .end_fd = vmm_event_create(),
	};
	struct vmm_state state = { 0 };
	struct vmm_device *pipe;

	state_errno = err;
	vmm_board_ranchu(&vm.board, &cfg);
	vm.loop = vmm_loop_create();
	vm.host.display = vmm_display_open(cfg.screen_width, cfg.screen_height);
	err = vmm_mem_add(&vm.mem, vm.board.ram[0].base, cfg.memory);
	tap_equal(err, 0);
	err = vmm_board_create(&vm);
	if (!tap_equal(err, 0))
		return err;
	pipe = pipe_of(&vm);
	pipe->ops->pause(pipe);
	tap_listen();
	err = vmm_device_save(pipe, &state);
	tap_heard(message, sizeof(message));
	vmm_state_free(&state);
	pipe->ops->resume(pipe);
	vmm_board_destroy(&vm);
	vmm_display_close(vm.host.display);
	vmm_mem_destroy(&vm.mem);
	vmm_loop_destroy(vm.loop);
	close(vm.end_fd);
	return err;
}

static void pipes_of_an_old_driver_are_refused(void)
{
	tap_equal(save_pipe(EOPNOTSUPP), -EOPNOTSUPP);
	tap_check(strstr(message, "driver uses version 1 of the protocol"));
	tap_equal(save_pipe(EBUSY), -EBUSY);
	tap_check(strstr(message, VMM_PIPE_NODE " does not return its state"));
}

/* ---- virtio devices ---- */

static int save_device(struct vmm_virtio *v)
{
	struct vmm_state state;
	int err = vmm_state_begin(&state, "test", 1);

	if (!err)
		err = vmm_virtio_save(v, &state, 1);
	vmm_state_free(&state);
	return err;
}

static void devices_of_others_are_refused(void)
{
	static const struct {
		const struct vmm_virtio_ops *ops;
		const char *name;
		const char *says;
	} others[] = {
		{ &vmm_scsi_ops, "scsi", "virtio-scsi: this type cannot be saved" },
		{ &vmm_vdpa_ops, "vdpa", "virtio-vdpa: this type cannot be saved" },
		{ &vmm_vhost_user_ops, "gpu",
		  "virtio-gpu, served by vhost-user: this type cannot be saved" },
		{ &vmm_vhost_user_ops, "net",
		  "virtio-net, served by vhost-user: this type cannot be saved" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(others); i++) {
		struct vmm_virtio v = { .ops = others[i].ops, .name = others[i].name };
		int err;

		pthread_mutex_init(&v.lock, NULL);
		tap_context("%s", v.name);
		tap_listen();
		err = save_device(&v);
		tap_heard(message, sizeof(message));
		tap_equal(err, -EOPNOTSUPP);
		tap_check(strstr(message, others[i].says));
		pthread_mutex_destroy(&v.lock);
	}
}

/* A hostile snapshot with a state of a device that has none. */
static void devices_of_others_are_not_loaded(void)
{
	struct vmm_virtio v = { .ops = &vmm_scsi_ops, .name = vmm_scsi_ops.name };
	struct vmm_state state;
	int err;

	pthread_mutex_init(&v.lock, NULL);
	tap_equal(vmm_state_begin(&state, "test", 1), 0);
	tap_listen();
	err = vmm_virtio_load(&v, &state, 1);
	tap_heard(message, sizeof(message));
	tap_equal(err, -EOPNOTSUPP);
	tap_check(strstr(message, "virtio-scsi: this type cannot be loaded"));
	vmm_state_free(&state);
	pthread_mutex_destroy(&v.lock);
}

/* ---- states that are checked before the running guest is ended ---- */

static int some_base(struct vmm_virtio *v, unsigned int queue, u32 *base)
{
	(void)v;
	(void)queue;
	*base = 0;
	return 0;
}

static const struct vmm_virtio_ops some_ops = { .name = "some", .base = some_base };

static void some_init(struct vmm_virtio *v, unsigned int slot)
{
	*v = (struct vmm_virtio){
		.ops = &some_ops, .name = "some", .slot = slot, .id = 4, .offered = 0xff,
		.accepted = 0x3f, .queues = 1, .queue_max = 8,
		.status = VIRTIO_CONFIG_S_FEATURES_OK,
	};
	pthread_mutex_init(&v->lock, NULL);
}

static bool fits(const struct vmm_virtio_set *set, struct vmm_state *state, const char *why)
{
	int err;

	tap_listen();
	err = vmm_virtio_set_fits(set, state);
	tap_heard(message, sizeof(message));
	tap_context("%s", message);
	return tap_equal(!err, !why) && tap_check(!why || strstr(message, why));
}

static void states_of_other_devices_do_not_fit(void)
{
	struct vmm_virtio v[2];
	struct vmm_virtio_set set = { .v = { [1] = &v[0] } };
	struct vmm_state state;

	some_init(&v[0], 1);
	some_init(&v[1], 3);
	tap_equal(vmm_virtio_set_save(&set, "test", &state), 0);
	fits(&set, &state, NULL);
	fits(&set, &state, NULL);
	/* The device is not changed. */
	tap_equal(v[0].accepted, 0x3f);
	v[0].id = 5;
	fits(&set, &state, "kind of device");
	v[0].id = 4;
	v[0].queue_max = 16;
	fits(&set, &state, "queues");
	v[0].queue_max = 8;
	v[0].offered = 0x7f;
	fits(&set, &state, "features");
	v[0].offered = 0xff;
	v[0].ops = &vmm_vhost_user_ops;
	fits(&set, &state, "cannot be loaded");
	v[0].ops = &some_ops;
	set.v[3] = &v[1];
	fits(&set, &state, "no virtio device in slot 3");
	set.v[1] = NULL;
	fits(&set, &state, "in slot 1, and here is none");
	vmm_state_free(&state);
}

/* A driver that has taken what was not offered, fields that are missing, and one too many. */
static void edited_states_do_not_fit(void)
{
	const u32 end = VMM_VIRTIO_PLACES * VMM_VIRTIO_TAGS;
	__le32 slots = htole32(1 << 1);
	struct vmm_virtio v;
	struct vmm_virtio_set set = { .v = { [1] = &v } };
	struct vmm_state state;

	some_init(&v, 1);
	v.accepted = 0x100;
	tap_equal(vmm_virtio_set_save(&set, "test", &state), 0);
	fits(&set, &state, "virtio-some in slot 1 is refused");
	vmm_state_free(&state);

	vmm_state_begin(&state, "test", 1);
	vmm_state_put(&state, end, &slots, sizeof(slots));
	vmm_state_end(&state);
	fits(&set, &state, "state of \"test\" is refused");
	vmm_state_free(&state);

	v.accepted = 0;
	vmm_state_begin(&state, "test", 1);
	vmm_state_put(&state, end, &slots, sizeof(slots));
	tap_equal(vmm_virtio_save(&v, &state, VMM_VIRTIO_TAGS), 0);
	vmm_state_put(&state, 0, &slots, sizeof(slots));
	vmm_state_end(&state);
	fits(&set, &state, "state of \"test\" is refused");
	vmm_state_free(&state);

	vmm_state_begin(&state, "test", 2);
	vmm_state_put(&state, end, &slots, sizeof(slots));
	vmm_state_end(&state);
	fits(&set, &state, "unknown");
	vmm_state_free(&state);
}

static const struct tap_case cases[] = {
	{ "pipes of an old driver are refused", pipes_of_an_old_driver_are_refused },
	{ "they are not loaded", devices_of_others_are_not_loaded },
	{ "states of other devices do not fit", states_of_other_devices_do_not_fit },
	{ "edited states do not fit", edited_states_do_not_fit },
	{ "devices of others are refused by their names", devices_of_others_are_refused },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
