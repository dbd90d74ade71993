// SPDX-License-Identifier: GPL-2.0-only
/*
 * FakeRotatingCameraSensor: a camera in the guest that draws its picture itself asks how the
 * device is held, once per frame. Any message is such a request; the guest's camera sends
 * "get" and a NUL. The answer has three values for each of the sensors acceleration, magnetic
 * field and orientation, as 32-bit floating point in the guest's byte order, which is this
 * host's.
 *
 * Source: platform_external_qemu android/android-emu/android/emulation/
 * FakeRotatingCameraSensor.cpp (the answer) and AndroidMessagePipe.cpp (lengths); Android's
 * device/generic/goldfish hals/camera/FakeRotatingCamera.cpp (the request).
 */
#include <stdio.h>
#include <string.h>

#include "channel.h"

static void rotating_camera_message(struct channel *ch, const char *message, size_t len)
{
	static const char *const names[] = { "acceleration", "magnetic-field", "orientation" };
	float values[ARRAY_SIZE(names)][3] = { 0 };
	unsigned int i;

	(void)message;
	(void)len;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		int sensor = vmm_guest_sensor_find(names[i], strlen(names[i]));

		/* A value that is no number is 0. */
		if (sensor >= 0 && sscanf(ch->guest->sensor[sensor], "%f:%f:%f", &values[i][0],
					  &values[i][1], &values[i][2]) < 1)
			values[i][0] = 0;
	}
	channel_answer(ch, values, sizeof(values));
}

/** The device's orientation, for a camera in the guest. */
const struct service service_rotating_camera = {
	.name = "FakeRotatingCameraSensor",
	.sized = true,
	.message = rotating_camera_message,
};
