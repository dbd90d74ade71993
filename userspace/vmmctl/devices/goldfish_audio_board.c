// SPDX-License-Identifier: GPL-2.0-only
/*
 * Goldfish audio on a board: connects the model of goldfish_audio.c to a timer, to guest
 * memory, to the host's sound (host/sound.h) and to a saved state.
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

#define SECOND_NS	1000000000ULL

/**
 * struct speaker - the model and its connections to the host
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

static void speaker_silence(void *arg)
{
	struct speaker *speaker = arg;

	vmm_sound_run(speaker->sound, false, false);
}

static const struct vmm_sound_format recorded_format = {
	.rate = VMM_AUDIO_RECORD_RATE, .channels = 1, .bits = 16,
};

/* A recording that is read from a file begins at the file's start each time. */
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

/* The guest has one format, and vmmctl does not convert. */
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
	speaker->audio.silence = speaker_silence;
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

/* Registers are 32 bits wide; a read of any length returns the whole register. */
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

/* Tags of the saved state; a number is never reused. */
enum {
	STATE_REGS = 1,		/* struct saved_regs */
};

#define STATE_VERSION	1

/**
 * struct saved_regs - what is saved
 * @gpa: of the two buffers that are played and of the one that is recorded into
 * @enable: interrupts that are enabled
 * @status: interrupts that have occurred, and those that will occur when the buffer that is
 *	being played or recorded is complete
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
				  (audio->buffer[0].bytes ? VMM_AUDIO_INT_WRITE_1 : 0) |
				  (audio->buffer[1].bytes ? VMM_AUDIO_INT_WRITE_1 << 1 : 0) |
				  (audio->read_end ? VMM_AUDIO_INT_READ : 0)),
		.read_bytes = htole32(audio->read_bytes),
	};
	pthread_mutex_unlock(&audio->lock);
	vmm_state_put(state, STATE_REGS, &saved, sizeof(saved));
	return vmm_state_end(state);
}

/*
 * A buffer that was being played is complete: its samples are not saved. The guest gets its
 * buffers back and continues with the next ones.
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
	if (!err && ((le32toh(saved.enable) | le32toh(saved.status)) & ~VMM_AUDIO_INT_ALL ||
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
	audio->read_last = 0;
	audio->read_number++;
	vmm_audio_update_locked(audio);
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

/** Goldfish audio. */
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
