// SPDX-License-Identifier: GPL-2.0-only
/*
 * What other programs are told of a running AVD: the console's port, the file by which it is
 * found, and that it has booted. The test plays vmmctl's control socket.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/discovery.h"
#include "host/vm_dir.h"
#include "tests/avd/avd_lib.h"

#define WAIT_MS	20000

static struct vmm_avd_plan plan;
static char runtime[256];

static int unix_listen(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	tap_check(!bind(fd, (struct sockaddr *)&to, sizeof(to)) && !listen(fd, 4));
	return fd;
}

static int take_client(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	return poll(&wait, 1, WAIT_MS) > 0 ? accept4(fd, NULL, NULL, SOCK_CLOEXEC) : -1;
}

/* Waits until the file is there, or is not. */
static bool comes(const char *path, bool there)
{
	unsigned int i;

	for (i = 0; i < WAIT_MS / 20 && !access(path, F_OK) != there; i++)
		usleep(20000);
	return !access(path, F_OK) == there;
}

static int begin(char **words)
{
	int err;

	avd_begin(true);
	avd_folder("run/ranchu/one");
	snprintf(runtime, sizeof(runtime), "%s", avd_name("run"));
	avd_write(CONTENT "/bootcompleted.ini", "old");
	tap_equal(avd_plan(&plan, words), 0);
	/* Its parent is this process, which never ends for it. */
	tap_listen();
	err = vmm_avd_watch(&plan);
	tap_heard(avd_message, sizeof(avd_message));
	tap_context("%s", avd_message);
	return err;
}

static void end(void)
{
	vmm_avd_plan_free(&plan);
	memset(&plan, 0, sizeof(plan));
	avd_end();
}

/* The VM's side of a connection: reads both requests and tells the status. */
static int serve(int control, const char *status)
{
	char text[512] = "";
	size_t len = 0;
	int fd = take_client(control);

	tap_check(fd >= 0);
	while (!strstr(text, "\"status\"}\n")) {
		ssize_t n = read(fd, text + len, sizeof(text) - 1 - len);

		if (!tap_check(n > 0))
			break;
		len += n;
		text[len] = '\0';
	}
	tap_check(strstr(text, "qmp_capabilities"));
	dprintf(fd, "{\"QMP\": {}}\n{\"return\": {}}\n{\"return\": %s}\n", status);
	return fd;
}

static char *contents(const char *path)
{
	static char text[16384];
	FILE *from = fopen(path, "r");
	size_t n = from ? fread(text, 1, sizeof(text) - 1, from) : 0;

	text[n] = '\0';
	if (from)
		fclose(from);
	return text;
}

static void programs_find_the_vm(void)
{
	char found[PATH_MAX], booted[PATH_MAX], line[PATH_MAX + 16];
	struct stat st;
	int control, vm;

	tap_equal(begin(WORDS("one")), 0);
	snprintf(found, sizeof(found), "%s/avd/running/pid_%d.ini", runtime, (int)getpid());
	snprintf(booted, sizeof(booted), "%s", avd_name(CONTENT "/bootcompleted.ini"));
	tap_check(!strcmp(vmm_discovery_path(), found));
	/* That of the run before. */
	tap_check(access(booted, F_OK));
	control = unix_listen(avd_name("run/ranchu/one/control.sock"));
	vm = serve(control, "{\"pid\": 7, \"console-port\": 5560}");
	tap_check(comes(found, true));
	/* An event that is another one. */
	dprintf(vm, "{\"event\": \"BOOTED\", \"data\": {\"by\": \"adb\"}}\n");
	usleep(100000);
	tap_check(!stat(found, &st) && (st.st_mode & 07777) == 0600);
	tap_check(strstr(contents(found), "port.serial=5560\nport.adb=5561\navd.name=one\n"));
	tap_check(strstr(contents(found), "\navd.id=one\n"));
	snprintf(line, sizeof(line), "\navd.dir=%s\n", avd_name(CONTENT));
	tap_check(strstr(contents(found), line));
	tap_check(strstr(contents(found), "\ncmdline=\"vmmctl\" \"run\" \"--board=pc\""));
	tap_check(access(booted, F_OK));
	dprintf(vm, "{\"event\": \"BOOT_COMPLETED\"}\n");
	tap_check(comes(booted, true) && !stat(booted, &st) && !st.st_size);
	/* The VM ends. */
	close(vm);
	tap_check(comes(found, false));
	tap_check(!access(booted, F_OK));
	close(control);
	end();
}

