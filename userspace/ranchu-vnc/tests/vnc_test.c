// SPDX-License-Identifier: GPL-2.0-only
/*
 * ranchu-vnc with a fake VM, which has a screen and records requests to its devices, and with a
 * viewer, which is libvncclient. Pixels are compared, keys and fingers arrive, and connections that
 * are no viewers disturb no viewer.
 *
 *	RANCHU_VNC=PROGRAM [VNCSNAPSHOT=COMMAND] vnc_test
 *
 * COMMAND is Debian's vncsnapshot, which does not use the server's library, as libvncclient does.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <jpeglib.h>

#include "host/unix.h"
#include "tests/tap.h"
#include "vnc_lib.h"

static bool said(int stranger, ssize_t bytes)
{
	char got[64];

	return tap_equal(recv(stranger, got, bytes, MSG_WAITALL), bytes);
}

static void pixels_are_shown(void)
{
	rfbClient *viewer;
	unsigned int x, y, wrong = 0;

	if (!everything_open(by_socket))
		return;
	for (y = 0; y < H; y++) {
		for (x = 0; x < W; x++)
			pixel_set(x, y, x * 6 << 16 | y * 10 << 8 | ((x * y) & 0xff));
	}
	viewer = viewer_open(socket_path, 0);
	if (tap_check(viewer)) {
		tap_equal(viewer->width, W);
		tap_equal(viewer->height, H);
		tap_check(!strcmp(viewer->desktopName, "test"));
		tap_check(shows(viewer, W - 1, H - 1, (W - 1) * 6 << 16 | (H - 1) * 10 << 8 |
				(((W - 1) * (H - 1)) & 0xff)));
		for (y = 0; y < H; y++) {
			for (x = 0; x < W; x++)
				wrong += shown(viewer, x, y) !=
					 (x * 6 << 16 | y * 10 << 8 | ((x * y) & 0xff));
		}
		tap_equal(wrong, 0);
		pixel_set(3, 4, 0xabcdef);
		tap_check(shows(viewer, 3, 4, 0xabcdef));
		/* A rotated screen has other dimensions; its first pixel moves to a corner. */
		pixel_set(0, 0, 0x123456);
		vm->turns = 1;
		tap_check(shows(viewer, H - 1, 0, 0x123456));
		tap_equal(viewer->width, H);
		tap_equal(viewer->height, W);
		/* Later changes are drawn at the rotated position. */
		pixel_set(5, 9, 0x654321);
		tap_check(shows(viewer, H - 1 - 9, 5, 0x654321));
		vm->turns = 2;
		tap_check(shows(viewer, W - 1 - 5, H - 1 - 9, 0x654321));
		pixel_set(7, 2, 0x778899);
		tap_check(shows(viewer, W - 1 - 7, H - 1 - 2, 0x778899));
		vm->turns = 3;
		tap_check(shows(viewer, 9, W - 1 - 5, 0x654321));
		pixel_set(7, 3, 0x112233);
		tap_check(shows(viewer, 3, W - 1 - 7, 0x112233));
	}
	viewer_close(viewer);
	everything_close();
}

static void a_vm_that_starts_is_waited_for(void)
{
	rfbClient *viewer;

	vm_prepare();
	vnc_start(by_socket);
	pause_ms(300);
	vm->starting = 3;
	vm_start();
	if (!vnc_wait())
		return;
	tap_equal(vm->starting, 0);
	viewer = viewer_open(socket_path, 0);
	tap_check(viewer);
	viewer_close(viewer);
	everything_close();
}

static void a_screen_that_does_not_change_is_shown(void)
{
	rfbClient *viewer;

	if (!everything_open_with(by_socket, 0x336699))
		return;
	viewer = viewer_open(socket_path, 0);
	tap_check(viewer && shows(viewer, 0, 0, 0x336699));
	tap_check(viewer && shown(viewer, W - 1, H - 1) == 0x336699);
	viewer_close(viewer);
	everything_close();
}

