// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compressed kernels: detection, inflation, and that no file causes writes beyond the room in RAM.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "boot/unpack.h"
#include "tests/tap.h"

#define PLAIN	300000	/* bytes of a kernel; more than what is read at once */
#define HEADER	64	/* bytes of a zboot header */

static u8 plain[PLAIN];
static u8 file[2 * PLAIN];
static u8 room[PLAIN + 16];

/* Fills it with data of which half can be compressed. */
static void fill_plain(void)
{
	unsigned int seed = 1;
	unsigned int i;

	for (i = 0; i < PLAIN; i++) {
		seed = seed * 1103515245 + 12345;
		plain[i] = i % 1024 < 512 ? seed >> 16 : i / 1024;
	}
}

static size_t pack(const u8 *from, size_t len, u8 *to)
{
	z_stream zlib = { .next_in = (u8 *)from, .avail_in = len, .next_out = to,
			  .avail_out = sizeof(file) - HEADER };

	tap_check(deflateInit2(&zlib, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	tap_check(deflate(&zlib, Z_FINISH) == Z_STREAM_END);
	deflateEnd(&zlib);
	return zlib.total_out;
}

static void open_file(struct vmm_packed *packed, size_t size)
{
	*packed = (struct vmm_packed){ .fd = memfd_create("kernel", MFD_CLOEXEC), .path = "K" };
	tap_check(packed->fd >= 0 && write(packed->fd, file, size) == (ssize_t)size);
}

static int find(struct vmm_packed *packed, size_t size)
{
	return vmm_unpack_find(file, size < VMM_UNPACK_HEAD ? size : VMM_UNPACK_HEAD, size,
			       packed);
}

static int unpack(struct vmm_packed *packed, u64 size, u64 *got)
{
	int err;

	memset(room, 0xee, sizeof(room));
	*got = 0;
	err = vmm_unpack_all(packed, room, size, got);
	tap_check(room[size] == 0xee);
	return err;
}

static void zboot_header(u32 offset, u32 size, const char *method)
{
	u32 words[2] = { htole32(offset), htole32(size) };

	memset(file, 0, HEADER);
	memcpy(file, "MZ\0\0zimg", 8);
	memcpy(file + 8, words, sizeof(words));
	memcpy(file + 24, method, strlen(method));
}

static void images_are_left_alone(void)
{
	struct vmm_packed packed = { .fd = -1, .path = "K" };

	memset(file, 0, VMM_UNPACK_HEAD);
	memcpy(file, "MZ", 2);
	tap_equal(find(&packed, 4096), 0);
	tap_equal(packed.size, 0);
	tap_equal(find(&packed, 0), 0);
	tap_equal(packed.size, 0);
}

static void gzip_is_inflated(void)
{
	struct vmm_packed packed;
	u8 head[64];
	size_t some = 0;
	size_t size;
	u64 got;

	fill_plain();
	size = pack(plain, PLAIN, file);
	/* Bytes after it, such as an appended device tree, are ignored. */
	memset(file + size, 0x55, 100);
	open_file(&packed, size + 100);
	tap_equal(find(&packed, size + 100), 0);
	tap_check(packed.size);
	tap_equal(vmm_unpack_begin(&packed, head, sizeof(head), &some), 0);
	tap_equal(some, sizeof(head));
	tap_check(!memcmp(head, plain, sizeof(head)));
	/* With exactly the required room, and with more. */
	tap_equal(unpack(&packed, PLAIN, &got), 0);
	tap_check(got == PLAIN && !memcmp(room, plain, PLAIN));
	tap_equal(unpack(&packed, PLAIN + 10, &got), 0);
	tap_equal(got, PLAIN);
	close(packed.fd);
}

static void zboot_is_inflated(void)
{
	struct vmm_packed packed;
	size_t size;
	u64 got;

	fill_plain();
	size = pack(plain, PLAIN, file + HEADER);
	zboot_header(HEADER, size, "gzip");
	open_file(&packed, HEADER + size);
	tap_equal(find(&packed, HEADER + size), 0);
	tap_equal(packed.offset, HEADER);
	tap_equal(packed.size, size);
	tap_equal(unpack(&packed, PLAIN, &got), 0);
	tap_check(got == PLAIN && !memcmp(room, plain, PLAIN));
	close(packed.fd);
}

static void room_is_kept_to(void)
{
	static const u64 rooms[] = { 1, 63, 64, 4096, 32768, PLAIN - 1 };
	struct vmm_packed packed;
	unsigned int i;
	size_t size;
	u64 got;

	memset(plain, 0, sizeof(plain));
	size = pack(plain, PLAIN, file);
	open_file(&packed, size);
	tap_equal(find(&packed, size), 0);
	for (i = 0; i < ARRAY_SIZE(rooms); i++)
		tap_equal(unpack(&packed, rooms[i], &got), -EFBIG);
	close(packed.fd);
}

static void damage_is_found(void)
{
	struct vmm_packed packed;
	size_t size;
	size_t cut;
	u64 got;

	fill_plain();
	size = pack(plain, 2000, file);
	for (cut = 2; cut < size; cut += cut < 40 ? 1 : 37) {
		open_file(&packed, cut);
		tap_context("%zu of %zu bytes", cut, size);
		tap_equal(find(&packed, cut), 0);
		tap_equal(unpack(&packed, 2000, &got), -ENOEXEC);
		close(packed.fd);
	}
	/* The checksum. */
	file[size - 8] ^= 1;
	open_file(&packed, size);
	tap_equal(find(&packed, size), 0);
	tap_equal(unpack(&packed, 2000, &got), -ENOEXEC);
	close(packed.fd);
	memset(file + 10, 0xff, 100);
	open_file(&packed, size);
	tap_equal(find(&packed, size), 0);
	tap_equal(unpack(&packed, 2000, &got), -ENOEXEC);
	close(packed.fd);
}

static void lying_headers_are_refused(void)
{
	static const struct {
		u32 offset;
		u32 size;
		const char *method;
	} lies[] = {
		{ HEADER, 0, "gzip" },
		{ HEADER, 1001 - HEADER, "gzip" },
		{ 1001, 1, "gzip" },
		{ 0xffffffff, 0xffffffff, "gzip" },
		{ HEADER, 0xffffffff, "gzip" },
		{ HEADER, 100, "zstd22" },
		{ HEADER, 100, "" },
		{ HEADER, 100, "gzipgzipgzipgzipgzipgzipgzipgzip" },
	};
	struct vmm_packed packed = { .fd = -1, .path = "K" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lies); i++) {
		tap_context("%u, %u, %s", lies[i].offset, lies[i].size, lies[i].method);
		zboot_header(lies[i].offset, lies[i].size, lies[i].method);
		tap_equal(find(&packed, 1000), -ENOEXEC);
	}
}

static void strangers_are_named(void)
{
	static const char *const begins[] = {
		"\x02\x21\x4c\x18", "\x28\xb5\x2f\xfd", "BZh9", "ANDROID!", "\177ELF",
	};
	struct vmm_packed packed = { .fd = -1, .path = "K" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(begins); i++) {
		memset(file, 0, VMM_UNPACK_HEAD);
		memcpy(file, begins[i], strlen(begins[i]));
		tap_equal(find(&packed, 1000), -ENOEXEC);
	}
}

static const struct tap_case cases[] = {
	{ "images are left alone", images_are_left_alone },
	{ "gzip is inflated", gzip_is_inflated },
	{ "an EFI zboot file is inflated", zboot_is_inflated },
	{ "no more is written than there is room", room_is_kept_to },
	{ "damage is found", damage_is_found },
	{ "headers that lie are refused", lying_headers_are_refused },
	{ "files that are no kernels are named", strangers_are_named },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
