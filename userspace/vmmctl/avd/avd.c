// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmmctl avd: lists AVDs, prints the plan of a run, or runs it. Everything for a run is
 * prepared here, in order: the folder with its lock, the emulator's lock, images, RAM disk,
 * and the process of guest services. The folder is locked during all of that.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "avd/avd.h"
#include "cli/cli.h"
#include "host/log.h"

#define EXIT_USAGE	2
#define PSTORE		"pstore.bin"
#define INITRD		"initrd"

#ifdef __aarch64__
#define HOST_IS_X86	false
#else
#define HOST_IS_X86	true
#endif

/* ---- printing a plan ---- */

static void print_images(FILE *to, const struct vmm_avd_plan *plan)
{
	static const char *const how[] = {
		[VMM_AVD_MAKE_COPY] = "a copy of", [VMM_AVD_MAKE_CONVERT] = "a copy of",
		[VMM_AVD_MAKE_FOLDER] = "the files of", [VMM_AVD_MAKE_EMPTY] = "empty",
		[VMM_AVD_MAKE_NO_ORIGIN] = NULL,
	};
	bool once = vmm_avd_has(&plan->options, VMM_AVD_READ_ONLY);
	unsigned int i;

	if (vmm_avd_has(&plan->options, VMM_AVD_SNAPSHOT))
		return;
	for (i = 0; i < VMM_AVD_DISKS; i++) {
		const struct vmm_avd_disk *disk = &plan->disk[i];
		bool new = disk->wiped || access(disk->path, F_OK);

		if (!disk->present || disk->readonly)
			continue;
		if (how[disk->make] && new)
			fprintf(to, "# %s is made: %s%s%s\n", vmm_avd_role_name(i), how[disk->make],
				*disk->from ? " " : "", disk->from);
		if (once)
			fprintf(to, "# %s is a copy that goes at the end\n", vmm_avd_role_name(i));
	}
}

static void print_options(FILE *to, const struct vmm_avd_options *options)
{
	unsigned int i;

	for (i = 0; i < options->count; i++) {
		const struct vmm_avd_given *given = &options->given[i];
		const struct vmm_avd_option *option = given->option;

		fprintf(to, "# -%s%s%s: %s: %s\n", option->name, given->value ? " " : "",
			given->value ? given->value : "", vmm_avd_verdict_name(option->verdict),
			option->help);
	}
}

/* Lines that begin with "--" are options of vmmctl run; all others are comments. */
static void print_plan(FILE *to, const struct vmm_avd_plan *plan)
{
	bool goes_on = vmm_avd_has(&plan->options, VMM_AVD_SNAPSHOT);
	const char *line = goes_on ? "" : plan->boot.config;
	unsigned int i;

	fprintf(to, "# AVD %s: %s, %s, API level %u\n", plan->avd.name, plan->avd.content,
		plan->avd.x86 ? "x86_64" : "arm64", plan->avd.api);
	for (i = 2; i < plan->run.count; i++)
		fprintf(to, "%s\n", plan->run.word[i]);
	print_images(to, plan);
	for (; *line; line += strcspn(line, "\n") + 1)
		fprintf(to, "# boot configuration: %.*s\n", (int)strcspn(line, "\n"), line);
	if (plan->services) {
		fputs("# services:", to);
		for (i = 0; i < plan->serve.count; i++)
			fprintf(to, " %s", plan->serve.word[i]);
		fputc('\n', to);
	}
	print_options(to, &plan->options);
}

/* ---- preparing a run ---- */

/* Writes each reason once, however many options have it. */
static void note_options(const struct vmm_avd_options *options)
{
	unsigned int i, j;

	for (i = 0; i < options->count; i++) {
		const struct vmm_avd_option *option = options->given[i].option;

		if (option->verdict != VMM_AVD_NO_EFFECT)
			continue;
		for (j = 0; j < i; j++) {
			if (options->given[j].option == option)
				break;
		}
		if (j == i)
			vmm_note("avd: -%s has no effect: %s", option->name, option->help);
	}
}

/* Returns whether a word after "--" has this prefix. */
static bool rest_has(const struct vmm_avd_options *options, const char *begin)
{
	unsigned int i;

	for (i = 0; i < options->rest_count; i++) {
		if (!strncmp(options->rest[i], begin, strlen(begin)))
			return true;
	}
	return false;
}

/* Notes where the guest has less than the emulator's would have by default. */
static void note_defaults(const struct vmm_avd_plan *plan)
{
	const char *mode = vmm_ini_get(&plan->avd.config, "hw.gpu.mode");

	if (vmm_avd_has(&plan->options, VMM_AVD_SNAPSHOT))
		return;
	if (!vmm_avd_has(&plan->options, VMM_AVD_NET_TAP) && !rest_has(&plan->options, "--net") &&
	    !rest_has(&plan->options, "--vhost-user"))
		vmm_note("avd: the guest has no network: -net-tap INTERFACE gives it one");
	if (mode && !strcmp(mode, "host") && !vmm_avd_has(&plan->options, VMM_AVD_GPU) &&
	    !rest_has(&plan->options, "--vhost-user"))
		vmm_note("avd: hw.gpu.mode is host, but the guest renders in software");
}

