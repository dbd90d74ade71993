// SPDX-License-Identifier: GPL-2.0-only
/*
 * Work that may have to wait - for a module of the kernel, a disk, another process - and
 * that the main thread therefore leaves to a thread of its own. The main loop hears of its
 * end. Whoever ends the VM waits a moment for a job, and for one that does not end the
 * process exits as it is: what the job uses stays until then.
 */
#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "machine/machine.h"

static void *job_main(void *arg)
{
	struct vmm_job *job = arg;

	pthread_setname_np(pthread_self(), "job");
	job->fn(job->arg);
	vmm_event_signal(job->done_fd);
	return NULL;
}

static void job_close(struct vmm_job *job)
{
	if (job->running)
		pthread_join(job->thread, NULL);
	job->running = false;
	vmm_loop_del(job->loop, job->done_fd);
	close(job->done_fd);
}

static int job_over(void *arg)
{
	struct vmm_job *job = arg;

	job_close(job);
	return job->done(job->arg);
}

/**
 * vmm_job_start - begin to do something
 * @job: filled; not running
 * @loop: the main loop
 * @fn: what; a thread of its own
 * @done: told in the main thread when that is over; may start the next job
 * @arg: argument of both
 *
 * Return: 0, or -errno after a message, with nothing begun
 */
int vmm_job_start(struct vmm_job *job, struct vmm_loop *loop, void (*fn)(void *arg),
		  vmm_loop_fn done, void *arg)
{
	int err;

	*job = (struct vmm_job){ .fn = fn, .done = done, .arg = arg, .loop = loop };
	job->done_fd = vmm_event_create();
	if (job->done_fd < 0)
		return job->done_fd;
	err = vmm_loop_add(loop, job->done_fd, job_over, job);
	if (!err) {
		err = pthread_create(&job->thread, NULL, job_main, job);
		if (err)
			err = vmm_error(err, "cannot start a thread");
	}
	job->running = !err;
	if (err)
		job_close(job);
	return err;
}

static s64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/**
 * vmm_job_abandon - wait for a job for the last time
 * @job: all zero, running or over; its end is not told any more
 * @ms: how long it may go on
 *
 * Return: whether it has ended; if not, the process has to, and nothing that the job uses
 *	may be freed
 */
bool vmm_job_abandon(struct vmm_job *job, int ms)
{
	struct pollfd over = { .fd = job->done_fd, .events = POLLIN };
	s64 deadline = now_ms() + ms;
	s64 left = ms;
	int ready;

	if (!job->running)
		return true;
	/* Signals that end the VM interrupt it. */
	do {
		ready = poll(&over, 1, left);
		left = deadline - now_ms();
	} while (ready < 0 && errno == EINTR && left > 0);
	if (ready <= 0)
		return false;
	job_close(job);
	return true;
}
