/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Models of the goldfish family, and their registers for the tests.
 */
#ifndef DEVICES_GOLDFISH_H
#define DEVICES_GOLDFISH_H

#include <pthread.h>

#include "devices/input_state.h"
#include "machine/config.h"
#include "machine/device.h"

/* ---- goldfish_describe.c ---- */

void vmm_goldfish_describe(const struct vmm_device *dev, struct vmm_visitor *visitor,
			   struct vmm_description description);

/* ---- goldfish_battery.c ---- */

/* Values of a battery, in the order of the saved state. */
enum vmm_battery_value {
	VMM_BATTERY_AC,
	VMM_BATTERY_STATUS,
	VMM_BATTERY_HEALTH,
	VMM_BATTERY_PRESENT,
	VMM_BATTERY_CAPACITY,
	VMM_BATTERY_VOLTAGE,
	VMM_BATTERY_TEMP,
	VMM_BATTERY_COUNTER,
	VMM_BATTERY_VOLTAGE_MAX,
	VMM_BATTERY_CURRENT_MAX,
	VMM_BATTERY_CURRENT_NOW,
	VMM_BATTERY_CURRENT_AVG,
	VMM_BATTERY_FULL,
	VMM_BATTERY_CYCLES,
	VMM_BATTERY_VALUES
};

/**
 * struct vmm_battery - the register model of a battery and its charger
 * @irq: called with the level of the line when it changes
 * @arg: first argument of @irq
 * @lock: protects all that follows; held when @irq is called
 * @fitted: the guest has a battery; fixed
 * @value: as the guest reads them
 * @pending: changes that the guest has not read
 * @enable: the events in it that raise the interrupt
 * @level: the level that @irq was called with last
 * @changes: how often a value has changed, read without the lock
 */
struct vmm_battery {
	void (*irq)(void *arg, bool level);
	void *arg;
	pthread_mutex_t lock;
	bool fitted;
	u32 value[VMM_BATTERY_VALUES];
	u32 pending;
	u32 enable;
	bool level;
	u64 changes;
};

void vmm_battery_init(struct vmm_battery *battery, bool fitted);
void vmm_battery_reset(struct vmm_battery *battery);
u32 vmm_battery_read(struct vmm_battery *battery, u32 offset);
void vmm_battery_write(struct vmm_battery *battery, u32 offset, u32 value);
int vmm_battery_set(struct vmm_battery *battery, const char *name, const char *text,
		    struct vmm_text *why);
void vmm_battery_display(struct vmm_battery *battery, struct vmm_text *text);
void vmm_battery_show(struct vmm_battery *battery, struct vmm_text *text);

/* ---- goldfish_events.c ---- */

#define VMM_EVENTS_QUEUE	5461			/* events that wait for the guest */
#define VMM_EVENTS_WORDS	(3 * VMM_EVENTS_QUEUE)	/* type, code, value */
#define VMM_EVENTS_AXIS_MAX	0x7fff			/* of X and Y, whatever the screen */

/**
 * struct vmm_events_parts - input devices that a guest can have
 * @keyboard: the keys of a keyboard
 * @dpad: arrow keys and their centre
 * @trackball: relative movement
 * @touch: a screen for one finger, or several
 * @wheel: a wheel, without any of the others
 */
struct vmm_events_parts {
	bool keyboard;
	bool dpad;
	bool trackball;
	enum vmm_touch touch;
	bool wheel;
};

/**
 * struct vmm_events - the register model of keys and a touch screen
 * @irq: called with the level of the line when it changes
 * @arg: first argument of @irq
 * @parts: input devices that the guest has; fixed
 * @bits: supported codes by type; type 0 has the types; fixed
 * @limits: of axes: smallest and largest value, fuzz, flat; fixed
 * @axes: elements of @limits that the guest can read; fixed
 * @lock: protects all that follows; held when @irq is called
 * @page: the page that the guest has selected
 * @live: the guest has read the limits: from then on it gets interrupts
 * @words: queued events, a ring
 * @head: the oldest word
 * @count: queued words
 * @guest: keys, switches and fingers according to the queued events
 * @real: their real state
 * @behind: @guest and @real may differ
 * @lost: reports that did not fit into the queue
 * @touches: touches so far, for tracking IDs
 * @level: the level that @irq was called with last
 */
struct vmm_events {
	void (*irq)(void *arg, bool level);
	void *arg;
	struct vmm_events_parts parts;
	u8 bits[EV_CNT][KEY_CNT / 8];
	__le32 limits[ABS_MAX][4];
	unsigned int axes;
	pthread_mutex_t lock;
	u32 page;
	bool live;
	u32 words[VMM_EVENTS_WORDS];
	unsigned int head;
	unsigned int count;
	struct vmm_input_state guest;
	struct vmm_input_state real;
	bool behind;
	u64 lost;
	unsigned int touches;
	bool level;
};

