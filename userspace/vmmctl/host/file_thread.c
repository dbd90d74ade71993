// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files on a disk, or behind a network or a process, are always ready, and may take any
 * time to write to. Each has a queue of records and a thread, which begins with the first
 * record and writes one after the other. Nobody waits for it but whoever ends the VM, and
 * not for long. Records that find no room in the queue are dropped whole and counted.
 *
 * A file system that does not answer costs the files that are on it: each file has a thread
 * of its own.
 *
 * Threads begin in the sandbox, because capabilities and Landlock belong to a thread (see
 * machine/thread.c). Before that, vmmctl writes as any program does.
 *
 * A thread that does not come back keeps what it uses, and the process ends with it. A write
 * that no signal ends, as to a file system that is frozen, keeps the process until then, as
 * it keeps any program's.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/ending.h"
#include "host/file_thread.h"
#include "host/log.h"
#include "types.h"

#define FILE_LAST_MS	600	/* in the end, for all files together */
#define FILE_HURRY_MS	200	/* the same from the signal on that ends the process */
#define FILE_GRACE_MS	20	/* a file that answers has it in any case */
#define FILE_SLICE_MS	10	/* between two looks for a signal */
#define FILE_LATE_MS	100	/* for last words */

/**
 * struct record - something to write
 * @next: the next one
 * @len: bytes
 * @content: those that count as dropped if they are not written
 * @bytes: head and content
 */
struct record {
	struct record *next;
	size_t len;
	size_t content;
	u8 bytes[];
};

/**
 * struct vmm_file_thread - a file's queue and thread
 * @name: of the thread
 * @counter: of what was dropped, in statistics; NULL: somebody else tells of it
 * @room: bytes that may wait, with what it takes to keep them
 * @fn: writes
 * @arg: its argument
 * @next: the next file; protected by files.lock
 * @busy: records that were not written yet; written under @lock, read by any
 * @lock: protects what follows
 * @changed: signalled when @busy or @ending has changed
 * @first: the record that waits longest, or NULL
 * @last: where the next one goes
 * @used: bytes that wait or are in hand, with what it takes to keep them
 * @waiting: bytes of content that wait or are in hand
 * @dropped: bytes of content that were dropped
 * @fd: to be closed in the end, which may take its time as well; or -1
 * @running: there is @thread
 * @writing: somebody writes what is there, and nobody else does
 * @ending: it is to end when it has written all
 * @vain: a wait for it was in vain, and it has not written all since; main thread
 * @stuck: the same of the last wait of all
 * @thread: writes
 */
struct vmm_file_thread {
	const char *name;
	const char *counter;
	size_t room;
	vmm_file_fn fn;
	void *arg;
	struct vmm_file_thread *next;
	unsigned int busy;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct record *first;
	struct record **last;
	size_t used;
	size_t waiting;
	u64 dropped;
	int fd;
	bool running;
	bool writing;
	bool ending;
	bool vain;
	bool stuck;
	pthread_t thread;
};

/*
 * All files. @begun: there may be threads. @until: when the last wait of all ends, 0 before
 * the first wait that is in vain or the last, milliseconds; main thread only. @left: threads
 * that did not end; main thread only.
 */
static struct {
	pthread_mutex_t lock;
	struct vmm_file_thread *first;
	bool begun;
	s64 until;
	bool hurries;
	unsigned int left;
} files = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The file that the calling thread writes to. */
static __thread const struct vmm_file_thread *own_file;

static s64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static size_t record_size(const struct record *record)
{
	return sizeof(*record) + record->len;
}

static void count_busy_locked(struct vmm_file_thread *file, int by)
{
	__atomic_store_n(&file->busy, file->busy + by, __ATOMIC_SEQ_CST);
	if (!file->busy) {
		file->vain = false;
		file->stuck = false;
	}
	pthread_cond_broadcast(&file->changed);
}

/* Writes the first record, without the lock. */
static void write_first_locked(struct vmm_file_thread *file)
{
	struct record *record = file->first;
	size_t lost;

	file->first = record->next;
	if (!file->first)
		file->last = &file->first;
	pthread_mutex_unlock(&file->lock);
	lost = file->fn(file->arg, record->bytes, record->len);
	pthread_mutex_lock(&file->lock);
	file->dropped += lost;
	file->used -= record_size(record);
	file->waiting -= record->content;
	free(record);
	count_busy_locked(file, -1);
}

