// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inflates kernels that are compressed by gzip, alone or inside an EFI zboot file. It never writes
 * beyond the caller's buffer, and needs no more memory than a fixed buffer, whatever the file
 * contains.
 *
 * Source: Linux 6.12 drivers/firmware/efi/libstub/zboot-header.S for the zboot header;
 * RFC 1952 for gzip, which zlib reads.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "boot/unpack.h"
#include "host/log.h"

#define CHUNK		(32 * 1024)	/* bytes that are read at a time */
#define GZIP_WINDOW	(15 + 16)	/* zlib: the largest window, and a gzip header */

/* The header of an EFI zboot file; little-endian. */
struct zboot_header {
	char mz[4];
	char magic[4];
	__le32 offset;
	__le32 size;
	__le32 reserved[2];
	char method[32];
};

/* Files that cannot be booted, by their first bytes. */
static const struct {
	const char *what;
	unsigned int len;
	char bytes[8];
} strangers[] = {
	{ "compressed by lz4; only gzip can be read", 4, "\x02\x21\x4c\x18" },
	{ "compressed by lz4; only gzip can be read", 4, "\x04\x22\x4d\x18" },
	{ "compressed by zstd; only gzip can be read", 4, "\x28\xb5\x2f\xfd" },
	{ "compressed by xz; only gzip can be read", 6, "\3757zXZ" },
	{ "compressed by bzip2; only gzip can be read", 3, "BZh" },
	{ "compressed by lzo; only gzip can be read", 4, "\x89LZO" },
	{ "an Android boot image; its kernel has to be taken out first", 8, "ANDROID!" },
	{ "an ELF file; what boots is the Image made from it", 4, "\177ELF" },
};

static int find_zboot(const struct zboot_header *header, u64 file_size,
		      struct vmm_packed *packed)
{
	u64 offset = le32toh(header->offset);
	u64 size = le32toh(header->size);
	char method[sizeof(header->method) + 1] = "";

	memcpy(method, header->method, sizeof(header->method));
	if (strcmp(method, "gzip"))
		return vmm_error(-ENOEXEC,
				 "the kernel in %s is compressed by \"%.32s\"; only gzip can be read",
				 packed->path, method);
	if (!size || offset > file_size || size > file_size - offset)
		return vmm_error(-ENOEXEC,
				 "the kernel in %s is at bytes %llu to %llu, but the file has %llu",
				 packed->path, offset, offset + size, file_size);
	packed->offset = offset;
	packed->size = size;
	return 0;
}

/**
 * vmm_unpack_find - find the compressed part of a kernel
 * @head: first bytes of the file
 * @len: how many, in bytes; VMM_UNPACK_HEAD unless the file is shorter
 * @file_size: bytes of the file
 * @packed: its @offset and @size are filled
 *
 * Return: 0, or -ENOEXEC after a message if it is compressed in another way
 */
int vmm_unpack_find(const void *head, size_t len, u64 file_size, struct vmm_packed *packed)
{
	struct zboot_header header;
	unsigned int i;

	packed->offset = 0;
	packed->size = 0;
	if (len >= sizeof(header)) {
		memcpy(&header, head, sizeof(header));
		if (!memcmp(header.mz, "MZ", 2) && !memcmp(header.magic, "zimg", 4))
			return find_zboot(&header, file_size, packed);
	}
	if (len >= 2 && !memcmp(head, "\x1f\x8b", 2)) {
		packed->size = file_size;
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(strangers); i++) {
		if (len >= strangers[i].len &&
		    !memcmp(head, strangers[i].bytes, strangers[i].len))
			return vmm_error(-ENOEXEC, "the kernel %s is %s", packed->path,
					 strangers[i].what);
	}
	return 0;
}

/**
 * struct inflater - state of inflating a file
 * @packed: the file
 * @zlib: zlib's state
 * @at: bytes of the gzip data that were read
 * @in: zlib's input buffer
 */
struct inflater {
	const struct vmm_packed *packed;
	z_stream zlib;
	u64 at;
	u8 in[CHUNK];
};