/*
 * Files of the folder other than images are opened by their paths, so symbolic links in their place
 * are refused.
 */
static int folder_check(const struct vmm_avd_plan *plan)
{
	static const struct {
		const char *name;
		mode_t type;
	} files[] = {
		{ VMM_AVD_SNAPSHOTS, S_IFDIR }, { VMM_AVD_SCREENSHOTS, S_IFDIR },
		{ PSTORE, S_IFREG },
	};
	char path[PATH_MAX];
	struct stat st;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		if (vmm_avd_path(path, plan->folder, files[i].name))
			return vmm_error(-ENAMETOOLONG, "avd: %s: the path is too long",
					 plan->folder);
		if (lstat(path, &st)) {
			if (errno == ENOENT)
				continue;
			return vmm_error(errno, "avd: cannot examine %s", path);
		}
		if ((st.st_mode & S_IFMT) != files[i].type)
			return vmm_error(-EINVAL, "avd: %s is not a %s", path,
					 files[i].type == S_IFDIR ? "directory" : "regular file");
	}
	return 0;
}

/* Creates a directory for the console. The path's length was checked before. */
static int folder_make(const struct vmm_avd_plan *plan, const char *name)
{
	char path[PATH_MAX];

	if (vmm_avd_path(path, plan->folder, name))
		return -ENAMETOOLONG;
	if (mkdir(path, 0700) && errno != EEXIST)
		return vmm_error(errno, "avd: cannot make %s", path);
	return 0;
}

static int open_folder(struct vmm_avd_plan *plan)
{
	bool once = vmm_avd_has(&plan->options, VMM_AVD_READ_ONLY);
	int err = vmm_avd_folder_open(&plan->own, plan->folder, !once);

	if (!err)
		err = folder_check(plan);
	if (!err)
		err = folder_make(plan, VMM_AVD_SNAPSHOTS);
	return err ? err : folder_make(plan, VMM_AVD_SCREENSHOTS);
}

/* Refuses to copy images while the emulator's guest may write to them. */
static int emulator_check(const struct vmm_avd_plan *plan)
{
	pid_t owner = vmm_avd_owner(plan->avd.content);
	unsigned int i;

	for (i = 0; i < VMM_AVD_DISKS && owner; i++) {
		if (plan->disk[i].theirs && plan->own.state[i] != VMM_AVD_IMAGE_WHOLE)
			return vmm_error(-EBUSY,
					 "avd: process %d runs this AVD: %s cannot be copied now",
					 (int)owner, plan->disk[i].from);
	}
	return 0;
}

/* For -wipe-data: also removes the persistent store with the old guest's last messages. */
static int wipe(const struct vmm_avd_plan *plan)
{
	char path[PATH_MAX];

	if (!vmm_avd_has(&plan->options, VMM_AVD_WIPE_DATA) ||
	    vmm_avd_has(&plan->options, VMM_AVD_READ_ONLY) ||
	    vmm_avd_path(path, plan->folder, PSTORE))
		return 0;
	if (unlink(path) && errno != ENOENT)
		return vmm_error(errno, "avd: cannot remove %s", path);
	return 0;
}

