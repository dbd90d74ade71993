// SPDX-License-Identifier: GPL-2.0-only
/*
 * ranchu-vnc between a VM of the test's own, which has a screen and remembers what its
 * devices are asked, and a viewer, which is libvncclient: pixels are compared, keys and
 * fingers arrive, and what is no viewer costs nobody anything.
 *
 *	RANCHU_VNC=PROGRAM [VNCSNAPSHOT=COMMAND] vnc_test
 *
 * COMMAND is Debian's vncsnapshot, a viewer of another family than libvncclient, which is of
 * the server's own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <rfb/rfb.h>
#include <rfb/rfbclient.h>
#include <jpeglib.h>

#include "control/control.h"
#include "host/display.h"
#include "host/unix.h"
#include "host/vm_dir.h"
#include "tests/tap.h"

#define W	40
#define H	24

/**
 * struct shared - what the VM's process and the test's both see
 * @frame: pixels of the guest, 32 bits each
 * @turns: of the screen
 * @asked: what devices were asked, a line each
 * @len: bytes of that
 * @frames: how often the screen was asked for
 * @clipboard: of the guest
 * @copied: the guest has put that there, and nobody was told so far
 */
struct shared {
	u8 frame[4 * W * H];
	unsigned int turns;
	char asked[4096];
	unsigned int len;
	unsigned int frames;
	char clipboard[64];
	bool copied;
};

static struct shared *vm;
static struct vmm_control *control;
static struct vmm_display *display;
static char base[64];
static char socket_path[128];
static pid_t vm_pid, vnc_pid;

/* ---- the VM, a process of its own ---- */

static void on_refresh(void *arg)
{
	(void)arg;
	vmm_display_frame(display, VMM_PIXELS_RGBX8888, vm->turns, vm->frame);
}

static void vm_status(void *arg, json_t *to)
{
	(void)arg;
	(void)to;
}

static int vm_end(void *arg, enum vmm_control_end how)
{
	(void)arg;
	(void)how;
	return 0;
}

static int vm_pause(void *arg, bool pause, u64 call)
{
	(void)arg;
	(void)pause;
	(void)call;
	return 0;
}

static int vm_reset(void *arg)
{
	(void)arg;
	return 0;
}

static int vm_device(void *arg, const char *device, const char *command, const char *value,
		     struct vmm_text *text)
{
	(void)arg;
	if (!strcmp(device, "clipboard") && !strcmp(command, "get")) {
		vmm_text_add(text, "%s", vm->clipboard);
		return 0;
	}
	vm->len += snprintf(vm->asked + vm->len, sizeof(vm->asked) - vm->len, "%s %s %s\n",
			    device, command, value);
	return 0;
}

static int vm_screen(void *arg)
{
	(void)arg;
	vm->frames++;
	if (vm->copied)
		vmm_control_event(control, "CLIPBOARD", NULL);
	vm->copied = false;
	vmm_display_refresh(display);
	return vmm_display_file(display);
}

static json_t *vm_stats(void *arg)
{
	(void)arg;
	return json_object();
}

static const struct vmm_control_vm vm_ops = {
	.status = vm_status, .end = vm_end, .pause = vm_pause, .reset = vm_reset,
	.device = vm_device, .screen = vm_screen, .stats = vm_stats,
};

static void vm_run(void)
{
	struct vmm_vm_commands commands = { .vm = &vm_ops, .name = "test" };
	struct vmm_loop *loop = vmm_loop_create();
	struct vmm_dir *dir = vmm_dir_open(base, "test");
	struct vmm_commands all = { 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	display = vmm_display_open(W, H);
	vmm_display_attach(display, on_refresh, NULL);
	if (!dir || !display || vmm_vm_commands_add(&all, &commands))
		_exit(1);
	control = vmm_control_open(loop, vmm_dir_control(dir), &all);
	if (!control)
		_exit(1);
	vmm_loop_run(loop);
	_exit(0);
}

/* ---- a viewer ---- */

static void pause_ms(unsigned int ms)
{
	struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&pause, NULL);
}

static rfbClient *viewer_open(const char *host, int port)
{
	rfbClient *viewer = rfbGetClient(8, 3, 4);

	viewer->serverHost = strdup(host);
	viewer->serverPort = port;
	viewer->format.redShift = 16;
	viewer->format.greenShift = 8;
	viewer->format.blueShift = 0;
	viewer->canHandleNewFBSize = TRUE;
	viewer->appData.encodingsString = "raw";
	if (!rfbInitClient(viewer, NULL, NULL))
		return NULL;
	return viewer;
}

static void viewer_close(rfbClient *viewer)
{
	if (!viewer)
		return;
	free(viewer->frameBuffer);
	rfbClientCleanup(viewer);
}

static u32 shown(rfbClient *viewer, unsigned int x, unsigned int y)
{
	return ((u32 *)viewer->frameBuffer)[y * viewer->width + x] & 0xffffff;
}

