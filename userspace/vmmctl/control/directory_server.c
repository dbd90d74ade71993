// SPDX-License-Identifier: GPL-2.0-only
/*
 * `vmmctl snapshot serve NAME SNAPSHOTS SCREENSHOTS`, which a VM starts before it enters its
 * sandbox, because it cannot open files there: it saves, loads, lists and removes snapshots below
 * the first directory, and writes screenshots below the second one; "" means none. Requests are
 * lines of standard input; answers are lines of text on standard output, followed by "OK" or
 * "KO: reason". It ends at the end of its input.
 *
 * The VM is not trusted, because a guest may have taken it over: names are checked, and nothing
 * outside the two directories is written.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control/directory_link.h"
#include "control/png.h"
#include "host/vm_dir.h"
#include "snapshot/snapshot.h"

#define LIST_MAX	1000	/* snapshots that are listed, at most */
#define SHOTS_MAX	100	/* screenshots in one second, at most */
#define SCREEN_TIMEOUT_MS	30000

/**
 * struct server - a VM and its directories
 * @base: directory of the VMs' directories
 * @vm: the VM's name
 * @snapshots: directory of its snapshots, "" for none
 * @screenshots: directory of its screenshots, "" for none
 */
struct server {
	const char *base;
	const char *vm;
	const char *snapshots;
	const char *screenshots;
};

/* ---- snapshots ---- */

/* Formats bytes as "75M". */
static void size_text(char text[16], u64 bytes)
{
	static const char units[] = "BKMGT";
	unsigned int unit = 0;

	while (bytes >= 10000 && units[unit + 1]) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, 16, "%llu%c", (unsigned long long)bytes, units[unit]);
}

/* Formats the time that the guest has run, as hours, minutes, seconds, milliseconds. */
static void clock_text(char text[32], const json_t *body)
{
	u64 ran;

	if (vmm_manifest_number(body, "ran", VMM_RAN_MAX, &ran))
		snprintf(text, 32, "-");
	else
		snprintf(text, 32, "%02llu:%02llu:%02llu.%03llu",
			 (unsigned long long)ran / 3600000, (unsigned long long)ran / 60000 % 60,
			 (unsigned long long)ran / 1000 % 60, (unsigned long long)ran % 1000);
}

/* Returns the bytes that RAM and disks occupy; shared blocks are counted in each file. */
static u64 bytes_of(const char *dir, const char *name)
{
	char path[PATH_MAX + VMM_SNAPSHOT_FILE];
	struct stat st;
	u64 blocks = 0;
	unsigned int i;

	snprintf(path, sizeof(path), "%s/%s/" VMM_SNAPSHOT_RAM, dir, name);
	if (!stat(path, &st))
		blocks = st.st_blocks;
	for (i = 0; i < VMM_DISKS; i++) {
		snprintf(path, sizeof(path), "%s/%s/" VMM_SNAPSHOT_DISK, dir, name, i);
		if (!stat(path, &st))
			blocks += st.st_blocks;
	}
	return blocks * 512;
}

/* Returns whether a name is that of a snapshot, which may be incomplete. */
static bool is_snapshot(const char *dir, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	return (size_t)snprintf(path, sizeof(path), "%s/%s/" VMM_SNAPSHOT_MANIFEST, dir, name) <
	       sizeof(path) && !lstat(path, &st);
}

/* Prints the list's head before its first row. */
static void head_print(unsigned int rows)
{
	if (!rows)
		printf("List of snapshots present on all disks:\n%-10s%-20s%7s%20s%15s\n", "ID",
		       "TAG", "VM SIZE", "DATE", "VM CLOCK");
}

