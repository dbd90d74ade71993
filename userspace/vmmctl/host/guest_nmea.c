// SPDX-License-Identifier: GPL-2.0-only
/*
 * A position as NMEA 0183 sentences, as a satellite receiver sends them: GGA has place and
 * height, RMC date and speed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/guest.h"
#include "machine/text.h"

enum { FIX_LONGITUDE, FIX_LATITUDE, FIX_ALTITUDE, FIX_SATELLITES, FIX_KNOTS, FIX_FIELDS };

/* Of each field: name, smallest value, default, largest value. */
static const struct {
	const char *name;
	double least;
	double usual;
	double most;
} fields[FIX_FIELDS] = {
	[FIX_LONGITUDE] = { "Longitude", -180, 0, 180 },
	[FIX_LATITUDE] = { "Latitude", -90, 0, 90 },
	[FIX_ALTITUDE] = { "Altitude", -10000, 0, 100000 },
	[FIX_SATELLITES] = { "Number of satellites", 1, 6, 12 },
	[FIX_KNOTS] = { "Speed", 0, 0, 100000 },
};

/* Fills @fix; missing fields after the second get their defaults. */
static int fix_read(const char *text, double fix[FIX_FIELDS], struct vmm_text *why)
{
	unsigned int i;
	char *end;

	for (i = 0; i < FIX_FIELDS; i++)
		fix[i] = fields[i].usual;
	for (i = 0; i < FIX_FIELDS; i++) {
		text += strspn(text, " ");
		if (!*text)
			break;
		fix[i] = strtod(text, &end);
		if (end == text || (*end && *end != ' ')) {
			vmm_text_add(why, "%s is not a number.", fields[i].name);
			return -EINVAL;
		}
		if (!(fix[i] >= fields[i].least && fix[i] <= fields[i].most)) {
			vmm_text_add(why, "%s must be between %g and %g.", fields[i].name,
				     fields[i].least, fields[i].most);
			return -ERANGE;
		}
		text = end;
	}
	if (i > FIX_LATITUDE && !text[strspn(text, " ")])
		return 0;
	vmm_text_add(why, "a position is LONGITUDE LATITUDE [ALTITUDE [SATELLITES [KNOTS]]]");
	return -EINVAL;
}

/* Degrees and minutes, rounded to ten thousandths of a minute, and a letter for the sign. */
static void angle_print(char *to, size_t size, double degrees, int digits, const char *signs)
{
	long long minutes = (degrees < 0 ? -degrees : degrees) * 600000 + 0.5;

	snprintf(to, size, "%0*lld%02lld.%04lld,%c", digits, minutes / 600000,
		 minutes % 600000 / 10000, minutes % 10000, signs[degrees < 0]);
}

/* Appends "$", @body, "*" and the checksum of @body. */
static void sentence_add(char to[VMM_GUEST_SENTENCES], const char *body)
{
	size_t len = strlen(to);
	unsigned int sum = 0;
	const char *at;

	for (at = body; *at; at++)
		sum ^= (unsigned char)*at;
	snprintf(to + len, VMM_GUEST_SENTENCES - len, "%s$%s*%02X", len ? "\n" : "", body, sum);
}

/**
 * vmm_guest_nmea - convert a position to NMEA sentences
 * @fix: LONGITUDE LATITUDE [ALTITUDE [SATELLITES [KNOTS]]]
 * @when: seconds of the epoch
 * @to: gets two sentences with a newline between
 * @why: gets the reason if @fix is no position
 *
 * Return: 0, or -errno
 */
int vmm_guest_nmea(const char *fix, long long when, char to[VMM_GUEST_SENTENCES],
		   struct vmm_text *why)
{
	double field[FIX_FIELDS];
	char longitude[32], latitude[32];
	char body[VMM_GUEST_SENTENCES / 2];
	time_t seconds = when;
	struct tm tm = { 0 };
	int err = fix_read(fix, field, why);

	if (err)
		return err;
	gmtime_r(&seconds, &tm);
	angle_print(latitude, sizeof(latitude), field[FIX_LATITUDE], 2, "NS");
	angle_print(longitude, sizeof(longitude), field[FIX_LONGITUDE], 3, "EW");
	*to = '\0';
	snprintf(body, sizeof(body), "GPGGA,%02d%02d%02d,%s,%s,1,%02d,,%.1f,M,0.,M,,",
		 tm.tm_hour, tm.tm_min, tm.tm_sec, latitude, longitude,
		 (int)field[FIX_SATELLITES], field[FIX_ALTITUDE]);
	sentence_add(to, body);
	snprintf(body, sizeof(body), "GPRMC,%02d%02d%02d,A,%s,%s,%.1f,,%02d%02d%02d,,,A",
		 tm.tm_hour, tm.tm_min, tm.tm_sec, latitude, longitude, field[FIX_KNOTS],
		 tm.tm_mday, tm.tm_mon + 1, tm.tm_year % 100);
	sentence_add(to, body);
	return 0;
}
