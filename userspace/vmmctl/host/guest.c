// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmmctl's part of the guest services: values, commands for them, and the link to
 * ranchu-services, which may come late, end, and come again.
 *
 *	WAITING	from the start until it comes: pipes that the guest opens wait for it
 *	SERVED	it has the file of services
 *	GONE	it has ended: its service names are removed, so that an open fails at once
 *
 * Values are stored here: commands are answered in every state, and a ranchu-services that
 * comes again gets all values. Everything runs in the main thread and does not block.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "host/guest.h"
#include "host/log.h"
#include "machine/machine.h"
#include "machine/text.h"

#define GUEST_RECORDS	64	/* handled in a row */
#define GUEST_PACE	5	/* milliseconds for a record; ranchu-services needs at least 8 */
#define GUEST_BURST	1000	/* records at once, more than fit into a socket */
#define GUEST_FINGER	(1 << 20)	/* fingers have smaller numbers */
#define GUEST_SENTENCE	128	/* bytes of a sentence that a user gives */
#define GUEST_DISPLAYS	10	/* further screens, numbered from 1 on */
#define GUEST_SIDE	16384	/* pixels of a side of them, at most */

enum guest_state { GUEST_WAITING, GUEST_SERVED, GUEST_GONE };

/**
 * struct guest_display - a further screen
 * @width: pixels, 0 if there is no such screen
 * @height: pixels
 * @dpi: pixels per inch
 * @flag: flags for the guest
 */
struct guest_display {
	unsigned int width;
	unsigned int height;
	unsigned int dpi;
	unsigned int flag;
};

/**
 * struct vmm_guest - the guest services of a VM
 * @loop: the main thread's loop
 * @ops: callbacks
 * @arg: argument of @ops
 * @device: the goldfish pipe, or NULL
 * @device_arg: argument of @device
 * @state: see above
 * @services: the file of services; its descriptor does not change while the VM lives, because
 *	an answer with the file may not have been sent yet
 * @nothing: descriptor in its place when there is none
 * @link: connection to ranchu-services, or -1
 * @credit: records that ranchu-services may send now (rate limit)
 * @credited: when @credit was updated, in milliseconds
 * @booted: the guest has reported the end of its boot in this life
 * @heartbeats: heartbeats in this life
 * @sensor: values of the sensors
 * @finger: on the sensor, -1 for none
 * @fix: NMEA sentences of the position, "" for none
 * @light: brightness of each light
 * @display: further screens
 * @clip: bytes in the clipboard
 * @clipboard: text, UTF-8
 * @record: the record that is being handled
 */
struct vmm_guest {
	struct vmm_loop *loop;
	const struct vmm_guest_ops *ops;
	void *arg;
	const struct vmm_guest_device *device;
	void *device_arg;
	enum guest_state state;
	int services;
	int nothing;
	int link;
	s64 credit;
	s64 credited;
	bool booted;
	u64 heartbeats;
	double sensor[VMM_GUEST_SENSORS][VMM_GUEST_AXES];
	s32 finger;
	char fix[VMM_GUEST_SENTENCES];
	u8 light[VMM_GUEST_LIGHTS];
	struct guest_display display[GUEST_DISPLAYS];
	size_t clip;
	char clipboard[VMM_GUEST_TEXT + 1];
	struct vmm_guest_record record;
};

/* ---- the link ---- */

static int tell(const struct vmm_guest *guest, enum vmm_guest_what what, s32 number,
		const char *text)
{
	return guest->link < 0 ? 0 : vmm_guest_send(guest->link, what, number, text, strlen(text));
}

static int tell_sensor(const struct vmm_guest *guest, unsigned int sensor)
{
	char values[80];

	vmm_guest_sensor_print(sensor, guest->sensor[sensor], values, sizeof(values));
	return tell(guest, VMM_GUEST_SENSOR, sensor, values);
}

static int tell_display(const struct vmm_guest *guest, unsigned int i)
{
	const struct guest_display *display = &guest->display[i];
	char text[64] = "";

	if (display->width)
		snprintf(text, sizeof(text), "%u %u %u %u", display->width, display->height,
			 display->dpi, display->flag);
	return tell(guest, VMM_GUEST_DISPLAY, i + 1, text);
}

