// SPDX-License-Identifier: GPL-2.0-only
/*
 * ranchu-services: serves the pipes by which a guest's programs use their emulator.
 *
 *	ranchu-services NAME [--property NAME=VALUE]... [--logcat FILE] [--logcat-size MIB]
 *
 * One process serves one VM, and ends with it. It gets the guest's pipes by the VM's
 * control socket, and waits for a VM that is about to start.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/control.h"
#include "host/vm_dir.h"
#include "server.h"

#define EXIT_USAGE	2
#define TIMEOUT_MS	10000
#define TRIES		100	/* each waits a tenth of a second */
#define LOG_MIB_MAX	65536

/**
 * struct arguments - the command line
 * @name: name of the VM
 * @logcat: file of the guest's log, NULL for one in the VM's directory, "" for none
 * @log: its state
 * @property_bytes: bytes of all boot properties
 */
struct arguments {
	const char *name;
	const char *logcat;
	struct logfile log;
	size_t property_bytes;
};

static struct guest guest;

static int wrong_usage(void)
{
	fputs("usage: ranchu-services NAME [--property NAME=VALUE]... [--logcat FILE]\n"
	      "                       [--logcat-size MIB]\n", stderr);
	return -EINVAL;
}

static int property_add(struct arguments *arguments, const char *text)
{
	const char *value = strchr(text, '=');

	if (!value || value == text)
		return vmm_error(-EINVAL, "--property: \"%s\" is not NAME=VALUE", text);
	arguments->property_bytes += strlen(text);
	if (guest.properties == GUEST_PROPERTIES ||
	    arguments->property_bytes > GUEST_PROPERTY_BYTES)
		return vmm_error(-EINVAL, "--property: there can be %d of %llu bytes in all",
				 GUEST_PROPERTIES, GUEST_PROPERTY_BYTES);
	guest.property[guest.properties++] = text;
	return 0;
}

static int size_read(const char *text, u64 *to)
{
	char *rest;
	unsigned long n = strtoul(text, &rest, 10);

	if (*text < '0' || *text > '9' || *rest || !n || n > LOG_MIB_MAX)
		return vmm_error(-EINVAL, "--logcat-size: \"%s\" is not 1 to %d", text,
				 LOG_MIB_MAX);
	*to = n * MIB;
	return 0;
}

static int arguments_read(struct arguments *arguments, int argc, char **argv)
{
	static const struct option options[] = {
		{ "property", required_argument, NULL, 'p' },
		{ "logcat", required_argument, NULL, 'l' },
		{ "logcat-size", required_argument, NULL, 's' },
		{ 0 }
	};
	int option;
	int err = 0;

	while (!err && (option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'p')
			err = property_add(arguments, optarg);
		else if (option == 'l')
			arguments->logcat = optarg;
		else if (option == 's')
			err = size_read(optarg, &arguments->log.most);
		else
			return wrong_usage();
	}
	if (!err && optind != argc - 1)
		return wrong_usage();
	arguments->name = argv[optind];
	return err;
}

/* Opens the default file of the guest's log, in the VM's directory. */
static int log_in_directory(struct arguments *arguments, struct vmm_client *client)
{
	json_t *status = vmm_client_call(client, "status", NULL);
	const char *directory = json_string_value(json_object_get(status, "directory"));
	char path[PATH_MAX];
	int err = -ENOENT;

	if (directory && snprintf(path, sizeof(path), "%s/logcat", directory) < (int)sizeof(path))
		err = logfile_open(&arguments->log, path);
	json_decref(status);
	return err;
}

static int log_open(struct arguments *arguments, struct vmm_client *client)
{
	int err = 0;

	arguments->log.fd = -1;
	if (!arguments->logcat)
		err = log_in_directory(arguments, client);
	else if (*arguments->logcat)
		err = logfile_open(&arguments->log, arguments->logcat);
	guest.log = logfile_add;
	guest.log_arg = &arguments->log;
	return err;
}

/* Gets the file of services. The VM keeps the other end of the link. */
static int services_ask(const char *name, struct vmm_client *client, int *link_fd)
{
	json_t *result = NULL;
	int pair[2];
	unsigned int i;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return vmm_error(errno, "socketpair");
	/* The VM may have no board yet, or its last ranchu-services may be about to end. */
	for (i = 0; !result && i < TRIES; i++) {
		if (i)
			usleep(100000);
		vmm_client_give(client, &pair[1], 1);
		result = vmm_client_call(client, "guest-services", NULL);
		if (!result && strstr(vmm_client_error(client), "--guest-services"))
			break;
	}
	close(pair[1]);
	*link_fd = pair[0];
	if (!result)
		return vmm_error(-EIO, "%s: %s", name, vmm_client_error(client));
	json_decref(result);
	return vmm_client_file(client);
}

static int vm_open(struct arguments *arguments, int *link_fd)
{
	struct vmm_client *client;
	char base[PATH_MAX];
	char path[PATH_MAX];
	int fd;

	if (vmm_dir_base(base, sizeof(base)) ||
	    vmm_dir_file(base, arguments->name, "control.sock", path, sizeof(path)))
		return vmm_error(-EINVAL, "no VM can be named \"%s\"", arguments->name);
	client = vmm_client_await(path, TIMEOUT_MS);
	if (!client)
		return vmm_error(errno, "cannot reach the VM \"%s\"", arguments->name);
	fd = services_ask(arguments->name, client, link_fd);
	if (fd >= 0 && log_open(arguments, client))
		fd = -EIO;
	vmm_client_close(client);
	return fd;
}

int main(int argc, char **argv)
{
	struct arguments arguments = { .log = { .fd = -1, .most = LOG_MOST } };
	int services_fd;
	int link_fd;

	vmm_log_name("ranchu-services");
	signal(SIGPIPE, SIG_IGN);
	/* A file that is too large is an error like any other. */
	signal(SIGXFSZ, SIG_IGN);
	if (arguments_read(&arguments, argc, argv))
		return EXIT_USAGE;
	guest_init(&guest);
	services_fd = vm_open(&arguments, &link_fd);
	if (services_fd < 0 || services_confine())
		return EXIT_FAILURE;
	printf("%s is served\n", arguments.name);
	fflush(stdout);
	return server_run(&guest, link_fd, services_fd) ? EXIT_FAILURE : EXIT_SUCCESS;
}
