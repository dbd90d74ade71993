/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest services without the pipes, so that tests and fuzzers can
 * call them. A channel is one pipe that the guest has opened: it takes bytes from the guest,
 * and queues bytes for it.
 *
 * The guest's bytes can be anything. A message has a bounded
 * length; a channel that gets a longer or wrong one ends.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <sys/types.h>

#include "host/guest.h"

#define CHANNEL_OUT	(128 * KIB)	/* limit of bytes queued for the guest */
#define CHANNEL_ROOM	(64 * KIB)	/* of that, for the answer of one message */
#define CHANNEL_MESSAGE	(16 * KIB)	/* limit of a message with its head */

#define GUEST_PROPERTIES	64		/* boot properties */
#define GUEST_PROPERTY_BYTES	(16 * KIB)	/* bytes of all of them */
#define GUEST_DISPLAYS		10

struct channel;

/**
 * struct guest - state of the guest, shared by all channels
 * @sensor: values in the guest's format, "A:B:C"
 * @finger: finger on the sensor, -1 for none
 * @fix: NMEA sentences of the position, "" for none
 * @clipboard: the host's text
 * @clip: bytes of @clipboard
 * @clip_number: counts the host's texts
 * @display: further screens; a width of 0 is none
 * @display.width: pixels
 * @display.height: pixels
 * @display.dpi: pixels per inch
 * @display.flag: flags for the guest
 * @property: boot properties, "NAME=VALUE"
 * @properties: number of boot properties
 * @light: brightness of each light
 * @clipboards: channels of the clipboard that are open
 * @log: takes lines of the log; NULL to throw them away
 * @log_arg: argument of @log
 * @now: reads the time that the guest's sensors have, in nanoseconds
 * @random: fills a buffer with random bytes
 * @heartbeats: heartbeats to be reported to vmmctl
 * @booted: the end of the boot must be reported
 * @lights: mask of lights that must be reported
 * @copied: the guest's clipboard text must be reported
 * @copy: the guest's clipboard text
 * @copy_len: bytes of @copy
 */
struct guest {
	char sensor[VMM_GUEST_SENSORS][80];
	s32 finger;
	char fix[VMM_GUEST_SENTENCES];
	char clipboard[VMM_GUEST_TEXT];
	size_t clip;
	unsigned int clip_number;
	struct {
		u32 width;
		u32 height;
		u32 dpi;
		u32 flag;
	} display[GUEST_DISPLAYS];
	const char *property[GUEST_PROPERTIES];
	unsigned int properties;
	u8 light[VMM_GUEST_LIGHTS];
	unsigned int clipboards;
	void (*log)(void *arg, const u8 *bytes, size_t len);
	void *log_arg;
	s64 (*now)(void);
	void (*random)(u8 *to, size_t len);
	u32 heartbeats;
	bool booted;
	u32 lights;
	bool copied;
	char copy[VMM_GUEST_TEXT];
	size_t copy_len;
};

/**
 * struct service - a service that a guest can open
 * @name: its name; NULL ends a table
 * @framed: a length of four digits precedes each message (services of qemud)
 * @sized: a length of four bytes, in the guest's byte order, precedes each message
 * @open: a channel is opened; @args is the text after the name's colon, or NULL.
 *	-errno refuses it. May be NULL
 * @take: takes at most @n bytes, for a service that splits them itself: 0 if a message
 *	is not complete, -EPROTO ends the channel
 * @message: takes a message of at least one byte, for framed and sized services
 * @told: the guest's state has changed; may be NULL
 * @tick: @due is reached; may be NULL
 * @idle: the queue to the guest is empty; may be NULL
 * @close: the channel ends; may be NULL
 */
struct service {
	const char *name;
	bool framed;
	bool sized;
	int (*open)(struct channel *ch, const char *args);
	ssize_t (*take)(struct channel *ch, const u8 *bytes, size_t n);
	void (*message)(struct channel *ch, const char *message, size_t len);
	void (*told)(struct channel *ch, const struct vmm_guest_record *record);
	void (*tick)(struct channel *ch);
	void (*idle)(struct channel *ch);
	void (*close)(struct channel *ch);
};

/**
 * struct channel - a pipe that the guest has opened
 * @service: its service, NULL if the channel is closed
 * @guest: the guest's state
 * @due: time of the next @tick, by @now; 0 for none
 * @first: offset in @out of the bytes queued for the guest
 * @len: how many are queued
 * @lost: messages to the guest that were lost for lack of room
 * @sensors: state of the service sensors
 * @sensors.enabled: mask of sensors that are switched on
 * @sensors.delay: nanoseconds between reports
 * @sensors.offset: offset of the guest's clock from the host's
 * @clip_number: number of the clipboard text that the guest has
 * @skip: bytes left to skip of a message that is too long
 * @booted: the guest has reported on this channel that it has booted
 * @camera: state of the service camera
 * @camera.factory: the channel lists cameras
 * @camera.width: pixels, 0 while it is stopped
 * @camera.height: pixels
 * @camera.format: pixel format of the video
 * @camera.frames: sent so far
 * @camera.at: bytes of the frame generated so far
 * @camera.left: bytes of the frame still to generate
 * @camera.video: bytes of the video, which is sent first
 * @camera.pictures: bytes of video and preview
 * @camera.time: the time, which is sent last
 * @out: queue of bytes for the guest
 */
struct channel {
	const struct service *service;
	struct guest *guest;
	s64 due;
	size_t first;
	size_t len;
	unsigned long lost;
	struct {
		u32 enabled;
		s64 delay;
		s64 offset;
	} sensors;
	unsigned int clip_number;
	size_t skip;
	bool booted;
	struct {
		bool factory;
		u32 width;
		u32 height;
		u32 format;
		u32 frames;
		size_t at;
		size_t left;
		size_t video;
		size_t pictures;
		u8 time[8];
	} camera;
	u8 out[CHANNEL_OUT];
};

/* ---- channel.c ---- */

void guest_init(struct guest *guest);
int guest_told(struct guest *guest, const struct vmm_guest_record *record, size_t len);
int channel_open(struct channel *ch, struct guest *guest, const char *name, const char *args);
ssize_t channel_take(struct channel *ch, const u8 *bytes, size_t n);
void channel_tick(struct channel *ch, s64 now);
size_t channel_peek(const struct channel *ch, const u8 **bytes);
void channel_sent(struct channel *ch, size_t n);
void channel_close(struct channel *ch);

/* For services. */
bool channel_room(const struct channel *ch, size_t n);
bool channel_put(struct channel *ch, const void *bytes, size_t n);
bool channel_frame(struct channel *ch, const void *message, size_t n);
bool channel_answer(struct channel *ch, const void *message, u32 n);

/* ---- one file per service ---- */

extern const struct service service_misc;		/* misc.c */
extern const struct service service_logcat;		/* logcat.c */
extern const struct service service_clipboard;		/* clipboard.c */
extern const struct service service_multidisplay;	/* multidisplay.c */
extern const struct service service_rotating_camera;	/* rotating_camera.c */

/* Services of qemud. */
extern const struct service service_boot_properties;	/* boot_properties.c */
extern const struct service service_hw_control;		/* hw_control.c */
extern const struct service service_sensors;		/* sensors.c */
extern const struct service service_gps;		/* gps.c */
extern const struct service service_fingerprint;	/* fingerprint.c */
extern const struct service service_camera;		/* camera.c */

#endif /* CHANNEL_H */
