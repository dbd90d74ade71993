// SPDX-License-Identifier: GPL-2.0-only
/*
 * The format of snapshots: written files can be read, and a file that is incomplete, edited,
 * foreign or newer is refused with its name, or the key, in the message.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/image.h"
#include "tests/snapshot/snapshot_lib.h"
#include "tests/tap.h"

static struct vmm_images images;

static void what_was_written_is_read(void)
{
	struct vmm_snapshot *snapshot;

	snapshot_make(1);
	snapshot = vmm_snapshot_open(dir);
	if (!tap_check(snapshot))
		return;
	tap_equal(vmm_snapshot_check(snapshot), 0);
	tap_equal(vmm_snapshot_fits(snapshot, &vm, &images), 0);
	tap_check(json_array_size(json_object_get(vmm_snapshot_body(snapshot), "layers")) == 1);
	vmm_snapshot_close(snapshot);
}

static void states_survive_the_tree(void)
{
	static struct vmm_tree tree, again;
	struct vmm_state *state;
	void *blob = NULL;
	size_t size = 0;
	u8 bytes[5];
	__le32 number;
	u32 len;

	memset(&tree, 0, sizeof(tree));
	part_fill(vmm_tree_add(&tree, "device", 12), "thing");
	tap_equal(vmm_tree_write(&tree, &blob, &size), 0);
	tap_equal(vmm_tree_read(&again, blob, size), 0);
	tap_check(!vmm_tree_find(&again, "device", 1));
	state = vmm_tree_find(&again, "device", 12);
	if (tap_check(state)) {
		tap_equal(state->len, tree.state[0].len);
		tap_check(!memcmp(state->bytes, tree.state[0].bytes, state->len));
		tap_equal(vmm_state_open(state, "thing", 2), 2);
		vmm_state_get(state, 1, &number, sizeof(number));
		vmm_state_get(state, 9, bytes, sizeof(bytes));
		tap_check(vmm_state_get_any(state, 4, &len) && !len);
		tap_equal(vmm_state_close(state), 0);
	}
	vmm_tree_free(&again);
	vmm_tree_free(&tree);
	free(blob);
}

/* If Debian's dtc is installed: its only warning is that node numbers are no addresses. */
static void dtc_prints_the_states(void)
{
	bool cpu = false, name = false;
	char line[4096];
	FILE *out;

	if (system("command -v dtc >/dev/null")) {
		tap_skip("there is no dtc");
		return;
	}
	snapshot_make(1);
	snprintf(line, sizeof(line), "dtc -I dtb -O dts %s 2>&1", path_of(VMM_SNAPSHOT_STATE));
	out = popen(line, "r");
	while (out && fgets(line, sizeof(line), out)) {
		cpu |= !!strstr(line, "cpu@0 {");
		name |= !!strstr(line, "device@3 {");
		tap_context("%s", line);
		tap_check(!strstr(line, "ERROR") && !strstr(line, "FATAL"));
	}
	tap_equal(out ? pclose(out) : -1, 0);
	tap_check(cpu && name);
}

static void ram_survives_with_its_holes(void)
{
	struct vmm_mem mem = { 0 };
	struct stat st;
	int fd;

	snapshot_make(1);
	fd = open(path_of(VMM_SNAPSHOT_RAM), O_RDONLY);
	fstat(fd, &st);
	tap_equal(st.st_size, RAM + VMM_PAGE_SIZE);
	/* Only three pages have data. */
	tap_check(st.st_blocks * 512ULL < RAM / 4);
	tap_equal(vmm_mem_add_file(&mem, BASE, RAM, fd, 0), 0);
	tap_check(!memcmp(mem.region[0].hva, vm.mem.region[0].hva, RAM));
	/* Writes do not change the file. */
	memset(mem.region[0].hva, 0x77, RAM);
	tap_check(opens());
	/* After a reset RAM is zero, and not the file's content. */
	tap_equal(vmm_mem_clear(&mem), 0);
	tap_equal(((u8 *)mem.region[0].hva)[VMM_PAGE_SIZE], 0);
	vmm_mem_destroy(&mem);
	close(fd);
}

/* A second save, from RAM that is a private mapping of the snapshot. */
static void ram_is_saved_again(void)
{
	struct vmm_mem mem = { 0 };
	struct vmm_ram_job job = { .mem = &mem, .fd = memfd_create("again", 0) };
	u32 first;
	int fd;

	snapshot_make(1);
	fd = open(path_of(VMM_SNAPSHOT_RAM), O_RDONLY);
	tap_equal(vmm_mem_add_file(&mem, BASE, RAM, fd, 0), 0);
	tap_equal(vmm_ram_sum(fd, RAM, &first), 0);
	tap_equal(vmm_ram_write(&job), 0);
	tap_equal(first, job.crc);
	/* A cancelled job ends soon. */
	memset(mem.region[0].hva, 0x77, RAM);
	job.stop = true;
	tap_equal(vmm_ram_write(&job), -ECANCELED);
	vmm_mem_destroy(&mem);
	close(job.fd);
	close(fd);
}