/* Sends all values that differ from those that ranchu-services starts with. */
static int tell_all(const struct vmm_guest *guest)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < VMM_GUEST_SENSORS && !err; i++) {
		if (vmm_guest_sensors[i].name)
			err = tell_sensor(guest, i);
	}
	for (i = 0; i < GUEST_DISPLAYS && !err; i++) {
		if (guest->display[i].width)
			err = tell_display(guest, i);
	}
	if (!err && guest->finger >= 0)
		err = tell(guest, VMM_GUEST_FINGER, guest->finger, "");
	if (!err && *guest->fix)
		err = tell(guest, VMM_GUEST_FIX, 0, guest->fix);
	if (!err && guest->clip)
		err = tell(guest, VMM_GUEST_CLIPBOARD, 0, guest->clipboard);
	return err;
}

/* Replaces the file under its descriptor, which a pending answer may be about to pass. */
static void services_set(struct vmm_guest *guest, int fd)
{
	if (dup3(fd, guest->services, O_CLOEXEC) < 0)
		vmm_error(errno, "guest services");
}

static void link_close(struct vmm_guest *guest)
{
	if (guest->link < 0)
		return;
	vmm_loop_del(guest->loop, guest->link);
	close(guest->link);
	guest->link = -1;
}

static void link_gone(struct vmm_guest *guest, int err)
{
	link_close(guest);
	services_set(guest, guest->nothing);
	guest->state = GUEST_GONE;
	vmm_note("ranchu-services has %s: the guest's pipes to it are closed",
		 err == -EPIPE ? "ended" :
		 err == -EDQUOT ? "sent too many records" : "sent an invalid record");
}

/* Stores the text up to the first byte that is not UTF-8, because JSON needs UTF-8. */
static void clipboard_set(struct vmm_guest *guest, const char *text, size_t len)
{
	size_t used = 0;
	size_t one;

	while (used < len && text[used] && (one = vmm_text_utf8(text + used, len - used)))
		used += one;
	memcpy(guest->clipboard, text, used);
	guest->clipboard[used] = '\0';
	guest->clip = used;
}

static int link_record(struct vmm_guest *guest, const struct vmm_guest_record *record, size_t len)
{
	switch (record->what) {
	case VMM_GUEST_HEARTBEATS:
		if (record->number < 0)
			return -EPROTO;
		guest->heartbeats += record->number;
		return 0;
	case VMM_GUEST_BOOTED:
		if (!guest->booted)
			guest->ops->booted(guest->arg);
		guest->booted = true;
		return 0;
	case VMM_GUEST_LIGHT:
		if (record->number < 0 || record->number >= VMM_GUEST_LIGHTS || len != 1)
			return -EPROTO;
		guest->light[record->number] = record->text[0];
		return 0;
	case VMM_GUEST_CLIPBOARD:
		clipboard_set(guest, record->text, len);
		guest->ops->clipboard(guest->arg);
		return 0;
	default:
		return -EPROTO;
	}
}

static s64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/*
 * Limits the rate of records: each costs the main thread time, and some are sent to all clients
 * of the control socket.
 */
static int link_count(struct vmm_guest *guest)
{
	s64 more = (now_ms() - guest->credited) / GUEST_PACE;

	guest->credited += more * GUEST_PACE;
	guest->credit += more;
	if (guest->credit > GUEST_BURST)
		guest->credit = GUEST_BURST;
	return guest->credit-- > 0 ? 0 : -EDQUOT;
}

static int link_readable(void *arg)
{
	struct vmm_guest *guest = arg;
	unsigned int i;
	size_t len;
	int err = 0;

	for (i = 0; i < GUEST_RECORDS && !err; i++) {
		err = vmm_guest_receive(guest->link, &guest->record, &len);
		if (!err)
			err = link_count(guest);
		if (!err)
			err = link_record(guest, &guest->record, len);
	}
	if (err && err != -EAGAIN)
		link_gone(guest, err);
	return 0;
}

/* ---- the file of services ---- */

static int services_renew(struct vmm_guest *guest)
{
	int fd = guest->device->services(guest->device_arg);

	if (fd < 0)
		return fd;
	services_set(guest, fd);
	close(fd);
	return 0;
}

/**
 * vmm_guest_connect - let ranchu-services serve the guest
 * @guest: may be NULL
 * @link: a Unix socket of packets; owned by the guest services unless this fails
 *
 * Return: the file of services, owned by the guest services, or -errno: -EOPNOTSUPP if this VM
 * has no
 *	guest services, -EAGAIN if it has not started, -EALREADY if another program serves them
 */
