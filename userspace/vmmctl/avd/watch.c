// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process beside vmmctl that does what a sandboxed vmmctl cannot: it tells other programs of the
 * running VM. It connects to the VM's control socket, sends the console's port to the program
 * of -report-console, writes the file by which emulators are found (host/discovery.c), and
 * creates bootcompleted.ini when the guest has booted. It ends with the VM, and then removes the
 * file by which it is found.
 *
 * Source: public texts on the emulator's behaviour: bootcompleted.ini is an empty file in the
 * AVD's directory, removed at the start and created when the guest reports that it has
 * booted; keys of pid_PID.ini; -report-console tcp:PORT or unix:PATH, with the options
 * server and max=N: the port as decimal text, then the connection is closed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include <jansson.h>

#include "avd/avd.h"
#include "host/discovery.h"
#include "host/log.h"
#include "host/vm_dir.h"

#define BOOTED_FILE	"bootcompleted.ini"
#define REPORT_TRIES	10	/* one a second, unless max= says otherwise */
#define STEP_MS		50
#define CONTROL_PATH	sizeof(((struct sockaddr_un *)0)->sun_path)
#define REQUESTS	"{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"status\"}\n"

/**
 * struct watch - what the process knows
 * @plan: the plan of the VM
 * @parent: refers to vmmctl's process
 * @pid: vmmctl's process ID
 * @report: parsed -report-console
 * @control: path of the VM's control socket
 * @found: path of pid_PID.ini, "" for none
 */
struct watch {
	const struct vmm_avd_plan *plan;
	int parent;
	pid_t pid;
	struct vmm_avd_report report;
	char control[CONTROL_PATH];
	char found[PATH_MAX];
};

/* ---- -report-console ---- */

/* Parses ",server" and ",max=N". */
static bool report_options(struct vmm_avd_report *report, const char *text)
{
	while (*text == ',') {
		size_t len = strcspn(++text, ",");
		char word[16];
		u64 n;

		if (len >= sizeof(word))
			return false;
		memcpy(word, text, len);
		word[len] = '\0';
		if (!strcmp(word, "server"))
			report->server = true;
		else if (!strncmp(word, "max=", 4) && !vmm_avd_size(word + 4, 1, &n) && n &&
			 n <= 3600)
			report->tries = n;
		else
			return false;
		text += len;
	}
	return !*text;
}

/**
 * vmm_avd_report - parse the value of -report-console
 * @report: filled
 * @text: tcp:PORT or unix:PATH, each with [,server][,max=N]
 *
 * Return: 0, or -EINVAL after a message
 */
int vmm_avd_report(struct vmm_avd_report *report, const char *text)
{
	size_t len = strcspn(text, ",");
	char port[8];
	u64 n;
	bool ok = false;

	*report = (struct vmm_avd_report){ .tries = REPORT_TRIES };
	if (!strncmp(text, "tcp:", 4) && len - 4 < sizeof(port)) {
		snprintf(port, sizeof(port), "%.*s", (int)len - 4, text + 4);
		ok = !vmm_avd_size(port, 1, &n) && n && n < 65536;
		report->port = ok ? n : 0;
	} else if (!strncmp(text, "unix:", 5) && len > 5 && len - 5 < sizeof(report->path)) {
		snprintf(report->path, sizeof(report->path), "%.*s", (int)len - 5, text + 5);
		ok = true;
	}
	if (ok && report_options(report, text + len))
		return 0;
	return vmm_error(-EINVAL,
			 "avd: -report-console: \"%.80s\" is neither tcp:PORT nor unix:PATH, with [,server][,max=1 to 3600]",
			 text);
}

/* Waits; returns whether vmmctl still runs. */
static bool lives(const struct watch *w, int ms)
{
	struct pollfd end = { .fd = w->parent, .events = POLLIN };

	return poll(&end, 1, ms) <= 0;
}

