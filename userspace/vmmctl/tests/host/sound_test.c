// SPDX-License-Identifier: GPL-2.0-only
/*
 * The WAV file that sound goes into, byte for byte, after each piece.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "host/sound.h"
#include "tests/tap.h"

static char path[32];
static u8 file[8192];

static size_t file_read(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, file, sizeof(file));

	close(fd);
	return len;
}

static u32 number(unsigned int at, unsigned int bytes)
{
	u32 value = 0;

	while (bytes--)
		value = value << 8 | file[at + bytes];
	return value;
}

static void the_file_is_always_whole(void)
{
	struct vmm_sound *sound = vmm_sound_open(path, 44100, 2);
	u8 samples[1000];
	unsigned int i;

	for (i = 0; i < sizeof(samples); i++)
		samples[i] = i;
	tap_check(sound);
	tap_equal(file_read(), 44);
	tap_check(!memcmp(file, "RIFF", 4) && !memcmp(file + 8, "WAVEfmt ", 8));
	tap_equal(number(16, 4), 16);
	tap_equal(number(20, 2), 1);
	tap_equal(number(22, 2), 2);
	tap_equal(number(24, 4), 44100);
	tap_equal(number(28, 4), 176400);
	tap_equal(number(32, 2), 4);
	tap_equal(number(34, 2), 16);
	tap_check(!memcmp(file + 36, "data", 4));
	for (i = 0; i < 3; i++) {
		tap_equal(number(4, 4), 36 + 1000 * i);
		tap_equal(number(40, 4), 1000 * i);
		vmm_sound_play(sound, samples, sizeof(samples));
		tap_equal(file_read(), 44 + 1000 * (i + 1));
		tap_check(!memcmp(file + 44 + 1000 * i, samples, sizeof(samples)));
	}
	tap_equal(vmm_sound_lost(sound), 0);
	vmm_sound_close(sound);
}

/* What the file cannot take is counted, and what it has stays right. */
static void losses_are_counted(void)
{
	struct vmm_sound *sound = vmm_sound_open(path, 44100, 2);
	struct rlimit before, limit;
	u8 samples[4096] = { 1 };

	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = 44 + 6000;
	tap_check(!setrlimit(RLIMIT_FSIZE, &limit));
	vmm_sound_play(sound, samples, sizeof(samples));
	vmm_sound_play(sound, samples, sizeof(samples));
	setrlimit(RLIMIT_FSIZE, &before);
	tap_equal(vmm_sound_lost(sound), 4096);
	file_read();
	tap_equal(number(40, 4), 4096);
	vmm_sound_close(sound);
}

static void nowhere_takes_all(void)
{
	struct vmm_sound *sound = vmm_sound_open(NULL, 44100, 2);
	u8 samples[16] = { 0 };

	tap_check(sound);
	vmm_sound_play(sound, samples, sizeof(samples));
	tap_equal(vmm_sound_lost(sound), 0);
	vmm_sound_close(sound);
	tap_check(!vmm_sound_open("/nowhere/sound.wav", 44100, 2));
	vmm_sound_close(NULL);
}

static const struct tap_case cases[] = {
	{ "the file is always whole", the_file_is_always_whole },
	{ "losses are counted", losses_are_counted },
	{ "nowhere takes all", nowhere_takes_all },
};

int main(void)
{
	int rc;

	snprintf(path, sizeof(path), "/tmp/vmmctl-sound-XXXXXX");
	close(mkstemp(path));
	signal(SIGXFSZ, SIG_IGN);
	rc = tap_run(cases, ARRAY_SIZE(cases));
	unlink(path);
	return rc;
}
