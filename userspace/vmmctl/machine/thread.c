// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads of devices. A device registers its thread when it is created. The thread starts
 * later, in the sandbox: capabilities and Landlock rules apply to one thread, and a thread
 * that exists when they are set keeps what it had.
 */
#include "machine/machine.h"

/**
 * vmm_thread_add - register a thread that starts before the guest runs
 * @vm: the VM
 * @thread: filled
 * @name: shown in /proc, at most 15 characters
 * @fn: its function; returns when the device tells it to
 * @arg: argument of @fn
 */
void vmm_thread_add(struct vmm_vm *vm, struct vmm_thread *thread, const char *name,
		    void *(*fn)(void *arg), void *arg)
{
	*thread = (struct vmm_thread){
		.name = name, .fn = fn, .arg = arg, .next = vm->threads,
	};
	vm->threads = thread;
}

/* A thread sets its own name: setting another thread's opens a file. */
static void *thread_main(void *arg)
{
	const struct vmm_thread *thread = arg;

	pthread_setname_np(pthread_self(), thread->name);
	return thread->fn(thread->arg);
}

/**
 * vmm_threads_start - start all threads that were added and do not run yet
 * @vm: the VM
 *
 * Context: main thread; no vCPU runs.
 * Return: 0, or -errno after a message
 */
int vmm_threads_start(struct vmm_vm *vm)
{
	struct vmm_thread *thread;
	int err;

	for (thread = vm->threads; thread; thread = thread->next) {
		if (thread->started)
			continue;
		err = pthread_create(&thread->id, NULL, thread_main, thread);
		if (err)
			return vmm_error(err, "cannot start the thread %s", thread->name);
		thread->started = true;
	}
	return 0;
}

/**
 * vmm_thread_remove - wait for a thread to end
 * @vm: the VM
 * @thread: was told to end; it may not have been started
 */
void vmm_thread_remove(struct vmm_vm *vm, struct vmm_thread *thread)
{
	struct vmm_thread **at = &vm->threads;

	while (*at && *at != thread)
		at = &(*at)->next;
	if (*at)
		*at = thread->next;
	if (thread->started)
		pthread_join(thread->id, NULL);
	thread->started = false;
}
