// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages, the VM's log and state, statistics and sound while the file system of all of
 * them does not answer: their writers go on, and the VM ends in time. The test delays writes to
 * plain files, and their close.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control/control.h"
#include "control/instance.h"
#include "host/ending.h"
#include "host/file_thread.h"
#include "host/log.h"
#include "host/log_thread.h"
#include "host/sound.h"
#include "host/vm_dir.h"
#include "machine/machine.h"
#include "tests/tap.h"

#define MANY		3000		/* records: more than the queue has room for */
#define ENDS_WITHIN	3.0		/* s: documented as one second, more for a busy machine */

/* ---- a file system that does not answer ---- */

static bool held;
static bool closing_held;
static bool samples_fail;	/* to be read */
static bool header_fails;	/* of a WAV file, to be written */
static int slow_ms;

static bool is_set(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_SEQ_CST);
}

static void set(bool *flag, bool value)
{
	__atomic_store_n(flag, value, __ATOMIC_SEQ_CST);
}

/* Returns false for the test's own output. */
static bool on_the_file_system(int fd)
{
	struct stat st;

	return fd > STDERR_FILENO && !fstat(fd, &st) && S_ISREG(st.st_mode);
}

static void be_held(int fd)
{
	if (!on_the_file_system(fd))
		return;
	usleep(1000 * __atomic_load_n(&slow_ms, __ATOMIC_SEQ_CST));
	while (is_set(&held))
		usleep(1000);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
	be_held(fd);
	return syscall(SYS_write, fd, bytes, len);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	be_held(fd);
	if (is_set(&header_fails) && !at && on_the_file_system(fd)) {
		errno = ENOSPC;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, bytes, len, at);
}

ssize_t pread(int fd, void *bytes, size_t len, off_t at)
{
	be_held(fd);
	if (is_set(&samples_fail) && len > 1024 && on_the_file_system(fd)) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_pread64, fd, bytes, len, at);
}

int close(int fd)
{
	while (is_set(&closing_held) && on_the_file_system(fd))
		usleep(1000);
	return syscall(SYS_close, fd);
}

/* ---- files that a VM writes ---- */

static char home[64];
static char stats_path[96];
static char wav_path[96];
static int err_fd = -1;

static struct {
	struct vmm_loop *loop;
	struct vmm_instance *instance;
	struct vmm_stats *stats;
	struct vmm_sound *sound;
	struct vmm_vm vm;
	struct vmm_config cfg;
	int tick_fd;
	unsigned int ticks;
} m;

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static int tick(void *arg)
{
	u64 times;

	(void)arg;
	if (read(m.tick_fd, &times, sizeof(times)) != sizeof(times))
		return 0;
	return ++m.ticks == 5 ? 1000 : 0;
}

static void ticks_start(void)
{
	static const struct itimerspec often = {
		.it_value.tv_nsec = 10000000, .it_interval.tv_nsec = 10000000,
	};

	m.ticks = 0;
	m.tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	timerfd_settime(m.tick_fd, 0, &often, NULL);
	vmm_loop_add(m.loop, m.tick_fd, tick, NULL);
}

static bool outputs_open(void)
{
	static const struct vmm_control_vm nothing;
	const struct vmm_sound_ends ends = { .option = "--sound", .play = wav_path };

	memset(&m, 0, sizeof(m));
	m.vm.stats_fd = -1;
	m.cfg.stats_file = stats_path;
	m.loop = vmm_loop_create();
	err_fd = memfd_create("stderr", MFD_CLOEXEC);
	if (!m.loop || err_fd < 0 || vmm_log_thread_open(err_fd))
		return false;
	m.instance = vmm_instance_open("one", m.loop, &nothing, NULL);
	m.stats = vmm_stats_open(&m.cfg);
	m.sound = vmm_sound_open(NULL, &ends);
	ticks_start();
	vmm_file_threads_begin();
	return m.instance && m.stats && m.sound;
}

