// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sensors that a guest can have, by their bit in the guest's mask, and the lights that the
 * guest sets. Numbers without a row are sensors of the emulator that this board does not have:
 * hinges, heart rate, wrist.
 *
 * Source: platform_external_qemu android/docs/ANDROID-QEMUD-SERVICES.TXT (21df3597), and
 * the names that its sensors' HAL reads.
 */
#include <stdio.h>
#include <string.h>

#include "host/guest.h"

/** Initial values are those of a device that lies on a table, in a room. */
const struct vmm_guest_sensor vmm_guest_sensors[VMM_GUEST_SENSORS] = {
	[0] = { "acceleration", "acceleration", 3, { 0, 0, 9.81 } },
	[1] = { "gyroscope", "gyroscope", 3, { 0 } },
	[2] = { "magnetic-field", "magnetic", 3, { 0, 22, -43 } },
	[3] = { "orientation", "orientation", 3, { 0 } },
	[4] = { "temperature", "temperature", 1, { 20 } },
	[5] = { "proximity", "proximity", 1, { 1 } },
	[6] = { "light", "light", 1, { 100 } },
	[7] = { "pressure", "pressure", 1, { 1013.25 } },
	[8] = { "humidity", "humidity", 1, { 50 } },
	[9] = { "magnetic-field-uncalibrated", "magnetic-uncalibrated", 3, { 0, 22, -43 } },
	[10] = { "gyroscope-uncalibrated", "gyroscope-uncalibrated", 3, { 0 } },
	[17] = { "acceleration-uncalibrated", "acceleration-uncalibrated", 3, { 0, 0, 9.81 } },
};

/** The lights that the guest sets. */
const char *const vmm_guest_lights[VMM_GUEST_LIGHTS] = {
	"lcd_backlight", "keyboard_backlight", "button_backlight",
};

/**
 * vmm_guest_sensor_find - find a sensor
 * @name: its name
 * @len: bytes of the name
 *
 * Return: its number, or -1
 */
int vmm_guest_sensor_find(const char *name, size_t len)
{
	int i;

	for (i = 0; i < VMM_GUEST_SENSORS; i++) {
		const char *have = vmm_guest_sensors[i].name;

		if (have && strlen(have) == len && !memcmp(have, name, len))
			return i;
	}
	return -1;
}

/**
 * vmm_guest_sensor_print - print a sensor's values
 * @sensor: its number
 * @values: the values, as many as the sensor has
 * @to: gets them, with colons between
 * @size: bytes of @to
 */
void vmm_guest_sensor_print(unsigned int sensor, const double *values, char *to, size_t size)
{
	size_t len = 0;
	unsigned int i;

	*to = '\0';
	for (i = 0; i < vmm_guest_sensors[sensor].axes && len < size; i++)
		len += snprintf(to + len, size - len, "%s%g", i ? ":" : "", values[i]);
}

/**
 * vmm_guest_sensor_mask - return the mask of sensors
 *
 * Return: a bit for each sensor
 */
u32 vmm_guest_sensor_mask(void)
{
	u32 mask = 0;
	unsigned int i;

	for (i = 0; i < VMM_GUEST_SENSORS; i++) {
		if (vmm_guest_sensors[i].name)
			mask |= 1U << i;
	}
	return mask;
}