/* Escape is Android's back button. Keys of a viewer that disconnects are released. */
static void keys_and_fingers_arrive(void)
{
	rfbClient *viewer;

	if (!everything_open(by_socket))
		return;
	viewer = viewer_open(socket_path, 0);
	if (tap_check(viewer)) {
		SendKeyEvent(viewer, 'a', TRUE);
		SendKeyEvent(viewer, 'a', FALSE);
		SendKeyEvent(viewer, 0xff0d, TRUE);
		SendKeyEvent(viewer, 0x20ac, TRUE);
		SendKeyEvent(viewer, 0xff1b, TRUE);
		SendPointerEvent(viewer, 5, 6, 0);
		SendPointerEvent(viewer, 5, 6, 1);
		SendPointerEvent(viewer, 60000, 7, 1);
#define PRESSED	"input key 30 1 30\ninput key 30 0 30\ninput key 28 1 28\n" \
		"input key 1 1 158\ninput touch 5 6 1\ninput touch 39 7 1\n"
		tap_check(were_asked(PRESSED));
		viewer_close(viewer);
		tap_check(were_asked(PRESSED "input key 1 0 158\ninput key 28 0 28\n"
				     "input touch 0 0 0\n"));
	}
	everything_close();
}

static void a_key_is_held_by_those_who_are_there(void)
{
	rfbClient *viewer, *other;

	if (!everything_open(by_socket))
		return;
	viewer = viewer_open(socket_path, 0);
	other = viewer_open(socket_path, 0);
	if (tap_check(viewer && other)) {
		SendKeyEvent(viewer, 'a', TRUE);
		tap_check(were_asked("input key 30 1 30\n"));
		SendKeyEvent(other, 'a', TRUE);
		tap_check(were_asked("input key 30 1 30\ninput key 30 1 30\n"));
		viewer_close(viewer);
		pause_ms(300);
		tap_check(were_asked("input key 30 1 30\ninput key 30 1 30\n"));
		viewer_close(other);
		tap_check(were_asked("input key 30 1 30\ninput key 30 1 30\n"
				     "input key 30 0 30\n"));
	}
	everything_close();
	if (!everything_open(by_socket))
		return;
	viewer = viewer_open(socket_path, 0);
	other = viewer_open(socket_path, 0);
	if (tap_check(viewer && other)) {
		SendKeyEvent(viewer, 'a', TRUE);
		tap_check(were_asked("input key 30 1 30\n"));
		/* Releases by a viewer without the key pressed, and by one of two with it. */
		SendKeyEvent(other, 'a', FALSE);
		SendKeyEvent(other, 'a', TRUE);
		tap_check(were_asked("input key 30 1 30\ninput key 30 1 30\n"));
		SendKeyEvent(viewer, 'a', FALSE);
		pause_ms(300);
		tap_check(were_asked("input key 30 1 30\ninput key 30 1 30\n"));
		SendKeyEvent(other, 'a', FALSE);
		tap_check(were_asked("input key 30 1 30\ninput key 30 1 30\n"
				     "input key 30 0 30\n"));
	}
	viewer_close(viewer);
	viewer_close(other);
	everything_close();
}

static void a_finger_is_lifted_by_who_put_it_down(void)
{
	rfbClient *viewer;
	int stranger;

	if (!everything_open(by_socket))
		return;
	viewer = viewer_open(socket_path, 0);
	if (tap_check(viewer)) {
		SendPointerEvent(viewer, 5, 6, 1);
		tap_check(were_asked("input touch 5 6 1\n"));
		stranger = vmm_unix_dial_wait(socket_path, 1000);
		tap_check(said(stranger, 12));
		close(stranger);
		pause_ms(300);
		SendPointerEvent(viewer, 7, 6, 1);
		tap_check(were_asked("input touch 5 6 1\ninput touch 7 6 1\n"));
		viewer_close(viewer);
		tap_check(were_asked("input touch 5 6 1\ninput touch 7 6 1\n"
				     "input touch 0 0 0\n"));
	}
	everything_close();
}

#define HELD	"input key 29 1 29\ninput touch 5 6 1\n"
#define LET_GO	"input key 29 0 29\ninput touch 0 0 0\n"