/* Closes outputs in the order of main.c. */
static void outputs_close(void)
{
	vmm_file_threads_last(false);
	vmm_sound_close(m.sound);
	vmm_stats_close(m.stats);
	vmm_instance_close(m.instance);
	vmm_log_thread_close();
	vmm_loop_del(m.loop, m.tick_fd);
	close(m.tick_fd);
	vmm_loop_destroy(m.loop);
}

static void write_all(unsigned int i)
{
	static const struct vmm_sound_format cd = { .rate = 44100, .channels = 2, .bits = 16 };
	u8 samples[2048];
	const struct iovec iov = { samples, sizeof(samples) };
	char state[32];

	memset(samples, i, sizeof(samples));
	vmm_note("message %u, which is of some length, as messages are, and comes in order", i);
	snprintf(state, sizeof(state), "state-%u", i);
	vmm_instance_state(m.instance, state);
	vmm_stats_snapshot(m.stats, &m.vm, state);
	vmm_sound_prepare(m.sound, false, &cd);
	vmm_sound_play(m.sound, &iov, 1, sizeof(samples));
}

/* ---- the cases ---- */

/* Checks that the numbers after @word in the lines of @text ascend; returns their count. */
static unsigned int in_order(const char *text, const char *word)
{
	unsigned int count = 0;
	int last = -1;
	int number;

	for (text = strstr(text, word); text; text = strstr(text + 1, word)) {
		number = atoi(text + strlen(word));
		tap_check(number > last);
		last = number;
		count++;
	}
	return count;
}

static char *file_text(int fd)
{
	off_t len = lseek(fd, 0, SEEK_END);
	char *text = calloc(1, len + 1);

	tap_equal(pread(fd, text, len, 0), len);
	return text;
}

static char *text_at(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = file_text(fd);

	close(fd);
	return text;
}

static u64 counter(const char *json, const char *name)
{
	char want[64];
	const char *at;

	snprintf(want, sizeof(want), "\"%s\":", name);
	at = strstr(json, want);
	return tap_check(at) ? strtoull(at + strlen(want), NULL, 10) : 0;
}

static void check_counters(void)
{
	char *json = vmm_stats_json(m.stats, &m.vm, "now");

	tap_check(counter(json, "messages_dropped_bytes") > 0);
	tap_check(counter(json, "log_dropped_bytes") > 0);
	tap_check(counter(json, "statistics_dropped_bytes") > 0);
	free(json);
	tap_equal(vmm_sound_lost(m.sound) % 2048, 0);
	tap_check(vmm_sound_lost(m.sound) > 0);
}

/* Checks for complete records, in order, from the times when there was room. */
static void check_files(void)
{
	char log[128];
	char *text = file_text(err_fd);
	unsigned int count = in_order(text, "message ");

	tap_check(count > 100 && count < MANY);
	tap_check(strlen(text) && text[strlen(text) - 1] == '\n');
	free(text);
	text = text_at(stats_path);
	count = in_order(text, "{\"label\":\"state-");
	tap_check(count > 100 && count < MANY);
	tap_check(strlen(text) && text[strlen(text) - 1] == '\n');
	free(text);
	snprintf(log, sizeof(log), "%s/ranchu/one/log", home);
	text = text_at(log);
	tap_check(in_order(text, "message ") > 100);
	free(text);
	/* The log had no room, but the state is the last one. */
	snprintf(log, sizeof(log), "%s/ranchu/one/state", home);
	text = text_at(log);
	snprintf(log, sizeof(log), "\"state-%u\"", MANY - 1);
	tap_check(strstr(text, log));
	free(text);
}

