// SPDX-License-Identifier: GPL-2.0-only
/*
 * Goldfish audio: two buffers that are played in turn, and one that is recorded into.
 * The device takes as long for a buffer as a loudspeaker would: the guest's pace is that
 * of the host's clock, whatever takes and gives the samples (host/sound.h).
 *
 * Source: platform_external_qemu hw/audio/goldfish_audio.c (853e3bc05f0e).
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "devices/devices.h"
#include "devices/goldfish.h"
#include "host/sound.h"

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

#define INT_WRITE_1		(1 << 0)	/* a buffer is empty; the second one is next */
#define INT_READ		(1 << 2)
#define INT_ALL			7

#define SECOND_NS		1000000000ULL
/* Time that the host has lost is made up for, up to here. */
#define LATE_MOST		SECOND_NS
/* Buffers in a row that a guest may have as over, and then others have their turn. */
#define TURN			16
#define PLAY_BYTES		(VMM_AUDIO_RATE * VMM_AUDIO_CHANNELS * 2)	/* a second */
#define RECORD_BYTES		(VMM_AUDIO_RECORD_RATE * 2)
#define AT_ONCE			1	/* a time that has been */

static void line_set_locked(struct vmm_audio *audio, bool level)
{
	if (level == audio->level)
		return;
	audio->level = level;
	audio->irq(audio->arg, level);
}

/* Unlike other devices, the line is what the registers say when something happens. */
static void line_update_locked(struct vmm_audio *audio)
{
	line_set_locked(audio, audio->status & audio->enable);
}

static void wait_locked(struct vmm_audio *audio)
{
	u64 at = audio->play_end;

	if (!at || (audio->read_end && audio->read_end < at))
		at = audio->read_end;
	/* Whom sound comes from is told by the main thread. */
	if (audio->wanted != audio->listening)
		at = AT_ONCE;
	audio->wait(audio->arg, audio->paused ? 0 : at);
}

static u64 duration(u32 bytes, u32 rate)
{
	return bytes * SECOND_NS / rate;
}

/* The buffer whose turn it is, or the other one, from a moment on. */
static void play_locked(struct vmm_audio *audio, u64 from)
{
	if (!audio->buffer[audio->playing].bytes)
		audio->playing ^= 1;
	audio->play_end = audio->buffer[audio->playing].bytes ?
			  from + duration(audio->buffer[audio->playing].bytes, PLAY_BYTES) : 0;
}

/* A length is the guest's: more than a buffer has room for is cut. */
static void buffer_write_locked(struct vmm_audio *audio, unsigned int which, u32 bytes)
{
	struct vmm_audio_buffer *buffer = &audio->buffer[which];

	if (bytes > VMM_AUDIO_BUFFER)
		bytes = VMM_AUDIO_BUFFER;
	if (!audio->fetch(audio->arg, buffer->gpa, buffer->samples, bytes)) {
		memset(buffer->samples, 0, bytes);
		audio->bad++;
	}
	buffer->bytes = bytes;
	if (bytes)
		audio->status &= ~(INT_WRITE_1 << which);
	if (audio->play_end)
		return;
	audio->playing = which;
	play_locked(audio, audio->now(audio->arg));
	wait_locked(audio);
}

static void record_locked(struct vmm_audio *audio, u32 bytes)
{
	audio->read_bytes = bytes < VMM_AUDIO_BUFFER ? bytes : VMM_AUDIO_BUFFER;
	audio->read_end = audio->now(audio->arg) + duration(audio->read_bytes, RECORD_BYTES);
	audio->read_number++;
	audio->wanted = true;
	audio->status &= ~INT_READ;
	line_update_locked(audio);
	wait_locked(audio);
}

