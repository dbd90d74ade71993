// SPDX-License-Identifier: GPL-2.0-only
/*
 * Common functions of the tests of ranchu-vnc.
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

#include "control/control.h"
#include "host/display.h"
#include "host/unix.h"
#include "host/vm_dir.h"
#include "tests/tap.h"
#include "vnc_lib.h"

struct shared *vm;
char socket_path[128];
char password_file[64];
char *by_socket[] = { NULL, "test", NULL };

static struct vmm_control *control;
static struct vmm_display *display;
static char base[64];
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
	if (vm->busy)
		return -EBUSY;
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
	if (vm->starting) {
		vm->starting--;
		return -EAGAIN;
	}
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

void pause_ms(unsigned int ms)
{
	struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&pause, NULL);
}

rfbClient *viewer_open(const char *host, int port)
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

void viewer_close(rfbClient *viewer)
{
	if (!viewer)
		return;
	free(viewer->frameBuffer);
	rfbClientCleanup(viewer);
}

u32 shown(rfbClient *viewer, unsigned int x, unsigned int y)
{
	return ((u32 *)viewer->frameBuffer)[y * viewer->width + x] & 0xffffff;
}

/* Handles messages until a pixel has a colour, for five seconds at most. */
bool shows(rfbClient *viewer, unsigned int x, unsigned int y, u32 rgb)
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

void pixel_set(unsigned int x, unsigned int y, u32 rgb)
{
	u8 *at = vm->frame + 4 * (y * W + x);

	at[0] = rgb >> 16;
	at[1] = rgb >> 8;
	at[2] = rgb;
}

/* ---- both ---- */

void vnc_start(char *const argv[])
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

void vm_start(void)
{
	unsigned int i;

	vm_pid = fork();
	if (!vm_pid)
		vm_run();
	for (i = 0; i < 100 && access(base, F_OK); i++)
		pause_ms(20);
	pause_ms(100);
}

/* Makes the directory of sockets, and prepares a VM without starting it. */
void vm_prepare(void)
{
	vm = mmap(NULL, sizeof(*vm), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	snprintf(base, sizeof(base), "/tmp/ranchu-vnc-XXXXXX");
	tap_check(mkdtemp(base));
	setenv("XDG_RUNTIME_DIR", base, 1);
	vmm_dir_base(base, sizeof(base));
	snprintf(socket_path, sizeof(socket_path), "%s/.test.vnc", base);
}

bool vnc_wait(void)
{
	unsigned int i;

	for (i = 0; i < 200 && access(socket_path, F_OK); i++)
		pause_ms(20);
	/* For tests that wait for a port. */
	pause_ms(200);
	return tap_check(!kill(vm_pid, 0));
}

/* All pixels of the guest are @rgb from the beginning. */
bool everything_open_with(char *const argv[], u32 rgb)
{
	unsigned int i;

	vm_prepare();
	for (i = 0; i < W * H; i++)
		memcpy(vm->frame + 4 * i, (u8[]){ rgb >> 16, rgb >> 8, rgb }, 3);
	vm_start();
	vnc_start(argv);
	return vnc_wait();
}

bool everything_open(char *const argv[])
{
	return everything_open_with(argv, 0);
}

static bool vnc_lives(void)
{
	int status;

	return !waitpid(vnc_pid, &status, WNOHANG);
}

void vnc_signal(int signal)
{
	kill(vnc_pid, signal);
}

/* Waits five seconds for the end of ranchu-vnc; returns its status, or -1. */
int vnc_status(void)
{
	unsigned int i;
	int status;

	for (i = 0; i < 100; i++) {
		if (waitpid(vnc_pid, &status, WNOHANG) == vnc_pid)
			return status;
		pause_ms(50);
	}
	return -1;
}

/* Kills the process that has the viewers. */
bool server_kill(void)
{
	char path[64];
	FILE *from;
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", vnc_pid, vnc_pid);
	from = fopen(path, "re");
	if (!from)
		return false;
	if (fscanf(from, "%d", &pid) != 1)
		pid = 0;
	fclose(from);
	return pid > 0 && !kill(pid, SIGKILL);
}

void vm_close(void)
{
	char command[128];
	int status;

	kill(vm_pid, SIGKILL);
	waitpid(vm_pid, &status, 0);
	kill(vnc_pid, SIGKILL);
	waitpid(vnc_pid, &status, 0);
	snprintf(command, sizeof(command), "rm -rf %s", getenv("XDG_RUNTIME_DIR"));
	tap_check(!system(command));
	munmap(vm, sizeof(*vm));
}

/* Ends the VM, and with it ranchu-vnc. */
void everything_close(void)
{
	tap_check(vnc_lives());
	kill(vm_pid, SIGKILL);
	tap_equal(vnc_status(), 0);
	vm_close();
}

/* Waits two seconds for these requests to devices. */
bool were_asked(const char *want)
{
	unsigned int i;

	for (i = 0; i < 40 && strcmp(vm->asked, want); i++)
		pause_ms(50);
	if (strcmp(vm->asked, want))
		printf("# have: %s# want: %s", vm->asked, want);
	return !strcmp(vm->asked, want);
}

static char password[32];

static char *say_password(rfbClient *viewer)
{
	(void)viewer;
	return strdup(password);
}

rfbClient *viewer_with(const char *word, int port)
{
	rfbClient *viewer = rfbGetClient(8, 3, 4);

	snprintf(password, sizeof(password), "%s", word);
	viewer->serverHost = strdup("127.0.0.1");
	viewer->serverPort = port;
	viewer->format.redShift = 16;
	viewer->format.greenShift = 8;
	viewer->format.blueShift = 0;
	viewer->appData.encodingsString = "raw";
	viewer->GetPassword = say_password;
	return rfbInitClient(viewer, NULL, NULL) ? viewer : NULL;
}

bool port_answers(const char *address, unsigned int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok;

	inet_pton(AF_INET, address, &at.sin_addr);
	ok = !connect(fd, (struct sockaddr *)&at, sizeof(at));
	close(fd);
	return ok;
}

int port_dial(unsigned int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
	tap_check(!connect(fd, (struct sockaddr *)&at, sizeof(at)));
	return fd;
}

/* Finds a free port whose VNC display number is below 100. */
static unsigned int port_free(void)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	unsigned int i, port = 0;
	int one = 1;
	int fd;

	for (i = 0; i < 99 && !port; i++) {
		at.sin_port = htons(5901 + (getpid() + i) % 99);
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (!bind(fd, (struct sockaddr *)&at, sizeof(at)) && !listen(fd, 1))
			port = ntohs(at.sin_port);
		close(fd);
	}
	tap_check(port);
	return port;
}

/* Opens everything with a port and the password "secret"; returns the port, or 0. */
unsigned int everything_open_at_port(void)
{
	unsigned int port = port_free();
	char word[8];
	char *argv[7] = {
		by_socket[0], "test", "--port", word, "--password-file", password_file, NULL
	};
	int fd;

	snprintf(word, sizeof(word), "%u", port);
	snprintf(password_file, sizeof(password_file), "/tmp/ranchu-vnc-password-%d", getpid());
	fd = open(password_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	tap_equal(write(fd, "secret\n", 7), 7);
	close(fd);
	return everything_open(argv) ? port : 0;
}

unsigned int now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
