// SPDX-License-Identifier: GPL-2.0-only
/*
 * Goldfish audio's registers, as Android's driver uses them, with a fake clock and memory.
 */
#include <string.h>

#include "devices/goldfish.h"
#include "tests/tap.h"

#define INT_STATUS	0x00
#define INT_ENABLE	0x04
#define SET_WRITE_1	0x08
#define SET_WRITE_2	0x0c
#define WRITE_1		0x10
#define WRITE_2		0x14
#define READ_SUPPORTED	0x18
#define SET_READ	0x1c
#define START_READ	0x20
#define READ_AVAILABLE	0x24
#define WRITE_1_HIGH	0x28
#define READ_HIGH	0x34

#define SECOND		1000000000ULL
#define HIGH		(5ULL << 32)	/* guest address of the memory */

static struct {
	bool level;
	u64 now;
	u64 wait;
	u8 memory[0x20000];
	u8 played[0x40000];
	u32 len;
	unsigned int begun;
	bool listening;
	unsigned int silenced;
	u32 recorded;
	void (*meanwhile)(void);
} host;

static void on_irq(void *arg, bool level)
{
	(void)arg;
	tap_check(level != host.level);
	host.level = level;
}

static u64 on_now(void *arg)
{
	(void)arg;
	return host.now;
}

static void on_wait(void *arg, u64 at)
{
	(void)arg;
	host.wait = at;
}

static bool there(u64 gpa, u32 len)
{
	return gpa >= HIGH && gpa - HIGH <= sizeof(host.memory) - len;
}

static bool on_fetch(void *arg, u64 gpa, void *bytes, u32 len)
{
	(void)arg;
	tap_check(len <= VMM_AUDIO_BUFFER);
	if (!there(gpa, len))
		return false;
	memcpy(bytes, host.memory + (gpa - HIGH), len);
	return true;
}

static bool on_store(void *arg, u64 gpa, const void *bytes, u32 len)
{
	(void)arg;
	tap_check(len <= VMM_AUDIO_BUFFER);
	if (!there(gpa, len))
		return false;
	memcpy(host.memory + (gpa - HIGH), bytes, len);
	return true;
}

static void on_listen(void *arg, bool on)
{
	(void)arg;
	tap_check(on != host.listening);
	host.listening = on;
	host.begun += on;
	if (on)
		host.recorded = 0;
}

/* Samples that do not repeat within a test: a counter of two bytes. */
static u8 sound_at(u32 i)
{
	return i & 1 ? i >> 9 : i >> 1;
}

static void on_record(void *arg, void *samples, u32 bytes)
{
	u8 *to = samples;
	u32 i;

	(void)arg;
	tap_check(host.listening && bytes <= VMM_AUDIO_BUFFER);
	for (i = 0; i < bytes; i++)
		to[i] = sound_at(host.recorded++);
	if (host.meanwhile)
		host.meanwhile();
}

static void on_play(void *arg, void *samples, u32 bytes)
{
	(void)arg;
	if (!tap_check(bytes <= sizeof(host.played) - host.len))
		return;
	memcpy(host.played + host.len, samples, bytes);
	host.len += bytes;
}

static void on_silence(void *arg)
{
	(void)arg;
	host.silenced++;
	if (host.meanwhile)
		host.meanwhile();
}

static struct vmm_audio audio;

static void wr(u32 offset, u32 value)
{
	vmm_audio_write(&audio, offset, value);
}

static u32 rd(u32 offset)
{
	return vmm_audio_read(&audio, offset);
}

/* Writes of the driver at its start, and when a program opens the device. */
static void audio_open(void)
{
	unsigned int i;

	memset(&host, 0, sizeof(host));
	host.now = 7 * SECOND;
	for (i = 0; i < sizeof(host.memory); i++)
		host.memory[i] = i * 7 + (i >> 8);
	audio = (struct vmm_audio){
		.irq = on_irq, .now = on_now, .wait = on_wait, .fetch = on_fetch,
		.store = on_store, .play = on_play, .silence = on_silence,
		.listen = on_listen, .record = on_record,
	};
	vmm_audio_init(&audio);
	wr(SET_WRITE_1, 0);
	wr(WRITE_1_HIGH, 5);
	wr(SET_WRITE_2, 0x4000);
	wr(0x30, 5);
	tap_equal(rd(READ_SUPPORTED), 1);
	wr(SET_READ, 0x8000);
	wr(READ_HIGH, 5);
	tap_check(!host.level);
	wr(INT_ENABLE, 7);
	tap_check(host.level);
	tap_equal(rd(INT_STATUS), 3);
	tap_check(!host.level);
}