static int inflater_fill(struct inflater *inf)
{
	const struct vmm_packed *packed = inf->packed;
	u64 left = packed->size - inf->at;
	ssize_t n;

	do {
		n = pread(packed->fd, inf->in, left < CHUNK ? left : CHUNK,
			  packed->offset + inf->at);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return vmm_error(errno, "cannot read %s", packed->path);
	if (!n)
		return vmm_error(-ENOEXEC, "%s: the compressed kernel ends too early",
				 packed->path);
	inf->at += n;
	inf->zlib.next_in = inf->in;
	inf->zlib.avail_in = n;
	return 0;
}

static int inflater_error(const struct inflater *inf, int status)
{
	if (status == Z_MEM_ERROR)
		return vmm_error(ENOMEM, "cannot inflate %s", inf->packed->path);
	return vmm_error(-ENOEXEC, "%s: the compressed kernel is damaged: %s",
			 inf->packed->path, inf->zlib.msg ? inf->zlib.msg : "no gzip data");
}

/* Inflates up to @size bytes to @to; Z_STREAM_END, Z_OK if there is more, or -errno. */
static int inflater_run(struct inflater *inf, u8 *to, u64 size, u64 *got)
{
	u64 done = 0;
	int status = Z_OK;

	while (status == Z_OK && done < size) {
		uInt room = size - done < CHUNK ? size - done : CHUNK;

		if (!inf->zlib.avail_in) {
			status = inflater_fill(inf);
			if (status)
				return status;
		}
		inf->zlib.next_out = to + done;
		inf->zlib.avail_out = room;
		status = inflate(&inf->zlib, Z_NO_FLUSH);
		done += room - inf->zlib.avail_out;
		/* Z_BUF_ERROR with room and input means no progress. */
		if (status != Z_OK && status != Z_STREAM_END)
			return inflater_error(inf, status);
	}
	*got = done;
	return status;
}

static int inflater_open(struct inflater *inf, const struct vmm_packed *packed)
{
	memset(&inf->zlib, 0, sizeof(inf->zlib));
	inf->packed = packed;
	inf->at = 0;
	if (inflateInit2(&inf->zlib, GZIP_WINDOW) != Z_OK)
		return vmm_error(ENOMEM, "cannot inflate %s", packed->path);
	return 0;
}

/**
 * vmm_unpack_begin - inflate the first bytes
 * @packed: where they are
 * @to: filled
 * @size: bytes to inflate
 * @got: filled: bytes that were inflated
 *
 * Return: 0, or -errno after a message
 */
int vmm_unpack_begin(const struct vmm_packed *packed, void *to, size_t size, size_t *got)
{
	struct inflater inf;
	u64 bytes = 0;
	int status;
	int err;

	err = inflater_open(&inf, packed);
	if (err)
		return err;
	status = inflater_run(&inf, to, size, &bytes);
	inflateEnd(&inf.zlib);
	*got = bytes;
	return status < 0 ? status : 0;
}

/**
 * vmm_unpack_all - inflate everything
 * @packed: the compressed part; bytes after the end of the gzip data are ignored
 * @to: buffer
 * @size: bytes of @to
 * @got: filled: bytes that were inflated
 *
 * Return: 0, -EFBIG after a message if there is more than @size, or another -errno
 */
int vmm_unpack_all(const struct vmm_packed *packed, void *to, u64 size, u64 *got)
{
	struct inflater inf;
	u8 more[1];
	u64 over = 0;
	int status;
	int err;

	err = inflater_open(&inf, packed);
	if (err)
		return err;
	status = inflater_run(&inf, to, size, got);
	/* The checksum follows the last byte. */
	if (status == Z_OK)
		status = inflater_run(&inf, more, sizeof(more), &over);
	inflateEnd(&inf.zlib);
	if (over)
		return vmm_error(-EFBIG, "%s: the kernel has more bytes than its header says: %llu",
				 packed->path, size);
	return status < 0 ? status : 0;
}
