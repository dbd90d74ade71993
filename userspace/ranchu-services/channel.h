/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest services without the pipes that they are reached by, so that tests and fuzzers can
 * reach them too. A channel is one pipe that the guest has opened: bytes go in, and bytes
 * that wait to be read by the guest come out.
 *
 * Every byte that goes in is the guest's, and may be anything. A message has a bounded
 * length; a channel that gets something longer, or no message at all, ends.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <sys/types.h>

#include "host/guest.h"

#define CHANNEL_OUT	(128 * KIB)	/* bytes that wait for the guest, at most */
#define CHANNEL_ROOM	(64 * KIB)	/* of that, for what one message is answered */
#define CHANNEL_MESSAGE	(16 * KIB)	/* bytes of a message with its head, at most */

#define GUEST_PROPERTIES	64		/* boot properties */
#define GUEST_PROPERTY_BYTES	(16 * KIB)	/* all of them */
#define GUEST_DISPLAYS		10

struct channel;

/**
 * struct guest - what is known of the guest, for all of its channels
 * @sensor: values as the guest reads them, "A:B:C"
 * @finger: on the sensor, -1 for none
 * @fix: sentences of the position, "" for none
 * @clipboard: what the host has put there
 * @clip: bytes of it
 * @clip_number: counts what the host has put there
 * @display: further screens; a width of 0 is none
 * @display.width: pixels
 * @display.height: pixels
 * @display.dpi: pixels of an inch
 * @display.flag: for the guest
 * @property: boot properties, "NAME=VALUE"
 * @properties: how many
 * @light: brightness
 * @clipboards: channels of the clipboard that are open
 * @log: takes lines of the log; NULL to throw them away
 * @log_arg: argument of @log
 * @now: reads the time that the guest's sensors have, in nanoseconds
 * @random: fills in random bytes
 * @heartbeats: to be told
 * @booted: likewise
 * @lights: bits of the lights that are to be told
 * @copied: what the guest has put into the clipboard is to be told
 * @copy: that
 * @copy_len: bytes of it
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
 * struct service - what a guest can open
 * @name: by which it is opened; NULL ends a table
 * @framed: messages have a length of four digits in front (services of qemud)
 * @sized: messages have a length of four bytes in front, in the guest's byte order
 * @open: a channel is opened; @args is what is behind the name's colon, or NULL.
 *	-errno refuses it. May be NULL
 * @take: takes bytes, for a service whose messages are neither: at most @n, 0 if a message
 *	is not complete, -EPROTO ends the channel
 * @message: takes a message of at least one byte, for the others
 * @told: something is known that was not before; may be NULL
 * @tick: it is time; may be NULL
 * @idle: all that was said to the guest is on its way; may be NULL
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
 * @service: who serves it, NULL if it is none
 * @guest: whose
 * @due: when it wants @tick, by @now; 0 for never
 * @first: of the bytes that wait for the guest
 * @len: how many
 * @lost: messages to the guest that found no room
 * @sensors: of the service sensors
 * @sensors.enabled: those that are switched on
 * @sensors.delay: nanoseconds between reports
 * @sensors.offset: of the guest's clock from ours
 * @clip_number: of what the guest has of the clipboard
 * @skip: bytes of a message that is too long and is thrown away
 * @booted: the guest has said on this channel that it is up
 * @camera: of the service camera
 * @camera.factory: it lists cameras
 * @camera.width: pixels, 0 while it is stopped
 * @camera.height: pixels
 * @camera.format: of its video
 * @camera.frames: sent so far
 * @camera.at: bytes of the frame that were made
 * @camera.left: bytes that are to be made
 * @camera.video: bytes of the video, which is first
 * @camera.pictures: those, and bytes of the preview behind it
 * @camera.time: the time, which is last
 * @out: the bytes that wait
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

/* ---- one file a service ---- */

extern const struct service service_misc;		/* misc.c */
extern const struct service service_logcat;		/* logcat.c */
extern const struct service service_clipboard;		/* clipboard.c */
extern const struct service service_multidisplay;	/* multidisplay.c */
extern const struct service service_rotating_camera;	/* rotating_camera.c */

/* Of qemud. */
extern const struct service service_boot_properties;	/* boot_properties.c */
extern const struct service service_hw_control;		/* hw_control.c */
extern const struct service service_sensors;		/* sensors.c */
extern const struct service service_gps;		/* gps.c */
extern const struct service service_fingerprint;	/* fingerprint.c */
extern const struct service service_camera;		/* camera.c */

#endif /* CHANNEL_H */
