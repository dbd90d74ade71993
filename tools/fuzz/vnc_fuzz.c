// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: ranchu-vnc. The first bit of the input chooses between its two processes.
 *
 * The server has viewers that say anything: messages of RFB with fields of any value, their
 * beginnings, and bytes that are none, with a password and without. Others stay and say too
 * little to come in. The screen changes and turns meanwhile, to whatever its file can say, its
 * pixels move to files of every kind, and the guest copies. What reaches the broker must be records
 * that the broker takes, and nothing may come of a viewer that has not said the password.
 *
 * The broker gets records of any kind and length, as a server that a viewer has taken over
 * would send them. What reaches the VM must be one of three commands, with values in range, and
 * in the end a VM that is there takes nothing for pressed.
 *
 * Source of the messages: RFC 6143, 7.1 to 7.5.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <jansson.h>
#include <linux/input-event-codes.h>

#include "control/control.h"
#include "host/display.h"
#include "host/unix.h"
#include "ranchu_vnc.h"
#include "fuzz.h"

#define W		24
#define H		16
#define VIEWERS		3
#define STRANGERS	50	/* more than there are places for */
#define PLACES		48
#define SAY_MAX		4096	/* bytes of a viewer */
#define PIXEL_MAX	16384
#define SCREEN_SIZE	(VMM_DISPLAY_PIXELS + 4 * W * H)

/* ---- the broker's VM, in place of control/client.c ---- */

struct vmm_client {
	struct input *in;
	void (*event)(void *arg, const char *name);
	void *arg;
	bool lost;
	unsigned int busy;
	bool down[KEY_CNT + 1];
	int key;
	bool pressed;
};

#define FINGER		KEY_CNT
#define BUSY_MAX	4	/* times; the broker waits after each */

static struct vmm_client vm;

void vmm_client_events(struct vmm_client *client, void (*event)(void *arg, const char *name),
		       void *arg)
{
	client->event = event;
	client->arg = arg;
}

bool vmm_client_lost(const struct vmm_client *client)
{
	return client->lost;
}

/* Of the last command that a device was given: whether it was pressed or released. */
static void key_note(void)
{
	if (vm.key >= 0)
		vm.down[vm.key] = vm.pressed;
	vm.key = -1;
}

/* What a VM that is not busy refuses, the device has noted. */
const char *vmm_client_error(const struct vmm_client *client)
{
	if (take(client->in, 1) & 1 && vm.busy < BUSY_MAX) {
		vm.busy++;
		vm.key = -1;
		return "the VM is busy: it is saving";
	}
	key_note();
	return "it failed";
}

int vmm_client_pidfd(const struct vmm_client *client)
{
	(void)client;
	return -ESRCH;
}