static int report_socket(const struct vmm_avd_report *report, struct sockaddr_storage *to,
			 socklen_t *len)
{
	struct sockaddr_in *in = (struct sockaddr_in *)to;
	struct sockaddr_un *un = (struct sockaddr_un *)to;

	memset(to, 0, sizeof(*to));
	if (report->port) {
		in->sin_family = AF_INET;
		in->sin_port = htons(report->port);
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		*len = sizeof(*in);
	} else {
		un->sun_family = AF_UNIX;
		snprintf(un->sun_path, sizeof(un->sun_path), "%s", report->path);
		*len = sizeof(*un);
	}
	return socket(to->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* Connects, once a second until the other program listens. Returns the connection, or -errno. */
static int report_connect(const struct watch *w)
{
	struct sockaddr_storage to;
	int err = -ETIMEDOUT;
	unsigned int i;
	socklen_t len;

	for (i = 0; i < w->report.tries && (!i || lives(w, 1000)); i++) {
		int fd = report_socket(&w->report, &to, &len);

		if (fd < 0)
			return -errno;
		if (!connect(fd, (struct sockaddr *)&to, len))
			return fd;
		err = -errno;
		close(fd);
	}
	return err;
}

/* Listens for one connection. Returns the connection, or -errno. */
static int report_accept(const struct watch *w)
{
	struct sockaddr_storage to;
	struct pollfd wait[2] = { { .events = POLLIN }, { w->parent, POLLIN, 0 } };
	socklen_t len;
	int one = 1;
	int fd = report_socket(&w->report, &to, &len);
	int client = -1;

	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) &&
	    !bind(fd, (struct sockaddr *)&to, len) && !listen(fd, 1)) {
		wait[0].fd = fd;
		errno = ETIMEDOUT;
		if (poll(wait, 2, w->report.tries * 1000) > 0 && wait[0].revents)
			client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (!w->report.port)
			unlink(w->report.path);
	}
	if (client < 0)
		client = -errno;
	if (fd >= 0)
		close(fd);
	return client;
}

static void report_console(const struct watch *w, unsigned int port)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", port);
	int fd = w->report.server ? report_accept(w) : report_connect(w);

	if (fd < 0 || send(fd, text, len, MSG_NOSIGNAL) != len)
		vmm_note("avd: -report-console: nobody was told the port: %s",
			 strerror(fd < 0 ? -fd : errno));
	if (fd >= 0)
		close(fd);
}

/* ---- files ---- */

static void write_found(const struct watch *w, unsigned int port)
{
	const struct vmm_avd_plan *plan = w->plan;
	FILE *to = NULL;
	unsigned int i;
	int fd;

	if (!*w->found)
		return;
	unlink(w->found);
	fd = open(w->found, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0)
		to = fdopen(fd, "w");
	if (!to) {
		vmm_note("avd: cannot write %s: %s", w->found, strerror(errno));
		return;
	}
	if (port)
		fprintf(to, "port.serial=%u\nport.adb=%u\n", port, port + 1);
	fprintf(to, "avd.name=%s\navd.id=%s\navd.dir=%s\ncmdline=", plan->avd.name,
		plan->serve.word[1], plan->avd.content);
	for (i = 0; i < plan->run.count; i++)
		fprintf(to, "%s\"%s\"", i ? " " : "", plan->run.word[i]);
	fputc('\n', to);
	fclose(to);
}

static bool booted_path(const struct vmm_avd_plan *plan, char path[PATH_MAX])
{
	/* With -read-only, the file would be that of several VMs. */
	return !vmm_avd_has(&plan->options, VMM_AVD_READ_ONLY) &&
	       !vmm_avd_path(path, plan->avd.content, BOOTED_FILE);
}

static void write_booted(const struct watch *w)
{
	char path[PATH_MAX];
	int fd;

	if (!booted_path(w->plan, path))
		return;
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		vmm_note("avd: cannot create %s: %s", path, strerror(errno));
	else
		close(fd);
}

/* ---- the process ---- */