/* Messages are taken until a pixel has a colour, for five seconds at most. */
static bool shows(rfbClient *viewer, unsigned int x, unsigned int y, u32 rgb)
{
	unsigned int i;

	for (i = 0; i < 100; i++) {
		if (viewer->width > (int)x && viewer->height > (int)y &&
		    shown(viewer, x, y) == rgb)
			return true;
		if (WaitForMessage(viewer, 50000) > 0 && !HandleRFBServerMessage(viewer))
			return false;
	}
	return false;
}

static void pixel_set(unsigned int x, unsigned int y, u32 rgb)
{
	u8 *at = vm->frame + 4 * (y * W + x);

	at[0] = rgb >> 16;
	at[1] = rgb >> 8;
	at[2] = rgb;
}

/* ---- both ---- */

static void vnc_start(char *const argv[])
{
	vnc_pid = fork();
	if (vnc_pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(STDOUT_FILENO);
	open("/dev/null", O_WRONLY);
	execv(argv[0], argv);
	_exit(127);
}

/* The guest shows @rgb everywhere from the beginning. */
static bool everything_open_with(char *const argv[], u32 rgb)
{
	unsigned int i;

	vm = mmap(NULL, sizeof(*vm), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < W * H; i++)
		memcpy(vm->frame + 4 * i, (u8[]){ rgb >> 16, rgb >> 8, rgb }, 3);
	snprintf(base, sizeof(base), "/tmp/ranchu-vnc-XXXXXX");
	tap_check(mkdtemp(base));
	setenv("XDG_RUNTIME_DIR", base, 1);
	vmm_dir_base(base, sizeof(base));
	snprintf(socket_path, sizeof(socket_path), "%s/.test.vnc", base);
	vm_pid = fork();
	if (!vm_pid)
		vm_run();
	for (i = 0; i < 100 && access(base, F_OK); i++)
		pause_ms(20);
	pause_ms(100);
	vnc_start(argv);
	for (i = 0; i < 200 && access(socket_path, F_OK); i++)
		pause_ms(20);
	/* Where it is a port that is waited for. */
	pause_ms(200);
	return tap_check(!kill(vm_pid, 0));
}

static bool everything_open(char *const argv[])
{
	return everything_open_with(argv, 0);
}

static bool vnc_lives(void)
{
	int status;

	return !waitpid(vnc_pid, &status, WNOHANG);
}

/* The VM goes, and ranchu-vnc with it. */
static void everything_close(void)
{
	char command[128];
	unsigned int i;
	int status = 0;

	tap_check(vnc_lives());
	kill(vm_pid, SIGKILL);
	waitpid(vm_pid, &status, 0);
	/* Somebody has to ask for something to notice. */
	close(vmm_unix_dial_wait(socket_path, 100));
	for (i = 0; i < 100 && vnc_lives(); i++)
		pause_ms(50);
	kill(vnc_pid, SIGKILL);
	waitpid(vnc_pid, &status, 0);
	snprintf(command, sizeof(command), "rm -rf %s", getenv("XDG_RUNTIME_DIR"));
	tap_check(!system(command));
	munmap(vm, sizeof(*vm));
}

static char *by_socket[] = { NULL, "test", NULL };

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
		/* Turned, it has another shape, and its first pixel is in another corner. */
		pixel_set(0, 0, 0x123456);
		vm->turns = 1;
		tap_check(shows(viewer, H - 1, 0, 0x123456));
		tap_equal(viewer->width, H);
		tap_equal(viewer->height, W);
	}
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

/* Lines that devices were asked, at most two seconds later. */
static bool were_asked(const char *want)
{
	unsigned int i;

	for (i = 0; i < 40 && strcmp(vm->asked, want); i++)
		pause_ms(50);
	if (strcmp(vm->asked, want))
		printf("# have: %s# want: %s", vm->asked, want);
	return !strcmp(vm->asked, want);
}

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
		SendPointerEvent(viewer, 5, 6, 0);
		SendPointerEvent(viewer, 5, 6, 1);
		SendPointerEvent(viewer, 60000, 7, 1);
		tap_check(were_asked("events send 1:30:1 0:0:0\nevents send 1:30:0 0:0:0\n"
				     "events send 1:28:1 0:0:0\nevents mouse 5 6 0 1\n"
				     "events mouse 39 7 0 1\n"));
		/* Who goes holds nothing down. */
		viewer_close(viewer);
		tap_check(were_asked("events send 1:30:1 0:0:0\nevents send 1:30:0 0:0:0\n"
				     "events send 1:28:1 0:0:0\nevents mouse 5 6 0 1\n"
				     "events mouse 39 7 0 1\nevents mouse 0 0 0 0\n"));
	}
	everything_close();
}

static char got_text[64];

static void on_text(rfbClient *viewer, const char *text, int len)
{
	(void)viewer;
	snprintf(got_text, sizeof(got_text), "%.*s", len, text);
}

/* Messages are taken until a text has come, for five seconds at most. */
static bool text_comes(rfbClient *viewer)
{
	unsigned int i;

	for (i = 0; i < 100 && !*got_text; i++) {
		if (WaitForMessage(viewer, 50000) > 0 && !HandleRFBServerMessage(viewer))
			return false;
	}
	return *got_text;
}

