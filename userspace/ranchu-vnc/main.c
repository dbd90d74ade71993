// SPDX-License-Identifier: GPL-2.0-only
/*
 * ranchu-vnc: shows a VM's screen to VNC viewers.
 *
 *	ranchu-vnc NAME [--unix PATH | --port PORT --password-file FILE]
 *
 * Viewers connect to a Unix socket, by default BASE/.NAME.vnc, which only its
 * user can reach; or to a port of 127.0.0.1, with a password, since other users of this
 * machine can connect to it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control/control.h"
#include "host/unix.h"
#include "host/vm_dir.h"
#include "ranchu_vnc.h"

#define EXIT_USAGE	2
#define TIMEOUT_MS	10000
#define PASSWORD_MAX	8	/* limit of VNC's passwords */
#define BACKLOG		64

/**
 * struct arguments - the command line
 * @name: name of the VM
 * @path: path of the Unix socket, or NULL
 * @port: port of 127.0.0.1, 0 for none
 * @password_file: file with the password in its first line, or NULL
 */
struct arguments {
	const char *name;
	const char *path;
	unsigned int port;
	const char *password_file;
};

static int wrong_usage(void)
{
	fputs("usage: ranchu-vnc NAME [--unix PATH | --port PORT --password-file FILE]\n", stderr);
	return -EINVAL;
}

static int arguments_read(struct arguments *arguments, int argc, char **argv)
{
	static const struct option options[] = {
		{ "unix", required_argument, NULL, 'u' },
		{ "port", required_argument, NULL, 'p' },
		{ "password-file", required_argument, NULL, 'f' },
		{ 0 }
	};
	char *rest = "";
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'u')
			arguments->path = optarg;
		else if (option == 'f')
			arguments->password_file = optarg;
		else if (option == 'p')
			arguments->port = strtoul(optarg, &rest, 10);
		else
			return wrong_usage();
		if (*rest || (option == 'p' && (!arguments->port || arguments->port > 65535)))
			return vmm_error(-EINVAL, "--port: \"%s\" is not 1 to 65535", optarg);
	}
	if (optind != argc - 1 || (arguments->port && arguments->path))
		return wrong_usage();
	if (!arguments->port != !arguments->password_file)
		return vmm_error(-EINVAL, "--port and --password-file go together");
	arguments->name = argv[optind];
	return 0;
}

/* Reads the first line, of which VNC uses the first characters only. */
static int password_read(const char *path, char password[PASSWORD_MAX + 1])
{
	struct stat st;
	ssize_t len;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return vmm_error(errno, "cannot open %s", path);
	if (!fstat(fd, &st) && st.st_mode & 077) {
		close(fd);
		return vmm_error(-EACCES, "%s can be read by others: chmod 600 it", path);
	}
	len = read(fd, password, PASSWORD_MAX);
	close(fd);
	password[len > 0 ? len : 0] = '\0';
	password[strcspn(password, "\r\n")] = '\0';
	return *password ? 0 : vmm_error(-EINVAL, "%s has no password", path);
}

static int listen_tcp(unsigned int port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) &&
	    !bind(fd, (struct sockaddr *)&addr, sizeof(addr)) && !listen(fd, BACKLOG))
		return fd;
	return vmm_error(errno, "port %u is not free", port);
}

static u64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

/* Asks for the screen, repeatedly while the VM starts. */
static json_t *screen_ask(struct vmm_client *client, u64 deadline)
{
	json_t *result = vmm_client_call(client, "screen", NULL);

	while (!result && strstr(vmm_client_error(client), "the VM is busy") &&
	       now_ms() < deadline) {
		usleep(100000);
		result = vmm_client_call(client, "screen", NULL);
	}
	return result;
}