/* Opening the device, and closing it: all that was under way is dropped. */
static void enable_locked(struct vmm_audio *audio, u32 enable)
{
	audio->buffer[0].bytes = 0;
	audio->buffer[1].bytes = 0;
	audio->play_end = 0;
	audio->read_end = 0;
	audio->read_bytes = 0;
	audio->read_number++;
	/* What was opened may only want to play: the first that it records begins it. */
	audio->wanted = false;
	audio->enable = enable & INT_ALL;
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
 * vmm_audio_init - make a device that plays nothing
 * @audio: its callbacks must be set, all else is zero
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
 * One buffer's time is over; the other one's begins when this one's ended. The samples
 * are copied, because the guest may have the buffer again at once. Says how many.
 */
static u32 played_locked(struct vmm_audio *audio, u64 now, u8 samples[VMM_AUDIO_BUFFER])
{
	struct vmm_audio_buffer *buffer = &audio->buffer[audio->playing];
	u32 bytes = buffer->bytes;

	memcpy(samples, buffer->samples, bytes);
	buffer->bytes = 0;
	audio->status |= INT_WRITE_1 << audio->playing;
	play_locked(audio, now - audio->play_end > LATE_MOST ? now : audio->play_end);
	line_update_locked(audio);
	return bytes;
}

/* Somebody who listens begins, or ends. Called without the lock, which it takes. */
static void listen(struct vmm_audio *audio)
{
	bool wanted, changed;

	pthread_mutex_lock(&audio->lock);
	wanted = audio->wanted;
	changed = wanted != audio->listening;
	audio->listening = wanted;
	pthread_mutex_unlock(&audio->lock);
	if (changed)
		audio->listen(audio->arg, wanted);
}

/*
 * What the guest records has come. It is had without the lock, which a vCPU might wait for;
 * if the guest has asked for something else meanwhile, it is for nobody.
 */
static void recorded(struct vmm_audio *audio)
{
	u8 samples[VMM_AUDIO_BUFFER];
	u64 number;
	u32 bytes;
	bool due;

	pthread_mutex_lock(&audio->lock);
	due = !audio->paused && audio->read_end && audio->read_end <= audio->now(audio->arg);
	number = audio->read_number;
	bytes = audio->read_bytes;
	pthread_mutex_unlock(&audio->lock);
	if (!due)
		return;
	audio->record(audio->arg, samples, bytes);
	pthread_mutex_lock(&audio->lock);
	if (audio->read_number == number) {
		audio->read_end = 0;
		if (!audio->store(audio->arg, audio->read_gpa, samples, bytes))
			audio->bad++;
		audio->status |= INT_READ;
		line_update_locked(audio);
	}
	pthread_mutex_unlock(&audio->lock);
}

/**
 * vmm_audio_due - what was waited for may have come
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
	/* What is due behind the last turn expires the timer at once. */
	do {
		bytes = 0;
		pthread_mutex_lock(&audio->lock);
		now = audio->now(audio->arg);
		if (!audio->paused && audio->play_end && audio->play_end <= now)
			bytes = played_locked(audio, now, samples);
		wait_locked(audio);
		pthread_mutex_unlock(&audio->lock);
		/* No vCPU waits for the file that takes them. */
		if (bytes)
			audio->play(audio->arg, samples, bytes);
	} while (bytes && --turn);
}

/**
 * vmm_audio_pause - play and record nothing, or go on
 * @audio: the device
 * @paused: which; what should have been over meanwhile is over when it goes on
 */
void vmm_audio_pause(struct vmm_audio *audio, bool paused)
{
	pthread_mutex_lock(&audio->lock);
	audio->paused = paused;
	wait_locked(audio);
	pthread_mutex_unlock(&audio->lock);
}

/* ---- the device on the board ---- */

/**
 * struct speaker - the model and what it needs of the host
 * @audio: the model
 * @dev: the device
 * @sound: takes what is played, and gives what is recorded
 * @timer_fd: expires when the model is due
 */
struct speaker {
	struct vmm_audio audio;
	struct vmm_device *dev;
	struct vmm_sound *sound;
	int timer_fd;
};

static void speaker_irq(void *arg, bool level)
{
	struct speaker *speaker = arg;

	vmm_line_set(&speaker->dev->line, level);
}

