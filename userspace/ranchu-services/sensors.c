// SPDX-License-Identifier: GPL-2.0-only
/*
 * sensors: the guest lists sensors, switches them on and off, and is periodically sent the values
 * of those that are on; at first all are off. Each report ends with the
 * time, by the guest's clock and by the host's.
 *
 * Source: platform_external_qemu android/docs/ANDROID-QEMUD-SERVICES.TXT (21df3597), and
 * its hw-sensors.c for what is on at first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel.h"

#define MS		1000000LL
#define DELAY_LEAST	(10 * MS)	/* as the emulator, to limit the guest's load */
#define DELAY_USUAL	(200 * MS)
#define DELAY_MOST	(3600000 * MS)
#define REPORT_ROOM	4096		/* limit of a report's bytes */

static void say(struct channel *ch, const char *text)
{
	channel_frame(ch, text, strlen(text));
}

/* If the guest does not read, whole reports are skipped. */
static void report(struct channel *ch, s64 now)
{
	char text[128];
	unsigned int i;

	if (!channel_room(ch, REPORT_ROOM)) {
		ch->lost++;
		return;
	}
	for (i = 0; i < VMM_GUEST_SENSORS; i++) {
		if (!(ch->sensors.enabled & 1U << i))
			continue;
		snprintf(text, sizeof(text), "%s:%s", vmm_guest_sensors[i].wire,
			 ch->guest->sensor[i]);
		say(ch, text);
	}
	/* The guest's time can be any number: the sum may wrap round. */
	snprintf(text, sizeof(text), "guest-sync:%lld",
		 (long long)((u64)now + (u64)ch->sensors.offset));
	say(ch, text);
	snprintf(text, sizeof(text), "sync:%lld", (long long)now / 1000);
	say(ch, text);
}

static void sensors_tick(struct channel *ch)
{
	s64 now = ch->guest->now();

	report(ch, now);
	ch->due = ch->sensors.enabled ? now + ch->sensors.delay : 0;
}

static void set_delay(struct channel *ch, const char *text)
{
	s64 delay = strtoll(text, NULL, 10);

	delay = delay < DELAY_MOST / MS ? delay * (delay > 0 ? MS : 0) : DELAY_MOST;
	ch->sensors.delay = delay < DELAY_LEAST ? DELAY_LEAST : delay;
	if (ch->sensors.enabled)
		sensors_tick(ch);
}

static void set_sensor(struct channel *ch, const char *text)
{
	size_t len = strcspn(text, ":");
	int sensor = vmm_guest_sensor_find(text, len);

	if (sensor < 0 || !text[len] || (text[len + 1] != '0' && text[len + 1] != '1'))
		return;
	if (text[len + 1] == '1')
		ch->sensors.enabled |= 1U << sensor;
	else
		ch->sensors.enabled &= ~(1U << sensor);
	sensors_tick(ch);
}

/* Lists all sensors, on or off. */
static void list(struct channel *ch, const char *text)
{
	char mask[16];

	(void)text;
	snprintf(mask, sizeof(mask), "%u", vmm_guest_sensor_mask());
	say(ch, mask);
}

static void set_time(struct channel *ch, const char *text)
{
	ch->sensors.offset = (u64)strtoll(text, NULL, 10) - (u64)ch->guest->now();
}

static void wake(struct channel *ch, const char *text)
{
	(void)text;
	say(ch, "wake");
}

/* A word that ends with a colon has an argument. */
static const struct {
	const char *word;
	void (*run)(struct channel *ch, const char *text);
} words[] = {
	{ "list-sensors", list }, { "wake", wake }, { "set-delay:", set_delay },
	{ "set:", set_sensor }, { "time:", set_time },
};

static void sensors_message(struct channel *ch, const char *message, size_t len)
{
	char text[96];
	size_t i;

	if (len >= sizeof(text))
		return;
	memcpy(text, message, len);
	text[len] = '\0';
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		size_t word = strlen(words[i].word);

		if (!strncmp(text, words[i].word, word) &&
		    (!text[word] || words[i].word[word - 1] == ':'))
			words[i].run(ch, text + word);
	}
}

static int sensors_open(struct channel *ch, const char *args)
{
	(void)args;
	ch->sensors.delay = DELAY_USUAL;
	return 0;
}

/** Sensors. */
const struct service service_sensors = {
	.name = "sensors",
	.framed = true,
	.open = sensors_open,
	.message = sensors_message,
	.tick = sensors_tick,
};
