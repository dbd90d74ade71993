// SPDX-License-Identifier: GPL-2.0-only
/*
 * Goldfish audio: two buffers that are played in turn, and one for recording. A buffer takes
 * as long as its samples would on a real device: the host's clock sets the pace, independent
 * of where samples go to and come from (host/sound.h).
 *
 * Source: platform_external_qemu hw/audio/goldfish_audio.c (853e3bc05f0e).
 */
#include <string.h>

#include "devices/goldfish.h"

#define REG_INT_STATUS		0x00
#define REG_INT_ENABLE		0x04
#define REG_SET_WRITE_1		0x08
#define REG_SET_WRITE_2		0x0c
#define REG_WRITE_1		0x10
#define REG_WRITE_2		0x14
#define REG_READ_SUPPORTED	0x18
#define REG_SET_READ		0x1c
#define REG_START_READ		0x20
#define REG_READ_AVAILABLE	0x24
#define REG_SET_WRITE_1_HIGH	0x28
#define REG_SET_WRITE_2_HIGH	0x30
#define REG_SET_READ_HIGH	0x34

#define INT_WRITE_1		VMM_AUDIO_INT_WRITE_1
#define INT_READ		VMM_AUDIO_INT_READ

#define SECOND_NS		1000000000ULL
/* A delay of the host is made up for, up to this time. */
#define LATE_MOST		SECOND_NS
/* Buffers that are completed in a row before other work gets its turn. */
#define TURN			16
#define PLAY_BYTES		(VMM_AUDIO_RATE * VMM_AUDIO_CHANNELS * 2)	/* a second */
#define RECORD_BYTES		(VMM_AUDIO_RECORD_RATE * 2)
#define AT_ONCE			1	/* a time in the past */

static void line_set_locked(struct vmm_audio *audio, bool level)
{
	if (level == audio->level)
		return;
	audio->level = level;
	audio->irq(audio->arg, level);
}

/* Sets the line from the registers. Other than in most devices, this is done at events only. */
static void line_update_locked(struct vmm_audio *audio)
{
	line_set_locked(audio, audio->status & audio->enable);
}

static void wait_locked(struct vmm_audio *audio)
{
	u64 at = audio->play_end;

	if (!at || (audio->read_end && audio->read_end < at))
		at = audio->read_end;
	/* The main thread calls @listen and @silence, so wake it. */
	if (audio->wanted != audio->listening || audio->silent)
		at = AT_ONCE;
	audio->wait(audio->arg, audio->paused ? 0 : at);
}

/**
 * vmm_audio_update_locked - update the line and the timer after members were set
 * @audio: the device
 *
 * Context: with the device's lock held.
 */
void vmm_audio_update_locked(struct vmm_audio *audio)
{
	wait_locked(audio);
	line_update_locked(audio);
}

static u64 duration(u32 bytes, u32 rate)
{
	return bytes * SECOND_NS / rate;
}

/* Begins to play the next buffer, or else the other one, at time @from. */
static void play_locked(struct vmm_audio *audio, u64 from)
{
	if (!audio->buffer[audio->playing].bytes)
		audio->playing ^= 1;
	audio->play_end = audio->buffer[audio->playing].bytes ?
			  from + duration(audio->buffer[audio->playing].bytes, PLAY_BYTES) : 0;
}

/* The length comes from the guest: it is limited to the buffer's size. */
static void buffer_write_locked(struct vmm_audio *audio, unsigned int which, u32 bytes)
{
	struct vmm_audio_buffer *buffer = &audio->buffer[which];
	u32 before = buffer->bytes;

	if (bytes > VMM_AUDIO_BUFFER)
		bytes = VMM_AUDIO_BUFFER;
	if (!audio->fetch(audio->arg, buffer->gpa, buffer->samples, bytes)) {
		memset(buffer->samples, 0, bytes);
		audio->bad++;
	}
	buffer->bytes = bytes;
	if (bytes)
		audio->status &= ~(INT_WRITE_1 << which);
	if (audio->play_end && which != audio->playing)
		return;
	if (audio->play_end) {
		/* Samples that replace others have their own duration, from the same beginning. */
		audio->play_end += duration(bytes, PLAY_BYTES) - duration(before, PLAY_BYTES);
	} else {
		audio->playing = which;
		play_locked(audio, audio->now(audio->arg));
	}
	wait_locked(audio);
}

