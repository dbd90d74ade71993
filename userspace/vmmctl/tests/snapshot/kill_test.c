// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that are killed while they save or load a snapshot: the one that makes the
 * files (`vmmctl snapshot save`), the VM that writes to them, or both. The old snapshot
 * stays complete, and the new one is complete or missing.
 *
 * RANCHU_KILLS is the number of kills, at random moments; RANCHU_SEED repeats them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control/control.h"
#include "host/file.h"
#include "host/vm_dir.h"
#include "tests/snapshot/snapshot_lib.h"
#include "tests/tap.h"

#define DISK	(512 * KIB)	/* bytes */

static char base[64];		/* parent of the VM's directory */
static int listen_fd = -1;
static unsigned int kills = 20;
static unsigned int tried, lost;
static u32 seed;

static u32 random_next(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed >> 8;
}

static u64 now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
}

/* ---- the VM: each snapshot has other RAM, and a disk with the same content ---- */

static json_t *disk_save(int fd)
{
	const u8 *bytes = vm.mem.region[0].hva;

	if (vmm_file_write_at(fd, bytes, DISK, 0))
		return NULL;
	return json_pack("[{s:{s:I}}]", "disk", "size", (json_int_t)DISK);
}

static int vm_save(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	struct vmm_ram_job job = { .mem = &vm.mem };
	json_t *images;

	(void)arg;
	(void)call;
	(void)args;
	if (getrandom(job.id, sizeof(job.id), 0) != sizeof(job.id) || !answer->given[2])
		return -EINVAL;
	memcpy(vm.mem.region[0].hva, job.id, sizeof(job.id));
	job.fd = answer->given[1];
	answer->result = snapshot_write(&job, answer->given[0]);
	images = disk_save(answer->given[2]);
	return answer->result && images &&
	       !json_object_set_new(answer->result, "images", images) ? 0 : -EIO;
}

static const struct vmm_command_row rows[] = {
	{ "snapshot", "save", { { "changes", JSON_TRUE, false } }, vm_save },
	{ }
};

static pid_t child(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Its messages are dropped. */
	dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
	return 0;
}

static pid_t vm_start(void)
{
	static struct vmm_commands commands;
	struct vmm_loop *loop;
	pid_t pid = child();

	if (pid)
		return pid;
	loop = vmm_loop_create();
	vmm_commands_add(&commands, rows, NULL);
	vmm_control_open(loop, listen_fd, &commands);
	_exit(vmm_loop_run(loop));
}

static pid_t save_start(void)
{
	static char words[][16] = { "vmmctl", "snapshot", "save", "vm" };
	char *argv[6] = { words[0], words[1], words[2], words[3], dir };
	pid_t pid = child();

	if (pid)
		return pid;
	_exit(vmm_snapshot_cli(base, 5, argv));
}

/* Waits until it ends by itself; returns 0 if it succeeded. */
static int wait_for(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	wait_for(pid);
}

/* ---- checks of the files ---- */

/* Removes directories that killed programs have left; returns their number. */
static unsigned int clean(void)
{
	static const char *const names[] = {
		VMM_SNAPSHOT_MANIFEST, VMM_SNAPSHOT_STATE, VMM_SNAPSHOT_RAM,
	};
	const char *name = strrchr(dir, '/') + 1;
	struct dirent *entry;
	char path[512];
	DIR *tmp = opendir("/tmp");
	unsigned int n = 0;
	size_t i;

	while ((entry = readdir(tmp))) {
		if (strncmp(entry->d_name, name, strlen(name)) ||
		    strncmp(entry->d_name + strlen(name), ".new-", 5))
			continue;
		n++;
		for (i = 0; i < ARRAY_SIZE(names); i++) {
			snprintf(path, sizeof(path), "/tmp/%.255s/%s", entry->d_name, names[i]);
			unlink(path);
		}
		for (i = 0; i < VMM_DISKS; i++) {
			snprintf(path, sizeof(path), "/tmp/%.255s/" VMM_SNAPSHOT_DISK,
				 entry->d_name, (unsigned int)i);
			unlink(path);
		}
		snprintf(path, sizeof(path), "/tmp/%.255s", entry->d_name);
		rmdir(path);
	}
	closedir(tmp);
	return n;
}

static bool is_there(void)
{
	struct stat st;

	return !lstat(dir, &st);
}

/* Checks that the snapshot is complete; it may be missing if there was none before. */
static void look(bool was_there)
{
	bool ok;

	hear();
	ok = is_there() ? opens() : !was_there;
	heard();
	tried++;
	lost += !ok;
	if (!tap_check(ok))
		fprintf(stderr, "%s", said);
}

