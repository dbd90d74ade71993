/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sync device, used as by a VMM, its guest's driver and a renderer. The guest uses
 * ACCESS ioctls. Functions named __x return -errno (or a plain result), x ends
 * the test when anything but success comes back.
 */
#ifndef RANCHU_SYNC_DEV_H
#define RANCHU_SYNC_DEV_H

#include <linux/goldfish_sync.h>
#include <linux/vhost_goldfish_sync.h>

#include "pipe_dev.h"

#define SYNC_DEV_PATH	"/dev/vhost-goldfish-sync"
#define SYNC_MEM_SIZE	(1u << 20)
/* File number of a fence in a guest. */
#define SYNC_GUEST_FD	17

/**
 * struct sync_guest - a device and its guest
 * @fd: the node
 * @mem: guest memory
 * @host_gpa: the host command buffer
 * @host: the same, in this process
 * @guest_gpa: the guest command buffer
 * @guest: the same, in this process
 */
struct sync_guest {
	int fd;
	struct pipe_mem mem;
	uint64_t host_gpa;
	struct goldfish_sync_hostcmd *host;
	uint64_t guest_gpa;
	struct goldfish_sync_guestcmd *guest;
};

/* A device with an owner and memory, whose guest has no driver yet; -errno: no device. */
int __sync_open(struct sync_guest *sync);
/* The same, and a driver that has begun. */
int __sync_start(struct sync_guest *sync);
/* Register accesses of a driver's start. */
void sync_handshake(struct sync_guest *sync);
void sync_stop(struct sync_guest *sync);

int __sync_access(int fd, uint32_t offset, uint32_t flags, uint32_t *value);
void sync_reg_write(struct sync_guest *sync, uint32_t offset, uint32_t value);
uint32_t sync_reg_read(struct sync_guest *sync, uint32_t offset);
bool sync_line(struct sync_guest *sync);

/* The guest requests a wait; sync_ask() only writes the request to memory. */
void sync_ask(struct sync_guest *sync, uint64_t glsync, uint64_t thread, uint64_t timeline);
void sync_trigger(struct sync_guest *sync, uint64_t glsync, uint64_t thread,
		  uint64_t timeline);
/* Reads the next command into @sync->host; returns its number, 0 for none. */
uint32_t sync_next(struct sync_guest *sync);
/* Reads a command, and checks it. */
void sync_expect(struct sync_guest *sync, uint32_t cmd, uint64_t handle, uint32_t value);
/* Answers the command that was read last. */
void sync_reply(struct sync_guest *sync, uint64_t handle);

int __sync_renderer(struct sync_guest *sync);
int sync_renderer(struct sync_guest *sync);
int __sync_command(int renderer, uint32_t cmd, uint32_t value, uint64_t *id);
/* CREATE_TIMELINE and CREATE_FENCE with their answers and events; return the id. */
uint64_t sync_make_timeline(struct sync_guest *sync, int renderer, uint64_t handle);
uint64_t sync_make_fence(struct sync_guest *sync, int renderer, uint64_t timeline,
			 uint32_t value);
/* The next event, which must be there already. */
struct vhost_goldfish_sync_event sync_event(int renderer);
bool sync_has_event(int renderer);

int __sync_set_line(int fd, int call_fd, int resample_fd);
int __sync_set_doorbell(int fd, uint32_t offset, int efd);
int __sync_run(int fd, int running);
struct vhost_goldfish_sync_stats sync_stats(struct sync_guest *sync);

#endif /* RANCHU_SYNC_DEV_H */