/* Reads the port until the other side closes. */
static bool is_told(int fd, const char *port)
{
	char text[32] = "";
	size_t len = 0;
	ssize_t n;

	while (fd >= 0 && (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += n;
	if (fd >= 0)
		close(fd);
	tap_context("told \"%s\"", text);
	return !strcmp(text, port);
}

static void it_connects_and_reports_the_console(void)
{
	char path[64], word[80];
	int control, vm, listening;

	snprintf(path, sizeof(path), "/tmp/vmmctl-report-%d", (int)getpid());
	listening = unix_listen(path);
	snprintf(word, sizeof(word), "unix:%s,max=5", path);
	tap_equal(begin(WORDS("one", "-report-console", word)), 0);
	control = unix_listen(avd_name("run/ranchu/one/control.sock"));
	vm = serve(control, "{\"pid\": 7, \"console-port\": 5554}");
	tap_check(is_told(take_client(listening), "5554"));
	close(vm);
	close(control);
	close(listening);
	unlink(path);
	tap_check(comes(vmm_discovery_path(), false));
	end();
}

/* Finds a port that nobody has now. */
static unsigned int free_port(void)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(to);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	tap_check(!bind(fd, (struct sockaddr *)&to, len) &&
		  !getsockname(fd, (struct sockaddr *)&to, &len));
	close(fd);
	return ntohs(to.sin_port);
}

static void it_listens_and_reports_the_console(void)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	unsigned int port = free_port();
	unsigned int i;
	char word[64];
	int control, vm;
	int fd = -1;

	to.sin_port = htons(port);
	snprintf(word, sizeof(word), "tcp:%u,server,max=60", port);
	tap_equal(begin(WORDS("one", "-report-console", word)), 0);
	control = unix_listen(avd_name("run/ranchu/one/control.sock"));
	vm = serve(control, "{\"pid\": 7, \"console-port\": 5682}");
	for (i = 0; i < WAIT_MS / 20; i++) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (!connect(fd, (struct sockaddr *)&to, sizeof(to)))
			break;
		close(fd);
		fd = -1;
		usleep(20000);
	}
	tap_check(is_told(fd, "5682"));
	close(vm);
	close(control);
	tap_check(comes(vmm_discovery_path(), false));
	end();
}

static void mistakes_are_refused(void)
{
	static const char *const wrong[] = {
		"", "tcp:", "tcp:0", "tcp:65536", "tcp:x", "unix:", "udp:5", "5554", "tcp:1,",
		"tcp:1,max=0", "tcp:1,max=3601", "tcp:1,max=", "tcp:1,client", "unix:/a,max",
		"tcp:1,server,server2",
	};
	struct vmm_avd_report report;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		tap_context("%s", wrong[i]);
		tap_listen();
		tap_equal(vmm_avd_report(&report, wrong[i]), -EINVAL);
		tap_heard(avd_message, sizeof(avd_message));
		tap_check(strstr(avd_message, "-report-console"));
	}
	tap_equal(vmm_avd_report(&report, "unix:/a,server,max=3"), 0);
	tap_check(report.server && report.tries == 3 && !report.port);
	tap_check(!strcmp(report.path, "/a"));
	tap_equal(vmm_avd_report(&report, "tcp:5000"), 0);
	tap_check(!report.server && report.tries && report.port == 5000);
}

static const struct tap_case cases[] = {
	{ "programs find the VM, and whether it has booted", programs_find_the_vm },
	{ "-report-console connects", it_connects_and_reports_the_console },
	{ "-report-console listens", it_listens_and_reports_the_console },
	{ "mistakes in -report-console are refused", mistakes_are_refused },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
