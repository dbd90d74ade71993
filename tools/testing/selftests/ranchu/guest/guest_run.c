// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs tests, each in a process of its own, and reports in KTAP.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

/* A wake that is lost must not hang the report. */
#define TEST_SECONDS		240

void guest_failed(const char *function, int line, const char *fmt, ...)
{
	va_list args;

	printf("# %s:%d: ", function, line);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	_exit(1);
}

struct writer {
	pthread_t thread;
	int fd;
	const uint8_t *bytes;
	size_t size;
	ssize_t written;
};

static void *writer_thread(void *arg)
{
	struct writer *writer = arg;

	writer->written =
		guest_write_all(writer->fd, writer->bytes, writer->size);
	return NULL;
}

void guest_stream(int fd, const uint8_t *from, uint8_t *to, size_t size)
{
	struct writer writer = { .fd = fd, .bytes = from, .size = size };
	ssize_t got;

	memset(to, 0, size);
	CHECK(!pthread_create(&writer.thread, NULL, writer_thread, &writer),
	      "no thread");
	got = guest_read_all(fd, to, size);
	pthread_join(writer.thread, NULL);
	CHECK(writer.written == (ssize_t)size, "%zd of %zu bytes written",
	      writer.written, size);
	CHECK(got == (ssize_t)size, "%zd of %zu bytes read", got, size);
	CHECK(guest_hash(to, size) == guest_hash(from, size), "%zu bytes",
	      size);
	CHECK(!memcmp(to, from, size), "%zu bytes", size);
}

static bool run_test(const struct guest_case *test)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		alarm(TEST_SECONDS);
		test->run();
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	if (WIFSIGNALED(status))
		printf("# ended by signal %d\n", WTERMSIG(status));
	return !status;
}

int guest_run(const struct guest_case *tests, size_t count, bool data_only)
{
	size_t planned = 0, number = 0, right = 0;
	size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < count; i++)
		planned += tests[i].data || !data_only;
	printf("KTAP version 1\n1..%zu\n", planned);
	for (i = 0; i < count; i++) {
		bool passed;

		if (data_only && !tests[i].data)
			continue;
		passed = run_test(&tests[i]);
		printf("%sok %zu %s\n", passed ? "" : "not ", ++number,
		       tests[i].name);
		right += passed;
	}
	printf("# Totals: pass:%zu fail:%zu\n", right, planned - right);
	return right != planned;
}
