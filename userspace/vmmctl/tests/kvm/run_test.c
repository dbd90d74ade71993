// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmmctl as a user runs it, with a real KVM and tiny guests: how it starts and ends, its exit
 * codes, and commands for a VM that runs. $VMMCTL is the program.
 *
 * It runs outside its sandbox, in which no coverage could be counted, but for one case.
 *
 * RANCHU_KVM_REQUIRED in the environment makes a KVM that is missing a failure.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "boot/boot.h"
#include "tests/tap.h"

#define GUEST_BASE	0x00100000
#define WORDS		40
#define LIMIT_MS	30000

/* ---- guests, of 32 bits: each writes "hi" to the serial port first ---- */

/* Then writes sleep, of the type that is off, to ACPI's control register. */
static const u8 guest_off[] = {
	0x66, 0xba, 0xf8, 0x03, 0xb0, 'h', 0xee, 0xb0, 'i', 0xee, 0xb0, '\n', 0xee,
	0x66, 0xba, 0x04, 0x06, 0x66, 0xb8, 0x00, 0x20, 0x66, 0xef, 0xf4, 0xeb, 0xfd,
};

/* Then writes to port 0xcf9. */
static const u8 guest_reset[] = {
	0x66, 0xba, 0xf8, 0x03, 0xb0, 'h', 0xee, 0xb0, 'i', 0xee, 0xb0, '\n', 0xee,
	0x66, 0xba, 0xf9, 0x0c, 0xb0, 0x06, 0xee, 0xf4, 0xeb, 0xfd,
};

/* Then writes to pvpanic's port 0x505. */
static const u8 guest_panic[] = {
	0x66, 0xba, 0xf8, 0x03, 0xb0, 'h', 0xee, 0xb0, 'i', 0xee, 0xb0, '\n', 0xee,
	0x66, 0xba, 0x05, 0x05, 0xb0, 0x01, 0xee, 0xf4, 0xeb, 0xfd,
};

/* Then halts. */
static const u8 guest_stay[] = {
	0x66, 0xba, 0xf8, 0x03, 0xb0, 'h', 0xee, 0xb0, 'i', 0xee, 0xb0, '\n', 0xee,
	0xf4, 0xeb, 0xfd,
};

static char dir[64];

/* Writes an ELF kernel with a PVH entry. */
static bool kernel_write(const char *name, const u8 *code, size_t len)
{
	struct {
		Elf64_Ehdr header;
		Elf64_Phdr load, note;
		Elf64_Nhdr entry;
		char owner[4];
		u32 at;
	} elf = {
		.header = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				     EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_version = EV_CURRENT,
			.e_phoff = sizeof(Elf64_Ehdr),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 2,
		},
		.load = {
			.p_type = PT_LOAD, .p_offset = sizeof(elf), .p_paddr = GUEST_BASE,
			.p_filesz = len, .p_memsz = len,
		},
		.note = {
			.p_type = PT_NOTE, .p_offset = sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr),
			.p_filesz = sizeof(Elf64_Nhdr) + 8, .p_memsz = sizeof(Elf64_Nhdr) + 8,
		},
		.entry = { .n_namesz = 4, .n_descsz = 4, .n_type = 18 },
		.owner = "Xen",
		.at = GUEST_BASE,
	};
	char path[128];
	FILE *file;
	bool ok;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "we");
	if (!file)
		return false;
	ok = fwrite(&elf, sizeof(elf), 1, file) == 1 && fwrite(code, len, 1, file) == 1;
	return !fclose(file) && ok;
}

/* ---- programs ---- */

static const char *vmmctl;
static char out[16384];		/* standard output of the last program */
static char err[16384];		/* its messages */

static void file_path(char path[128], const char *name)
{
	snprintf(path, 128, "%s/%s", dir, name);
}

