/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest services: what a guest's programs know of sensors, a position, fingers, a clipboard
 * and further screens. vmmctl keeps the values and takes commands for them (guest.c). The
 * guest's own words are read by ranchu-services, another process. The two are connected by
 * a socket that keeps records apart, the link (guest_link.c).
 *
 * ranchu-services comes by the control socket. vmmctl gives it the file of services of the
 * kernel's goldfish pipe, and takes the link.
 */
#ifndef HOST_GUEST_H
#define HOST_GUEST_H

#include "types.h"

struct vmm_guest;
struct vmm_loop;
struct vmm_text;

/* ---- guest_link.c: records ---- */

#define VMM_GUEST_TEXT	(15 * KIB)	/* bytes of a record's text, at most */

/* What records tell. The first ones go to ranchu-services, the last ones come from it. */
enum vmm_guest_what {
	VMM_GUEST_SENSOR = 1,	/* @number: the sensor; the text: its values, "A:B:C" */
	VMM_GUEST_FINGER,	/* @number: the finger on the sensor, -1 for none */
	VMM_GUEST_FIX,		/* the text: sentences of NMEA, which a new listener gets too */
	VMM_GUEST_NMEA,		/* the text: a sentence of NMEA */
	VMM_GUEST_CLIPBOARD,	/* both ways; the text: what is in it */
	VMM_GUEST_DISPLAY,	/* @number: the screen; the text: "W H DPI FLAG", "" for none */
	VMM_GUEST_HEARTBEATS,	/* @number: how many there were since the last record */
	VMM_GUEST_BOOTED,	/* the guest's system is up */
	VMM_GUEST_LIGHT,	/* @number: the light; its brightness is the text's first byte */
};

/**
 * struct vmm_guest_record - a record of the link
 * @what: enum vmm_guest_what
 * @number: see there
 * @text: see there; a NUL is behind it, which is not sent
 */
struct vmm_guest_record {
	u32 what;
	s32 number;
	char text[VMM_GUEST_TEXT + 1];
};

int vmm_guest_send(int fd, enum vmm_guest_what what, s32 number, const void *text, size_t len);
int vmm_guest_receive(int fd, struct vmm_guest_record *record, size_t *len);

/* ---- guest_sensors.c: the sensors that there are ---- */

#define VMM_GUEST_SENSORS	18	/* numbers below this may be a sensor's */
#define VMM_GUEST_AXES		3	/* values of a sensor, at most */
#define VMM_GUEST_LIGHTS	3

/**
 * struct vmm_guest_sensor - a sensor
 * @name: what it is called by, NULL for a number that is none of ours
 * @wire: what the guest reads in front of its values
 * @axes: how many values it has
 * @first: what they are in the beginning
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

/* ---- guest_nmea.c: a position as receivers of satellites tell it ---- */

#define VMM_GUEST_SENTENCES	256	/* bytes of the sentences of a position */

int vmm_guest_nmea(const char *fix, long long when, char to[VMM_GUEST_SENTENCES],
		   struct vmm_text *why);

/* ---- guest.c: values, commands, and who serves the guest ---- */

/**
 * struct vmm_guest_device - where the guest's pipes are
 * @services: makes a file of services that has the guest services' names, for the caller;
 *	-errno after a message
 */
struct vmm_guest_device {
	int (*services)(void *arg);
};

/**
 * struct vmm_guest_ops - who is told
 * @booted: the guest's system is up; once in each of its lives
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
