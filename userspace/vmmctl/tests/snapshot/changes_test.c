// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshots with changes only: all writes to RAM are detected, RAM is saved and restored exactly,
 * and the base snapshot must be unchanged.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "control/directory_link.h"
#include "tests/snapshot/snapshot_lib.h"
#include "tests/tap.h"

#define PAGES	(RAM / VMM_PAGE_SIZE)

static char dirs[3][64];	/* a complete snapshot, and two with changes only */

static void in(unsigned int which)
{
	memcpy(dir, dirs[which], sizeof(dir));
}

/* Maps RAM as a VM that is resumed from the snapshot in @dir. */
static struct vmm_snapshot *go_on(struct vmm_mem *mem)
{
	struct vmm_snapshot *snapshot = vmm_snapshot_open(dir);

	memset(mem, 0, sizeof(*mem));
	if (tap_check(snapshot)) {
		tap_equal(vmm_mem_add_file(mem, BASE, RAM, vmm_snapshot_ram(snapshot), 0), 0);
		tap_equal(vmm_snapshot_map(snapshot, mem), 0);
	}
	return snapshot;
}

static void end(struct vmm_mem *mem, struct vmm_snapshot *snapshot)
{
	vmm_mem_destroy(mem);
	vmm_snapshot_close(snapshot);
}

static u8 *page(const struct vmm_mem *mem, unsigned int number)
{
	return (u8 *)mem->region[0].hva + number * VMM_PAGE_SIZE;
}

static unsigned int count(const struct vmm_pages *pages)
{
	u64 first = 0, last;
	unsigned int n = 0;

	for (; vmm_pages_next(pages, &first, pages->count, &last); first = last)
		n += last - first;
	return n;
}

/* Saves the changes in @mem to the directory @which. */
static void save_changes(const struct vmm_snapshot *snapshot, const struct vmm_mem *mem,
			 unsigned int which, unsigned int want)
{
	struct vmm_ram_job job = { .mem = mem };
	struct vmm_pages pages = { 0 };
	json_t *base = vmm_snapshot_base(snapshot);

	tap_equal(vmm_snapshot_changes(snapshot, mem, &pages), 0);
	tap_equal(count(&pages), want);
	memset(job.id, 10 + which, sizeof(job.id));
	job.pages = &pages;
	in(which);
	snapshot_make_of(&job, base);
	json_decref(base);
	vmm_pages_free(&pages);
}

/* Makes a complete snapshot, and one with four pages changed in four ways. */
static void make_two(u8 *ram)
{
	struct vmm_snapshot *snapshot;
	struct vmm_mem mem;
	struct iovec iov;
	int pipes[2];
	u8 bytes[8] = "written";

	in(0);
	snapshot_make(1);
	snapshot = go_on(&mem);
	/* A read is no change. */
	tap_check(page(&mem, 1)[0] == 0x11 && !page(&mem, 900)[0]);
	memset(page(&mem, 1), 0, VMM_PAGE_SIZE);
	page(&mem, 100)[5] = 7;
	page(&mem, PAGES - 1)[0] = 9;
	/* A write by the kernel, as from a module. */
	tap_equal(pipe(pipes), 0);
	tap_equal(write(pipes[1], bytes, sizeof(bytes)), sizeof(bytes));
	iov = (struct iovec){ .iov_base = page(&mem, 101), .iov_len = sizeof(bytes) };
	tap_equal(readv(pipes[0], &iov, 1), sizeof(bytes));
	close(pipes[0]);
	close(pipes[1]);
	save_changes(snapshot, &mem, 1, 4);
	memcpy(ram, mem.region[0].hva, RAM);
	end(&mem, snapshot);
}

static void changes_are_laid_over_the_rest(void)
{
	u8 *ram = malloc(RAM);
	struct vmm_snapshot *snapshot;
	struct vmm_mem mem;
	struct stat st;

	make_two(ram);
	in(1);
	stat(path_of(VMM_SNAPSHOT_RAM), &st);
	/* Three non-zero pages, the last page and the list. */
	tap_check(st.st_blocks * 512ULL <= 5 * VMM_PAGE_SIZE);
	tap_check(opens());
	snapshot = go_on(&mem);
	tap_check(!memcmp(mem.region[0].hva, ram, RAM));
	/* After a reset all pages are zero, whichever file they came from. */
	tap_equal(vmm_mem_clear(&mem), 0);
	tap_check(mem.cleared && !page(&mem, 100)[5] && !page(&mem, 2)[0]);
	end(&mem, snapshot);
	free(ram);
}

