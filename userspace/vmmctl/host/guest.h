/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest services: sensors, a position, a fingerprint sensor, a clipboard and further screens
 * for programs in the guest. vmmctl stores the values and handles commands for them
 * (guest.c). Another process, ranchu-services, parses what the guest sends. The two are
 * connected by a Unix socket of packets, the link (guest_link.c).
 *
 * ranchu-services connects to the control socket. vmmctl gives it the file of services of the
 * kernel's goldfish pipe, and gets the link from it.
 */
#ifndef HOST_GUEST_H
#define HOST_GUEST_H

#include "types.h"

struct vmm_guest;
struct vmm_loop;
struct vmm_text;

/* ---- guest_link.c: records ---- */

#define VMM_GUEST_TEXT	(15 * KIB)	/* bytes of a record's text, at most */

/* Types of records. The first ones go to ranchu-services, the last ones come from it. */
enum vmm_guest_what {
	VMM_GUEST_SENSOR = 1,	/* @number: the sensor; the text: its values, "A:B:C" */
	VMM_GUEST_FINGER,	/* @number: the finger on the sensor, -1 for none */
	VMM_GUEST_FIX,		/* the text: NMEA sentences, kept for new listeners */
	VMM_GUEST_NMEA,		/* the text: an NMEA sentence */
	VMM_GUEST_CLIPBOARD,	/* both ways; the text: its content */
	VMM_GUEST_DISPLAY,	/* @number: the screen; the text: "W H DPI FLAG", "" for none */
	VMM_GUEST_HEARTBEATS,	/* @number: heartbeats since the last record */
	VMM_GUEST_BOOTED,	/* the guest's system is up */
	VMM_GUEST_LIGHT,	/* @number: the light; its brightness is the text's first byte */
};

/**
 * struct vmm_guest_record - a record of the link
 * @what: enum vmm_guest_what
 * @number: see enum vmm_guest_what
 * @text: see enum vmm_guest_what; followed by a NUL, which is not sent
 */
struct vmm_guest_record {
	u32 what;
	s32 number;
	char text[VMM_GUEST_TEXT + 1];
};

int vmm_guest_send(int fd, enum vmm_guest_what what, s32 number, const void *text, size_t len);
int vmm_guest_receive(int fd, struct vmm_guest_record *record, size_t *len);

/* ---- guest_sensors.c: the sensors ---- */

#define VMM_GUEST_SENSORS	18	/* sensors have numbers below this */
#define VMM_GUEST_AXES		3	/* values of a sensor, at most */
#define VMM_GUEST_LIGHTS	3

/**
 * struct vmm_guest_sensor - a sensor
 * @name: its name, NULL for a number without a sensor
 * @wire: prefix of its values in messages to the guest
 * @axes: number of its values
 * @first: initial values
 */
struct vmm_guest_sensor {
	const char *name;
	const char *wire;
	unsigned int axes;
	double first[VMM_GUEST_AXES];
};

extern const struct vmm_guest_sensor vmm_guest_sensors[VMM_GUEST_SENSORS];
extern const char *const vmm_guest_lights[VMM_GUEST_LIGHTS];

int vmm_guest_sensor_find(const char *name, size_t len);
void vmm_guest_sensor_print(unsigned int sensor, const double *values, char *to, size_t size);
u32 vmm_guest_sensor_mask(void);

/* ---- guest_nmea.c: a position as NMEA sentences ---- */

#define VMM_GUEST_SENTENCES	256	/* bytes of the sentences of a position */

int vmm_guest_nmea(const char *fix, long long when, char to[VMM_GUEST_SENTENCES],
		   struct vmm_text *why);

/* ---- guest.c: values, commands, and the connection of ranchu-services ---- */

/**
 * struct vmm_guest_device - the goldfish pipe
 * @services: creates a file of services with the names of the guest services, for the caller;
 *	-errno after a message
 */
struct vmm_guest_device {
	int (*services)(void *arg);
};

/**
 * struct vmm_guest_ops - callbacks
 * @booted: the guest has booted; once in each of its lives
 * @clipboard: the guest has put something into its clipboard
 */
struct vmm_guest_ops {
	void (*booted)(void *arg);
	void (*clipboard)(void *arg);
};

struct vmm_guest *vmm_guest_open(struct vmm_loop *loop, const struct vmm_guest_ops *ops,
				 void *arg);
void vmm_guest_close(struct vmm_guest *guest);
int vmm_guest_attach(struct vmm_guest *guest, const struct vmm_guest_device *device, void *arg);
void vmm_guest_detach(struct vmm_guest *guest);
void vmm_guest_life(struct vmm_guest *guest);
int vmm_guest_connect(struct vmm_guest *guest, int link);
int vmm_guest_command(struct vmm_guest *guest, const char *device, const char *command,
		      const char *value, struct vmm_text *text);
const char *vmm_guest_status(const struct vmm_guest *guest);

#endif /* HOST_GUEST_H */