void vmm_events_init(struct vmm_events *events, const struct vmm_events_parts *parts);
void vmm_events_reset(struct vmm_events *events);
void vmm_events_update_locked(struct vmm_events *events);
u64 vmm_events_read(struct vmm_events *events, u32 offset, unsigned int len);
void vmm_events_write(struct vmm_events *events, u32 offset, u32 value);
bool vmm_events_report(struct vmm_events *events, const struct virtio_input_event *list,
		       unsigned int count);
bool vmm_events_room(struct vmm_events *events, unsigned int count);
bool vmm_events_pointer(struct vmm_events *events, u32 x, u32 y, bool pressed);
bool vmm_events_roll(struct vmm_events *events, s32 x, s32 y);

/* ---- goldfish_rtc.c ---- */

/**
 * struct vmm_goldfish_rtc - the register model of the family's clock
 * @irq: called with the level of the line when it changes
 * @now: returns the host's time, nanoseconds of the epoch
 * @alarm: called with the time from which on vmm_goldfish_rtc_due() must be called, 0 for never
 * @arg: first argument of the three
 * @lock: protects all that follows; held when the three are called
 * @latch: the guest's time when it was read last
 * @set_high: upper half of the time that is being set
 * @offset: the guest's time minus the host's; wraps
 * @match: the guest's time of the alarm, as written
 * @armed: the alarm is set and was not raised yet
 * @enabled: the alarm's interrupt is enabled
 * @raised: the alarm was raised, and the guest has not acknowledged it
 * @due: the host's time of the alarm, 0 for no alarm
 * @level: the level that @irq was called with last
 * @paused: no alarm is raised
 */
struct vmm_goldfish_rtc {
	void (*irq)(void *arg, bool level);
	s64 (*now)(void *arg);
	void (*alarm)(void *arg, s64 at);
	void *arg;
	pthread_mutex_t lock;
	u64 latch;
	u32 set_high;
	u64 offset;
	u64 match;
	bool armed;
	bool enabled;
	bool raised;
	s64 due;
	bool level;
	bool paused;
};

void vmm_goldfish_rtc_init(struct vmm_goldfish_rtc *rtc);
void vmm_goldfish_rtc_reset(struct vmm_goldfish_rtc *rtc);
u32 vmm_goldfish_rtc_read(struct vmm_goldfish_rtc *rtc, u32 offset);
void vmm_goldfish_rtc_write(struct vmm_goldfish_rtc *rtc, u32 offset, u32 value);
void vmm_goldfish_rtc_due(struct vmm_goldfish_rtc *rtc);
void vmm_goldfish_rtc_pause(struct vmm_goldfish_rtc *rtc, bool paused);

/* ---- goldfish_fb.c ---- */

/* Formats that can be shown, as the guest reads them. */
enum vmm_fb_format {
	VMM_FB_RGBX8888 = 2,
	VMM_FB_RGB565 = 4,
};

/**
 * struct vmm_goldfish_fb - the register model of a framebuffer
 * @irq: called with the level of the line when it changes
 * @pace: called to start or stop calls of vmm_goldfish_fb_tick(), one for each frame
 * @arg: first argument of both
 * @width: pixels of a row; fixed
 * @height: rows; fixed
 * @depth: bits per pixel that a driver can read, 16 or 32; fixed
 * @lock: protects all that follows; held when the two are called
 * @status: events that have happened
 * @enable: the events in it that raise the interrupt
 * @base: guest physical address of the frame
 * @based: the guest has set @base
 * @blank: black is shown
 * @format: of the frame
 * @turns: quarter turns clockwise by which the screen is turned
 * @paced: the value that @pace was called with last
 * @level: the level that @irq was called with last
 * @paused: frames are not paced
 */
struct vmm_goldfish_fb {
	void (*irq)(void *arg, bool level);
	void (*pace)(void *arg, bool on);
	void *arg;
	u32 width;
	u32 height;
	u32 depth;
	pthread_mutex_t lock;
	u32 status;
	u32 enable;
	u32 base;
	bool based;
	bool blank;
	enum vmm_fb_format format;
	unsigned int turns;
	bool paced;
	bool level;
	bool paused;
};

