// SPDX-License-Identifier: GPL-2.0-only
/*
 * WAV files of played sound, checked byte for byte after each piece, and WAV files for recording,
 * valid and invalid.
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

static const struct vmm_sound_format cd = { .rate = 44100, .channels = 2, .bits = 16 };

static size_t file_read(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, file, sizeof(file));

	close(fd);
	return len;
}

static void file_write(const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	tap_equal(write(fd, bytes, len), len);
	close(fd);
}

static u32 number(unsigned int at, unsigned int bytes)
{
	u32 value = 0;

	while (bytes--)
		value = value << 8 | file[at + bytes];
	return value;
}

static struct vmm_sound *open_play(const char *to)
{
	const struct vmm_sound_ends ends = { .option = "--sound", .play = to };

	return vmm_sound_open(NULL, &ends);
}

static struct vmm_sound *open_record(const char *from)
{
	const struct vmm_sound_ends ends = { .option = "--sound", .record = from };

	return vmm_sound_open(NULL, &ends);
}

/* Plays in two pieces, as a guest may have samples. */
static void play(struct vmm_sound *sound, u8 *samples, size_t bytes)
{
	const struct iovec iov[2] = { { samples, 3 }, { samples + 3, bytes - 3 } };

	vmm_sound_play(sound, iov, 2, bytes);
}

static void the_file_is_always_whole(void)
{
	struct vmm_sound *sound = open_play(path);
	u8 samples[1000];
	unsigned int i;

	for (i = 0; i < sizeof(samples); i++)
		samples[i] = i;
	if (!tap_check(sound))
		return;
	tap_equal(file_read(), 44);
	vmm_sound_prepare(sound, false, &cd);
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
		play(sound, samples, sizeof(samples));
		tap_equal(file_read(), 44 + 1000 * (i + 1));
		tap_check(!memcmp(file + 44 + 1000 * i, samples, sizeof(samples)));
	}
	tap_equal(vmm_sound_lost(sound), 0);
	vmm_sound_close(sound);
}