/* A recording begins where the last one ended, so the guest keeps the clock's pace. */
static void record_locked(struct vmm_audio *audio, u32 bytes)
{
	u64 from = audio->now(audio->arg);

	if (audio->read_last && from - audio->read_last < LATE_MOST)
		from = audio->read_last;
	audio->read_bytes = bytes < VMM_AUDIO_BUFFER ? bytes : VMM_AUDIO_BUFFER;
	audio->read_end = from + duration(audio->read_bytes, RECORD_BYTES);
	audio->read_number++;
	audio->wanted = true;
	audio->status &= ~INT_READ;
	line_update_locked(audio);
	wait_locked(audio);
}

/* Opening and closing the device cancels playback and recording. */
static void enable_locked(struct vmm_audio *audio, u32 enable)
{
	audio->buffer[0].bytes = 0;
	audio->buffer[1].bytes = 0;
	audio->play_end = 0;
	audio->read_end = 0;
	audio->read_last = 0;
	audio->read_bytes = 0;
	audio->read_number++;
	audio->silent = audio->sounding;
	/* Recording begins with the first request to record, not when the device is opened. */
	audio->wanted = false;
	audio->enable = enable & VMM_AUDIO_INT_ALL;
	audio->status = INT_WRITE_1 | INT_WRITE_1 << 1;
	line_update_locked(audio);
	wait_locked(audio);
}

static u32 audio_read_locked(struct vmm_audio *audio, u32 offset)
{
	u32 told;

	switch (offset) {
	case REG_INT_STATUS:
		told = audio->status & audio->enable;
		if (told)
			line_set_locked(audio, false);
		return told;
	case REG_READ_SUPPORTED:
		return 1;
	case REG_READ_AVAILABLE:
		return audio->read_end ? 0 : audio->read_bytes;
	default:
		return 0;
	}
}

static void low_set(u64 *gpa, u32 value)
{
	*gpa = (*gpa & ~0xffffffffULL) | value;
}

static void high_set(u64 *gpa, u32 value)
{
	*gpa = (*gpa & 0xffffffff) | (u64)value << 32;
}

static void audio_write_locked(struct vmm_audio *audio, u32 offset, u32 value)
{
	switch (offset) {
	case REG_INT_ENABLE:
		enable_locked(audio, value);
		break;
	case REG_SET_WRITE_1:
	case REG_SET_WRITE_2:
		low_set(&audio->buffer[offset == REG_SET_WRITE_2].gpa, value);
		break;
	case REG_SET_WRITE_1_HIGH:
	case REG_SET_WRITE_2_HIGH:
		high_set(&audio->buffer[offset == REG_SET_WRITE_2_HIGH].gpa, value);
		break;
	case REG_SET_READ:
		low_set(&audio->read_gpa, value);
		break;
	case REG_SET_READ_HIGH:
		high_set(&audio->read_gpa, value);
		break;
	case REG_WRITE_1:
	case REG_WRITE_2:
		buffer_write_locked(audio, offset == REG_WRITE_2, value);
		break;
	case REG_START_READ:
		record_locked(audio, value);
		break;
	}
}

/**
 * vmm_audio_init - initialise a device that plays nothing
 * @audio: callbacks are set, all other members are zero
 */
void vmm_audio_init(struct vmm_audio *audio)
{
	pthread_mutex_init(&audio->lock, NULL);
}

/**
 * vmm_audio_reset - put the device into its reset state
 * @audio: the device; it may be paused and stays so
 */
void vmm_audio_reset(struct vmm_audio *audio)
{
	pthread_mutex_lock(&audio->lock);
	enable_locked(audio, 0);
	audio->status = 0;
	audio->buffer[0].gpa = 0;
	audio->buffer[1].gpa = 0;
	audio->read_gpa = 0;
	line_update_locked(audio);
	pthread_mutex_unlock(&audio->lock);
}

/**
 * vmm_audio_read - answer a guest read
 * @audio: the device
 * @offset: byte offset of the register
 *
 * Context: any thread.
 * Return: the register's value
 */
u32 vmm_audio_read(struct vmm_audio *audio, u32 offset)
{
	u32 value;

	pthread_mutex_lock(&audio->lock);
	value = audio_read_locked(audio, offset);
	pthread_mutex_unlock(&audio->lock);
	return value;
}

