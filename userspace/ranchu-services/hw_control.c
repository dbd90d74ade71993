// SPDX-License-Identifier: GPL-2.0-only
/*
 * hw-control: the guest sets and reads the brightness of its lights.
 *
 * Source: platform_external_qemu android/android-emu/android/hw-control.cpp, for the words.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel.h"

#define SET	"power:light:brightness:"
#define GET	"power:light:get-brightness:"

/* Returns the light with the name @text, which ends at a colon or NUL; or -1. */
static int light_find(const char *text)
{
	size_t len = strcspn(text, ":");
	int i;

	for (i = 0; i < VMM_GUEST_LIGHTS; i++) {
		if (strlen(vmm_guest_lights[i]) == len && !memcmp(vmm_guest_lights[i], text, len))
			return i;
	}
	return -1;
}

static void light_set(struct guest *guest, const char *text)
{
	int light = light_find(text);
	const char *value = strchr(text, ':');
	char *end;
	unsigned long n;

	if (light < 0 || !value || value[1] < '0' || value[1] > '9')
		return;
	n = strtoul(value + 1, &end, 10);
	if (*end || n > 255)
		return;
	guest->light[light] = n;
	guest->lights |= 1U << light;
}

static void light_get(struct channel *ch, const char *text)
{
	int light = light_find(text);
	char answer[4];

	snprintf(answer, sizeof(answer), "%03u", light < 0 ? 0 : ch->guest->light[light]);
	channel_frame(ch, answer, sizeof(answer));
}

static void control_message(struct channel *ch, const char *message, size_t len)
{
	char text[96];

	if (len >= sizeof(text))
		return;
	memcpy(text, message, len);
	text[len] = '\0';
	if (!strncmp(text, SET, strlen(SET)))
		light_set(ch->guest, text + strlen(SET));
	else if (!strncmp(text, GET, strlen(GET)))
		light_get(ch, text + strlen(GET));
}

/** Lights. */
const struct service service_hw_control = {
	.name = "hw-control",
	.framed = true,
	.message = control_message,
};