static void changes_of_changes_are_all_since_the_whole(void)
{
	u8 *ram = malloc(RAM);
	struct vmm_snapshot *snapshot;
	struct vmm_mem mem;

	make_two(ram);
	in(1);
	snapshot = go_on(&mem);
	page(&mem, 100)[6] = 8;
	page(&mem, 500)[0] = 1;
	save_changes(snapshot, &mem, 2, 5);
	memcpy(ram, mem.region[0].hva, RAM);
	end(&mem, snapshot);
	in(2);
	tap_check(opens());
	snapshot = go_on(&mem);
	tap_check(!memcmp(mem.region[0].hva, ram, RAM));
	end(&mem, snapshot);
	free(ram);
}

/* Pages of the balloon have the content of the file again, and count as unchanged. */
static void dropped_pages_are_no_change(void)
{
	struct vmm_snapshot *snapshot;
	struct vmm_pages pages = { 0 };
	struct vmm_mem mem;

	in(0);
	snapshot_make(1);
	snapshot = go_on(&mem);
	memset(page(&mem, 1), 0x55, 3 * VMM_PAGE_SIZE);
	vmm_mem_drop(&mem.region[0], BASE + 2 * VMM_PAGE_SIZE, VMM_PAGE_SIZE);
	tap_equal(vmm_snapshot_changes(snapshot, &mem, &pages), 0);
	tap_equal(count(&pages), 2);
	tap_equal(page(&mem, 2)[0], 0x11);
	vmm_pages_free(&pages);
	end(&mem, snapshot);
}

static void the_rest_must_be_the_same_still(void)
{
	u8 *ram = malloc(RAM);

	make_two(ram);
	in(0);
	snapshot_make(2);
	in(1);
	tap_check(refused("is not the one that it is based on"));
	in(0);
	unlink(path_of(VMM_SNAPSHOT_MANIFEST));
	in(1);
	tap_check(refused("cannot open manifest.json"));
	free(ram);
}

/* Both snapshots were moved, as by a copy to another machine. */
static void moved_together_they_open(void)
{
	u8 *ram = malloc(RAM);
	char away[2][sizeof(dir)], folder[32] = "/tmp/ranchu-moved.XXXXXX";
	unsigned int i;

	make_two(ram);
	tap_check(mkdtemp(folder));
	for (i = 0; i < 2; i++) {
		snprintf(away[i], sizeof(away[i]), "%s%s", folder, strrchr(dirs[i], '/'));
		tap_equal(rename(dirs[i], away[i]), 0);
	}
	snprintf(dir, sizeof(dir), "%s", away[1]);
	tap_check(opens());
	/* A snapshot of that name, but with another id. */
	snprintf(dir, sizeof(dir), "%s", away[0]);
	snapshot_make(7);
	snprintf(dir, sizeof(dir), "%s", away[1]);
	tap_check(refused("cannot open"));
	for (i = 0; i < 2; i++)
		tap_equal(rename(away[i], dirs[i]), 0);
	rmdir(folder);
	free(ram);
}

static void what_others_need_is_not_removed(void)
{
	u8 *ram = malloc(RAM);

	make_two(ram);
	hear();
	tap_equal(vmm_snapshot_delete(dirs[0]), -EBUSY);
	heard();
	tap_check(strstr(said, "has changes relative to"));
	in(0);
	tap_check(opens());
	tap_equal(vmm_snapshot_delete(dirs[1]), 0);
	tap_equal(vmm_snapshot_delete(dirs[2]), 0);
	tap_equal(vmm_snapshot_delete(dirs[0]), 0);
	mkdir(dirs[0], 0700);
	mkdir(dirs[1], 0700);
	mkdir(dirs[2], 0700);
	free(ram);
}

static void a_list_that_was_edited_is_refused(void)
{
	u8 *ram = malloc(RAM);
	struct stat st;
	int fd;

	make_two(ram);
	in(1);
	stat(path_of(VMM_SNAPSHOT_RAM), &st);
	fd = open(path_of(VMM_SNAPSHOT_RAM), O_RDWR);
	tap_equal(pwrite(fd, "x", 1, RAM + VMM_PAGE_SIZE + 20), 1);
	tap_check(refused("ram.map_crc32"));
	tap_equal(ftruncate(fd, st.st_size - 1), 0);
	tap_check(refused("does not have"));
	close(fd);
	free(ram);
}