/**
 * vmm_audio_write - take a guest write
 * @audio: the device
 * @offset: byte offset of the register
 * @value: what was written
 *
 * Context: any thread.
 */
void vmm_audio_write(struct vmm_audio *audio, u32 offset, u32 value)
{
	pthread_mutex_lock(&audio->lock);
	audio_write_locked(audio, offset, value);
	pthread_mutex_unlock(&audio->lock);
}

/*
 * Completes one buffer; the other one begins when this one ended. The samples are copied,
 * because the guest may reuse the buffer at once. Returns how many bytes they are.
 */
static u32 played_locked(struct vmm_audio *audio, u64 now, u8 samples[VMM_AUDIO_BUFFER])
{
	struct vmm_audio_buffer *buffer = &audio->buffer[audio->playing];
	u32 bytes = buffer->bytes;

	memcpy(samples, buffer->samples, bytes);
	buffer->bytes = 0;
	audio->sounding |= bytes > 0;
	audio->status |= INT_WRITE_1 << audio->playing;
	play_locked(audio, now - audio->play_end > LATE_MOST ? now : audio->play_end);
	line_update_locked(audio);
	return bytes;
}

/*
 * Calls @listen if recording began or ended, and @silence if playback ended. Called without
 * the lock, which it takes.
 */
static void listen(struct vmm_audio *audio)
{
	bool wanted, changed, silent;

	pthread_mutex_lock(&audio->lock);
	wanted = audio->wanted;
	changed = wanted != audio->listening;
	audio->listening = wanted;
	silent = audio->silent;
	if (silent)
		audio->sounding = false;
	audio->silent = false;
	pthread_mutex_unlock(&audio->lock);
	if (changed)
		audio->listen(audio->arg, wanted);
	if (silent)
		audio->silence(audio->arg);
}

/*
 * Delivers recorded samples. They are read without the lock, for which a vCPU might wait; if
 * the guest has made another request meanwhile, they are dropped.
 */
static void recorded(struct vmm_audio *audio)
{
	u8 samples[VMM_AUDIO_BUFFER];
	u64 number;
	u32 bytes;
	bool due;

	pthread_mutex_lock(&audio->lock);
	/* A newer request waits for the next call: @listen has to be called before. */
	due = !audio->paused && audio->listening && audio->read_end &&
	      audio->read_end <= audio->now(audio->arg);
	number = audio->read_number;
	bytes = audio->read_bytes;
	pthread_mutex_unlock(&audio->lock);
	if (!due)
		return;
	audio->record(audio->arg, samples, bytes);
	pthread_mutex_lock(&audio->lock);
	if (audio->read_number == number) {
		audio->read_last = audio->read_end;
		audio->read_end = 0;
		if (!audio->store(audio->arg, audio->read_gpa, samples, bytes))
			audio->bad++;
		audio->status |= INT_READ;
		line_update_locked(audio);
	}
	pthread_mutex_unlock(&audio->lock);
}

/**
 * vmm_audio_due - handle buffers whose time is over
 * @audio: the device
 *
 * Context: main thread.
 */
void vmm_audio_due(struct vmm_audio *audio)
{
	u8 samples[VMM_AUDIO_BUFFER];
	unsigned int turn = TURN;
	u32 bytes;
	u64 now;

	listen(audio);
	recorded(audio);
	/* If more is due after the last turn, the timer expires at once. */
	do {
		bytes = 0;
		pthread_mutex_lock(&audio->lock);
		now = audio->now(audio->arg);
		if (!audio->paused && audio->play_end && audio->play_end <= now)
			bytes = played_locked(audio, now, samples);
		wait_locked(audio);
		pthread_mutex_unlock(&audio->lock);
		/* Without the lock, so that no vCPU waits for the file. */
		if (bytes)
			audio->play(audio->arg, samples, bytes);
	} while (bytes && --turn);
}

/**
 * vmm_audio_pause - stop playback and recording, or continue
 * @audio: the device
 * @paused: true to pause; false to continue, and to complete what was due meanwhile
 */
void vmm_audio_pause(struct vmm_audio *audio, bool paused)
{
	pthread_mutex_lock(&audio->lock);
	audio->paused = paused;
	wait_locked(audio);
	pthread_mutex_unlock(&audio->lock);
}