/* The file has the first format; later sound of this format is appended. */
static void a_file_has_one_format(void)
{
	static const struct vmm_sound_format other = {
		.rate = 8000, .channels = 1, .bits = 32, .is_float = true,
	};
	struct vmm_sound *sound = open_play(path);
	u8 samples[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

	if (!tap_check(sound))
		return;
	vmm_sound_prepare(sound, false, &cd);
	vmm_sound_prepare(sound, false, &other);
	play(sound, samples, sizeof(samples));
	vmm_sound_prepare(sound, false, &cd);
	play(sound, samples, sizeof(samples));
	play(sound, samples, sizeof(samples));
	tap_equal(vmm_sound_lost(sound), 16);
	vmm_sound_prepare(sound, false, &other);
	play(sound, samples, sizeof(samples));
	tap_equal(vmm_sound_lost(sound), 16);
	tap_equal(file_read(), 44 + 16);
	tap_equal(number(20, 2), 3);
	tap_equal(number(22, 2), 1);
	tap_equal(number(24, 4), 8000);
	tap_equal(number(28, 4), 32000);
	tap_equal(number(32, 2), 4);
	tap_equal(number(34, 2), 32);
	tap_equal(number(40, 4), 16);
	vmm_sound_close(sound);
}

/* Samples that cannot be written are counted, and the file stays valid. */
static void losses_are_counted(void)
{
	struct vmm_sound *sound = open_play(path);
	struct rlimit before, limit;
	u8 samples[4096] = { 1 };

	if (!tap_check(sound))
		return;
	vmm_sound_prepare(sound, false, &cd);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = 44 + 6000;
	tap_check(!setrlimit(RLIMIT_FSIZE, &limit));
	play(sound, samples, sizeof(samples));
	play(sound, samples, sizeof(samples));
	setrlimit(RLIMIT_FSIZE, &before);
	tap_equal(vmm_sound_lost(sound), 4096);
	file_read();
	tap_equal(number(40, 4), 4096);
	vmm_sound_close(sound);
}

static void nowhere_takes_all(void)
{
	struct vmm_sound *sound = open_play(NULL);
	u8 samples[16] = { 0 };

	tap_check(sound);
	vmm_sound_prepare(sound, false, &cd);
	play(sound, samples, sizeof(samples));
	tap_equal(vmm_sound_lost(sound), 0);
	vmm_sound_close(sound);
	tap_check(!open_play("/nowhere/sound.wav"));
	vmm_sound_close(NULL);
}

/* Records @len bytes in pieces of odd sizes; they must be @want. */
static void record(struct vmm_sound *sound, const u8 *want, size_t len)
{
	u8 got[64];
	const struct iovec iov[3] = { { got, 1 }, { got + 1, 2 }, { got + 3, len - 3 } };

	memset(got, 0xee, sizeof(got));
	vmm_sound_record(sound, iov, 3, len);
	tap_check(!memcmp(got, want, len));
	tap_equal(got[len], 0xee);
}

static void silence_is_recorded(void)
{
	static const struct vmm_sound_format bytes = { .rate = 8000, .channels = 1, .bits = 8 };
	struct vmm_sound *sound = open_play(NULL);
	struct vmm_sound_format format;
	u8 want[32] = { 0 };

	tap_check(!vmm_sound_recorded_format(sound, &format));
	vmm_sound_prepare(sound, true, &cd);
	record(sound, want, sizeof(want));
	memset(want, 0x80, sizeof(want));
	vmm_sound_prepare(sound, true, &bytes);
	record(sound, want, sizeof(want));
	vmm_sound_close(sound);
}

/* A file with an unknown chunk of odd length, and data after the samples. */
static const u8 wav[] = {
	'R', 'I', 'F', 'F', 79, 0, 0, 0, 'W', 'A', 'V', 'E',
	'n', 'o', 't', 'e', 5, 0, 0, 0, 1, 2, 3, 4, 5, 0,
	'f', 'm', 't', ' ', 18, 0, 0, 0, 1, 0, 1, 0, 0x40, 0x1f, 0, 0, 0x80, 0x3e, 0, 0,
	2, 0, 16, 0, 0, 0,
	'd', 'a', 't', 'a', 11, 0, 0, 0, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 0,
	'l', 'a', 's', 't', 2, 0, 0, 0, 99, 99,
};

static void a_file_is_recorded(void)
{
	static const u8 want[16] = { 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 };
	struct vmm_sound_format format = { 0 };
	struct vmm_sound *sound;

	file_write(wav, sizeof(wav));
	sound = open_record(path);
	if (!tap_check(sound))
		return;
	tap_check(vmm_sound_recorded_format(sound, &format));
	tap_equal(format.rate, 8000);
	tap_equal(format.channels, 1);
	tap_equal(format.bits, 16);
	tap_check(!format.is_float);
	/* An incomplete sample at the end is dropped; silence follows. */
	vmm_sound_prepare(sound, true, &format);
	record(sound, want, 4);
	record(sound, want + 4, 12);
	record(sound, want + 10, 6);
	vmm_sound_prepare(sound, true, &format);
	record(sound, want, 16);
	vmm_sound_close(sound);
}

/* Files that are truncated anywhere, or have a changed byte anywhere, are read or refused. */
static void damaged_files_do_no_harm(void)
{
	static const u8 values[] = { 0, 1, 3, 0x7f, 0x80, 0xff };
	u8 damaged[sizeof(wav)];
	struct vmm_sound_format format;
	struct vmm_sound *sound;
	unsigned int i, j;
	u8 got[64];

	for (i = 0; i < sizeof(wav) * (ARRAY_SIZE(values) + 1); i++) {
		const struct iovec iov = { got, sizeof(got) };

		j = i % sizeof(wav);
		memcpy(damaged, wav, sizeof(wav));
		if (i >= sizeof(wav))
			damaged[j] = values[i / sizeof(wav) - 1];
		file_write(damaged, i < sizeof(wav) ? j : sizeof(wav));
		sound = open_record(path);
		if (!sound)
			continue;
		tap_context("byte %u", j);
		tap_check(vmm_sound_recorded_format(sound, &format));
		tap_check(format.rate && format.channels && format.channels <= 2);
		tap_check(format.bits == 8 || format.bits == 16 || format.bits == 32);
		vmm_sound_prepare(sound, true, &format);
		vmm_sound_record(sound, &iov, 1, sizeof(got));
		vmm_sound_close(sound);
	}
}

static void what_is_no_wav_file_is_refused(void)
{
	u8 other[sizeof(wav)];

	file_write(wav, 50);
	tap_check(!open_record(path));
	memcpy(other, wav, sizeof(wav));
	other[8] = 'X';
	file_write(other, sizeof(other));
	tap_check(!open_record(path));
	/* Three channels; samples of 24 bits; packed ones. */
	memcpy(other, wav, sizeof(wav));
	other[36] = 3;
	other[46] = 6;
	file_write(other, sizeof(other));
	tap_check(!open_record(path));
	memcpy(other, wav, sizeof(wav));
	other[46] = 3;
	other[48] = 24;
	file_write(other, sizeof(other));
	tap_check(!open_record(path));
	memcpy(other, wav, sizeof(wav));
	other[34] = 2;
	file_write(other, sizeof(other));
	tap_check(!open_record(path));
	tap_check(!open_record("/"));
	tap_check(!open_record("/nowhere"));
}

static const struct tap_case cases[] = {
	{ "the file is always whole", the_file_is_always_whole },
	{ "a file has one format", a_file_has_one_format },
	{ "losses are counted", losses_are_counted },
	{ "nowhere takes all", nowhere_takes_all },
	{ "silence is recorded", silence_is_recorded },
	{ "a file is recorded", a_file_is_recorded },
	{ "damaged files do no harm", damaged_files_do_no_harm },
	{ "what is no WAV file is refused", what_is_no_wav_file_is_refused },
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