static void time_is(u64 now)
{
	host.now = now;
	if (host.wait && now >= host.wait)
		vmm_audio_due(&audio);
}

static void buffers_are_played_in_turn(void)
{
	u64 start;

	audio_open();
	start = host.now;
	wr(WRITE_1, 17640);		/* more than fits: 16384 */
	tap_check(!host.level);
	tap_equal(rd(INT_STATUS), 2);
	wr(WRITE_2, 4410);		/* 25 ms */
	tap_equal(rd(INT_STATUS), 0);
	/* The guest may reuse the buffers at once, because they were copied. */
	memset(host.memory + 0x4000, 0xee, 4410);
	tap_equal(host.wait, start + 16384 * SECOND / 176400);
	time_is(start + 92 * SECOND / 1000);
	tap_check(!host.level && !host.len);
	time_is(start + 93 * SECOND / 1000);
	tap_check(host.level);
	tap_equal(host.len, 16384);
	tap_equal(rd(INT_STATUS), 1);
	tap_check(!host.level);
	/* The second buffer began when the first had ended, not when the timer ran. */
	tap_equal(host.wait, start + 16384 * SECOND / 176400 + 4410 * SECOND / 176400);
	time_is(host.wait);
	tap_equal(rd(INT_STATUS), 3);
	tap_equal(host.len, 16384 + 4410);
	tap_equal(host.wait, 0);
	tap_equal(host.played[16384], (u8)(0x4000 * 7 + 0x40));
	tap_check(host.played[16384] != 0xee);
}

/* A second of sound takes a second, with any size of buffers. */
static void the_pace_is_right(void)
{
	unsigned int i;
	u64 start;

	audio_open();
	start = host.now;
	wr(WRITE_1, 8820);
	wr(WRITE_2, 8820);
	for (i = 0; i < 18; i++) {
		/* The host's timer is late, and the guest refills at once. */
		time_is(host.wait + 3000000);
		rd(INT_STATUS);
		wr(i & 1 ? WRITE_2 : WRITE_1, 8820);
	}
	time_is(host.wait);
	time_is(host.wait);
	tap_equal(host.wait, 0);
	tap_equal(host.len, 20 * 8820);
	tap_equal(host.now - start, SECOND);
}

/* Runs the main thread until nothing is due. */
static void main_thread(void)
{
	while (host.wait && host.wait <= host.now)
		vmm_audio_due(&audio);
}

static bool memory_has_sound(u32 from, u32 bytes)
{
	u32 i;

	for (i = 0; i < bytes; i++) {
		if (host.memory[0x8000 + i] != sound_at(from + i))
			return false;
	}
	return true;
}

static void what_is_recorded_takes_its_time(void)
{
	u64 start;

	audio_open();
	start = host.now;
	/* A program that only plays does not start recording. */
	main_thread();
	tap_equal(host.begun, 0);
	wr(START_READ, 1600);		/* 100 ms of 8000 Hz */
	main_thread();
	tap_check(host.listening);
	tap_equal(host.wait, start + SECOND / 10);
	tap_equal(rd(READ_AVAILABLE), 0);
	tap_check(!memory_has_sound(0, 1600));
	time_is(host.wait);
	tap_check(host.level);
	tap_equal(rd(INT_STATUS), 7);
	tap_equal(rd(READ_AVAILABLE), 1600);
	tap_check(memory_has_sound(0, 1600));
	tap_equal(host.memory[0x8000 + 1600], (u8)((0x8000 + 1600) * 7 + ((0x8000 + 1600) >> 8)));
	/* The next samples, limited to the buffer. */
	wr(START_READ, ~0U);
	tap_equal(rd(INT_STATUS), 3);
	tap_equal(host.wait, host.now + 16384 * SECOND / 16000);
	time_is(host.wait);
	tap_equal(rd(READ_AVAILABLE), 16384);
	tap_check(memory_has_sound(1600, 16384));
	tap_equal(host.begun, 1);
	/* After close and open, another program gets the beginning. */
	wr(INT_ENABLE, 0);
	main_thread();
	tap_check(!host.listening);
	tap_equal(host.wait, 0);
	wr(INT_ENABLE, 7);
	wr(START_READ, 160);
	main_thread();
	time_is(host.wait);
	tap_check(memory_has_sound(0, 160));
	tap_equal(host.begun, 2);
	/* A request for 0 bytes completes at once. */
	wr(START_READ, 0);
	main_thread();
	tap_equal(rd(INT_STATUS) & 4, 4);
	tap_equal(rd(READ_AVAILABLE), 0);
}