static rfbClient *viewer_that_holds(void)
{
	rfbClient *viewer = viewer_open(socket_path, 0);

	if (!tap_check(viewer))
		return NULL;
	SendKeyEvent(viewer, 0xffe3, TRUE);
	SendPointerEvent(viewer, 5, 6, 1);
	tap_check(were_asked(HELD));
	return viewer;
}

/* The VM refuses requests, as during a snapshot or a reset. */
static void a_busy_vm_is_told_later_what_was_released(void)
{
	rfbClient *viewer;

	if (!everything_open(by_socket))
		return;
	viewer = viewer_that_holds();
	if (viewer) {
		vm->busy = true;
		/* A key press now is lost. */
		SendKeyEvent(viewer, 'a', TRUE);
		SendKeyEvent(viewer, 0xffe3, FALSE);
		SendPointerEvent(viewer, 5, 6, 0);
		pause_ms(300);
		tap_check(were_asked(HELD));
		vm->busy = false;
		tap_check(were_asked(HELD LET_GO));
		SendKeyEvent(viewer, 'a', FALSE);
		tap_check(were_asked(HELD LET_GO "input key 30 0 30\n"));
		viewer_close(viewer);
	}
	everything_close();
	if (!everything_open(by_socket))
		return;
	viewer = viewer_that_holds();
	/* Without viewers no frames are requested. */
	vm->busy = true;
	viewer_close(viewer);
	pause_ms(300);
	vm->busy = false;
	tap_check(were_asked(HELD LET_GO));
	everything_close();
}

static void who_ends_releases_what_it_has_pressed(void)
{
	static const int signals[] = { SIGTERM, SIGINT, 0 };
	rfbClient *viewer;
	unsigned int i;
	int status;

	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		tap_context("signal %d", signals[i]);
		if (!everything_open(by_socket))
			return;
		viewer = viewer_that_holds();
		vm->busy = true;
		if (signals[i])
			vnc_signal(signals[i]);
		else
			tap_check(server_kill());
		pause_ms(300);
		vm->busy = false;
		tap_check(were_asked(HELD LET_GO));
		status = vnc_status();
		tap_check(status >= 0 && !status == !!signals[i]);
		tap_check(access(socket_path, F_OK));
		viewer_close(viewer);
		vm_close();
	}
}

static char got_text[64];

static void on_text(rfbClient *viewer, const char *text, int len)
{
	(void)viewer;
	snprintf(got_text, sizeof(got_text), "%.*s", len, text);
}

/* Handles messages until a text has come, for five seconds at most. */
static bool text_comes(rfbClient *viewer)
{
	unsigned int i;

	for (i = 0; i < 100 && !*got_text; i++) {
		if (WaitForMessage(viewer, 50000) > 0 && !HandleRFBServerMessage(viewer))
			return false;
	}
	return *got_text;
}

/* Viewers get Latin-1, with a question mark for other characters. */
static void the_clipboard_is_shared(void)
{
	rfbClient *viewer;

	if (!everything_open(by_socket))
		return;
	viewer = viewer_open(socket_path, 0);
	if (tap_check(viewer)) {
		viewer->GotXCutText = on_text;
		SendClientCutText(viewer, "Gr\xfc\xdf\x65", 5);
		tap_check(were_asked("clipboard set Gr\xc3\xbc\xc3\x9f\x65\n"));
		snprintf(vm->clipboard, sizeof(vm->clipboard), "5 \xe2\x82\xac, caf\xc3\xa9");
		vm->copied = true;
		tap_check(text_comes(viewer));
		tap_check(!strcmp(got_text, "5 ?, caf\xe9"));
	}
	viewer_close(viewer);
	everything_close();
}

static void nobody_watching_costs_nothing(void)
{
	rfbClient *viewer;
	unsigned int before;
	int stranger;

	if (!everything_open(by_socket))
		return;
	before = vm->frames;
	tap_equal(before, 1);
	pause_ms(500);
	tap_equal(vm->frames, before);
	/* A connection without authentication causes no requests for frames. */
	stranger = vmm_unix_dial_wait(socket_path, 1000);
	tap_check(said(stranger, 12));
	pause_ms(300);
	tap_equal(vm->frames, before);
	close(stranger);
	viewer = viewer_open(socket_path, 0);
	pause_ms(300);
	tap_check(viewer && vm->frames > before);
	viewer_close(viewer);
	pause_ms(300);
	before = vm->frames;
	pause_ms(500);
	tap_equal(vm->frames, before);
	everything_close();
}