/* Records that are put meanwhile as well. */
static void write_all_locked(struct vmm_file_thread *file)
{
	if (file->writing)
		return;
	file->writing = true;
	while (file->first)
		write_first_locked(file);
	file->writing = false;
	pthread_cond_broadcast(&file->changed);
}

static void *file_main(void *arg)
{
	struct vmm_file_thread *file = arg;

	pthread_setname_np(pthread_self(), file->name);
	own_file = file;
	pthread_mutex_lock(&file->lock);
	while (file->first || !file->ending) {
		write_all_locked(file);
		if (!file->ending || file->writing)
			pthread_cond_wait(&file->changed, &file->lock);
	}
	pthread_mutex_unlock(&file->lock);
	if (file->fd >= 0)
		close(file->fd);
	pthread_mutex_lock(&file->lock);
	count_busy_locked(file, -1);
	pthread_mutex_unlock(&file->lock);
	return NULL;
}

/* Without a thread, whoever has a record writes it. */
static bool has_thread_locked(struct vmm_file_thread *file)
{
	if (!file->running && __atomic_load_n(&files.begun, __ATOMIC_SEQ_CST))
		file->running = !pthread_create(&file->thread, NULL, file_main, file);
	return file->running;
}

static struct record *record_create(const void *head, size_t head_len, const struct iovec *iov,
				    unsigned int count)
{
	struct record *record;
	size_t content = 0;
	unsigned int i;
	u8 *to;

	for (i = 0; i < count; i++)
		content += iov[i].iov_len;
	record = malloc(sizeof(*record) + head_len + content);
	if (!record)
		return NULL;
	record->next = NULL;
	record->len = head_len + content;
	record->content = content;
	to = record->bytes;
	if (head_len)
		memcpy(to, head, head_len);
	to += head_len;
	for (i = 0; i < count; i++) {
		memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
	return record;
}

static void queue_locked(struct vmm_file_thread *file, struct record *record)
{
	*file->last = record;
	file->last = &record->next;
	file->used += record_size(record);
	file->waiting += record->content;
	count_busy_locked(file, 1);
}

/**
 * vmm_file_thread_put - have something written
 * @file: the file
 * @head: what @fn is to know of it; does not count as dropped
 * @head_len: bytes of it
 * @iov: the content
 * @count: elements of it
 *
 * Context: any thread. Never waits, once vmm_file_threads_begin() was called.
 * Return: whether there was room; if not, all of it is dropped and counted
 */
bool vmm_file_thread_put(struct vmm_file_thread *file, const void *head, size_t head_len,
			 const struct iovec *iov, unsigned int count)
{
	struct record *record = record_create(head, head_len, iov, count);
	bool threaded;
	bool fits;

	pthread_mutex_lock(&file->lock);
	fits = record && record_size(record) <= file->room - file->used;
	if (fits) {
		/*
		 * The thread comes first: a sandbox that ends the process here has last
		 * words, which would wait for the record.
		 */
		threaded = has_thread_locked(file);
		queue_locked(file, record);
		if (!threaded)
			write_all_locked(file);
	} else {
		while (count--)
			file->dropped += iov[count].iov_len;
	}
	pthread_mutex_unlock(&file->lock);
	if (!fits)
		free(record);
	return fits;
}

/**
 * vmm_file_thread_text - have text written
 * @file: the file
 * @text: the text, which has no head
 * @len: bytes of it
 *
 * Return: as vmm_file_thread_put()
 */
bool vmm_file_thread_text(struct vmm_file_thread *file, const void *text, size_t len)
{
	const struct iovec iov = { (void *)text, len };

	return vmm_file_thread_put(file, NULL, 0, &iov, 1);
}

/**
 * vmm_file_thread_lose - count what was not even put
 * @file: the file
 * @len: bytes
 */
void vmm_file_thread_lose(struct vmm_file_thread *file, size_t len)
{
	pthread_mutex_lock(&file->lock);
	file->dropped += len;
	pthread_mutex_unlock(&file->lock);
}

/**
 * vmm_file_thread_dropped - count what was dropped
 * @file: the file
 *
 * Context: any thread.
 * Return: bytes of content
 */
u64 vmm_file_thread_dropped(struct vmm_file_thread *file)
{
	u64 dropped;

	pthread_mutex_lock(&file->lock);
	dropped = file->dropped;
	pthread_mutex_unlock(&file->lock);
	return dropped;
}

/**
 * vmm_file_thread_lost - count what is lost if the process ends now
 * @file: the file
 *
 * Return: bytes of content that were dropped, or were not written yet
 */
u64 vmm_file_thread_lost(struct vmm_file_thread *file)
{
	u64 lost;

	pthread_mutex_lock(&file->lock);
	lost = file->dropped + file->waiting;
	pthread_mutex_unlock(&file->lock);
	return lost;
}

/**
 * vmm_file_thread_busy - tell whether something put before was not written yet
 * @file: the file
 *
 * Context: any thread.
 * Return: whether it is still to be written
 */
bool vmm_file_thread_busy(const struct vmm_file_thread *file)
{
	return __atomic_load_n(&file->busy, __ATOMIC_SEQ_CST);
}

static void wait_a_slice_locked(struct vmm_file_thread *file)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += FILE_SLICE_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_cond_clockwait(&file->changed, &file->lock, CLOCK_MONOTONIC, &until);
}