/* A guest that is 10 ms late each time still has a second of sound in a second. */
static void the_pace_of_recording_is_right(void)
{
	unsigned int i;
	u64 start;

	audio_open();
	start = host.now;
	for (i = 0; i < 20; i++) {
		wr(START_READ, 800);
		main_thread();
		time_is(host.wait + SECOND / 100);
		tap_equal(rd(READ_AVAILABLE), 800);
	}
	tap_equal(host.now - start, SECOND + SECOND / 100);
	tap_equal(host.recorded, 16000);
	/* A guest that was late for long has lost the samples of that time. */
	host.now += 3 * SECOND;
	wr(START_READ, 800);
	tap_equal(host.wait, host.now + SECOND / 20);
	time_is(host.wait);
	/* Another program does not get them either. */
	host.now += SECOND / 10;
	wr(INT_ENABLE, 7);
	wr(START_READ, 800);
	main_thread();
	tap_equal(host.wait, host.now + SECOND / 20);
}

static void close_meanwhile(void)
{
	host.meanwhile = NULL;
	wr(INT_ENABLE, 0);
	wr(INT_ENABLE, 7);
	rd(INT_STATUS);
}

static void ask_meanwhile(void)
{
	host.meanwhile = NULL;
	wr(START_READ, 800);
}

/* Samples are fetched without waiting; the guest may have cancelled its request by then. */
static void what_nobody_waits_for_any_more_is_dropped(void)
{
	audio_open();
	wr(START_READ, 160);
	main_thread();
	host.meanwhile = close_meanwhile;
	time_is(host.wait);
	main_thread();
	tap_check(!memory_has_sound(0, 160) && !host.listening);
	tap_equal(rd(INT_STATUS) & 4, 0);
	tap_equal(rd(READ_AVAILABLE), 0);
	wr(START_READ, 160);
	main_thread();
	host.meanwhile = ask_meanwhile;
	time_is(host.wait);
	tap_equal(rd(INT_STATUS) & 4, 0);
	tap_equal(host.wait, host.now + SECOND / 20);
	time_is(host.wait);
	tap_equal(rd(READ_AVAILABLE), 800);
	tap_check(memory_has_sound(160, 800));
}

static void record_meanwhile(void)
{
	host.meanwhile = NULL;
	wr(START_READ, 0);
}

/* A request during the main thread's change does not start recording yet. */
static void who_is_not_listened_to_is_not_recorded(void)
{
	audio_open();
	wr(WRITE_1, 100);
	time_is(host.wait);
	wr(INT_ENABLE, 7);
	host.meanwhile = record_meanwhile;
	/* on_record() checks that. */
	vmm_audio_due(&audio);
	tap_equal(rd(INT_STATUS) & 4, 0);
	main_thread();
	tap_check(host.listening);
	tap_equal(rd(INT_STATUS) & 4, 4);
}

static void closing_drops_all(void)
{
	audio_open();
	wr(WRITE_1, 16384);
	wr(START_READ, 16384);
	main_thread();
	tap_check(host.listening);
	wr(INT_ENABLE, 0);
	main_thread();
	tap_check(!host.listening);
	tap_equal(host.wait, 0);
	tap_check(!host.level);
	time_is(host.now + SECOND);
	vmm_audio_due(&audio);
	tap_equal(host.len, 0);
	tap_equal(rd(INT_STATUS), 0);
	wr(INT_ENABLE, 7);
	tap_check(host.level);
	vmm_audio_reset(&audio);
	tap_check(!host.level);
	tap_equal(rd(INT_STATUS), 0);
}

/* The sink is told of the end once, and not between two buffers. */
static void closing_ends_what_was_played(void)
{
	audio_open();
	wr(INT_ENABLE, 0);
	main_thread();
	tap_equal(host.silenced, 0);
	wr(INT_ENABLE, 7);
	wr(WRITE_1, 100);
	time_is(host.wait);
	wr(WRITE_1, 100);
	time_is(host.wait);
	tap_equal(host.len, 200);
	tap_equal(host.silenced, 0);
	wr(INT_ENABLE, 0);
	tap_equal(host.silenced, 0);
	main_thread();
	tap_equal(host.silenced, 1);
	wr(INT_ENABLE, 7);
	main_thread();
	tap_equal(host.silenced, 1);
	wr(WRITE_1, 100);
	time_is(host.wait);
	vmm_audio_reset(&audio);
	main_thread();
	tap_equal(host.silenced, 2);
	tap_equal(host.wait, 0);
}