int vmm_guest_connect(struct vmm_guest *guest, int link)
{
	struct sockaddr_storage name = { 0 };
	socklen_t size = sizeof(name);
	int err;

	if (!guest)
		return -EOPNOTSUPP;
	if (!guest->device)
		return -EAGAIN;
	if (guest->link >= 0)
		return -EALREADY;
	if (getsockname(link, (struct sockaddr *)&name, &size) || name.ss_family != AF_UNIX)
		return -EINVAL;
	err = guest->state == GUEST_GONE ? services_renew(guest) : 0;
	if (err)
		return err;
	err = vmm_loop_add(guest->loop, link, link_readable, guest);
	if (err)
		return err;
	guest->link = link;
	guest->credit = GUEST_BURST;
	guest->credited = now_ms();
	guest->state = GUEST_SERVED;
	/* If it does not read, values are lost, and the guest gets initial values. */
	tell_all(guest);
	return guest->services;
}

/**
 * vmm_guest_attach - connect the goldfish pipe
 * @guest: may be NULL
 * @device: the goldfish pipe
 * @arg: argument of @device
 *
 * Return: 0, or -errno after a message
 */
int vmm_guest_attach(struct vmm_guest *guest, const struct vmm_guest_device *device, void *arg)
{
	int err;

	if (!guest)
		return 0;
	guest->device = device;
	guest->device_arg = arg;
	err = services_renew(guest);
	if (err)
		guest->device = NULL;
	return err;
}

/**
 * vmm_guest_detach - disconnect the goldfish pipe
 * @guest: may be NULL
 */
void vmm_guest_detach(struct vmm_guest *guest)
{
	if (!guest || !guest->device)
		return;
	link_close(guest);
	services_set(guest, guest->nothing);
	guest->device = NULL;
	guest->state = GUEST_WAITING;
}

/**
 * vmm_guest_life - begin a new life of the guest
 * @guest: may be NULL
 *
 * Values do not change.
 */
void vmm_guest_life(struct vmm_guest *guest)
{
	if (!guest)
		return;
	guest->booted = false;
	guest->heartbeats = 0;
}

/**
 * vmm_guest_status - return the state of the guest services
 * @guest: may be NULL
 *
 * Return: a word
 */
const char *vmm_guest_status(const struct vmm_guest *guest)
{
	static const char *const words[] = {
		[GUEST_WAITING] = "waiting", [GUEST_SERVED] = "served", [GUEST_GONE] = "gone",
	};

	return guest ? words[guest->state] : "off";
}

/* ---- commands ---- */

static int fail(struct vmm_text *text, int err, const char *why)
{
	vmm_text_add(text, "%s", why);
	return -err;
}

/* Reports a value that ranchu-services must get now, because it is useless later. */
static int told(struct vmm_text *text, int err)
{
	return err ? fail(text, -err, "ranchu-services does not read") : 0;
}

static int sensor_find(const char *name, size_t len, struct vmm_text *text)
{
	int sensor = vmm_guest_sensor_find(name, len);

	if (sensor >= 0)
		return sensor;
	vmm_text_add(text, "unknown sensor name: %.*s, ", (int)(len < 40 ? len : 40), name);
	vmm_text_add(text, "run 'sensor status' to get available sensors.");
	return sensor;
}

static int sensors_status(struct vmm_guest *guest, const char *value, struct vmm_text *text)
{
	unsigned int i;

	(void)guest;
	(void)value;
	for (i = 0; i < VMM_GUEST_SENSORS; i++) {
		if (vmm_guest_sensors[i].name)
			vmm_text_add(text, "%s: enabled.\n", vmm_guest_sensors[i].name);
	}
	return 0;
}

static int sensors_get(struct vmm_guest *guest, const char *value, struct vmm_text *text)
{
	int sensor = sensor_find(value, strlen(value), text);
	char values[80];

	if (sensor < 0)
		return -EINVAL;
	vmm_guest_sensor_print(sensor, guest->sensor[sensor], values, sizeof(values));
	vmm_text_add(text, "%s = %s\n", value, values);
	return 0;
}

