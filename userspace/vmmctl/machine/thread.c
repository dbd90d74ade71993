// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads of devices. A device says when it is created what it needs; the thread
 * begins later, in the sandbox: capabilities and Landlock belong to a thread, and one
 * that exists already keeps what it has.
 */
#include "machine/machine.h"

/**
 * vmm_thread_add - have a thread started before the guest runs
 * @vm: the VM
 * @thread: filled
 * @name: as others see it, at most 15 characters
 * @fn: what it does; ends when the device tells it to
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

/* A thread's name is set by itself: for another one, a file would have to be opened. */
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
 * @thread: was told to end; it may never have begun
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