/* Only authenticated viewers get the guest's clipboard. */
static void check_stranger(rfbClient *viewer, unsigned int port)
{
	int stranger = port_dial(port);
	char bytes[64];

	*got_text = '\0';
	viewer->GotXCutText = on_text;
	pause_ms(200);
	snprintf(vm->clipboard, sizeof(vm->clipboard), "a secret");
	vm->copied = true;
	tap_check(text_comes(viewer));
	tap_check(!strcmp(got_text, "a secret"));
	pause_ms(100);
	/* The version, and nothing else. */
	tap_equal(recv(stranger, bytes, sizeof(bytes), MSG_DONTWAIT), 12);
	close(stranger);
}

static void a_port_wants_the_password(void)
{
	unsigned int port = everything_open_at_port();
	rfbClient *viewer;

	if (!port)
		return;
	tap_check(port_answers("127.0.0.1", port));
	tap_check(!port_answers("127.0.0.2", port));
	tap_check(!viewer_with("wrong", port));
	viewer = viewer_with("secret", port);
	if (tap_check(viewer))
		check_stranger(viewer, port);
	viewer_close(viewer);
	everything_close();
	unlink(password_file);
}

/* An unauthenticated client sends byte by byte; returns a viewer's longest wait meanwhile. */
static unsigned int trickle(rfbClient *viewer, int stranger, const char *bytes, size_t count)
{
	unsigned int longest = 0, began;
	static u32 rgb = 0x101010;

	while (count--) {
		send(stranger, bytes++, 1, MSG_NOSIGNAL);
		pause_ms(30);
		rgb += 0x010203;
		pixel_set(1, 1, rgb);
		began = now_ms();
		if (!tap_check(shows(viewer, 1, 1, rgb)))
			return 60000;
		if (now_ms() - began > longest)
			longest = now_ms() - began;
	}
	return longest;
}

/* Returns true if the other end hangs up within two seconds. */
static bool ends(int fd)
{
	struct timeval wait = { .tv_sec = 2 };
	char rest[64];
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	while ((n = recv(fd, rest, sizeof(rest), 0)) > 0)
		;
	return !n;
}

/* Clients that stop before the password, at each step of the handshake. */
static void strangers_stall_nobody(void)
{
	unsigned int port = everything_open_at_port();
	rfbClient *viewer = port ? viewer_with("secret", port) : NULL;
	int fd;

	if (!tap_check(viewer))
		return;
	fd = port_dial(port);
	tap_check(said(fd, 12));
	tap_check(trickle(viewer, fd, "RFB 003.008\n", 12) < 500);
	/* The number of security types, and the only type: a password. */
	tap_check(said(fd, 2));
	send(fd, "\2", 1, MSG_NOSIGNAL);
	tap_check(said(fd, 16));
	tap_check(trickle(viewer, fd, "0123456789abcdef", 15) < 500);
	close(fd);
	/* A client that ends in the middle of it is removed. */
	fd = port_dial(port);
	tap_check(said(fd, 12));
	tap_equal(send(fd, "RFB", 3, MSG_NOSIGNAL), 3);
	shutdown(fd, SHUT_WR);
	tap_check(ends(fd));
	close(fd);
	/* A WebSocket handshake is refused. */
	fd = port_dial(port);
	tap_check(said(fd, 12));
	tap_check(trickle(viewer, fd, "GET / HTTP/1.1\r\n", 16) < 500);
	tap_check(ends(fd));
	close(fd);
	viewer_close(viewer);
	everything_close();
	unlink(password_file);
}