int vmm_client_file(struct vmm_client *client)
{
	return take(client->in, 1) & 1 ? -1 : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void check_device(const json_t *args)
{
	const char *device = json_string_value(json_object_get(args, "device"));
	const char *command = json_string_value(json_object_get(args, "command"));
	const char *value = json_string_value(json_object_get(args, "value"));
	int n[3] = { -1, -1, -1 };

	MUST(device && command);
	if (!strcmp(device, "clipboard")) {
		MUST(value ? !strcmp(command, "set") && strlen(value) <= VNC_TEXT_MAX :
			     !strcmp(command, "get"));
		return;
	}
	MUST(!strcmp(device, "input") && value);
	MUST(sscanf(value, "%d %d %d", &n[0], &n[1], &n[2]) == 3);
	if (!strcmp(command, "key")) {
		MUST(n[0] > 0 && n[0] <= KEY_MAX && (n[1] == 0 || n[1] == 1));
		MUST(n[2] > 0 && n[2] <= KEY_MAX);
		vm.key = n[0];
		vm.pressed = n[1];
	} else {
		MUST(!strcmp(command, "touch"));
		MUST(n[0] >= 0 && n[0] <= PIXEL_MAX && n[1] >= 0 && n[1] <= PIXEL_MAX);
		MUST(n[2] == 0 || n[2] == 1);
		vm.key = FINGER;
		vm.pressed = n[2];
	}
}

json_t *vmm_client_call(struct vmm_client *client, const char *command, json_t *args)
{
	static char text[2 * VNC_TEXT_MAX];
	u64 how = take(client->in, 1);

	client->key = -1;
	if (!strcmp(command, "device"))
		check_device(args);
	else if (!strcmp(command, "screen"))
		MUST(!args || json_is_integer(json_object_get(args, "source")));
	else
		MUST(!args && !strcmp(command, "qmp_capabilities"));
	json_decref(args);
	if (how & 1 && client->event)
		client->event(client->arg, how & 2 ? "CLIPBOARD" : "RESET");
	if (how > 0xe0 || client->lost) {
		client->lost = client->lost || how > 0xfc;
		return NULL;
	}
	key_note();
	if (how < 0x80)
		return json_object();
	/* A text that is about as long as may be passed on. */
	memset(text, 'a', sizeof(text));
	text[how & 4 ? VNC_TEXT_MAX - 1 + (how & 3) : how & 3] = '\0';
	return json_pack("{s:s}", "text", text);
}

/* The last quarter of the input is what the VM answers. */
static void broker(struct input *in)
{
	struct input answers = split_off(in);
	static u8 message[sizeof(struct vnc_text) + 64];
	struct vnc_record record;
	unsigned int i;
	int pair[2];
	size_t len;

	vm = (struct vmm_client){ .in = &answers, .key = -1 };
	MUST(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
	while (in->left) {
		record.what = take(in, 1) % 7;
		record.a = take(in, 1) & 1 ? (s32)take(in, 4) : (s32)take(in, 2) - 8;
		record.b = take(in, 1) & 1 ? (s32)take(in, 4) : (s32)take(in, 2) - 8;
		record.c = take(in, 1);
		len = take(in, 1);
		if (len > 0xf0)
			len = sizeof(message) - (len & 15) * 16;
		else if (len > 0xc0)
			len = len & 15;
		else
			len = sizeof(record) + (record.what == VNC_CLIPBOARD ? len : 0);
		memset(message, take(in, 1), sizeof(message));
		memcpy(message, &record, sizeof(record));
		/* What finds no room is not said. */
		if (len && send(pair[1], message, len, MSG_NOSIGNAL) < 0)
			break;
	}
	shutdown(pair[1], SHUT_WR);
	/* Blocks for records only; there is an end of them. */
	MUST(!fcntl(pair[0], F_SETFL, 0));
	vnc_broker(&vm, pair[0], -1);
	for (i = 0; !vm.lost && i <= FINGER; i++)
		MUST(!vm.down[i]);
	close(pair[0]);
	close(pair[1]);
}

/* ---- the server's viewers ---- */

int vnc_confine(void)
{
	return 0;
}

/**
 * struct viewer - what one says, all at once, and then no more
 * @fd: its end
 * @len: bytes of @said
 * @said: the bytes
 */
struct viewer {
	int fd;
	size_t len;
	u8 said[SAY_MAX];
};

static void viewer_say(struct viewer *v, const void *bytes, size_t n)
{
	if (n > sizeof(v->said) - v->len)
		n = sizeof(v->said) - v->len;
	memcpy(v->said + v->len, bytes, n);
	v->len += n;
}

/* Numbers of the protocol are big endian. */
static void viewer_number(struct viewer *v, unsigned int bytes, u64 value)
{
	u8 to[8];
	unsigned int i;

	for (i = 0; i < bytes; i++)
		to[i] = value >> 8 * (bytes - 1 - i);
	viewer_say(v, to, bytes);
}

static void viewer_fill(struct viewer *v, u8 byte, size_t n)
{
	while (n-- && v->len < sizeof(v->said))
		v->said[v->len++] = byte;
}

/* A coordinate: mostly one of the screen's. */
static u64 coordinate(struct input *in)
{
	u64 value = take(in, 1);

	return value < 0xc0 ? value % (W + 2) : take(in, 2);
}

static void say_pixel_format(struct viewer *v, struct input *in)
{
	static const u8 bits[] = { 8, 16, 32, 24, 0, 64, 255, 1 };

	viewer_number(v, 4, 0);
	viewer_number(v, 1, bits[take(in, 1) % 8]);
	viewer_number(v, 1, take(in, 1) & 0x80 ? take(in, 1) : 24);
	viewer_number(v, 1, take(in, 1));
	viewer_number(v, 1, take(in, 1));
	viewer_number(v, 2, take(in, 1) & 1 ? 255 : take(in, 2));
	viewer_number(v, 2, take(in, 1) & 1 ? 255 : take(in, 2));
	viewer_number(v, 2, take(in, 1) & 1 ? 255 : take(in, 2));
	viewer_number(v, 3, take(in, 3));
	viewer_number(v, 3, 0);
}

static void say_encodings(struct viewer *v, struct input *in)
{
	/* Those of the RFC, those that libraries add, and levels of quality. */
	static const s32 known[] = {
		0, 1, 2, 4, 5, 6, 7, 8, 9, 15, 16, 17, -23, -24, -27, -32, -100, -223, -224,
		-232, -239, -240, -247, -256, -257, -258, -260, -261, -305, -307, -308, -309,
		(s32)0xc0a1e5ce, (s32)0xfffe0000, (s32)0xfffe0001, (s32)0xfffe0002,
		(s32)0xfffe0003, (s32)0xfffe0004, (s32)0xfffe0005, (s32)0xffff0000,
		(s32)0xffff0006, (s32)0xffff0008, (s32)0xffff8000,
	};
	unsigned int count = take(in, 1) % 12;
	unsigned int i;

	viewer_number(v, 1, 0);
	viewer_number(v, 2, take(in, 1) > 0xf0 ? take(in, 2) : count);
	for (i = 0; i < count; i++) {
		u64 which = take(in, 1);

		viewer_number(v, 4, which < 0xe0 ? (u32)known[which % ARRAY_SIZE(known)] :
						   take(in, 4));
	}
}

/* A length is mostly that of what follows. */
static void say_text(struct viewer *v, struct input *in, unsigned int pad)
{
	unsigned int n = take(in, 1);
	u64 how = take(in, 1);

	viewer_number(v, pad, 0);
	viewer_number(v, 4, how < 0xc0 ? n : how < 0xe0 ? take(in, 4) : (u32)-(s32)n);
	if (how >= 0xe0)
		/* Flags of the extended clipboard. */
		viewer_number(v, 4, take(in, 4));
	viewer_fill(v, take(in, 1), n);
}

static void say_message(struct viewer *v, struct input *in)
{
	static const u8 types[] = {
		0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15, 248, 249, 250, 251, 252, 253, 254, 255, 1,
	};
	u8 type = types[take(in, 1) % ARRAY_SIZE(types)];
	unsigned int i, n;

	viewer_number(v, 1, type);
	switch (type) {
	case 0:
		say_pixel_format(v, in);
		viewer_fill(v, 0, 2);
		return;
	case 2:
		say_encodings(v, in);
		return;
	case 3:
		viewer_number(v, 1, take(in, 1));
		for (i = 0; i < 4; i++)
			viewer_number(v, 2, coordinate(in));
		return;
	case 4:
		viewer_number(v, 1, take(in, 1) & 3);
		viewer_number(v, 2, 0);
		viewer_number(v, 4, take(in, 1) & 1 ? 0xff00 | take(in, 1) : take(in, 4));
		return;
	case 5:
		viewer_number(v, 1, take(in, 1));
		viewer_number(v, 2, coordinate(in));
		viewer_number(v, 2, coordinate(in));
		return;
	case 6:
		say_text(v, in, 3);
		return;
	case 7:
		/* A file: kind, parameters, size, length. */
		viewer_number(v, 3, take(in, 3));
		viewer_number(v, 4, take(in, 1));
		say_text(v, in, 0);
		return;
	case 8:
	case 15:
		viewer_number(v, 1, take(in, 1) % 12);
		viewer_fill(v, 0, 2);
		return;
	case 11:
		say_text(v, in, 3);
		return;
	case 251:
		viewer_number(v, 1, 0);
		viewer_number(v, 2, coordinate(in));
		viewer_number(v, 2, coordinate(in));
		n = take(in, 1) % 4;
		viewer_number(v, 1, n);
		viewer_number(v, 1, 0);
		for (i = 0; i < n; i++)
			viewer_fill(v, take(in, 1), 16);
		return;
	default:
		n = take(in, 1) % 32;
		for (i = 0; i < n; i++)
			viewer_number(v, 1, take(in, 1));
	}
}

/* As far as the password, which no viewer here knows: it answers the challenge with zeros. */
static void say_hello(struct viewer *v, struct input *in, bool password)
{
	static const char *const versions[] = {
		"RFB 003.008\n", "RFB 003.007\n", "RFB 003.003\n", "RFB 003.889\n", "RFB 999.999\n",
	};
	u64 how = take(in, 1);

	/* The library would take this for a WebSocket. */
	if (how > 0xf0)
		viewer_say(v, "GET / HTTP/1.1\r\n", 16);
	if (how > 0xe0)
		return;
	viewer_say(v, versions[how % 8 < 4 ? 0 : how % ARRAY_SIZE(versions)], 12);
	viewer_number(v, 1, how > 0xc0 ? take(in, 1) : password ? 2 : 1);
	if (password)
		viewer_fill(v, 0, 16);
	viewer_number(v, 1, how & 1);
}

static void viewer_connect(struct viewer *v, struct input *in, struct vnc_server *s,
			   bool password)
{
	unsigned int messages = take(in, 1) % 16;
	unsigned int i, n;
	int pair[2];

	v->len = 0;
	say_hello(v, in, password);
	for (i = 0; i < messages && in->left; i++)
		say_message(v, in);
	/* What is cut off ends here, so that nobody waits for the rest. */
	n = take(in, 1);
	if (n > 0xc0 && v->len > (n & 31))
		v->len -= n & 31;
	MUST(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	MUST(send(pair[0], v->said, v->len, MSG_NOSIGNAL) == (ssize_t)v->len);
	shutdown(pair[0], SHUT_WR);
	v->fd = pair[0];
	vnc_server_viewer(s, pair[1]);
}

/*
 * Somebody who says the beginning of how to come in, and stays: the server holds it back until
 * the rest is there, which is never.
 */
static int stranger_connect(struct input *in, struct vnc_server *s)
{
	static const char said[12 + 1 + 15] = "RFB 003.008\n\2";
	int pair[2];

	MUST(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	MUST(send(pair[0], said, take(in, 1) % (sizeof(said) + 1), MSG_NOSIGNAL) >= 0);
	vnc_server_viewer(s, pair[1]);
	return pair[0];
}

static void strangers_connect(int *fds, struct input *in, struct vnc_server *s)
{
	u64 how = take(in, 1);
	unsigned int count = how > 0xf0 ? STRANGERS : how % 4;
	unsigned int i;

	for (i = 0; i < STRANGERS; i++)
		fds[i] = i < count ? stranger_connect(in, s) : -1;
}

/* A viewer that reads: nobody waits for it. */
static void viewer_read(struct viewer *v)
{
	static u8 bytes[65536];

	while (v->fd >= 0 && recv(v->fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

/* ---- the server's broker ---- */

static void records_check(int fd, bool password)
{
	struct vnc_text message;
	ssize_t n;

	while ((n = recv(fd, &message, sizeof(message), MSG_DONTWAIT)) > 0) {
		const struct vnc_record *record = &message.record;

		MUST(n >= (ssize_t)sizeof(*record));
		MUST(n == sizeof(*record) || record->what == VNC_CLIPBOARD);
		if (record->what == VNC_FRAME || record->what == VNC_SOURCE)
			continue;
		/* All else is a viewer's doing. */
		MUST(!password);
		if (record->what == VNC_KEY) {
			MUST(record->a > 0 && record->a <= KEY_MAX);
		} else if (record->what == VNC_FINGER) {
			MUST(record->a >= 0 && record->a < W && record->b >= 0 && record->b < H);
		} else {
			MUST(record->what == VNC_CLIPBOARD);
			MUST(n <= (ssize_t)sizeof(message));
		}
	}
}

/* A file of pixels, which may be too short or not sealed; or a file that is none. */
static int some_source(unsigned int how)
{
	int fd;

	if (!(how & 7))
		return open("/dev/zero", O_RDONLY | O_CLOEXEC);
	fd = memfd_create("source", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	MUST(fd >= 0 && !ftruncate(fd, how & 8 ? 4 * W * H : how));
	MUST(!(how & 6) || !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	return fd;
}

/*
 * The answers to the next questions: a frame, maybe with a text before it, and a source. If the
 * latter is not asked for, the server passes over it.
 */
static void answer(int fd, struct input *in)
{
	struct vnc_text text = { .record.what = VNC_CLIPBOARD };
	struct vnc_record frame = { .what = VNC_FRAME };
	u64 how = take(in, 1);
	size_t n = how > 0xf0 ? VNC_TEXT_MAX : how & 63;
	int file;

	if (how > 0xc0) {
		memset(text.text, take(in, 1), n);
		MUST(send(fd, &text, sizeof(text.record) + n, MSG_NOSIGNAL) > 0);
	}
	MUST(send(fd, &frame, sizeof(frame), MSG_NOSIGNAL) == sizeof(frame));
	frame.what = VNC_SOURCE;
	file = some_source(take(in, 1));
	MUST(!vmm_unix_send_files(fd, &frame, sizeof(frame), &file, 1, 0));
	close(file);
}

/* The screen's file is a process' that may be hostile: any number in it can be any. */
static struct vmm_display_header *screen_open(int *fd)
{
	struct vmm_display_header *header;

	*fd = memfd_create("screen", MFD_CLOEXEC);
	MUST(*fd >= 0 && !ftruncate(*fd, SCREEN_SIZE));
	header = mmap(NULL, SCREEN_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	MUST(header != MAP_FAILED);
	header->magic = htole32(VMM_DISPLAY_MAGIC);
	header->version = htole32(VMM_DISPLAY_VERSION);
	header->width = htole32(W);
	header->height = htole32(H);
	return header;
}

static void screen_change(struct vmm_display_header *header, struct input *in)
{
	u8 *pixels = (u8 *)header + VMM_DISPLAY_PIXELS;
	u64 how = take(in, 1);
	unsigned int i;

	memset(pixels, take(in, 1), 4 * W * H);
	pixels[how] = how;
	header->format = htole32(how > 0xf0 ? take(in, 4) : 1 + how % 3);
	header->turns = htole32(how > 0xe0 ? take(in, 4) : how >> 6);
	for (i = 0; i < ARRAY_SIZE(header->damage); i++)
		header->damage[i] = htole32(how & 4 ? take(in, 4) : take(in, 1) % (W + 2));
	header->source = htole64(how & 8 ? how & 3 : 0);
	header->offset = htole64(how > 0xd0 ? take(in, 8) : how & 16);
	header->cursor_shown = htole32(how & 32);
	header->cursor_x = htole32(how > 0xc8 ? take(in, 4) : how & 15);
	header->cursor_y = htole32(how > 0xc8 ? take(in, 4) : how & 15);
	/* One that stays odd is waited for. */
	header->sequence = htole64(how == 0xff ? take(in, 8) : le64toh(header->sequence) + 2);
	/* What was promised never to change. */
	if (how > 0xf8)
		header->width = htole32(take(in, 4));
}

static void all_close(int *fds, unsigned int count)
{
	while (count--) {
		if (fds[count] >= 0)
			close(fds[count]);
	}
}

static void server(struct input *in)
{
	bool password = take(in, 1) & 1;
	struct vnc_options options = {
		.name = "fuzz", .listen_fd = -1, .password = password ? "secret" : NULL,
	};
	static struct viewer viewer[VIEWERS];
	struct vmm_display_header *screen;
	int strangers[STRANGERS];
	struct vnc_server *s;
	unsigned int i, turns;
	int left = 0;
	int pair[2];
	int fd;

	MUST(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	screen = screen_open(&fd);
	s = vnc_server_open(&options, fd, pair[0]);
	MUST(s);
	for (i = 0; i < VIEWERS; i++)
		viewer[i].fd = -1;
	for (i = 0; i < VIEWERS && in->left; i++)
		viewer_connect(&viewer[i], in, s, password);
	strangers_connect(strangers, in, s);
	for (turns = 0; turns < 40 && (!turns || left); turns++) {
		bool frame = turns % 4 == 3;

		if (frame) {
			screen_change(screen, in);
			answer(pair[1], in);
		}
		left = vnc_server_turn(s, frame, 0);
		MUST(left >= 0 && left <= PLACES);
		records_check(pair[1], password);
		for (i = 0; i < VIEWERS; i++)
			viewer_read(&viewer[i]);
	}
	vnc_server_close(s);
	records_check(pair[1], password);
	for (i = 0; i < VIEWERS; i++)
		all_close(&viewer[i].fd, 1);
	all_close(strangers, STRANGERS);
	all_close(pair, 2);
	close(fd);
	munmap(screen, SCREEN_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	if (take(&in, 1) & 1)
		broker(&in);
	else
		server(&in);
	return 0;
}