/**
 * vmm_file_thread_wait - wait a moment until all that was put is written
 * @file: the file
 * @ms: how long at most; one that was waited for in vain, and has not written all since,
 *	is not waited for again
 *
 * The time of a wait in vain counts as time of the last wait of all.
 *
 * Context: main thread.
 * Return: whether all is written
 */
bool vmm_file_thread_wait(struct vmm_file_thread *file, unsigned int ms)
{
	s64 began = now_ms();
	s64 until = began + ms;
	bool written;

	if (files.until && until > files.until)
		until = files.until;
	pthread_mutex_lock(&file->lock);
	while (file->busy && !file->vain) {
		wait_a_slice_locked(file);
		file->vain = file->busy && now_ms() >= until;
	}
	written = !file->busy;
	pthread_mutex_unlock(&file->lock);
	if (!written && !files.until)
		files.until = began + FILE_LAST_MS;
	return written;
}

static void hurry_up(s64 now)
{
	if (!files.hurries && files.until > now + FILE_HURRY_MS)
		files.until = now + FILE_HURRY_MS;
	files.hurries = true;
}

/* When the last wait of all ends: a signal brings that nearer. */
static s64 last_until(void)
{
	s64 now = now_ms();

	if (!files.until)
		files.until = now + FILE_LAST_MS;
	if (vmm_ending_signal())
		hurry_up(now);
	return files.until;
}

/* False if the file's thread is at work still. */
static bool wait_for_the_last_time(struct vmm_file_thread *file)
{
	s64 grace = now_ms() + FILE_GRACE_MS;
	bool written;

	last_until();
	pthread_mutex_lock(&file->lock);
	while (file->busy && !file->stuck) {
		/* A slice at a time, to see a signal. */
		wait_a_slice_locked(file);
		file->stuck = file->busy && now_ms() >= grace && now_ms() >= last_until();
	}
	written = !file->busy;
	pthread_mutex_unlock(&file->lock);
	return written;
}

/**
 * vmm_file_thread_late - tell whether a file that is to be written to next has not come
 * @file: the file
 *
 * Waits a moment. A thread that is in the middle of writing to the file is told that it has
 * come: it can wait for nobody.
 *
 * Context: signal handlers.
 * Return: whether something put before was not written
 */
bool vmm_file_thread_late(const struct vmm_file_thread *file)
{
	unsigned int ms;

	if (own_file == file)
		return false;
	for (ms = 0; ms < FILE_LATE_MS && __atomic_load_n(&file->busy, __ATOMIC_SEQ_CST); ms++)
		poll(NULL, 0, 1);
	return __atomic_load_n(&file->busy, __ATOMIC_SEQ_CST);
}