/* Reads values; one that is left out does not change. */
static int values_read(const char *from, unsigned int axes, double *to, struct vmm_text *text)
{
	unsigned int i;
	char *end;

	for (i = 0; i < axes; i++) {
		to[i] = strtod(from, &end);
		if (end == from || (*end && *end != ':'))
			return fail(text, EINVAL, "values are numbers with colons between");
		/* Also false for NaN. */
		if (!(to[i] >= -1e9 && to[i] <= 1e9))
			return fail(text, ERANGE, "values must be between -1e9 and 1e9");
		if (!*end)
			return 0;
		from = end + 1;
	}
	return fail(text, EINVAL, "the sensor has fewer values");
}

static int sensors_set(struct vmm_guest *guest, const char *value, struct vmm_text *text)
{
	size_t len = strcspn(value, " ");
	int sensor = sensor_find(value, len, text);
	double values[VMM_GUEST_AXES];
	int err;

	if (sensor < 0)
		return -EINVAL;
	memcpy(values, guest->sensor[sensor], sizeof(values));
	value += len;
	value += strspn(value, " ");
	err = values_read(value, vmm_guest_sensors[sensor].axes, values, text);
	if (err)
		return err;
	memcpy(guest->sensor[sensor], values, sizeof(values));
	return told(text, tell_sensor(guest, sensor));
}

static int gps_fix(struct vmm_guest *guest, const char *value, struct vmm_text *text)
{
	char fix[VMM_GUEST_SENTENCES];
	int err = vmm_guest_nmea(value, time(NULL), fix, text);

	if (err)
		return err;
	memcpy(guest->fix, fix, sizeof(fix));
	return told(text, tell(guest, VMM_GUEST_FIX, 0, guest->fix));
}

static int gps_nmea(struct vmm_guest *guest, const char *value, struct vmm_text *text)
{
	const char *at;

	for (at = value; *at >= ' ' && *at <= '~'; at++)
		;
	if (*value != '$' || *at || at - value > GUEST_SENTENCE)
		return fail(text, EINVAL, "a sentence begins with $ and is of printable ASCII");
	if (guest->link < 0)
		return fail(text, ENOTCONN, "ranchu-services is not connected");
	return told(text, tell(guest, VMM_GUEST_NMEA, 0, value));
}

static int finger_set(struct vmm_guest *guest, s32 finger, struct vmm_text *text)
{
	guest->finger = finger;
	return told(text, tell(guest, VMM_GUEST_FINGER, finger, ""));
}

static int finger_touch(struct vmm_guest *guest, const char *value, struct vmm_text *text)
{
	char *end;
	unsigned long finger = strtoul(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || finger >= GUEST_FINGER)
		return fail(text, EINVAL, "a finger is a number");
	return finger_set(guest, finger, text);
}

static int finger_remove(struct vmm_guest *guest, const char *value, struct vmm_text *text)
{
	(void)value;
	return finger_set(guest, -1, text);
}

static int clipboard_get(struct vmm_guest *guest, const char *value, struct vmm_text *text)
{
	(void)value;
	vmm_text_add(text, "%s", guest->clipboard);
	return 0;
}

static int clipboard_put(struct vmm_guest *guest, const char *value, struct vmm_text *text)
{
	size_t len = strlen(value);

	if (len > VMM_GUEST_TEXT)
		return fail(text, EMSGSIZE, "the clipboard has room for 15360 bytes");
	clipboard_set(guest, value, len);
	return told(text, tell(guest, VMM_GUEST_CLIPBOARD, 0, guest->clipboard));
}

/* Reads @count numbers and nothing else. */
static bool numbers_read(const char *text, unsigned int *to, unsigned int count)
{
	unsigned int i;
	char *end;

	for (i = 0; i < count; i++, text = end) {
		text += strspn(text, " ");
		if (*text < '0' || *text > '9')
			return false;
		to[i] = strtoul(text, &end, 10);
		if (end - text > 9)
			return false;
	}
	return !text[strspn(text, " ")];
}

static int displays_add(struct vmm_guest *guest, const char *value, struct vmm_text *text)
{
	unsigned int n[5];

	if (!numbers_read(value, n, 5) || !n[0] || n[0] > GUEST_DISPLAYS || !n[1] ||
	    n[1] > GUEST_SIDE || !n[2] || n[2] > GUEST_SIDE)
		return fail(text, EINVAL, "a screen is ID(1-10) WIDTH HEIGHT DPI FLAG");
	guest->display[n[0] - 1] = (struct guest_display){ n[1], n[2], n[3], n[4] };
	return told(text, tell_display(guest, n[0] - 1));
}