/* A buffer that is refilled often still takes the time of its samples. */
static void a_buffer_that_is_filled_anew_takes_its_time(void)
{
	u64 start;

	audio_open();
	start = host.now;
	wr(WRITE_1, 4);
	wr(WRITE_1, 16384);
	tap_equal(host.wait, start + 16384 * SECOND / 176400);
	time_is(start + 23000);
	tap_equal(host.len, 0);
	time_is(host.wait);
	tap_equal(host.len, 16384);
	/* A shorter one ends sooner, an empty one at once. */
	start = host.now;
	wr(WRITE_2, 16384);
	wr(WRITE_2, 4410);
	tap_equal(host.wait, start + SECOND / 40);
	wr(WRITE_2, 0);
	main_thread();
	tap_equal(rd(INT_STATUS) & 3, 3);
	tap_equal(host.wait, 0);
	tap_equal(host.len, 16384);
}

static void buffers_elsewhere_are_silent(void)
{
	audio_open();
	wr(SET_WRITE_1, 0x1fffe);
	wr(WRITE_1, 100);
	time_is(host.wait);
	tap_equal(audio.bad, 1);
	tap_equal(host.len, 100);
	tap_check(!host.played[0] && !host.played[99]);
	wr(SET_READ, 0xfffffff0);
	wr(START_READ, 100);
	main_thread();
	time_is(host.wait);
	tap_equal(audio.bad, 2);
	/* An empty buffer ends at once, and the guest keeps it. */
	wr(WRITE_1, 0);
	tap_equal(rd(INT_STATUS) & 3, 3);
	tap_equal(host.wait, 0);
}

static void while_paused_no_time_passes(void)
{
	audio_open();
	wr(WRITE_1, 4410);
	vmm_audio_pause(&audio, true);
	tap_equal(host.wait, 0);
	host.now += SECOND;
	vmm_audio_due(&audio);
	tap_equal(host.len, 0);
	vmm_audio_pause(&audio, false);
	tap_check(host.wait);
	time_is(host.now);
	tap_equal(host.len, 4410);
}

/* A guest that refills buffers of one byte at once delays nothing else. */
static void on_play_refill(void *arg, void *samples, u32 bytes)
{
	on_play(arg, samples, bytes);
	host.now += 6000;
	wr(WRITE_1, 1);
	wr(WRITE_2, 1);
}

static void tiny_buffers_take_turns(void)
{
	audio_open();
	audio.play = on_play_refill;
	wr(WRITE_1, 1);
	wr(WRITE_2, 1);
	host.now += SECOND / 2;
	vmm_audio_due(&audio);
	tap_check(host.len && host.len <= 64);
	tap_check(host.wait && host.wait < host.now);
}

/* After a long pause of the host, the guest does not catch up all lost time. */
static void lost_time_is_bounded(void)
{
	audio_open();
	wr(WRITE_1, 4410);
	wr(WRITE_2, 4410);
	time_is(host.now + 3600 * SECOND);
	tap_equal(host.len, 4410);
	tap_equal(host.wait, host.now + SECOND / 40);
}

static const struct tap_case cases[] = {
	{ "buffers are played in turn", buffers_are_played_in_turn },
	{ "the pace is right", the_pace_is_right },
	{ "what is recorded takes its time", what_is_recorded_takes_its_time },
	{ "the pace of recording is right", the_pace_of_recording_is_right },
	{ "what nobody waits for any more is dropped",
	  what_nobody_waits_for_any_more_is_dropped },
	{ "who is not listened to is not recorded", who_is_not_listened_to_is_not_recorded },
	{ "closing the device drops all", closing_drops_all },
	{ "closing the device ends what was played", closing_ends_what_was_played },
	{ "a buffer that is filled anew takes its time",
	  a_buffer_that_is_filled_anew_takes_its_time },
	{ "buffers outside of RAM are silent", buffers_elsewhere_are_silent },
	{ "while the VM is paused no time passes", while_paused_no_time_passes },
	{ "tiny buffers take turns with others", tiny_buffers_take_turns },
	{ "lost time is bounded", lost_time_is_bounded },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
