// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets an alarm of a clock and waits until it rings.
 *
 *	rtc_alarm /dev/rtcN SECONDS
 *
 * The goldfish driver's clock cannot wake a machine, so its class device has no
 * wakealarm file, and rtcwake refuses it. Exit code 0: the alarm rang, and no sooner
 * than the clock says; 1: it did not.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/rtc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static int fail(const char *what)
{
	fprintf(stderr, "rtc_alarm: %s: %s\n", what, strerror(errno));
	return 1;
}

/* Seconds since 1970 of @fd's clock, or -1. */
static time_t seconds_of(int fd)
{
	struct rtc_time now;
	struct tm tm;

	if (ioctl(fd, RTC_RD_TIME, &now))
		return -1;
	/* struct rtc_time begins with struct tm's fields, but is not one. */
	tm = (struct tm){
		.tm_sec = now.tm_sec, .tm_min = now.tm_min, .tm_hour = now.tm_hour,
		.tm_mday = now.tm_mday, .tm_mon = now.tm_mon, .tm_year = now.tm_year,
	};
	return timegm(&tm);
}

int main(int argc, char **argv)
{
	struct rtc_wkalrm alarm = { .enabled = 1 };
	struct pollfd pfd = { .events = POLLIN };
	unsigned long interrupts;
	time_t at, now;
	struct tm tm;

	if (argc != 3) {
		fprintf(stderr, "usage: rtc_alarm DEVICE SECONDS\n");
		return 1;
	}
	pfd.fd = open(argv[1], O_RDONLY);
	if (pfd.fd < 0)
		return fail(argv[1]);
	now = seconds_of(pfd.fd);
	if (now < 0)
		return fail("RTC_RD_TIME");
	at = now + atoi(argv[2]);
	gmtime_r(&at, &tm);
	alarm.time = (struct rtc_time){
		.tm_sec = tm.tm_sec, .tm_min = tm.tm_min, .tm_hour = tm.tm_hour,
		.tm_mday = tm.tm_mday, .tm_mon = tm.tm_mon, .tm_year = tm.tm_year,
	};
	if (ioctl(pfd.fd, RTC_WKALM_SET, &alarm))
		return fail("RTC_WKALM_SET");
	if (poll(&pfd, 1, 60000) != 1)
		return fail("no alarm within a minute");
	if (read(pfd.fd, &interrupts, sizeof(interrupts)) != sizeof(interrupts))
		return fail("read");
	if (!(interrupts & RTC_AF)) {
		fprintf(stderr, "rtc_alarm: an interrupt, but not the alarm's: %#lx\n", interrupts);
		return 1;
	}
	now = seconds_of(pfd.fd);
	if (now < at) {
		fprintf(stderr, "rtc_alarm: rang %ld s early\n", (long)(at - now));
		return 1;
	}
	return 0;
}