/* Prints a row of the list; an incomplete snapshot is left out, after a message. */
static bool row_print(const char *dir, const char *name, unsigned int rows)
{
	char path[PATH_MAX + VMM_SNAPSHOT_NAME];
	char size[16], date[32], clock[32];
	struct vmm_snapshot *snapshot;
	json_int_t created;
	time_t time;
	struct tm tm;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	size_text(size, bytes_of(dir, name));
	snapshot = vmm_snapshot_open(path);
	if (!snapshot) {
		vmm_note("snapshot: %s is not listed", path);
		return false;
	}
	created = json_integer_value(json_object_get(vmm_snapshot_body(snapshot), "created"));
	clock_text(clock, vmm_snapshot_body(snapshot));
	vmm_snapshot_close(snapshot);
	time = created;
	if (!localtime_r(&time, &tm) || !strftime(date, sizeof(date), "%F %T", &tm))
		snprintf(date, sizeof(date), "-");
	head_print(rows);
	printf("%-10s%-20s%7s%20s%15s\n", "--", name, size, date, clock);
	return true;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_name(const struct dirent *entry)
{
	return vmm_snapshot_name_fits(entry->d_name);
}

/**
 * vmm_snapshot_list - print the snapshots of a directory, as the emulator does
 * @dir: the directory
 * @others: filled: number of other files and directories in it, or NULL
 *
 * Return: 0, or -errno after a message
 */
int vmm_snapshot_list(const char *dir, unsigned int *others)
{
	struct dirent **entries;
	int count = scandir(dir, &entries, is_name, by_name);
	unsigned int rows = 0, tried = 0, skipped = 0;
	int i;

	if (count < 0)
		return vmm_error(errno, "snapshot: cannot read %s", dir);
	for (i = 0; i < count; i++) {
		if (!is_snapshot(dir, entries[i]->d_name))
			skipped++;
		else if (tried++ < LIST_MAX)
			rows += row_print(dir, entries[i]->d_name, rows);
		free(entries[i]);
	}
	free(entries);
	if (!rows)
		puts("There is no snapshot available.");
	if (others)
		*others = skipped;
	return 0;
}

/* Prints the path of a snapshot, if it exists. */
static int tell_path(const char *dir, const char *name)
{
	if (is_snapshot(dir, name))
		printf("%s/%s\n", dir, name);
	else
		puts(VMM_NO_SNAPSHOT);
	return 0;
}

/* Handles "save NAME", "load NAME", "delete NAME" and "path NAME". */
static int with_name(const struct server *s, const char *what, const char *name)
{
	char path[PATH_MAX];

	if (!vmm_snapshot_name_fits(name))
		return vmm_error(-EINVAL, "snapshot: \"%.64s\" is no valid name", name);
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", s->snapshots, name) >= sizeof(path))
		return vmm_error(-ENAMETOOLONG, "snapshot: %s", name);
	if (!strcmp(what, "path"))
		return tell_path(s->snapshots, name);
	if (!strcmp(what, "save"))
		return vmm_snapshot_save(s->base, s->vm, path, false);
	if (!strcmp(what, "load"))
		return vmm_snapshot_put(s->base, s->vm, path);
	return vmm_snapshot_delete(path);
}

/* ---- pictures of the screen ---- */

/* Resolves @dir, which must be the directory of screenshots or below it. */
static int shot_directory(const struct server *s, const char *dir, char path[PATH_MAX])
{
	size_t len = strlen(s->screenshots);

	if (!realpath(dir, path))
		return vmm_error(errno, "screenshot: %s", dir);
	if (len > 1 && (strncmp(path, s->screenshots, len) || (path[len] && path[len] != '/')))
		return vmm_error(-EACCES, "screenshot: %s is not below --screenshots %s", dir,
				 s->screenshots);
	return 0;
}

/* Creates an empty file with the time in its name, as the emulator does. */
static int shot_file(const char *dir, char path[PATH_MAX])
{
	long long now = time(NULL);
	unsigned int i;
	size_t len;
	int fd = -1;

	for (i = 0; i < SHOTS_MAX && fd < 0; i++) {
		len = snprintf(path, PATH_MAX, i ? "%s/Screenshot_%lld-%u.png" :
						   "%s/Screenshot_%lld.png", dir, now, i);
		if (len >= PATH_MAX)
			return vmm_error(-ENAMETOOLONG, "screenshot: %s", dir);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (fd < 0 && errno != EEXIST)
			break;
	}
	if (fd < 0)
		return vmm_error(errno, "screenshot: cannot make %s", path);
	close(fd);
	return 0;
}

/* Connects to the VM; NULL after a message. */
static struct vmm_client *shot_client(const struct server *s)
{
	struct vmm_client *client = NULL;
	char path[PATH_MAX];

	if (!vmm_dir_file(s->base, s->vm, "control.sock", path, sizeof(path)))
		client = vmm_client_open(path, SCREEN_TIMEOUT_MS);
	if (!client)
		vmm_error(-EIO, "screenshot: the VM cannot be reached");
	return client;
}

/* Gets the file of the VM's screen; -errno after a message. */
static int shot_screen(struct vmm_client *client)
{
	json_t *result;
	int fd = -1;

	result = vmm_client_call(client, "screen", NULL);
	if (!result)
		vmm_error(-EIO, "screenshot: %s", vmm_client_error(client));
	else
		fd = vmm_client_file(client);
	if (result && fd < 0)
		vmm_error(-EPROTO, "screenshot: the VM has passed no screen");
	json_decref(result);
	return fd < 0 ? -EIO : fd;
}

static int shot_write(struct vmm_client *client, const char *where)
{
	char path[PATH_MAX];
	int fd = shot_screen(client);
	int err;

	if (fd < 0)
		return fd;
	err = shot_file(where, path);
	if (!err) {
		err = vmm_screenshot(fd, client, path);
		if (err)
			unlink(path);
		else
			puts(path);
	}
	close(fd);
	return err;
}

static int screenshot(const struct server *s, const char *dir)
{
	char where[PATH_MAX];
	struct vmm_client *client;
	int err = shot_directory(s, dir ? dir : s->screenshots, where);

	if (err)
		return err;
	client = shot_client(s);
	if (!client)
		return -EIO;
	err = shot_write(client, where);
	vmm_client_close(client);
	return err;
}

/* ---- requests ---- */

static int serve(const struct server *s, char *line)
{
	char *word = strchr(line, ' ');

	if (word)
		*word++ = '\0';
	if (*s->screenshots && !strcmp(line, "screenshot"))
		return screenshot(s, word);
	if (*s->snapshots && !strcmp(line, "list"))
		return vmm_snapshot_list(s->snapshots, NULL);
	if (*s->snapshots && (!strcmp(line, "save") || !strcmp(line, "load") ||
			      !strcmp(line, "delete") || !strcmp(line, "path")))
		return with_name(s, line, word ? word : "");
	return vmm_error(-EINVAL, "there is no request \"%.16s\"", line);
}

/**
 * vmm_directory_serve - serve a VM's directories until standard input ends
 * @base: directory of the VMs' directories
 * @vm: the VM's name
 * @snapshots: directory of its snapshots, "" for none
 * @screenshots: directory of its screenshots, without symbolic links, "" for none
 *
 * Return: the exit code
 */
int vmm_directory_serve(const char *base, const char *vm, const char *snapshots,
			const char *screenshots)
{
	struct server s = { base, vm, snapshots, screenshots };
	char line[VMM_DIRECTORY_REQUEST];
	size_t len;

	while (fgets(line, sizeof(line), stdin)) {
		len = strlen(line);
		if (!len || line[len - 1] != '\n')
			return EXIT_FAILURE;
		line[len - 1] = '\0';
		if (serve(&s, line))
			printf("KO: %s\n", vmm_error_last());
		else
			puts("OK");
		if (fflush(stdout))
			return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