static void nobody_is_held_up(void)
{
	double began;
	const off_t all = 44 + MANY * 2048;
	struct stat st;
	unsigned int i;

	alarm(100);
	if (!tap_check(outputs_open()))
		return;
	set(&held, true);
	began = seconds();
	for (i = 0; i < MANY; i++)
		write_all(i);
	tap_check(seconds() - began < 20);
	tap_equal(vmm_loop_run(m.loop), 1000);
	check_counters();
	/* It answers again: queued records are written. */
	set(&held, false);
	for (i = 0; i < 3000; i++) {
		vmm_file_threads_last(false);
		usleep(10000);
		if (!stat(wav_path, &st) && st.st_size + (off_t)vmm_sound_lost(m.sound) == all)
			break;
	}
	usleep(300000);
	check_files();
	tap_equal(st.st_size + vmm_sound_lost(m.sound), all);
	/* The end has its full time limit. */
	vmm_file_threads_begin();
	outputs_close();
	close(err_fd);
	alarm(0);
}

static int on_end(void *arg)
{
	(void)arg;
	return VMM_END_SIGNAL;
}

static int vm_main(int ready)
{
	if (!outputs_open() || vmm_ending_open(m.loop, on_end, NULL))
		return 98;
	write_all(0);
	set(&held, true);
	write_all(1);
	write_all(2);
	vmm_loop_del(m.loop, m.tick_fd);
	if (write(ready, "r", 1) != 1 || vmm_loop_run(m.loop) != VMM_END_SIGNAL)
		return 97;
	write_all(3);
	outputs_close();
	return 7;
}

/* Ends @fn in a process of its own; returns whether it ended in time, with @code. */
static bool stopped(int (*fn)(int ready), int code)
{
	double took;
	double began;
	int ready[2];
	int status = 0;
	char byte;
	pid_t pid;

	if (!tap_check(!pipe(ready)))
		return false;
	pid = fork();
	if (!pid)
		_exit(fn(ready[1]));
	tap_equal(read(ready[0], &byte, 1), 1);
	began = seconds();
	kill(pid, SIGTERM);
	while (!waitpid(pid, &status, WNOHANG)) {
		usleep(5000);
		if (seconds() - began > 20)
			kill(pid, SIGKILL);
	}
	took = seconds() - began;
	close(ready[0]);
	close(ready[1]);
	tap_context("it took %.1f s and ended with status 0x%x", took, status);
	return took < ENDS_WITHIN && WIFEXITED(status) && WEXITSTATUS(status) == code;
}

/*
 * The machine may be busy, and then the alarm ends a process that is about to end by itself: one
 * of a few tries has to succeed.
 */
static void ends_in_time(int (*fn)(int ready), int code)
{
	unsigned int tries = 5;
	bool ended;

	do
		ended = stopped(fn, code);
	while (!ended && --tries);
	tap_check(ended);
}

static void a_vm_ends_in_time(void)
{
	ends_in_time(vm_main, 7);
}

/* The same, but only the alarm ends it. */
static int vm_that_hangs(int ready)
{
	if (!outputs_open() || vmm_ending_open(m.loop, on_end, NULL))
		return 98;
	set(&held, true);
	write_all(1);
	if (write(ready, "r", 1) != 1)
		return 97;
	for (;;)
		pause();
}

static void last_words_hold_nobody_up(void)
{
#ifdef __SANITIZE_THREAD__
	tap_skip("ThreadSanitizer holds signals back");
	return;
#endif
	ends_in_time(vm_that_hangs, 128 + SIGTERM);
}

/* Queued records are written before the last message. */
static void last_words_come_last(void)
{
	static const char words[] = "last words\n";
	int saved = dup(STDERR_FILENO);
	char *text;

	alarm(100);
	err_fd = memfd_create("stderr", MFD_CLOEXEC);
	dup2(err_fd, STDERR_FILENO);
	tap_check(!vmm_log_thread_open(err_fd));
	__atomic_store_n(&slow_ms, 20, __ATOMIC_SEQ_CST);
	vmm_note("before");
	vmm_last_words(words, strlen(words));
	__atomic_store_n(&slow_ms, 0, __ATOMIC_SEQ_CST);
	vmm_log_thread_close();
	dup2(saved, STDERR_FILENO);
	close(saved);
	text = file_text(err_fd);
	tap_check(!strcmp(text, "vmmctl: before\nlast words\n"));
	free(text);
	close(err_fd);
	alarm(0);
}