static void file_read(const char *name, char *text, size_t size)
{
	char path[128];
	ssize_t n;
	int fd;

	file_path(path, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

/* Starts vmmctl; what it writes goes to the files NAME.out and NAME.err. */
static pid_t start(const char *name, const char *const *words)
{
	const int flags = O_WRONLY | O_CREAT | O_TRUNC;
	char out_path[128], err_path[128], file[64];
	posix_spawn_file_actions_t actions;
	char *argv[WORDS] = { (char *)"vmmctl" };
	unsigned int n = 1;
	pid_t pid = -1;

	while (*words && n + 1 < WORDS)
		argv[n++] = (char *)*words++;
	snprintf(file, sizeof(file), "%s.out", name);
	file_path(out_path, file);
	snprintf(file, sizeof(file), "%s.err", name);
	file_path(err_path, file);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_path, flags, 0600);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err_path, flags, 0600);
	tap_equal(posix_spawn(&pid, vmmctl, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

/* Waits for the end of a program; returns its exit code, or -1. */
static int finish(const char *name, pid_t pid)
{
	char file[64];
	int status = 0;
	int left;

	for (left = LIMIT_MS; left > 0 && !waitpid(pid, &status, WNOHANG); left -= 20)
		usleep(20000);
	if (left <= 0) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	snprintf(file, sizeof(file), "%s.out", name);
	file_read(file, out, sizeof(out));
	snprintf(file, sizeof(file), "%s.err", name);
	file_read(file, err, sizeof(err));
	tap_context("%.60s, messages: %.60s", name, err);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int ctl_words(const char *const *words)
{
	return finish("ctl", start("ctl", words));
}

#define CTL(...)	ctl_words((const char *const []){ __VA_ARGS__, NULL })

/* Starts a VM with a tiny guest; @more are further options, and end with NULL. */
static pid_t vm_start(const char *kernel, const char *const *more)
{
	const char *words[WORDS] = {
		"run", "--name", "vm", "--pipe", "none", "--sync", "none", "--memory", "64M",
		"--adb", "off",
	};
	char path[128];
	unsigned int n = 11;

	file_path(path, kernel ? kernel : "");
	if (kernel) {
		words[n++] = "--kernel";
		words[n++] = path;
	}
	while (*more)
		words[n++] = *more++;
	return start("vm", words);
}

#define START(kernel, ...) \
	vm_start(kernel, (const char *const []){ "--sandbox", "off", ##__VA_ARGS__, NULL })

/* Waits until status has a text. */
static bool vm_is(const char *text)
{
	int left;

	for (left = LIMIT_MS; left > 0; left -= 200) {
		if (!CTL("status", "vm") && strstr(out, text))
			return true;
		usleep(100000);
	}
	tap_context("status is %.90s", out);
	return false;
}

static bool vm_runs(void)
{
	return vm_is("\"status\": \"running\"");
}

/* ---- cases ---- */

static void codes_tell_the_end(void)
{
	static const struct {
		const char *kernel;
		const char *option;
		int code;
	} rows[] = {
		{ "off", "--no-reboot", 0 },
		{ "reset", "--no-reboot", 3 },
		{ "panic", "--no-reboot", 4 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		tap_equal(finish("vm", START(rows[i].kernel, rows[i].option)), rows[i].code);
		tap_check(!strcmp(out, "hi\n"));
		/* Nothing of it is left. */
		tap_equal(CTL("status", "vm"), 1);
	}
}

static void in_the_sandbox(void)
{
	static const char *const on[] = { "--sandbox", "on", NULL };
	const char *was = getenv("ASAN_OPTIONS");

	/* A sanitizer looks for lost memory by system calls that the sandbox refuses. */
	if (!was)
		setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	tap_equal(finish("vm", vm_start("off", on)), 0);
	if (!was)
		unsetenv("ASAN_OPTIONS");
	tap_check(!strcmp(out, "hi\n"));
}

static void wrong_runs_are_refused(void)
{
	tap_equal(finish("vm", START("none")), 1);
	tap_check(strstr(err, "none: No such file or directory"));
	tap_equal(finish("vm", START("vm.err")), 1);
	tap_equal(finish("vm", START("off", "--walk")), 2);
	tap_check(strstr(err, "--walk"));
	tap_equal(finish("vm", START("off", "--cpus", "0")), 2);
	tap_equal(finish("vm", START("off", "--disk", "/nowhere/at/all")), 1);
	tap_check(strstr(err, "/nowhere/at/all"));
	tap_equal(finish("vm", START("off", "--from", dir)), 2);
	tap_equal(finish("vm", START("off", "--snapshots", "/nowhere/at/all")), 1);
	tap_check(strstr(err, "--snapshots /nowhere/at/all"));
}

static void one_name_one_vm(void)
{
	pid_t vm = START("stay");
	pid_t second;

	if (tap_check(vm_runs())) {
		second = START("off");
		tap_equal(finish("vm", second), 1);
		tap_check(strstr(err, "--name: a VM named \"vm\" runs already"));
	}
	tap_equal(CTL("stop", "vm"), 0);
	tap_equal(finish("vm", vm), 128 + SIGTERM);
}

static void is_controlled(void)
{
	char picture[128], stats[128], option[160];
	pid_t vm;

	file_path(stats, "stats");
	snprintf(option, sizeof(option), "--stats=%s", stats);
	vm = START("stay", option);
	if (tap_check(vm_runs())) {
		tap_check(strstr(out, "\"cpus\": 1") && strstr(out, "\"memory\": 67108864") &&
			  strstr(out, "\"resets\": 0"));
		tap_equal(CTL("ps"), 0);
		tap_check(strstr(out, "vm"));
		tap_equal(CTL("pause", "vm"), 0);
		tap_check(vm_is("\"status\": \"paused\""));
		/* It is already. */
		tap_equal(CTL("pause", "vm"), 1);
		tap_equal(CTL("resume", "vm"), 0);
		tap_check(vm_runs());
		tap_equal(CTL("resume", "vm"), 1);
		tap_equal(CTL("stats", "vm"), 0);
		tap_check(strstr(out, "\"console\""));
		file_path(picture, "picture.png");
		tap_equal(CTL("screenshot", "vm", picture), 0);
		tap_equal(access(picture, R_OK), 0);
		tap_equal(CTL("power-button", "vm"), 0);
		tap_equal(CTL("emu", "vm", "ping"), 0);
		tap_equal(CTL("device", "vm", "nothing", "here"), 1);
		tap_equal(CTL("reset", "vm"), 0);
		tap_check(vm_is("\"resets\": 1"));
		tap_check(vm_runs());
	}
	tap_equal(CTL("stop", "vm"), 0);
	tap_equal(finish("vm", vm), 128 + SIGTERM);
	/* Each life has said so. */
	tap_check(!strcmp(out, "hi\nhi\n"));
	file_read("stats", out, sizeof(out));
	tap_check(strstr(out, "\"signal\""));
	tap_equal(CTL("pause", "vm"), 1);
}

static void signals_end_it(void)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	unsigned int i;
	pid_t vm;

	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		vm = START("stay");
		tap_check(vm_runs());
		tap_equal(kill(vm, signals[i]), 0);
		tap_equal(finish("vm", vm), 128 + signals[i]);
	}
}

static void is_killed(void)
{
	pid_t vm = START("stay");

	tap_check(vm_runs());
	tap_equal(CTL("kill", "vm"), 0);
	tap_equal(finish("vm", vm), 128 + SIGKILL);
	tap_equal(CTL("status", "vm"), 1);
}

/* What was paused goes on; what was saved starts again from there. */
static void is_saved_and_started_again(void)
{
	char saved[128], store[128];
	pid_t vm;

	file_path(saved, "saved");
	file_path(store, "store");
	tap_equal(mkdir(store, 0700), 0);
	vm = START("stay", "--snapshots", store, "--virtio", "rng");
	if (tap_check(vm_runs())) {
		tap_equal(CTL("snapshot", "save", "vm", saved), 0);
		tap_check(vm_runs());
		tap_equal(CTL("emu", "vm", "avd", "snapshot", "save", "one"), 0);
		tap_equal(CTL("emu", "vm", "avd", "snapshot", "list"), 0);
		tap_check(strstr(out, " one "));
		tap_equal(CTL("emu", "vm", "avd", "snapshot", "delete", "one"), 0);
		tap_equal(CTL("snapshot", "save", "vm", saved, "--changes"), 1);
	}
	tap_equal(CTL("stop", "vm"), 0);
	tap_equal(finish("vm", vm), 128 + SIGTERM);
	tap_equal(CTL("snapshot", "check", saved), 0);
	vm = START(NULL, "--from", saved);
	if (tap_check(vm_runs())) {
		tap_equal(CTL("pause", "vm"), 0);
		tap_equal(CTL("resume", "vm"), 0);
		tap_equal(CTL("reset", "vm"), 0);
		tap_check(vm_is("\"resets\": 1"));
	}
	tap_equal(CTL("stop", "vm"), 0);
	tap_equal(finish("vm", vm), 128 + SIGTERM);
	/* The first life has said it before it was saved: the reset's only. */
	tap_check(!strcmp(out, "hi\n"));
	/* The command line has to fit the snapshot. */
	tap_equal(finish("vm", START(NULL, "--from", saved, "--cpus", "2")), 1);
	tap_check(strstr(err, "snapshot: "));
	tap_equal(CTL("snapshot", "del", saved), 0);
	tap_check(access(saved, F_OK) && errno == ENOENT);
}

static const struct tap_case all[] = {
	{ "the exit code tells how the guest has ended", codes_tell_the_end },
	{ "a guest runs in the sandbox", in_the_sandbox },
	{ "a run that is wrong is refused", wrong_runs_are_refused },
	{ "a name has one VM", one_name_one_vm },
	{ "a VM is paused, resumed, reset, looked at and stopped", is_controlled },
	{ "signals end a VM", signals_end_it },
	{ "a VM is killed", is_killed },
	{ "a VM is saved, and starts again from there", is_saved_and_started_again },
};

/* Why no case can run here, or NULL. */
static const char *missing;

static void next_case(void)
{
	static unsigned int next;
	unsigned int i = next++;

	if (!missing) {
		all[i].fn();
		return;
	}
	tap_skip(missing);
	tap_check(!getenv("RANCHU_KVM_REQUIRED"));
}

static void look_for_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		missing = errno == ENOENT ? "this machine has no /dev/kvm" :
					    "/dev/kvm cannot be opened";
	else
		close(fd);
	if (!missing && finish("vm", START("off", "--no-reboot")))
		missing = "this machine's KVM does not run the board";
}

int main(void)
{
	struct tap_case cases[ARRAY_SIZE(all)];
	char command[96];
	unsigned int i;
	int failed;

	vmmctl = getenv("VMMCTL");
	if (!vmmctl) {
		fprintf(stderr, "VMMCTL is to be the program\n");
		return 1;
	}
	snprintf(dir, sizeof(dir), "/tmp/ranchu-run-XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	setenv("XDG_RUNTIME_DIR", dir, 1);
	if (!kernel_write("off", guest_off, sizeof(guest_off)) ||
	    !kernel_write("reset", guest_reset, sizeof(guest_reset)) ||
	    !kernel_write("panic", guest_panic, sizeof(guest_panic)) ||
	    !kernel_write("stay", guest_stay, sizeof(guest_stay)))
		return 1;
	for (i = 0; i < ARRAY_SIZE(all); i++)
		cases[i] = (struct tap_case){ all[i].name, next_case };
	look_for_kvm();
	failed = tap_run(cases, ARRAY_SIZE(all));
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command) ? 1 : failed;
}
