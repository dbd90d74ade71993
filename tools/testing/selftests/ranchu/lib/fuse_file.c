// SPDX-License-Identifier: GPL-2.0-only
/*
 * The FUSE server of one regular file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuse_file.h"

#define FF_MAX_WRITE	(1024 * 1024)
#define FF_BUFFER	(FF_MAX_WRITE + 4096)

static void ff_reply(const struct ff_file *file, const struct fuse_in_header *in, int err,
		     const void *data, size_t len)
{
	struct fuse_out_header out = {
		.len = sizeof(out) + (err ? 0 : len), .error = err, .unique = in->unique,
	};
	struct iovec iov[2] = {
		{ &out, sizeof(out) }, { (void *)data, err ? 0 : len },
	};

	/* The request may have been interrupted meanwhile. */
	if (writev(file->dev, iov, 2) < 0)
		return;
}

static void ff_init(const struct ff_file *file, const struct fuse_in_header *in)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.flags = FUSE_ASYNC_READ | FUSE_ASYNC_DIO | FUSE_BIG_WRITES | FUSE_MAX_PAGES,
		.max_write = FF_MAX_WRITE,
		.max_pages = FF_MAX_WRITE / 4096,
		.max_background = 64,
		.congestion_threshold = 64,
	};

	ff_reply(file, in, 0, &out, sizeof(out));
}

static void ff_getattr(const struct ff_file *file, const struct fuse_in_header *in)
{
	struct fuse_attr_out out = {
		.attr_valid = 3600,
		.attr = {
			.ino = 1, .size = file->size, .blocks = file->size / 512,
			.mode = S_IFREG | 0644, .nlink = 1, .blksize = 4096,
		},
	};

	ff_reply(file, in, 0, &out, sizeof(out));
}

static void ff_read(const struct ff_file *file, const struct fuse_in_header *in)
{
	const struct fuse_read_in *read = (const void *)(in + 1);
	uint64_t len = read->size;

	if (read->offset > file->size)
		len = 0;
	else if (len > file->size - read->offset)
		len = file->size - read->offset;
	ff_reply(file, in, 0, file->data + read->offset, len);
}

static void ff_write(const struct ff_file *file, const struct fuse_in_header *in)
{
	const struct fuse_write_in *write = (const void *)(in + 1);
	struct fuse_write_out out = { .size = write->size };

	if (write->offset > file->size || write->size > file->size - write->offset) {
		ff_reply(file, in, -ENOSPC, NULL, 0);
		return;
	}
	memcpy(file->data + write->offset, write + 1, write->size);
	ff_reply(file, in, 0, &out, sizeof(out));
}

/* The content is not changed: tests check the counts only. */
static void ff_fallocate(struct ff_file *file, const struct fuse_in_header *in)
{
	const struct fuse_fallocate_in *range = (const void *)(in + 1);

	if (range->length > __atomic_load_n(&file->longest, __ATOMIC_SEQ_CST))
		__atomic_store_n(&file->longest, range->length, __ATOMIC_SEQ_CST);
	usleep(1000 * __atomic_load_n(&file->delay_ms, __ATOMIC_SEQ_CST));
	ff_reply(file, in, 0, NULL, 0);
}

static void ff_serve(struct ff_file *file, const struct fuse_in_header *in)
{
	struct fuse_open_out open = {};

	switch (in->opcode) {
	case FUSE_INIT:
		ff_init(file, in);
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		ff_getattr(file, in);
		break;
	case FUSE_OPEN:
		ff_reply(file, in, 0, &open, sizeof(open));
		break;
	case FUSE_READ:
		ff_read(file, in);
		break;
	case FUSE_WRITE:
		ff_write(file, in);
		break;
	case FUSE_FALLOCATE:
		ff_fallocate(file, in);
		break;
	case FUSE_FSYNC:
	case FUSE_FLUSH:
	case FUSE_RELEASE:
		ff_reply(file, in, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		ff_reply(file, in, -EOPNOTSUPP, NULL, 0);
	}
}

/* Until the file is unmounted, or the connection is ended. */
static void ff_server(struct ff_file *file)
{
	struct fuse_in_header *in = malloc(FF_BUFFER);
	ssize_t len;

	for (;;) {
		len = read(file->dev, in, FF_BUFFER);
		if (len < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT))
			continue;
		if (len < (ssize_t)sizeof(*in))
			_exit(0);
		if (in->opcode < FF_OPCODES)
			__atomic_add_fetch(&file->calls[in->opcode], 1, __ATOMIC_SEQ_CST);
		while (in->opcode == (uint32_t)__atomic_load_n(&file->hold, __ATOMIC_SEQ_CST))
			usleep(1000);
		ff_serve(file, in);
	}
}

static int ff_mount(struct ff_file *file)
{
	char options[128];
	int fd;

	snprintf(file->path, sizeof(file->path), "/tmp/fuse-file-XXXXXX");
	fd = mkstemp(file->path);
	if (fd < 0)
		return -errno;
	close(fd);
	snprintf(options, sizeof(options), "fd=%d,rootmode=%o,user_id=0,group_id=0", file->dev,
		 S_IFREG | 0644);
	if (!mount("fuse-file", file->path, "fuse", MS_NOSUID | MS_NODEV, options))
		return 0;
	fd = -errno;
	unlink(file->path);
	return fd;
}

static void *ff_map(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

/*
 * The server is a process of its own: a process that waits for it in the kernel cannot
 * be killed, and would keep a server alive that shared its files.
 */
static void ff_start(struct ff_file *file)
{
	pid_t pid = fork();

	/* The server has the same memory, so that only one of the two may say. */
	if (pid) {
		file->server = pid;
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	ff_server(file);
}

int __ff_create(struct ff_file **created, uint64_t size)
{
	struct ff_file *file = ff_map(sizeof(*file));
	int err;

	if (file == MAP_FAILED)
		return -ENOMEM;
	file->size = size;
	file->data = ff_map(size);
	if (file->data == MAP_FAILED)
		return -ENOMEM;
	file->dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (file->dev < 0)
		return -errno;
	err = ff_mount(file);
	if (!err)
		ff_start(file);
	close(file->dev);
	*created = file;
	return err;
}

void ff_destroy(struct ff_file *file)
{
	kill(file->server, SIGKILL);
	waitpid(file->server, NULL, 0);
	umount2(file->path, MNT_DETACH);
	unlink(file->path);
	munmap(file->data, file->size);
	munmap(file, sizeof(*file));
}

void ff_hold(struct ff_file *file, int opcode)
{
	__atomic_store_n(&file->hold, opcode, __ATOMIC_SEQ_CST);
}

unsigned int ff_calls(const struct ff_file *file, int opcode)
{
	return __atomic_load_n(&file->calls[opcode], __ATOMIC_SEQ_CST);
}

bool ff_wait(const struct ff_file *file, int opcode, unsigned int n, int timeout_ms)
{
	for (; ff_calls(file, opcode) < n; timeout_ms--) {
		if (!timeout_ms)
			return false;
		usleep(1000);
	}
	return true;
}