/* A slow file gets all records at the end. */
static void a_slow_file_gets_all(void)
{
	unsigned int i;
	char *text;

	alarm(100);
	vmm_file_threads_begin();
	err_fd = memfd_create("stderr", MFD_CLOEXEC);
	tap_check(!vmm_log_thread_open(err_fd));
	__atomic_store_n(&slow_ms, 10, __ATOMIC_SEQ_CST);
	for (i = 0; i < 20; i++)
		vmm_note("message %u", i);
	vmm_log_thread_close();
	__atomic_store_n(&slow_ms, 0, __ATOMIC_SEQ_CST);
	text = file_text(err_fd);
	tap_equal(in_order(text, "message "), 20);
	free(text);
	close(err_fd);
	alarm(0);
}

static size_t record_slowly(void *arg, const void *record, size_t len)
{
	(void)record;
	(void)len;
	usleep(50000);
	__atomic_add_fetch((unsigned int *)arg, 1, __ATOMIC_SEQ_CST);
	return 0;
}

/* The end waits for a slow file, also after an earlier wait without success. */
static void a_wait_in_vain_takes_nothing(void)
{
	unsigned int written = 0;
	struct vmm_file_thread *file;
	unsigned int i;

	alarm(100);
	vmm_file_threads_begin();
	file = vmm_file_thread_open("slow", NULL, VMM_FILE_ROOM, record_slowly, &written);
	for (i = 0; i < 10; i++)
		vmm_file_thread_text(file, "x", 1);
	tap_check(!vmm_file_thread_wait(file, 200));
	tap_check(vmm_file_thread_close(file, -1));
	tap_equal(__atomic_load_n(&written, __ATOMIC_SEQ_CST), 10);
	alarm(0);
}

static size_t record_held(void *arg, const void *record, size_t len)
{
	(void)arg;
	(void)record;
	(void)len;
	while (is_set(&held))
		usleep(1000);
	return 0;
}

/* Returns the time of a wait for one file, and then for both, which do not answer. */
static double two_waits(void)
{
	struct vmm_file_thread *files[2];
	double began;
	unsigned int i;

	vmm_file_threads_begin();
	set(&held, true);
	for (i = 0; i < 2; i++) {
		files[i] = vmm_file_thread_open("held", NULL, VMM_FILE_ROOM, record_held, NULL);
		vmm_file_thread_text(files[i], "x", 1);
	}
	began = seconds();
	tap_check(!vmm_file_thread_wait(files[0], 300));
	vmm_file_threads_last(false);
	began = seconds() - began;
	set(&held, false);
	vmm_file_threads_begin();
	for (i = 0; i < 2; i++) {
		while (!vmm_file_thread_wait(files[i], 100))
			usleep(1000);
		tap_check(vmm_file_thread_close(files[i], -1));
	}
	return began;
}

/* The machine may be busy: one of a few tries has to be in time. */
static void all_waits_share_their_time(void)
{
	double took = 1;
	unsigned int i;

	alarm(100);
	for (i = 0; i < 5 && took >= 0.8; i++)
		took = two_waits();
	tap_check(took < 0.8);
	alarm(0);
}

static bool without_records;

/* A close that writes data and never ends, so this runs in another process. */
static int vm_that_closes(int ready)
{
	struct vmm_config cfg = { .stats_file = stats_path };
	struct vmm_vm vm = { .stats_fd = -1 };
	struct vmm_stats *stats = vmm_stats_open(&cfg);
	struct vmm_loop *loop = vmm_loop_create();

	vmm_file_threads_begin();
	if (!stats || vmm_ending_open(loop, on_end, NULL))
		return 98;
	if (!without_records)
		vmm_stats_snapshot(stats, &vm, "one");
	set(&closing_held, true);
	if (write(ready, "r", 1) != 1)
		return 97;
	vmm_stats_close(stats);
	return vmm_loop_run(loop) == VMM_END_SIGNAL ? 7 : 96;
}