/* Connects to the VM and gets its screen. */
static int vm_open(const char *name, struct vmm_client **client, char *base)
{
	u64 deadline = now_ms() + TIMEOUT_MS;
	char path[PATH_MAX];
	json_t *result;

	if (vmm_dir_base(base, PATH_MAX) ||
	    vmm_dir_file(base, name, "control.sock", path, sizeof(path)))
		return vmm_error(-EINVAL, "no VM can be named \"%s\"", name);
	*client = vmm_client_await(path, TIMEOUT_MS);
	if (!*client)
		return vmm_error(errno, "cannot reach the VM \"%s\"", name);
	result = screen_ask(*client, deadline);
	if (!result)
		return vmm_error(-EIO, "%s: %s", name, vmm_client_error(*client));
	json_decref(result);
	return vmm_client_file(*client);
}

/*
 * Makes a file that is readable after a signal to end: the program first releases the keys
 * that viewers hold.
 */
static int signals_open(void)
{
	static const int ends[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction action;
	unsigned int i;
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		/* A signal that nohup ignores must stay ignored. */
		if (!sigaction(ends[i], NULL, &action) && action.sa_handler != SIG_IGN)
			sigaddset(&set, ends[i]);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	return fd < 0 ? vmm_error(errno, "signalfd") : fd;
}

/* Runs the server, a process that ends with the broker. */
static int run_server(const struct vnc_options *options, int screen_fd, int fd)
{
	sigset_t set;

	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	return vnc_server(options, screen_fd, fd) ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_both(struct vmm_client *client, const struct vnc_options *options, int screen_fd)
{
	int end_fd = signals_open();
	struct pollfd end = { .fd = end_fd, .events = POLLIN };
	int status = 0;
	bool ended;
	int pair[2];
	pid_t pid;
	int err;

	if (end_fd < 0)
		return end_fd;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return vmm_error(errno, "socketpair");
	pid = fork();
	if (pid < 0)
		return vmm_error(errno, "fork");
	if (!pid) {
		vmm_client_close(client);
		close(pair[0]);
		close(end_fd);
		exit(run_server(options, screen_fd, pair[1]));
	}
	close(pair[1]);
	close(screen_fd);
	close(options->listen_fd);
	err = vnc_broker(client, pair[0], end_fd);
	ended = poll(&end, 1, 0) > 0;
	close(pair[0]);
	close(end_fd);
	/* It may be busy with a viewer, and not see that the broker has gone. */
	kill(pid, SIGTERM);
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM)
		status = 0;
	return err ? err : status && !ended ? -EIO : 0;
}

int main(int argc, char **argv)
{
	struct arguments arguments = { 0 };
	struct vnc_options options = { 0 };
	struct vmm_client *client = NULL;
	char password[PASSWORD_MAX + 1];
	char base[PATH_MAX];
	char path[PATH_MAX];
	int screen_fd;
	int err;

	signal(SIGPIPE, SIG_IGN);
	if (arguments_read(&arguments, argc, argv))
		return EXIT_USAGE;
	options.name = arguments.name;
	if (arguments.password_file) {
		if (password_read(arguments.password_file, password))
			return EXIT_FAILURE;
		options.password = password;
	}
	screen_fd = vm_open(arguments.name, &client, base);
	if (screen_fd < 0)
		return EXIT_FAILURE;
	if (!arguments.path && !arguments.port) {
		if (snprintf(path, sizeof(path), "%s/.%s.vnc", base, arguments.name) >=
		    (int)sizeof(path))
			return EXIT_FAILURE;
		arguments.path = path;
	}
	options.listen_fd = arguments.port ? listen_tcp(arguments.port) :
					     vmm_unix_listen(arguments.path);
	if (options.listen_fd < 0)
		return EXIT_FAILURE;
	if (arguments.path)
		printf("%s\n", arguments.path);
	else
		printf("127.0.0.1:%u\n", arguments.port);
	fflush(stdout);
	err = run_both(client, &options, screen_fd);
	if (arguments.path)
		unlink(arguments.path);
	vmm_client_close(client);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