static int displays_del(struct vmm_guest *guest, const char *value, struct vmm_text *text)
{
	unsigned int id;

	if (!numbers_read(value, &id, 1) || !id || id > GUEST_DISPLAYS ||
	    !guest->display[id - 1].width)
		return fail(text, EINVAL, "there is no such screen");
	guest->display[id - 1].width = 0;
	return told(text, tell_display(guest, id - 1));
}

static int guest_heartbeat(struct vmm_guest *guest, const char *value, struct vmm_text *text)
{
	(void)value;
	vmm_text_add(text, "heartbeat: %llu\n", guest->heartbeats);
	return 0;
}

static int guest_lights(struct vmm_guest *guest, const char *value, struct vmm_text *text)
{
	unsigned int i;

	(void)value;
	for (i = 0; i < VMM_GUEST_LIGHTS; i++)
		vmm_text_add(text, "%s = %u\n", vmm_guest_lights[i], guest->light[i]);
	return 0;
}

static const struct {
	const char *device;
	const char *command;
	bool needs;
	int (*run)(struct vmm_guest *guest, const char *value, struct vmm_text *text);
} commands[] = {
	{ "sensors", "status", false, sensors_status },
	{ "sensors", "get", true, sensors_get },
	{ "sensors", "set", true, sensors_set },
	{ "gps", "fix", true, gps_fix },
	{ "gps", "nmea", true, gps_nmea },
	{ "fingerprint", "touch", true, finger_touch },
	{ "fingerprint", "remove", false, finger_remove },
	{ "clipboard", "get", false, clipboard_get },
	{ "clipboard", "set", true, clipboard_put },
	{ "displays", "add", true, displays_add },
	{ "displays", "del", true, displays_del },
	{ "guest", "heartbeat", false, guest_heartbeat },
	{ "guest", "lights", false, guest_lights },
};

/**
 * vmm_guest_command - run a command
 * @guest: may be NULL
 * @device: the device that it is for
 * @command: the command's name
 * @value: the command's argument, or NULL
 * @text: gets the output, or the reason of a failure
 *
 * Return: 0, -ENOENT if it is no command of the guest services, or -errno
 */
int vmm_guest_command(struct vmm_guest *guest, const char *device, const char *command,
		      const char *value, struct vmm_text *text)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].device, device) || strcmp(commands[i].command, command))
			continue;
		if (!guest)
			return fail(text, EOPNOTSUPP,
				    "the VM was started without --guest-services");
		if (commands[i].needs && !value)
			return fail(text, EINVAL, "a value is needed");
		return commands[i].run(guest, value ? value : "", text);
	}
	return -ENOENT;
}

/**
 * vmm_guest_open - create guest services
 * @loop: the main thread's loop
 * @ops: callbacks
 * @arg: argument of @ops
 *
 * Return: the guest services, or NULL after a message
 */
struct vmm_guest *vmm_guest_open(struct vmm_loop *loop, const struct vmm_guest_ops *ops, void *arg)
{
	struct vmm_guest *guest = calloc(1, sizeof(*guest));
	unsigned int i;

	if (!guest) {
		vmm_error(ENOMEM, "guest services");
		return NULL;
	}
	guest->loop = loop;
	guest->ops = ops;
	guest->arg = arg;
	guest->link = -1;
	guest->finger = -1;
	guest->services = vmm_event_create();
	guest->nothing = vmm_event_create();
	for (i = 0; i < VMM_GUEST_SENSORS; i++)
		memcpy(guest->sensor[i], vmm_guest_sensors[i].first, sizeof(guest->sensor[i]));
	if (guest->services >= 0 && guest->nothing >= 0)
		return guest;
	vmm_guest_close(guest);
	return NULL;
}

/**
 * vmm_guest_close - free guest services
 * @guest: may be NULL
 */
void vmm_guest_close(struct vmm_guest *guest)
{
	if (!guest)
		return;
	link_close(guest);
	if (guest->services >= 0)
		close(guest->services);
	if (guest->nothing >= 0)
		close(guest->nothing);
	free(guest);
}