static void closing_holds_nobody_up(void)
{
	ends_in_time(vm_that_closes, 7);
	without_records = true;
	ends_in_time(vm_that_closes, 7);
	without_records = false;
}

#define SAMPLES		300000	/* bytes: more than the first read */

/* Makes a WAV file whose samples, of 32 bits, count up. */
static void wav_make(void)
{
	struct vmm_sound_format format = { .rate = 48000, .channels = 1, .bits = 32 };
	const struct vmm_sound_ends ends = { .option = "--sound", .play = wav_path };
	struct vmm_sound *sound = vmm_sound_open(NULL, &ends);
	static u32 samples[SAMPLES / 4];
	const struct iovec iov = { samples, sizeof(samples) };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(samples); i++)
		samples[i] = i + 1;
	vmm_sound_prepare(sound, false, &format);
	vmm_sound_play(sound, &iov, 1, sizeof(samples));
	vmm_sound_close(sound);
}

static unsigned int pace_us;	/* between two records */

/* Records until @want samples have come, or there is silence; returns their number. */
static unsigned int record(struct vmm_sound *sound, unsigned int have, unsigned int want)
{
	u32 samples[480];
	const struct iovec iov = { samples, sizeof(samples) };
	unsigned int i;

	while (have < want) {
		vmm_sound_record(sound, &iov, 1, sizeof(samples));
		for (i = 0; i < ARRAY_SIZE(samples) && samples[i]; i++)
			tap_equal(samples[i], ++have);
		if (i < ARRAY_SIZE(samples))
			break;
		usleep(pace_us);
	}
	return have;
}

/* Samples that are late are replaced by silence, and come later; none is lost. */
static void sound_is_read_ahead(void)
{
	const struct vmm_sound_ends ends = { .option = "--sound", .record = wav_path };
	struct vmm_sound_format format;
	struct vmm_sound *sound;
	unsigned int have;
	unsigned int i;

	alarm(100);
	wav_make();
	vmm_file_threads_begin();
	sound = vmm_sound_open(NULL, &ends);
	if (!tap_check(sound))
		return;
	tap_check(vmm_sound_recorded_format(sound, &format));
	set(&held, true);
	vmm_sound_prepare(sound, true, &format);
	have = record(sound, 0, SAMPLES / 4);
	tap_check(have > 10000 && have < SAMPLES / 4);
	tap_equal(record(sound, have, SAMPLES / 4), have);
	set(&held, false);
	for (i = 0; i < 1000 && have < SAMPLES / 4; i++) {
		have = record(sound, have, SAMPLES / 4);
		usleep(1000);
	}
	tap_equal(have, SAMPLES / 4);
	tap_equal(record(sound, have, have + 1), have);
	/* It can restart from the beginning in the middle of the file. */
	vmm_sound_prepare(sound, true, &format);
	tap_check(record(sound, 0, 20000) >= 20000);
	vmm_sound_close(sound);
	/* A slow file causes no gap. */
	sound = vmm_sound_open(NULL, &ends);
	vmm_sound_prepare(sound, true, &format);
	pace_us = 1000;
	__atomic_store_n(&slow_ms, 10, __ATOMIC_SEQ_CST);
	tap_equal(record(sound, 0, SAMPLES / 4), SAMPLES / 4);
	__atomic_store_n(&slow_ms, 0, __ATOMIC_SEQ_CST);
	pace_us = 0;
	vmm_sound_close(sound);
	alarm(0);
}

