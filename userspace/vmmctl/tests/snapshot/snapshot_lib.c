// SPDX-License-Identifier: GPL-2.0-only
/*
 * Common functions of the tests of snapshots: a small VM that has only RAM, snapshots of it, and
 * checks of the messages when one is opened.
 */
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "host/file.h"
#include "tests/snapshot/snapshot_lib.h"
#include "tests/tap.h"

char dir[64];
static struct vmm_config cfg = { .memory = RAM, .cpus = 1 };
struct vmm_vm vm = { .cfg = &cfg, .fd = -1, .gic = VMM_GIC_V3, .vcpus = 1 };

char said[4096];
unsigned int bad_tried, bad_accepted;

static int hear_fd;
static int kept_fd;

void hear(void)
{
	fflush(stderr);
	kept_fd = dup(STDERR_FILENO);
	hear_fd = memfd_create("said", 0);
	dup2(hear_fd, STDERR_FILENO);
}

void heard(void)
{
	ssize_t n;

	fflush(stderr);
	dup2(kept_fd, STDERR_FILENO);
	close(kept_fd);
	n = pread(hear_fd, said, sizeof(said) - 1, 0);
	said[n > 0 ? n : 0] = '\0';
	close(hear_fd);
}

char *path_of(const char *name)
{
	static char path[2][128];
	static unsigned int turn;
	char *at = path[turn++ & 1];

	snprintf(at, sizeof(path[0]), "%s/%s", dir, name);
	return at;
}

void file_write(const char *name, const void *bytes, size_t len)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	tap_equal(write(fd, bytes, len), len);
	close(fd);
}

u8 *file_read(const char *name, size_t *len)
{
	int fd = open(path_of(name), O_RDONLY);
	struct stat st;
	u8 *bytes;

	fstat(fd, &st);
	bytes = malloc(st.st_size + 1);
	tap_equal(read(fd, bytes, st.st_size), st.st_size);
	*len = st.st_size;
	close(fd);
	return bytes;
}

/* Fills the state of a device with three fields, one of them empty. */
void part_fill(struct vmm_state *state, const char *name)
{
	static const u8 bytes[] = { 1, 2, 3, 4, 5 };
	__le32 number = htole32(7);

	tap_equal(vmm_state_begin(state, name, 2), 0);
	vmm_state_put(state, 1, &number, sizeof(number));
	vmm_state_put(state, 9, bytes, sizeof(bytes));
	vmm_state_put(state, 4, NULL, 0);
	tap_equal(vmm_state_end(state), 0);
}

static json_t *body_make(const struct vmm_tree *tree, const void *blob, size_t size, u32 ram_crc)
{
	json_t *machine, *layer, *ram, *state;

	machine = json_pack("{s:s, s:s, s:i, s:I, s:i}", "host", vmm_arch_name, "board", "test",
			    "cpus", 1, "memory", (json_int_t)RAM, "gic", 3);
	layer = json_pack("{s:s, s:[s, s]}", "directory", "/", "words", "--kernel", "Image");
	ram = json_pack("{s:I, s:I, s:[{s:I, s:I}]}", "size", (json_int_t)RAM, "crc32",
			(json_int_t)ram_crc, "regions", "base", (json_int_t)BASE, "size",
			(json_int_t)RAM);
	state = json_pack("{s:I, s:I}", "size", (json_int_t)size, "crc32",
			  (json_int_t)crc32(0, blob, size));
	return json_pack("{s:o, s:o, s:[o], s:[], s:o, s:o}", "id", vmm_manifest_id(tree->id),
			 "machine", machine, "layers", layer, "images", "state", state, "ram",
			 ram);
}

void manifest_write(const json_t *body)
{
	char *text = vmm_manifest_text(body);

	file_write(VMM_SNAPSHOT_MANIFEST, text, strlen(text));
	free(text);
}

/*
 * Writes a snapshot's files, those of @job and an empty one for the states. Returns the body of its
 * manifest, without "ram.base".
 */
json_t *snapshot_write(struct vmm_ram_job *job, int state_fd)
{
	static struct vmm_tree tree;
	void *blob = NULL;
	json_t *body = NULL;
	size_t size = 0;

	memset(&tree, 0, sizeof(tree));
	memcpy(tree.id, job->id, sizeof(tree.id));
	part_fill(vmm_tree_add(&tree, "cpu", 0), "cpu");
	part_fill(vmm_tree_add(&tree, "interrupt-controller", 0), "gic");
	part_fill(vmm_tree_add(&tree, "device", 3), "thing");
	tap_equal(vmm_tree_write(&tree, &blob, &size), 0);
	if (!vmm_file_write_at(state_fd, blob, size, 0) && !vmm_ram_write(job))
		body = body_make(&tree, blob, size, job->crc);
	vmm_tree_free(&tree);
	free(blob);
	return body;
}

static int file_make(const char *name)
{
	return open(path_of(name), O_RDWR | O_CREAT | O_TRUNC, 0600);
}

/* Makes a snapshot in @dir of @job's RAM, with @job's id and maybe only some pages. */
void snapshot_make_of(struct vmm_ram_job *job, const json_t *base)
{
	int state = file_make(VMM_SNAPSHOT_STATE);
	json_t *body, *ram;

	job->fd = file_make(VMM_SNAPSHOT_RAM);
	body = snapshot_write(job, state);
	tap_check(body);
	ram = json_object_get(body, "ram");
	if (base) {
		json_object_set(ram, "base", (json_t *)base);
		json_object_set_new(ram, "map_crc32",
				    json_integer(crc32(0, job->pages->bit, vmm_pages_bytes(RAM))));
	}
	manifest_write(body);
	json_decref(body);
	close(job->fd);
	close(state);
}

/* Makes a snapshot in @dir, with this id. */
void snapshot_make(u8 id)
{
	struct vmm_ram_job job = { .mem = &vm.mem };

	memset(job.id, id, sizeof(job.id));
	snapshot_make_of(&job, NULL);
}

/* Opens the snapshot; returns true if it is refused with @text in the message. */
bool refused(const char *text)
{
	struct vmm_snapshot *snapshot;

	hear();
	snapshot = vmm_snapshot_open(dir);
	heard();
	vmm_snapshot_close(snapshot);
	bad_tried++;
	bad_accepted += !!snapshot;
	if (snapshot || !strstr(said, text)) {
		tap_context("no message with \"%s\", but: %s", text, said);
		return false;
	}
	return true;
}

bool opens(void)
{
	struct vmm_snapshot *snapshot = vmm_snapshot_open(dir);
	bool whole = snapshot && !vmm_snapshot_check(snapshot);

	vmm_snapshot_close(snapshot);
	return whole;
}

/* Makes the RAM of the small VM, with data in three pages. */
bool snapshot_vm(void)
{
	snprintf(dir, sizeof(dir), "/tmp/ranchu-snapshot.XXXXXX");
	if (!mkdtemp(dir) || vmm_mem_add(&vm.mem, BASE, RAM))
		return false;
	vm.board.name = "test";
	memset((u8 *)vm.mem.region[0].hva + VMM_PAGE_SIZE, 0x11, 2 * VMM_PAGE_SIZE);
	memset((u8 *)vm.mem.region[0].hva + RAM - 1, 0x22, 1);
	return true;
}

/* Removes the snapshot in @dir. */
void snapshot_remove(void)
{
	unlink(path_of(VMM_SNAPSHOT_MANIFEST));
	unlink(path_of(VMM_SNAPSHOT_STATE));
	unlink(path_of(VMM_SNAPSHOT_RAM));
	unlink(path_of("disk-0"));
	rmdir(dir);
}