/* Changed members of "ram.base", with a valid checksum. */
static const struct edit {
	const char *key;
	const char *value;
	const char *says;
} edits[] = {
	{ "path", "\"relative\"", "ram.base.path" },
	{ "path", "7", "ram.base.path" },
	{ "path", "\"/nowhere\"", "cannot open /nowhere" },
	{ "id", "\"00\"", "ram.base.id" },
	{ "id", "\"ffffffffffffffffffffffffffffffff\"", "is not the one that" },
};

static json_t *body_read(void)
{
	size_t len;
	char *text = (char *)file_read(VMM_SNAPSHOT_MANIFEST, &len);
	json_t *body = vmm_manifest_parse(text, len, "test");

	free(text);
	return body;
}

static void wrong_bases_are_refused(void)
{
	u8 *ram = malloc(RAM);
	json_t *body, *about;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(edits); i++) {
		make_two(ram);
		in(1);
		body = body_read();
		about = json_object_get(json_object_get(body, "ram"), "base");
		json_object_set_new(about, edits[i].key,
				    json_loads(edits[i].value, JSON_DECODE_ANY, NULL));
		manifest_write(body);
		json_decref(body);
		tap_context("%s = %s", edits[i].key, edits[i].value);
		tap_check(refused(edits[i].says));
	}
	/* A base that itself needs a base, also if that is this snapshot. */
	make_two(ram);
	in(1);
	body = body_read();
	about = json_object_get(json_object_get(body, "ram"), "base");
	json_object_set_new(about, "path", json_string(dir));
	manifest_write(body);
	json_decref(body);
	tap_check(refused("needs another one itself"));
	/* Without its base, RAM would have holes instead of data. */
	make_two(ram);
	in(1);
	body = body_read();
	json_object_del(json_object_get(body, "ram"), "base");
	manifest_write(body);
	json_decref(body);
	tap_check(refused("does not have"));
	free(ram);
}

static void runs_of_pages_are_found(void)
{
	struct vmm_pages pages;
	u64 first, last;

	tap_equal(vmm_pages_alloc(&pages, 21 * VMM_PAGE_SIZE), 0);
	first = 0;
	tap_check(!vmm_pages_next(&pages, &first, 21, &last));
	pages.bit[0] = 0x81;
	pages.bit[1] = 0x03;
	/* Bits after the last page are invalid. */
	pages.bit[2] = 0xf0;
	first = 0;
	tap_check(vmm_pages_next(&pages, &first, 100, &last));
	tap_equal(first, 0);
	tap_equal(last, 1);
	first = last;
	tap_check(vmm_pages_next(&pages, &first, 100, &last));
	tap_equal(first, 7);
	tap_equal(last, 10);
	first = 8;
	tap_check(vmm_pages_next(&pages, &first, 9, &last));
	tap_equal(last, 9);
	first = 10;
	tap_check(vmm_pages_next(&pages, &first, 100, &last));
	tap_equal(first, 20);
	tap_equal(last, 21);
	first = last;
	tap_check(!vmm_pages_next(&pages, &first, 100, &last));
	vmm_pages_free(&pages);
}

static const struct tap_case cases[] = {
	{ "runs of pages are found", runs_of_pages_are_found },
	{ "changes are laid over the rest", changes_are_laid_over_the_rest },
	{ "changes of changes are all since the whole",
	  changes_of_changes_are_all_since_the_whole },
	{ "dropped pages are no change", dropped_pages_are_no_change },
	{ "the rest must be the same still", the_rest_must_be_the_same_still },
	{ "moved together they open", moved_together_they_open },
	{ "what others need is not removed", what_others_need_is_not_removed },
	{ "a list that was edited is refused", a_list_that_was_edited_is_refused },
	{ "wrong bases are refused", wrong_bases_are_refused },
};

int main(void)
{
	unsigned int i;
	int code;

	if (!snapshot_vm())
		return 1;
	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(dirs[i], sizeof(dirs[i]), "%.50s%u", dir, i);
		mkdir(dirs[i], 0700);
	}
	rmdir(dir);
	code = tap_run(cases, ARRAY_SIZE(cases));
	printf("# bad files: %u tried, %u accepted\n", bad_tried, bad_accepted);
	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		in(i);
		snapshot_remove();
	}
	vmm_mem_destroy(&vm.mem);
	return code;
}