/* Opens the file for a RAM disk. */
static int initrd_open(const char *path, bool once)
{
	if (once)
		return memfd_create("initrd", MFD_CLOEXEC);
	unlink(path);
	return open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* Writes the RAM disk; to an unnamed file if several VMs may run of the AVD. */
static int make_initrd(struct vmm_avd_plan *plan)
{
	bool once = vmm_avd_has(&plan->options, VMM_AVD_READ_ONLY);
	const struct vmm_avd_boot *boot = &plan->boot;
	char path[PATH_MAX];
	int fd, err;

	if (!boot->by_config)
		return 0;
	if (vmm_avd_path(path, plan->folder, INITRD ".new"))
		return vmm_error(-ENAMETOOLONG, "avd: the path of vmmctl's folder is too long");
	fd = initrd_open(path, once);
	if (fd < 0)
		return vmm_error(errno, "avd: cannot make %s", path);
	err = vmm_avd_initrd(fd, plan->ramdisk, boot->config, boot->config_len);
	if (!err && !once && rename(path, plan->initrd))
		err = vmm_error(errno, "avd: cannot make %s", plan->initrd);
	/* The unnamed file exists as long as it is open. */
	if (once && !err)
		snprintf(plan->initrd, sizeof(plan->initrd), "/proc/self/fd/%d", fd);
	else
		close(fd);
	return err;
}

static int start_services(const struct vmm_avd_plan *plan)
{
	pid_t parent = getpid();
	pid_t pid;

	if (!plan->services) {
		vmm_note("avd: no sensors and the like: ranchu-services is not installed");
		return 0;
	}
	pid = fork();
	if (pid < 0)
		return vmm_error(errno, "avd: ranchu-services");
	if (pid)
		return 0;
	/* The process ends with the VM, and with a vmmctl that fails before. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) || getppid() != parent)
		_exit(126);
	execv(plan->serve.word[0], plan->serve.word);
	vmm_error(errno, "avd: cannot start %s", plan->serve.word[0]);
	_exit(127);
}

static int make_all(struct vmm_avd_plan *plan)
{
	bool once = vmm_avd_has(&plan->options, VMM_AVD_READ_ONLY);
	int err;

	if (plan->avd.x86 != HOST_IS_X86)
		return vmm_error(-EINVAL, "avd: %s is for %s, and this host is not", plan->avd.name,
				 plan->avd.x86 ? "x86_64" : "arm64");
	err = open_folder(plan);
	if (!err)
		err = once ? emulator_check(plan) : vmm_avd_lock(plan->avd.content);
	/* A guest from a snapshot has its images and RAM disk already. */
	if (err || vmm_avd_has(&plan->options, VMM_AVD_SNAPSHOT))
		return err;
	err = wipe(plan);
	if (!err)
		err = vmm_avd_images_make(plan->disk, &plan->own, once);
	if (!err)
		err = make_initrd(plan);
	/* Images are copied: the emulator may be writing to them. */
	if (once)
		vmm_avd_folder_close(&plan->own);
	return err;
}

/* Checks an option that is not needed until the VM runs, before anything is made. */
static int report_check(const struct vmm_avd_plan *plan)
{
	const char *text = vmm_avd_value(&plan->options, VMM_AVD_REPORT_CONSOLE);
	struct vmm_avd_report report;

	return text ? vmm_avd_report(&report, text) : 0;
}

static int start(struct vmm_avd_plan *plan)
{
	int err = vmm_avd_plan(plan);

	if (!err)
		err = report_check(plan);
	if (!err)
		err = make_all(plan);
	if (!err)
		err = vmm_avd_words(plan);
	if (err)
		return err;
	note_options(&plan->options);
	note_defaults(plan);
	if (vmm_avd_has(&plan->options, VMM_AVD_VERBOSE))
		print_plan(stderr, plan);
	err = vmm_avd_watch(plan);
	return err ? err : start_services(plan);
}

static int list_snapshots(struct vmm_avd_plan *plan)
{
	int err = vmm_avd_plan(plan);

	return err ? err : vmm_avd_list_snapshots(stdout, plan->folder);
}

static int info(struct vmm_avd_plan *plan)
{
	int err = vmm_avd_plan(plan);

	if (!err)
		err = report_check(plan);
	if (!err)
		err = vmm_avd_words(plan);
	if (!err)
		print_plan(stdout, plan);
	return err;
}

/* ---- the command ---- */

static int exit_code(int err)
{
	if (!err)
		return EXIT_SUCCESS;
	return err == -EINVAL ? EXIT_USAGE : EXIT_FAILURE;
}

static bool wants_help(const char *word)
{
	return !strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "-help");
}

static int command(struct vmm_avd_plan *plan, int argc, char **argv)
{
	bool only_info = argc && !strcmp(argv[0], "info");
	int err;

	if (argc == 1 && !strcmp(argv[0], "list"))
		return exit_code(vmm_avd_list(stdout));
	if (argc && wants_help(argv[0])) {
		vmm_help_print(stdout, "avd");
		return EXIT_SUCCESS;
	}
	err = vmm_avd_options_read(&plan->options, argc - only_info, argv + only_info);
	if (err)
		return exit_code(err);
	if (vmm_avd_has(&plan->options, VMM_AVD_LIST_AVDS))
		return exit_code(vmm_avd_list(stdout));
	if (!plan->options.name) {
		vmm_error(-EINVAL, "avd needs \"list\", \"info NAME\" or \"NAME\"");
		return EXIT_USAGE;
	}
	if (vmm_avd_has(&plan->options, VMM_AVD_SNAPSHOT_LIST))
		return exit_code(list_snapshots(plan));
	if (only_info)
		return exit_code(info(plan));
	err = start(plan);
	return err ? exit_code(err) : VMM_AVD_RUN;
}

/**
 * vmm_avd_command - the command avd
 * @argc: as main() got it
 * @argv: as main() got it
 * @code: filled: the exit code, or VMM_AVD_RUN: the caller runs the plan's @run
 *
 * Return: the plan, which vmm_avd_close() frees; NULL without memory
 */
struct vmm_avd_plan *vmm_avd_command(int argc, char **argv, int *code)
{
	struct vmm_avd_plan *plan = calloc(1, sizeof(*plan));

	*code = EXIT_FAILURE;
	if (plan)
		*code = command(plan, argc - 2, argv + 2);
	else
		vmm_error(ENOMEM, "avd");
	return plan;
}

/**
 * vmm_avd_close - free a plan
 * @plan: may be NULL
 */
void vmm_avd_close(struct vmm_avd_plan *plan)
{
	if (!plan)
		return;
	vmm_avd_folder_close(&plan->own);
	vmm_avd_plan_free(plan);
	free(plan);
}