static void torn_files_are_refused(void)
{
	static const char *const names[] = {
		VMM_SNAPSHOT_MANIFEST, VMM_SNAPSHOT_STATE, VMM_SNAPSHOT_RAM,
	};
	unsigned int i, cut;
	struct stat st;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		for (cut = 1; cut < 4000; cut = 2 * cut + 3) {
			snapshot_make(1);
			stat(path_of(names[i]), &st);
			if (cut > st.st_size || truncate(path_of(names[i]), st.st_size - cut))
				continue;
			tap_check(refused(names[i]));
		}
		snapshot_make(1);
		unlink(path_of(names[i]));
		tap_check(refused(names[i]));
		/* A file that is too long is refused as well. */
		snapshot_make(1);
		stat(path_of(names[i]), &st);
		tap_equal(truncate(path_of(names[i]), st.st_size + 1), 0);
		tap_check(refused(names[i]));
		/* So is a device node in the place of a file. */
		snapshot_make(1);
		unlink(path_of(names[i]));
		tap_equal(symlink("/dev/zero", path_of(names[i])), 0);
		tap_check(refused(names[i]));
		unlink(path_of(names[i]));
	}
}

/* Each byte of the two small files is changed, except white space of the manifest. */
static void edited_files_are_refused(void)
{
	static const char *const names[] = { VMM_SNAPSHOT_MANIFEST, VMM_SNAPSHOT_STATE };
	unsigned int i;
	size_t len, at;
	u8 *bytes;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snapshot_make(1);
		bytes = file_read(names[i], &len);
		for (at = 0; at < len; at++) {
			u8 was = bytes[at];

			if (was == ' ' || was == '\n')
				continue;
			bytes[at] = was ^ 1;
			file_write(names[i], bytes, len);
			bytes[at] = was;
			tap_context("%s, byte %zu", names[i], at);
			if (!tap_check(refused(names[i])))
				break;
		}
		free(bytes);
	}
}

/* Behaviour of the file system: normal, short writes, full. */
static enum { QUICK, SHORT, FULL } disk;

ssize_t pread(int fd, void *bytes, size_t len, off_t offset)
{
	static unsigned int turn;

	if (disk == SHORT && turn++ % 3 == 0) {
		errno = EINTR;
		return -1;
	}
	return syscall(SYS_pread64, fd, bytes, disk == SHORT && len > 1 ? len / 2 : len, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	static unsigned int turn;

	if (disk == SHORT && turn++ % 3 == 0) {
		errno = EINTR;
		return -1;
	}
	if (disk == FULL && offset > (off_t)RAM / 2) {
		errno = ENOSPC;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, bytes, disk == SHORT && len > 1 ? len / 2 : len, offset);
}

static void short_reads_and_writes_are_gone_on_with(void)
{
	disk = SHORT;
	snapshot_make(1);
	tap_check(opens());
	disk = QUICK;
	tap_check(opens());
}

static void a_full_disk_is_an_error(void)
{
	struct vmm_ram_job job = { .mem = &vm.mem, .fd = memfd_create("full", 0) };

	disk = FULL;
	tap_equal(vmm_ram_write(&job), -ENOSPC);
	disk = QUICK;
	close(job.fd);
}

static void edited_ram_is_found_when_it_is_checked(void)
{
	struct vmm_snapshot *snapshot;
	int fd;

	snapshot_make(1);
	fd = open(path_of(VMM_SNAPSHOT_RAM), O_RDWR);
	tap_equal(pwrite(fd, "x", 1, VMM_PAGE_SIZE + 100), 1);
	close(fd);
	/* It opens, because RAM is read only when it is needed. */
	snapshot = vmm_snapshot_open(dir);
	if (!tap_check(snapshot))
		return;
	hear();
	tap_equal(vmm_snapshot_check(snapshot), -EBADMSG);
	heard();
	tap_check(strstr(said, "ram.crc32"));
	vmm_snapshot_close(snapshot);
}

static void files_of_two_snapshots_are_refused(void)
{
	static const char *const names[] = { VMM_SNAPSHOT_STATE, VMM_SNAPSHOT_RAM };
	unsigned int i;
	size_t len;
	u8 *bytes;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snapshot_make(1);
		bytes = file_read(names[i], &len);
		snapshot_make(2);
		file_write(names[i], bytes, len);
		tap_check(refused(names[i]));
		free(bytes);
	}
}