static void strangers_make_room(void)
{
	unsigned int port = everything_open_at_port();
	rfbClient *viewer = port ? viewer_with("secret", port) : NULL;
	rfbClient *other;
	int fds[12];
	unsigned int i;

	if (!tap_check(viewer))
		return;
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = port_dial(port);
	pause_ms(300);
	other = viewer_with("secret", port);
	tap_check(other);
	/* An authenticated viewer stays. */
	pixel_set(2, 2, 0x334455);
	tap_check(shows(viewer, 2, 2, 0x334455));
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	viewer_close(other);
	viewer_close(viewer);
	everything_close();
	unlink(password_file);
}

/* A user types the password while more clients connect than there are places. */
static void who_types_the_password_stays(void)
{
	unsigned int port = everything_open_at_port();
	unsigned int i;
	int fds[60];
	int typist;

	if (!port)
		return;
	typist = port_dial(port);
	tap_check(said(typist, 12));
	send(typist, "RFB 003.008\n", 12, MSG_NOSIGNAL);
	tap_check(said(typist, 2));
	send(typist, "\2", 1, MSG_NOSIGNAL);
	tap_check(said(typist, 16));
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = port_dial(port);
	/* The last client has a place, the first was disconnected. */
	tap_check(said(fds[i - 1], 12));
	tap_check(ends(fds[0]));
	/* A wrong password is answered. */
	send(typist, "0123456789abcdef", 16, MSG_NOSIGNAL);
	tap_check(said(typist, 4));
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	close(typist);
	everything_close();
	unlink(password_file);
}

static void eight_can_look_on(void)
{
	rfbClient *viewer[8];
	unsigned int i;
	int late;

	if (!everything_open(by_socket))
		return;
	/* It connects early, and authenticates late. */
	late = vmm_unix_dial_wait(socket_path, 1000);
	for (i = 0; i < ARRAY_SIZE(viewer); i++) {
		viewer[i] = viewer_open(socket_path, 0);
		tap_check(viewer[i]);
	}
	tap_check(said(late, 12));
	send(late, "RFB 003.008\n\1\1", 14, MSG_NOSIGNAL);
	tap_check(ends(late));
	pixel_set(2, 2, 0x556677);
	tap_check(viewer[0] && shows(viewer[0], 2, 2, 0x556677));
	for (i = 0; i < ARRAY_SIZE(viewer); i++)
		viewer_close(viewer[i]);
	close(late);
	everything_close();
}

/* ---- a viewer with other code ---- */

static const u32 quarters[4] = { 0xff0000, 0x00ff00, 0x2040c0, 0xf0f0f0 };

static u32 quarter_of(unsigned int x, unsigned int y)
{
	return quarters[(x >= W / 2) + 2 * (y >= H / 2)];
}

/* JPEG rounds, and blends colours at edges. */
static bool is_about(const u8 *rgb, u32 want)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		if (abs(rgb[i] - (int)(want >> (16 - 8 * i) & 0xff)) > 6)
			return false;
	}
	return true;
}

/* Counts wrong pixels, except at edges of colours; ~0 for no picture. */
static unsigned int picture_wrong(const char *path)
{
	struct jpeg_error_mgr errors;
	struct jpeg_decompress_struct jpeg = { .err = jpeg_std_error(&errors) };
	FILE *from = fopen(path, "re");
	unsigned int wrong = 0, x, y;
	u8 line[3 * W];
	u8 *row = line;

	if (!from)
		return ~0U;
	jpeg_create_decompress(&jpeg);
	jpeg_stdio_src(&jpeg, from);
	jpeg_read_header(&jpeg, TRUE);
	jpeg.out_color_space = JCS_RGB;
	jpeg_start_decompress(&jpeg);
	if (jpeg.output_width == W && jpeg.output_height == H) {
		for (y = 0; y < H; y++) {
			jpeg_read_scanlines(&jpeg, &row, 1);
			for (x = 0; x < W; x++) {
				if (abs((int)x - W / 2) > 8 && abs((int)y - H / 2) > 8)
					wrong += !is_about(line + 3 * x, quarter_of(x, y));
			}
		}
	} else {
		wrong = ~0U;
	}
	jpeg_destroy_decompress(&jpeg);
	fclose(from);
	return wrong;
}