static u64 speaker_now(void *arg)
{
	struct timespec now;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static void speaker_wait(void *arg, u64 at)
{
	struct itimerspec when = { .it_value = { at / SECOND_NS, at % SECOND_NS } };
	struct speaker *speaker = arg;

	timerfd_settime(speaker->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static bool speaker_fetch(void *arg, u64 gpa, void *bytes, u32 len)
{
	const struct speaker *speaker = arg;
	const void *from = vmm_mem_ptr(&speaker->dev->vm->mem, gpa, len);

	if (from)
		memcpy(bytes, from, len);
	return from;
}

static bool speaker_store(void *arg, u64 gpa, const void *bytes, u32 len)
{
	const struct speaker *speaker = arg;
	void *to = vmm_mem_ptr(&speaker->dev->vm->mem, gpa, len);

	if (to)
		memcpy(to, bytes, len);
	return to;
}

static void speaker_play(void *arg, void *samples, u32 bytes)
{
	const struct iovec iov = { samples, bytes };
	struct speaker *speaker = arg;

	vmm_sound_run(speaker->sound, false, true);
	vmm_sound_play(speaker->sound, &iov, 1, bytes);
}

static const struct vmm_sound_format recorded_format = {
	.rate = VMM_AUDIO_RECORD_RATE, .channels = 1, .bits = 16,
};

/* A file that is recorded begins anew with each program of the guest's that records. */
static void speaker_listen(void *arg, bool on)
{
	struct speaker *speaker = arg;

	if (on)
		vmm_sound_prepare(speaker->sound, true, &recorded_format);
	vmm_sound_run(speaker->sound, true, on);
}

static void speaker_record(void *arg, void *samples, u32 bytes)
{
	const struct iovec iov = { samples, bytes };
	struct speaker *speaker = arg;

	vmm_sound_record(speaker->sound, &iov, 1, bytes);
}

static int speaker_expired(void *arg)
{
	struct speaker *speaker = arg;
	u64 expirations;

	if (read(speaker->timer_fd, &expirations, sizeof(expirations)) == sizeof(expirations))
		vmm_audio_due(&speaker->audio);
	return 0;
}

static void audio_destroy(struct vmm_device *dev)
{
	struct speaker *speaker = dev->state;

	if (speaker->timer_fd >= 0) {
		vmm_loop_del(dev->vm->loop, speaker->timer_fd);
		close(speaker->timer_fd);
	}
	vmm_sound_close(speaker->sound);
	pthread_mutex_destroy(&speaker->audio.lock);
	free(speaker);
}

/* The guest knows of one format, and nothing here makes another one of it. */
static int record_check(const struct vmm_sound *sound, const char *path)
{
	struct vmm_sound_format format;

	if (!vmm_sound_recorded_format(sound, &format) ||
	    (format.rate == recorded_format.rate && format.channels == recorded_format.channels &&
	     format.bits == recorded_format.bits && !format.is_float))
		return 0;
	return vmm_error(-EINVAL,
			 "--sound: %s has another format than 8000 Hz, one channel, 16 bits", path);
}

static int speaker_open(struct speaker *speaker)
{
	static const struct vmm_sound_format format = {
		.rate = VMM_AUDIO_RATE, .channels = VMM_AUDIO_CHANNELS, .bits = 16,
	};
	struct vmm_vm *vm = speaker->dev->vm;
	const struct vmm_sound_ends ends = {
		.option = "--sound", .play = vm->cfg->sound, .record = vm->cfg->sound_record,
		.socket = vm->cfg->sound_socket,
	};

	speaker->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (speaker->timer_fd < 0)
		return vmm_error(errno, "audio: cannot make a timer");
	speaker->sound = vmm_sound_open(vm, &ends);
	if (!speaker->sound || record_check(speaker->sound, vm->cfg->sound_record))
		return -EIO;
	vmm_sound_prepare(speaker->sound, false, &format);
	vmm_sound_prepare(speaker->sound, true, &recorded_format);
	return vmm_loop_add(vm->loop, speaker->timer_fd, speaker_expired, speaker);
}

static int audio_create(struct vmm_device *dev)
{
	struct speaker *speaker = calloc(1, sizeof(*speaker));
	int err;

	if (!speaker)
		return vmm_error(ENOMEM, "audio");
	speaker->dev = dev;
	speaker->audio.irq = speaker_irq;
	speaker->audio.now = speaker_now;
	speaker->audio.wait = speaker_wait;
	speaker->audio.fetch = speaker_fetch;
	speaker->audio.store = speaker_store;
	speaker->audio.play = speaker_play;
	speaker->audio.listen = speaker_listen;
	speaker->audio.record = speaker_record;
	speaker->audio.arg = speaker;
	vmm_audio_init(&speaker->audio);
	dev->state = speaker;
	err = speaker_open(speaker);
	if (err)
		audio_destroy(dev);
	return err;
}

static void audio_reset(struct vmm_device *dev)
{
	struct speaker *speaker = dev->state;

	vmm_audio_reset(&speaker->audio);
}

/* A register is 32 bits wide and read whole, however much of it the guest asks for. */
static u64 audio_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	struct speaker *speaker = dev->state;

	(void)len;
	return vmm_audio_read(&speaker->audio, offset);
}

static void audio_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	struct speaker *speaker = dev->state;

	(void)len;
	vmm_audio_write(&speaker->audio, offset, value);
}

static void audio_pause(struct vmm_device *dev)
{
	struct speaker *speaker = dev->state;

	vmm_audio_pause(&speaker->audio, true);
}

static void audio_resume(struct vmm_device *dev)
{
	struct speaker *speaker = dev->state;

	vmm_audio_pause(&speaker->audio, false);
}

/* Tags of the saved state; a number is never used for anything else. */
enum {
	STATE_REGS = 1,		/* addresses, what is enabled, what has happened */
};

#define STATE_VERSION	1

/**
 * struct saved_regs - what is saved
 * @gpa: of the two buffers that are played and of the one that is recorded into
 * @enable: interrupts that are let through
 * @status: those that have happened, and those that will tell that what is being played
 *	or recorded is over
 * @read_bytes: bytes recorded last, or being recorded
 * @padding: 0
 */
struct saved_regs {
	__le64 gpa[3];
	__le32 enable;
	__le32 status;
	__le32 read_bytes;
	__le32 padding;
};

static int audio_save(struct vmm_device *dev, struct vmm_state *state)
{
	struct speaker *speaker = dev->state;
	struct vmm_audio *audio = &speaker->audio;
	struct saved_regs saved;
	int err = vmm_state_begin(state, dev->ops->name, STATE_VERSION);

	if (err)
		return err;
	pthread_mutex_lock(&audio->lock);
	saved = (struct saved_regs){
		.gpa = { htole64(audio->buffer[0].gpa), htole64(audio->buffer[1].gpa),
			 htole64(audio->read_gpa) },
		.enable = htole32(audio->enable),
		.status = htole32(audio->status |
				  (audio->buffer[0].bytes ? INT_WRITE_1 : 0) |
				  (audio->buffer[1].bytes ? INT_WRITE_1 << 1 : 0) |
				  (audio->read_end ? INT_READ : 0)),
		.read_bytes = htole32(audio->read_bytes),
	};
	pthread_mutex_unlock(&audio->lock);
	vmm_state_put(state, STATE_REGS, &saved, sizeof(saved));
	return vmm_state_end(state);
}

/*
 * What was being played is over: its samples are not saved. The guest gets its buffers
 * back, and goes on with the next ones.
 */
static int audio_load(struct vmm_device *dev, struct vmm_state *state)
{
	struct speaker *speaker = dev->state;
	struct vmm_audio *audio = &speaker->audio;
	struct saved_regs saved;
	int err = vmm_state_open(state, dev->ops->name, STATE_VERSION);

	if (err < 0)
		return err;
	vmm_state_get(state, STATE_REGS, &saved, sizeof(saved));
	err = vmm_state_close(state);
	if (!err && ((le32toh(saved.enable) | le32toh(saved.status)) & ~INT_ALL ||
		     le32toh(saved.read_bytes) > VMM_AUDIO_BUFFER || saved.padding))
		err = -EINVAL;
	if (err)
		return err;
	pthread_mutex_lock(&audio->lock);
	audio->buffer[0].gpa = le64toh(saved.gpa[0]);
	audio->buffer[1].gpa = le64toh(saved.gpa[1]);
	audio->read_gpa = le64toh(saved.gpa[2]);
	audio->read_bytes = le32toh(saved.read_bytes);
	audio->enable = le32toh(saved.enable);
	audio->status = le32toh(saved.status);
	audio->buffer[0].bytes = 0;
	audio->buffer[1].bytes = 0;
	audio->play_end = 0;
	audio->read_end = 0;
	audio->read_number++;
	wait_locked(audio);
	line_update_locked(audio);
	pthread_mutex_unlock(&audio->lock);
	return 0;
}

static void audio_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	vmm_goldfish_describe(dev, visitor, (struct vmm_description){
		.node = "goldfish_audio",
		.compatible = { "google,goldfish-audio", "generic,goldfish-audio" },
		.hid = "GFSH0005", .name = "GFAU", .text = "goldfish audio",
	});
}

static void audio_stats(struct vmm_device *dev, struct vmm_report *report)
{
	struct speaker *speaker = dev->state;
	u64 bad, lost;

	pthread_mutex_lock(&speaker->audio.lock);
	bad = speaker->audio.bad;
	lost = vmm_sound_lost(speaker->sound);
	pthread_mutex_unlock(&speaker->audio.lock);
	vmm_report_add(report, "bad_buffers", bad);
	vmm_report_add(report, "lost_bytes", lost);
}

/** Audio. */
const struct vmm_device_ops vmm_goldfish_audio_ops = {
	.name = "audio",
	.create = audio_create,
	.reset = audio_reset,
	.destroy = audio_destroy,
	.read = audio_read,
	.write = audio_write,
	.pause = audio_pause,
	.resume = audio_resume,
	.save = audio_save,
	.load = audio_load,
	.describe = audio_describe,
	.stats = audio_stats,
};