/* A changed member of the manifest, with a valid checksum. */
static const struct edit {
	const char *in;
	const char *key;
	const char *value;
	const char *says;
} edits[] = {
	{ NULL, "id", "\"0\"", "\"id\"" },
	{ NULL, "id", "\"02020202020202020202020202020202\"", "\"id\"" },
	{ NULL, "id", "7", "\"id\"" },
	{ "state", "size", "1", "state.size" },
	{ "state", "size", "-1", "state.size" },
	{ "state", "size", "\"1\"", "state.size" },
	{ "state", "crc32", "1", "state.crc32" },
	{ "state", "crc32", "null", "state.crc32" },
	{ "ram", "size", "4096", "ram" },
	{ "ram", "size", "4195328", "ram" },
	{ "ram", "size", "9223372036854775807", "ram.size" },
	{ "ram", "size", "12345", "ram.size" },
};

static json_t *body_read(void)
{
	size_t len;
	char *text = (char *)file_read(VMM_SNAPSHOT_MANIFEST, &len);
	json_t *body = vmm_manifest_parse(text, len, "test");

	free(text);
	return body;
}

static void body_edit(const char *in, const char *key, const char *value)
{
	json_t *body = body_read();
	json_t *to = in ? json_object_get(body, in) : body;

	json_object_set_new(to, key, json_loads(value, JSON_DECODE_ANY, NULL));
	manifest_write(body);
	json_decref(body);
}

static void wrong_members_are_refused(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(edits); i++) {
		snapshot_make(1);
		body_edit(edits[i].in, edits[i].key, edits[i].value);
		tap_context("%s.%s = %s", edits[i].in, edits[i].key, edits[i].value);
		tap_check(refused(edits[i].says));
	}
}

/* The same for snapshots that open, but are for another machine. */
static const struct edit foreign[] = {
	{ "machine", "host", "\"riscv64\"", "\"host\" is riscv64" },
	{ "machine", "board", "\"other\"", "\"board\" is other there and test here" },
	{ "machine", "board", "3", "\"board\"" },
	{ "machine", "cpus", "2", "\"cpus\" is 2 there and 1 here" },
	{ "machine", "memory", "1048576", "\"memory\"" },
	{ "machine", "gic", "2", "\"gic\" is 2 there and 3 here" },
	{ NULL, "images", "[{}]", "\"images\"" },
	{ "ram", "regions", "[]", "ram.regions" },
	{ "ram", "regions", "[{\"base\": 0, \"size\": 4194304}]", "\"base\"" },
};

static void other_machines_are_refused(void)
{
	struct vmm_snapshot *snapshot;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(foreign); i++) {
		snapshot_make(1);
		body_edit(foreign[i].in, foreign[i].key, foreign[i].value);
		snapshot = vmm_snapshot_open(dir);
		tap_context("%s.%s = %s", foreign[i].in, foreign[i].key, foreign[i].value);
		if (!tap_check(snapshot))
			continue;
		hear();
		tap_equal(vmm_snapshot_fits(snapshot, &vm, &images), -EINVAL);
		heard();
		tap_check(strstr(said, foreign[i].says));
		vmm_snapshot_close(snapshot);
	}
}

/* Emulates KVM's features of a CPU: one register, or one leaf. */
static u64 feature_here;
static bool takes_features;

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	(void)fd;
	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
#ifdef __aarch64__
	struct kvm_one_reg *reg = arg;

	if (request == KVM_SET_ONE_REG)
		return takes_features ? 0 : -1;
	if (request != KVM_GET_ONE_REG || reg->id != ARM64_SYS_REG(3, 0, 0, 6, 0))
		return -1;
	*(u64 *)(uintptr_t)reg->addr = feature_here;
#else
	struct kvm_cpuid2 *cpuid = arg;

	if (request != KVM_GET_CPUID2)
		return -1;
	cpuid->nent = 1;
	cpuid->entries[0] = (struct kvm_cpuid_entry2){ .function = 7, .ebx = feature_here };
#endif
	return 0;
}

#ifdef __aarch64__
#define FEATURE	"ID_AA64ISAR0_EL1"
#else
#define FEATURE	"cpuid_7_0_ebx"
#endif

/* Returns the result of vmm_snapshot_fits() for a CPU with this value, a JSON text. */
static int cpu_fits(const char *name, const char *value)
{
	struct vmm_snapshot *snapshot;
	char text[96];
	int err;

	snapshot_make(1);
	snprintf(text, sizeof(text), "{\"%s\": %s}", name, value);
	body_edit("machine", "cpu", text);
	snapshot = vmm_snapshot_open(dir);
	if (!tap_check(snapshot))
		return -EIO;
	hear();
	err = vmm_snapshot_fits(snapshot, &vm, &images);
	heard();
	vmm_snapshot_close(snapshot);
	return err;
}