void vmm_goldfish_fb_init(struct vmm_goldfish_fb *fb);
void vmm_goldfish_fb_reset(struct vmm_goldfish_fb *fb);
u32 vmm_goldfish_fb_read(struct vmm_goldfish_fb *fb, u32 offset);
void vmm_goldfish_fb_write(struct vmm_goldfish_fb *fb, u32 offset, u32 value);
void vmm_goldfish_fb_tick(struct vmm_goldfish_fb *fb);
unsigned int vmm_goldfish_fb_turn(struct vmm_goldfish_fb *fb);
void vmm_goldfish_fb_pause(struct vmm_goldfish_fb *fb, bool paused);

/* ---- goldfish_audio.c ---- */

#define VMM_AUDIO_RATE		44100	/* played: stereo, 16 bits */
#define VMM_AUDIO_CHANNELS	2
#define VMM_AUDIO_RECORD_RATE	8000	/* recorded: one channel, 16 bits */
#define VMM_AUDIO_BUFFER	16384	/* bytes of a buffer, at most */

/* Bits of the status. */
#define VMM_AUDIO_INT_WRITE_1	(1 << 0)	/* a buffer is empty; the second one is next */
#define VMM_AUDIO_INT_READ	(1 << 2)
#define VMM_AUDIO_INT_ALL	7

/**
 * struct vmm_audio_buffer - samples that the guest has queued for playback
 * @gpa: guest physical address
 * @bytes: bytes that are to be played, 0 for none
 * @samples: a copy of the samples, made when the guest queued them
 */
struct vmm_audio_buffer {
	u64 gpa;
	u32 bytes;
	u8 samples[VMM_AUDIO_BUFFER];
};

/**
 * struct vmm_audio - the register model of goldfish audio
 * @irq: called with the level of the line when it changes
 * @now: returns nanoseconds of a monotonic clock
 * @wait: called with the time when vmm_audio_due() must be called, 0 for never
 * @fetch: copies bytes from guest memory; false if they are not in RAM
 * @store: copies bytes into guest memory
 * @play: takes played samples; called without @lock held, in the main thread
 * @silence: called when a guest that has played closes the device; called likewise
 * @listen: called when the guest begins and when it ends recording; called likewise
 * @record: returns recorded samples; called likewise, between two calls of @listen
 * @arg: first argument of the callbacks
 * @lock: protects all that follows; held when @irq, @now, @wait, @fetch and @store are called
 * @status: events that have happened
 * @enable: the events in it that raise the interrupt
 * @buffer: the two buffers for playback
 * @playing: index of the buffer that is being played
 * @play_end: end of its playback, 0 if nothing is played
 * @read_gpa: guest physical address for recorded samples
 * @read_bytes: bytes of the last request to record
 * @read_end: end of that recording, 0 if nothing is recorded
 * @read_last: end of the last recording since the guest opened the device, or 0
 * @read_number: counts requests to record, and cancellations
 * @wanted: the guest is recording
 * @listening: the value that @listen was called with last
 * @sounding: @play was called, or will be, since the last call of @silence
 * @silent: @silence must be called
 * @bad: counts buffers that were not in RAM
 * @level: the level that @irq was called with last
 * @paused: playback and recording are stopped
 */
struct vmm_audio {
	void (*irq)(void *arg, bool level);
	u64 (*now)(void *arg);
	void (*wait)(void *arg, u64 at);
	bool (*fetch)(void *arg, u64 gpa, void *bytes, u32 len);
	bool (*store)(void *arg, u64 gpa, const void *bytes, u32 len);
	void (*play)(void *arg, void *samples, u32 bytes);
	void (*silence)(void *arg);
	void (*listen)(void *arg, bool on);
	void (*record)(void *arg, void *samples, u32 bytes);
	void *arg;
	pthread_mutex_t lock;
	u32 status;
	u32 enable;
	struct vmm_audio_buffer buffer[2];
	unsigned int playing;
	u64 play_end;
	u64 read_gpa;
	u32 read_bytes;
	u64 read_end;
	u64 read_last;
	u64 read_number;
	bool wanted;
	bool listening;
	bool sounding;
	bool silent;
	u64 bad;
	bool level;
	bool paused;
};

void vmm_audio_init(struct vmm_audio *audio);
void vmm_audio_reset(struct vmm_audio *audio);
void vmm_audio_update_locked(struct vmm_audio *audio);
u32 vmm_audio_read(struct vmm_audio *audio, u32 offset);
void vmm_audio_write(struct vmm_audio *audio, u32 offset, u32 value);
void vmm_audio_due(struct vmm_audio *audio);
void vmm_audio_pause(struct vmm_audio *audio, bool paused);

/* ---- goldfish_sync.c ---- */

struct vmm_runner;
struct vmm_vcpu;

struct vhost_goldfish_sync_run vmm_goldfish_sync_run(const struct vmm_runner *runner,
						     const struct vmm_vcpu *vcpu);

#endif /* DEVICES_GOLDFISH_H */