/**
 * vmm_file_thread_open - prepare for writing to a file
 * @name: of its thread, at most 15 characters
 * @counter: in statistics, of bytes that were dropped; NULL for none
 * @room: bytes of records that may wait
 * @fn: writes a record; records are written one after the other
 * @arg: argument of @fn
 *
 * Return: the file's queue, NULL after a message
 */
struct vmm_file_thread *vmm_file_thread_open(const char *name, const char *counter,
					     size_t room, vmm_file_fn fn, void *arg)
{
	struct vmm_file_thread *file = calloc(1, sizeof(*file));

	if (!file) {
		vmm_error(ENOMEM, "cannot write to a file");
		return NULL;
	}
	file->name = name;
	file->counter = counter;
	file->room = room;
	file->fn = fn;
	file->arg = arg;
	file->fd = -1;
	file->last = &file->first;
	pthread_mutex_init(&file->lock, NULL);
	pthread_cond_init(&file->changed, NULL);
	pthread_mutex_lock(&files.lock);
	file->next = files.first;
	files.first = file;
	pthread_mutex_unlock(&files.lock);
	return file;
}

static void forget(const struct vmm_file_thread *file)
{
	struct vmm_file_thread **at = &files.first;

	pthread_mutex_lock(&files.lock);
	while (*at && *at != file)
		at = &(*at)->next;
	if (*at)
		*at = file->next;
	pthread_mutex_unlock(&files.lock);
}

static void end_locked(struct vmm_file_thread *file, int fd)
{
	file->ending = true;
	file->fd = fd;
	/* Its end is waited for like a record. */
	if (file->running)
		count_busy_locked(file, 1);
}

/**
 * vmm_file_thread_close - write what is left, close the file, and write no more
 * @file: may be NULL; nobody puts anything any more
 * @fd: the file; -1 if it stays open
 *
 * Context: main thread.
 * Return: whether all is written and @file is freed. If not, the thread is at work still,
 *	and whatever it uses has to stay until the process ends
 */
bool vmm_file_thread_close(struct vmm_file_thread *file, int fd)
{
	if (!file)
		return true;
	pthread_mutex_lock(&file->lock);
	/* To close a file may take its time, even if nothing was written to it. */
	if (fd >= 0)
		has_thread_locked(file);
	end_locked(file, fd);
	pthread_mutex_unlock(&file->lock);
	if (!wait_for_the_last_time(file)) {
		files.left++;
		return false;
	}
	if (file->running)
		pthread_join(file->thread, NULL);
	else if (fd >= 0)
		close(fd);
	forget(file);
	pthread_cond_destroy(&file->changed);
	pthread_mutex_destroy(&file->lock);
	free(file);
	return true;
}

/**
 * vmm_file_threads_left - tell whether a thread has not ended when its file was closed
 *
 * Such a thread may still write messages: who takes them has to stay.
 *
 * Context: main thread.
 * Return: whether there is one
 */
bool vmm_file_threads_left(void)
{
	return files.left;
}

/**
 * vmm_file_threads_begin - have threads write from here on
 *
 * Context: main thread, in the sandbox.
 */
void vmm_file_threads_begin(void)
{
	files.until = 0;
	files.hurries = false;
	__atomic_store_n(&files.begun, true, __ATOMIC_SEQ_CST);
}

/**
 * vmm_file_threads_last - wait until all that was put is written, for the last time
 * @hurry: as after a signal
 *
 * The process is about to end. All files together are waited for as long as one.
 *
 * Context: main thread; others may go on putting.
 */
void vmm_file_threads_last(bool hurry)
{
	struct vmm_file_thread *file;

	last_until();
	if (hurry)
		hurry_up(now_ms());
	for (file = files.first; file; file = file->next)
		wait_for_the_last_time(file);
}

/**
 * vmm_file_threads_count - tell what was dropped
 * @fn: called for each file that has a counter
 * @arg: argument of @fn
 *
 * Context: any thread.
 */
void vmm_file_threads_count(void (*fn)(void *arg, const char *counter, u64 bytes), void *arg)
{
	struct vmm_file_thread *file;

	pthread_mutex_lock(&files.lock);
	for (file = files.first; file; file = file->next) {
		if (file->counter)
			fn(arg, file->counter, vmm_file_thread_dropped(file));
	}
	pthread_mutex_unlock(&files.lock);
}