static void another_cpu_is_refused_by_name(void)
{
	struct vmm_vcpu vcpu = { .fd = -1 };
	json_t *features;

	vm.vcpu[0] = &vcpu;
	feature_here = 0x1234;
	features = vmm_saving_features(&vm);
	tap_check(!strcmp(json_string_value(json_object_get(features, FEATURE)), "0x1234"));
	json_decref(features);
	tap_equal(cpu_fits(FEATURE, "\"0x1234\""), 0);
	tap_equal(cpu_fits(FEATURE, "\"0x1235\""), -EINVAL);
	tap_check(strstr(said, "\"machine.cpu." FEATURE "\" is 0x1235 there and 0x1234 here"));
	tap_equal(cpu_fits("other", "\"0x1\""), -EINVAL);
	tap_check(strstr(said, "\"machine.cpu.other\" is 0x1 there and missing here"));
	tap_equal(cpu_fits(FEATURE, "7"), -EINVAL);
	tap_equal(cpu_fits(FEATURE, "\"0x1x\""), -EINVAL);
	takes_features = true;
	tap_equal(cpu_fits(FEATURE, "\"0x1235\""), strcmp(vmm_arch_name, "x86_64") ? 0 : -EINVAL);
	takes_features = false;
	vm.vcpu[0] = NULL;
}

/* The file is complete and consistent, but smaller than the VM's RAM. */
static void ram_of_another_size_is_refused(void)
{
	u64 size = vm.mem.region[0].size;
	struct vmm_snapshot *snapshot;

	vm.mem.region[0].size = 4096;
	snapshot_make(1);
	vm.mem.region[0].size = size;
	body_edit("ram", "size", "4096");
	snapshot = vmm_snapshot_open(dir);
	if (!tap_check(snapshot))
		return;
	hear();
	tap_equal(vmm_snapshot_fits(snapshot, &vm, &images), -EINVAL);
	heard();
	tap_check(strstr(said, "ram.size"));
	vmm_snapshot_close(snapshot);
}

static void newer_ones_are_refused(void)
{
	static const char newer[] =
		"{\"format\": \"ranchu-snapshot\", \"version\": 3, \"crc32\": 0, \"body\": {}}";
	static const char other[] =
		"{\"format\": \"something\", \"version\": 1, \"crc32\": 0, \"body\": {}}";
	char deep[4096];

	snapshot_make(1);
	file_write(VMM_SNAPSHOT_MANIFEST, newer, strlen(newer));
	tap_check(refused("\"version\" is 3, and this vmmctl knows 2"));
	file_write(VMM_SNAPSHOT_MANIFEST, other, strlen(other));
	tap_check(refused("\"format\""));
	memset(deep, '[', sizeof(deep));
	file_write(VMM_SNAPSHOT_MANIFEST, deep, sizeof(deep));
	tap_check(refused("incomplete"));
}

static void images_are_known_again(void)
{
	struct vmm_images one = { .count = 1 };
	json_t *was;
	int fd = memfd_create("image", 0);

	one.fd[0] = fd;
	tap_equal(ftruncate(fd, 4096), 0);
	was = vmm_image_describe(fd);
	tap_equal(vmm_image_same(&one, 0, was, "image"), 0);
	hear();
	tap_equal(ftruncate(fd, 8192), 0);
	tap_equal(vmm_image_same(&one, 0, was, "image"), -EINVAL);
	heard();
	tap_check(strstr(said, "image has changed since: \"size\" differs"));
	json_decref(was);
	close(fd);
}

static const struct tap_case cases[] = {
	{ "what was written is read", what_was_written_is_read },
	{ "states survive the tree", states_survive_the_tree },
	{ "dtc prints the states", dtc_prints_the_states },
	{ "RAM survives with its holes", ram_survives_with_its_holes },
	{ "RAM that began as a file is saved again", ram_is_saved_again },
	{ "torn files are refused", torn_files_are_refused },
	{ "edited files are refused", edited_files_are_refused },
	{ "short reads and writes are gone on with", short_reads_and_writes_are_gone_on_with },
	{ "a full disk is an error", a_full_disk_is_an_error },
	{ "edited RAM is found when it is checked", edited_ram_is_found_when_it_is_checked },
	{ "files of two snapshots are refused", files_of_two_snapshots_are_refused },
	{ "wrong members are refused", wrong_members_are_refused },
	{ "other machines are refused", other_machines_are_refused },
	{ "another CPU is refused by name", another_cpu_is_refused_by_name },
	{ "RAM of another size is refused", ram_of_another_size_is_refused },
	{ "newer ones are refused", newer_ones_are_refused },
	{ "images are known again", images_are_known_again },
};

int main(void)
{
	int code;

	if (!snapshot_vm())
		return 1;
	code = tap_run(cases, ARRAY_SIZE(cases));
	printf("# bad files: %u tried, %u accepted\n", bad_tried, bad_accepted);
	snapshot_remove();
	vmm_mem_destroy(&vm.mem);
	return code;
}
