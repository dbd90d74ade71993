// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that cannot be saved: each is refused, with its name in the message.
 */
#include <errno.h>
#include <string.h>

#include "devices/devices.h"
#include "tests/tap.h"

static char message[400];

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
	static const struct vmm_virtio_ops *const others[] = {
		&vmm_net_ops, &vmm_scsi_ops, &vmm_vhost_user_ops, &vmm_vdpa_ops,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(others); i++) {
		struct vmm_virtio v = { .ops = others[i], .name = others[i]->name };
		int err;

		pthread_mutex_init(&v.lock, NULL);
		tap_context("%s", v.name);
		tap_listen();
		err = save_device(&v);
		tap_heard(message, sizeof(message));
		tap_equal(err, -EOPNOTSUPP);
		tap_check(strstr(message, "cannot be saved") && strstr(message, v.name));
		pthread_mutex_destroy(&v.lock);
	}
}

/* A hostile snapshot with a state of a device that has none. */
static void devices_of_others_are_not_loaded(void)
{
	struct vmm_virtio v = { .ops = &vmm_net_ops, .name = vmm_net_ops.name };
	struct vmm_state state;
	int err;

	pthread_mutex_init(&v.lock, NULL);
	tap_equal(vmm_state_begin(&state, "test", 1), 0);
	tap_listen();
	err = vmm_virtio_load(&v, &state, 1);
	tap_heard(message, sizeof(message));
	tap_equal(err, -EOPNOTSUPP);
	tap_check(strstr(message, "cannot be loaded"));
	vmm_state_free(&state);
	pthread_mutex_destroy(&v.lock);
}

static const struct tap_case cases[] = {
	{ "they are not loaded", devices_of_others_are_not_loaded },
	{ "devices of others are refused by their names", devices_of_others_are_refused },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