static bool snapshot_taken(const char *password, unsigned int port, const char *to)
{
	char file[] = "/tmp/ranchu-vnc-stored", command[8192];
	bool taken;

	unlink(to);
	tap_equal(rfbEncryptAndStorePasswd((char *)password, file), 0);
	snprintf(command, sizeof(command),
		 "timeout 60 %s -quiet -passwd %s -encodings raw -nojpeg 127.0.0.1:%u %s >&2",
		 getenv("VNCSNAPSHOT"), file, port - 5900, to);
	taken = !system(command) && !access(to, F_OK);
	unlink(file);
	return taken;
}

static void debians_viewer_sees_the_pixels(void)
{
	char to[] = "/tmp/ranchu-vnc-shot.jpg";
	unsigned int x, y, port;

	if (!getenv("VNCSNAPSHOT")) {
		tap_skip("no VNCSNAPSHOT");
		return;
	}
	port = everything_open_at_port();
	if (!port)
		return;
	for (y = 0; y < H; y++) {
		for (x = 0; x < W; x++)
			pixel_set(x, y, quarter_of(x, y));
	}
	tap_check(!snapshot_taken("wrong", port, to));
	tap_check(snapshot_taken("secret", port, to));
	tap_equal(picture_wrong(to), 0);
	/* Another frame has other pixels. */
	pixel_set(2, 2, 0x0000ff);
	tap_check(snapshot_taken("secret", port, to));
	tap_check(picture_wrong(to) > 0 && picture_wrong(to) < W * H);
	everything_close();
	unlink(password_file);
	unlink(to);
}

/* Random bytes, silent connections, and too many connections. */
static void what_is_no_viewer_costs_nobody_anything(void)
{
	int fds[12];
	char bytes[512];
	rfbClient *viewer;
	unsigned int i, j;

	if (!everything_open(by_socket))
		return;
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = vmm_unix_dial_wait(socket_path, 1000);
		for (j = 0; j < sizeof(bytes); j++)
			bytes[j] = rand();
		if (i & 1)
			memcpy(bytes, "RFB 003.008\n\1", 13);
		if (i & 2)
			send(fds[i], bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	pause_ms(500);
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	pause_ms(300);
	pixel_set(1, 1, 0x445566);
	viewer = viewer_open(socket_path, 0);
	tap_check(viewer && shows(viewer, 1, 1, 0x445566));
	viewer_close(viewer);
	everything_close();
}

static const struct tap_case cases[] = {
	{ "pixels are shown, and what changes", pixels_are_shown },
	{ "a screen that does not change is shown", a_screen_that_does_not_change_is_shown },
	{ "a VM that starts is waited for", a_vm_that_starts_is_waited_for },
	{ "keys and fingers arrive, and are let go", keys_and_fingers_arrive },
	{ "a key is held by those who are there", a_key_is_held_by_those_who_are_there },
	{ "a finger is lifted by who put it down", a_finger_is_lifted_by_who_put_it_down },
	{ "a busy VM is told later what was released",
	  a_busy_vm_is_told_later_what_was_released },
	{ "who ends releases what it has pressed", who_ends_releases_what_it_has_pressed },
	{ "the clipboard is shared", the_clipboard_is_shared },
	{ "nobody watching costs nothing", nobody_watching_costs_nothing },
	{ "a port wants the password, and is on loopback only", a_port_wants_the_password },
	{ "strangers stall nobody", strangers_stall_nobody },
	{ "strangers make room", strangers_make_room },
	{ "who types the password stays", who_types_the_password_stays },
	{ "eight can look on", eight_can_look_on },
	{ "Debian's viewer sees the pixels", debians_viewer_sees_the_pixels },
	{ "what is no viewer costs nobody anything", what_is_no_viewer_costs_nobody_anything },
};

int main(void)
{
	by_socket[0] = getenv("RANCHU_VNC");
	if (!by_socket[0]) {
		fprintf(stderr, "usage: RANCHU_VNC=PROGRAM vnc_test\n");
		return 2;
	}
	/* If a shell runs this in the background, SIGINT is ignored, and programs inherit that. */
	signal(SIGINT, SIG_DFL);
	rfbEnableClientLogging = FALSE;
	return tap_run(cases, ARRAY_SIZE(cases));
}