/* Returns the duration of an undisturbed save in microseconds. */
static u64 save_takes(void)
{
	u64 begin = now_us();
	unsigned int i;

	for (i = 0; i < 3; i++)
		tap_equal(wait_for(save_start()), 0);
	return (now_us() - begin) / 3;
}

static void saves_that_are_killed(void)
{
	pid_t server = vm_start();
	u64 takes = save_takes();
	unsigned int finished = 0;
	unsigned int i;

	tap_check(is_there() && opens());
	for (i = 0; i < kills * 2 / 3; i++) {
		bool was_there;
		pid_t client;

		if (i % 5 == 0)
			snapshot_remove();
		was_there = is_there();
		client = save_start();
		usleep(random_next() % (takes * 5 / 4 + 1));
		if (i % 3)
			end(server);
		if (i % 3 != 1)
			kill(client, SIGKILL);
		/* A client that the killed VM had not accepted is served by the next one. */
		if (i % 3)
			server = vm_start();
		finished += !wait_for(client);
		/* A program that is not killed cleans up. */
		if (clean())
			tap_check(i % 3 != 1);
		tap_context("save %u", i);
		look(was_there);
	}
	/* Some saves were killed, and some had finished. */
	tap_check(finished < i);
	tap_equal(wait_for(save_start()), 0);
	tap_check(opens());
	end(server);
}

/* Acts as a resumed VM: it maps RAM, writes to it and reads it. */
static pid_t load_start(void)
{
	struct vmm_snapshot *snapshot;
	struct vmm_mem mem;
	pid_t pid = child();

	if (pid)
		return pid;
	for (;;) {
		memset(&mem, 0, sizeof(mem));
		snapshot = vmm_snapshot_open(dir);
		if (!snapshot ||
		    vmm_mem_add_file(&mem, BASE, RAM, vmm_snapshot_ram(snapshot), 0) ||
		    vmm_snapshot_map(snapshot, &mem))
			_exit(1);
		memset(mem.region[0].hva, 0x77, RAM);
		vmm_mem_destroy(&mem);
		vmm_snapshot_close(snapshot);
	}
}

static void loads_that_are_killed(void)
{
	unsigned int i;
	size_t len, now;
	u8 *before, *after;
	pid_t pid;

	before = file_read(VMM_SNAPSHOT_MANIFEST, &len);
	for (i = kills * 2 / 3; i < kills; i++) {
		pid = load_start();
		usleep(random_next() % 20000);
		/* It had not ended by itself. */
		tap_equal(waitpid(pid, NULL, WNOHANG), 0);
		end(pid);
		tap_context("load %u", i);
		look(true);
		after = file_read(VMM_SNAPSHOT_MANIFEST, &now);
		tap_check(now == len && !memcmp(before, after, len));
		free(after);
	}
	free(before);
}

static const struct tap_case cases[] = {
	{ "saves that are killed", saves_that_are_killed },
	{ "loads that are killed", loads_that_are_killed },
};

static bool origin_make(void)
{
	char path[96];
	FILE *to;

	snprintf(path, sizeof(path), "%s/vm/" VMM_DIR_ORIGIN, base);
	to = fopen(path, "we");
	return to && fputs(ORIGIN_WITH("\"/disk\""), to) >= 0 && !fclose(to);
}

static bool vm_directory(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char path[80];

	snprintf(base, sizeof(base), "/tmp/ranchu-kill.XXXXXX");
	if (!mkdtemp(base))
		return false;
	snprintf(path, sizeof(path), "%s/vm", base);
	mkdir(path, 0700);
	if (!origin_make())
		return false;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/control.sock", path);
	listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return !bind(listen_fd, (struct sockaddr *)&at, sizeof(at)) && !listen(listen_fd, 8);
}

static void vm_directory_remove(void)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/vm/control.sock", base);
	unlink(path);
	snprintf(path, sizeof(path), "%s/vm/" VMM_DIR_ORIGIN, base);
	unlink(path);
	snprintf(path, sizeof(path), "%s/vm", base);
	rmdir(path);
	rmdir(base);
}

int main(void)
{
	int code;

	if (getenv("RANCHU_KILLS"))
		kills = strtoul(getenv("RANCHU_KILLS"), NULL, 10);
	seed = getenv("RANCHU_SEED") ? strtoul(getenv("RANCHU_SEED"), NULL, 10) : now_us();
	printf("# seed %u\n", seed);
	if (!snapshot_vm() || !vm_directory())
		return 1;
	/* Enough data for a save that takes some time. */
	if (getrandom(vm.mem.region[0].hva, RAM / 2, 0) < 0)
		return 1;
	rmdir(dir);
	code = tap_run(cases, ARRAY_SIZE(cases));
	printf("# kills: %u, lost: %u\n", tried, lost);
	clean();
	snapshot_remove();
	vm_directory_remove();
	vmm_mem_destroy(&vm.mem);
	return code;
}