/* A read that fails once causes a short silence. */
static void samples_that_fail_are_read_again(void)
{
	const struct vmm_sound_ends ends = { .option = "--sound", .record = wav_path };
	struct vmm_sound_format format;
	struct vmm_sound *sound;
	unsigned int have;
	unsigned int i;

	alarm(100);
	wav_make();
	vmm_file_threads_begin();
	sound = vmm_sound_open(NULL, &ends);
	if (!tap_check(sound))
		return;
	tap_check(vmm_sound_recorded_format(sound, &format));
	set(&samples_fail, true);
	vmm_sound_prepare(sound, true, &format);
	have = record(sound, 0, SAMPLES / 4);
	tap_check(have > 10000 && have < SAMPLES / 4);
	usleep(50000);
	tap_equal(record(sound, have, SAMPLES / 4), have);
	set(&samples_fail, false);
	for (i = 0; i < 1000 && have < SAMPLES / 4; i++) {
		have = record(sound, have, SAMPLES / 4);
		usleep(1000);
	}
	tap_equal(have, SAMPLES / 4);
	vmm_sound_close(sound);
	/* A file whose first samples cannot be read is refused. */
	set(&samples_fail, true);
	sound = vmm_sound_open(NULL, &ends);
	tap_check(!sound);
	set(&samples_fail, false);
	vmm_sound_close(sound);
	alarm(0);
}

/* Samples that the header does not count are lost. */
static void a_header_that_fails_is_a_loss(void)
{
	static const struct vmm_sound_format cd = { .rate = 44100, .channels = 2, .bits = 16 };
	const struct vmm_sound_ends ends = { .option = "--sound", .play = wav_path };
	u8 samples[2048] = { 0 };
	const struct iovec iov = { samples, sizeof(samples) };
	struct vmm_sound *sound;
	struct stat st;

	alarm(100);
	vmm_file_threads_begin();
	sound = vmm_sound_open(NULL, &ends);
	if (!tap_check(sound))
		return;
	vmm_sound_prepare(sound, false, &cd);
	set(&header_fails, true);
	vmm_sound_play(sound, &iov, 1, sizeof(samples));
	vmm_file_threads_last(false);
	tap_equal(vmm_sound_lost(sound), sizeof(samples));
	set(&header_fails, false);
	vmm_sound_play(sound, &iov, 1, sizeof(samples));
	vmm_sound_close(sound);
	tap_check(!stat(wav_path, &st));
	tap_equal(st.st_size, 44 + sizeof(samples));
	alarm(0);
}

static const struct tap_case cases[] = {
	{ "sound that is recorded holds up nobody", sound_is_read_ahead },
	{ "samples that cannot be read are read again", samples_that_fail_are_read_again },
	{ "samples that the header does not tell of are lost", a_header_that_fails_is_a_loss },
	{ "files that are stuck hold up nobody", nobody_is_held_up },
	{ "nor does one that is to be closed", closing_holds_nobody_up },
	{ "nor do they hold up the end of a VM", a_vm_ends_in_time },
	{ "nor last words", last_words_hold_nobody_up },
	{ "last words come last", last_words_come_last },
	{ "a slow file gets all", a_slow_file_gets_all },
	{ "also after a wait in vain", a_wait_in_vain_takes_nothing },
	{ "all waits share their time", all_waits_share_their_time },
};

static void nobody(void *arg, const char *name)
{
	(void)arg;
	(void)name;
}

int main(void)
{
	int rc;

	snprintf(home, sizeof(home), "/tmp/vmmctl-files-XXXXXX");
	if (!mkdtemp(home))
		return 1;
	setenv("XDG_RUNTIME_DIR", home, 1);
	snprintf(stats_path, sizeof(stats_path), "%s/stats", home);
	snprintf(wav_path, sizeof(wav_path), "%s/sound.wav", home);
	rc = tap_run(cases, ARRAY_SIZE(cases));
	unlink(stats_path);
	unlink(wav_path);
	/* Remove the files of processes that were ended. */
	snprintf(wav_path, sizeof(wav_path), "%s/ranchu", home);
	vmm_dir_each(wav_path, nobody, NULL);
	rmdir(wav_path);
	return rmdir(home) ? 1 : rc;
}