/* Latin-1 on the viewer's side; what that lacks is a question mark there. */
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

	if (!everything_open(by_socket))
		return;
	before = vm->frames;
	tap_equal(before, 1);
	pause_ms(500);
	tap_equal(vm->frames, before);
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

static char password[32];

static char *say_password(rfbClient *viewer)
{
	(void)viewer;
	return strdup(password);
}

static rfbClient *viewer_with(const char *word, int port)
{
	rfbClient *viewer = rfbGetClient(8, 3, 4);

	snprintf(password, sizeof(password), "%s", word);
	viewer->serverHost = strdup("127.0.0.1");
	viewer->serverPort = port;
	viewer->GetPassword = say_password;
	return rfbInitClient(viewer, NULL, NULL) ? viewer : NULL;
}

static bool port_answers(const char *address, unsigned int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok;

	inet_pton(AF_INET, address, &at.sin_addr);
	ok = !connect(fd, (struct sockaddr *)&at, sizeof(at));
	close(fd);
	return ok;
}

static int port_dial(unsigned int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
	tap_check(!connect(fd, (struct sockaddr *)&at, sizeof(at)));
	return fd;
}

/* What the guest copies is for those who have said the password. */
static void check_stranger(rfbClient *viewer)
{
	int stranger = port_dial(5999);
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
	char file[] = "/tmp/ranchu-vnc-password";
	char *argv[7] = {
		by_socket[0], "test", "--port", "5999", "--password-file", file, NULL
	};
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	rfbClient *viewer;

	tap_equal(write(fd, "secret\n", 7), 7);
	close(fd);
	if (!everything_open(argv))
		return;
	tap_check(port_answers("127.0.0.1", 5999));
	tap_check(!port_answers("127.0.0.2", 5999));
	tap_check(!viewer_with("wrong", 5999));
	viewer = viewer_with("secret", 5999);
	if (tap_check(viewer))
		check_stranger(viewer);
	viewer_close(viewer);
	everything_close();
	unlink(file);
}

/* ---- a viewer of another family ---- */

static const u32 quarters[4] = { 0xff0000, 0x00ff00, 0x2040c0, 0xf0f0f0 };

static u32 quarter_of(unsigned int x, unsigned int y)
{
	return quarters[(x >= W / 2) + 2 * (y >= H / 2)];
}

/* JPEG rounds, and mixes colours where they meet. */
static bool is_about(const u8 *rgb, u32 want)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		if (abs(rgb[i] - (int)(want >> (16 - 8 * i) & 0xff)) > 6)
			return false;
	}
	return true;
}

/* Pixels that are not as they should be, away from where colours meet; ~0 for no picture. */
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

static bool snapshot_taken(const char *password, const char *to)
{
	char file[] = "/tmp/ranchu-vnc-stored", command[8192];
	bool taken;

	unlink(to);
	tap_equal(rfbEncryptAndStorePasswd((char *)password, file), 0);
	snprintf(command, sizeof(command),
		 "timeout 60 %s -quiet -passwd %s -encodings raw -nojpeg 127.0.0.1:99 %s >&2",
		 getenv("VNCSNAPSHOT"), file, to);
	taken = !system(command) && !access(to, F_OK);
	unlink(file);
	return taken;
}

static void debians_viewer_sees_the_pixels(void)
{
	char file[] = "/tmp/ranchu-vnc-password", to[] = "/tmp/ranchu-vnc-shot.jpg";
	char *argv[7] = {
		by_socket[0], "test", "--port", "5999", "--password-file", file, NULL
	};
	unsigned int x, y;
	int fd;

	if (!getenv("VNCSNAPSHOT")) {
		tap_skip("no VNCSNAPSHOT");
		return;
	}
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	tap_equal(write(fd, "secret\n", 7), 7);
	close(fd);
	if (!everything_open(argv))
		return;
	for (y = 0; y < H; y++) {
		for (x = 0; x < W; x++)
			pixel_set(x, y, quarter_of(x, y));
	}
	tap_check(!snapshot_taken("wrong", to));
	tap_check(snapshot_taken("secret", to));
	tap_equal(picture_wrong(to), 0);
	/* The pixels of another frame are others. */
	pixel_set(2, 2, 0x0000ff);
	tap_check(snapshot_taken("secret", to));
	tap_check(picture_wrong(to) > 0 && picture_wrong(to) < W * H);
	everything_close();
	unlink(file);
	unlink(to);
}

/* Bytes of all kinds, connections that say nothing, and too many of them. */
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
	{ "keys and fingers arrive", keys_and_fingers_arrive },
	{ "the clipboard is shared", the_clipboard_is_shared },
	{ "nobody watching costs nothing", nobody_watching_costs_nothing },
	{ "a port wants the password, and is on loopback only", a_port_wants_the_password },
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
	rfbEnableClientLogging = FALSE;
	return tap_run(cases, ARRAY_SIZE(cases));
}