/* Handles a line of the control socket: the answer to "status", or an event. */
static void line_take(struct watch *w, const char *line, bool *told)
{
	json_t *message = json_loads(line, 0, NULL);
	json_t *result = json_object_get(message, "return");
	const char *event = json_string_value(json_object_get(message, "event"));

	if (json_object_get(result, "pid") && !*told) {
		unsigned int port = json_integer_value(json_object_get(result, "console-port"));

		*told = true;
		write_found(w, port);
		if (w->report.tries && port)
			report_console(w, port);
		else if (w->report.tries)
			vmm_note("avd: -report-console: the VM has no console's port");
	}
	if (event && !strcmp(event, "BOOT_COMPLETED"))
		write_booted(w);
	json_decref(message);
}

/* Returns the connection to the control socket, or -1 if vmmctl has ended. */
static int control_connect(const struct watch *w)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd;

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", w->control);
	while (lives(w, STEP_MS)) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			return -1;
		if (!connect(fd, (struct sockaddr *)&to, sizeof(to)))
			return fd;
		close(fd);
	}
	return -1;
}

static void watch_vm(struct watch *w)
{
	size_t size = 0;
	char *line = NULL;
	bool told = false;
	int fd = control_connect(w);
	FILE *from = fd < 0 ? NULL : fdopen(fd, "r");

	if (!from)
		return;
	if (send(fd, REQUESTS, strlen(REQUESTS), MSG_NOSIGNAL) > 0) {
		/* The end of the file is the end of the VM. */
		while (getline(&line, &size, from) > 0)
			line_take(w, line, &told);
	}
	free(line);
	fclose(from);
}

static void watch_process(struct watch *w)
{
	int null = open("/dev/null", O_RDWR);

	prctl(PR_SET_NAME, VMM_AVD_KEEPER);
	/* In a session of its own: a terminal's signals are for vmmctl. */
	setsid();
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	/* Closes all other files, above all the folder's lock; messages go to stderr. */
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(w->parent, STDERR_FILENO + 1) < 0 ||
	    close_range(STDERR_FILENO + 2, ~0U, 0))
		_exit(1);
	w->parent = STDERR_FILENO + 1;
	watch_vm(w);
	if (*w->found)
		unlink(w->found);
	_exit(0);
}

static int control_path(struct watch *w)
{
	char base[PATH_MAX];

	return vmm_dir_base(base, sizeof(base)) ||
	       vmm_dir_file(base, w->plan->serve.word[1], "control.sock", w->control,
			    sizeof(w->control)) ? -ENAMETOOLONG : 0;
}

/**
 * vmm_avd_watch - start the process that tells other programs of the VM
 * @plan: planned, with the words of both command lines
 *
 * This process is about to become the VM.
 *
 * Return: 0, or -errno after a message
 */
int vmm_avd_watch(const struct vmm_avd_plan *plan)
{
	const char *report = vmm_avd_value(&plan->options, VMM_AVD_REPORT_CONSOLE);
	struct watch w = { .plan = plan, .pid = getpid() };
	char booted[PATH_MAX];
	int err;
	pid_t pid;

	if (report && vmm_avd_report(&w.report, report))
		return -EINVAL;
	err = vmm_discovery_open(w.pid);
	if (err)
		vmm_note("avd: programs cannot find this VM by a file: %s", strerror(-err));
	snprintf(w.found, sizeof(w.found), "%s", vmm_discovery_path());
	if (booted_path(plan, booted))
		unlink(booted);
	err = control_path(&w);
	if (err)
		return vmm_error(err, "avd: the path of the VM's directory is too long");
	w.parent = syscall(SYS_pidfd_open, w.pid, 0);
	if (w.parent < 0)
		return vmm_error(errno, "avd: pidfd_open");
	pid = fork();
	if (!pid)
		watch_process(&w);
	close(w.parent);
	return pid < 0 ? vmm_error(errno, "avd: fork") : 0;
}
