// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages of a running VM. Terminals, pipes and sockets are asked for room, and what finds
 * none is dropped and counted. A plain file has a thread of its own (file_thread.c).
 */
#include <errno.h>

#include "host/file_thread.h"
#include "host/log.h"
#include "host/log_thread.h"
#include "host/output.h"

/*
 * There is one stderr. A thread that does not end goes on using this, and so do messages:
 * they are dropped then.
 */
static struct {
	struct vmm_output out;
	struct vmm_file_thread *file;
} log_thread = { .out.own_fd = -1 };

static size_t text_write(void *arg, const void *record, size_t len)
{
	const char *text = record;
	ssize_t n;

	(void)arg;
	for (; len; text += n, len -= n) {
		n = vmm_output_write(&log_thread.out, text, len);
		if (n <= 0)
			break;
	}
	return len;
}

static bool text_take(const char *text, size_t len)
{
	if (log_thread.out.plain)
		vmm_file_thread_text(log_thread.file, text, len);
	return log_thread.out.plain;
}

static void text_lose(size_t len)
{
	vmm_file_thread_lose(log_thread.file, len);
}

static bool text_late(void)
{
	return vmm_file_thread_late(log_thread.file);
}

static const struct vmm_log_file log_file = {
	.takes = text_take, .lose = text_lose, .late = text_late,
};

/**
 * vmm_log_thread_open - have no message wait for who takes it
 * @fd: stderr
 *
 * Return: 0, or -errno after a message
 */
int vmm_log_thread_open(int fd)
{
	log_thread.file = vmm_file_thread_open("messages", "messages_dropped_bytes",
					       VMM_FILE_ROOM, text_write, NULL);
	if (!log_thread.file)
		return -ENOMEM;
	vmm_output_init(&log_thread.out, fd);
	vmm_log_output(&log_thread.out);
	vmm_log_file(&log_file);
	return 0;
}

/**
 * vmm_log_thread_close - write what is left; messages go to stderr as any program's again,
 *	unless that or another file does not answer
 *
 * Context: main thread, which has no others beside it.
 */
void vmm_log_thread_close(void)
{
	if (!log_thread.file)
		return;
	/* A thread that has not ended may have a message. */
	if (vmm_file_threads_left()) {
		vmm_file_threads_last(false);
		return;
	}
	if (!vmm_file_thread_close(log_thread.file, -1))
		return;
	vmm_log_file(NULL);
	vmm_log_output(NULL);
	log_thread.file = NULL;
	vmm_output_close(&log_thread.out);
}
