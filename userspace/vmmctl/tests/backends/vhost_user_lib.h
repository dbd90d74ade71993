/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The server and the driver of the tests of the vhost-user front end.
 */
#ifndef VHOST_USER_LIB_H
#define VHOST_USER_LIB_H

#include <linux/vhost_types.h>

#include "backends/vhost_user.h"

#define BIT(bit)	(1ULL << (bit))
#define NUM		64	/* entries of the queue */
#define MEMORY		(4 * MIB)
#define AVAIL		0x1000
#define USED		0x2000
#define CAPACITY	0x1234
#define ALL		(~0ULL)
#define ACK		BIT(VU_P_REPLY_ACK)

/**
 * struct server - a process, as a thread
 * @features: of the device
 * @protocol: of the protocol
 * @refuse: answers this request with a mistake
 * @mute: hangs up when it gets this request
 * @silent: does not answer this request, nor later ones, while it is set
 * @slow: answers this request after three seconds
 * @half: sends half of the answer to this request, and nothing else, while it is set
 * @mortal: dies at random times
 * @limit: does not die any more after that many deaths
 */
struct server {
	u64 features;
	u64 protocol;
	u32 refuse;
	u32 mute;
	u32 silent;
	u32 slow;
	u32 half;
	bool mortal;
	unsigned int limit;
	/* What it has seen. */
	unsigned int sessions;
	unsigned int deaths;
	unsigned int resets;
	unsigned int stuck;
	u64 driver_features;
	/* Of one session. */
	int listener;
	int sock;
	struct vmm_vu_channel channel;
	int kick_fd;
	int call_fd;
	int request_fd;
	u64 base;
	u64 capacity;
	bool enabled;
	struct vhost_vring_addr addr;
	u16 last;
	u16 pending[NUM];
	unsigned int pendings;
	u8 *inflight;
	bool end;
	pthread_t thread;
};

/**
 * struct machine - a device, its driver and a loop
 * @cfg: of the VM
 * @vm: has memory and a loop, and no vCPUs
 * @v: the device
 * @end_fd: ends the loop
 * @tick_fd: ticks ten times a second
 * @ticks: number of ticks that the loop has handled
 * @thread: runs the loop
 * @avail: offset of the available ring in RAM
 * @used: offset of the used ring in RAM
 * @seen: entries of the used ring that the driver has taken
 * @open: by descriptor: made available and not used yet
 * @under_way: number of set elements of @open
 * @answered: number of answered requests
 */
struct machine {
	struct vmm_config cfg;
	struct vmm_vm vm;
	struct vmm_virtio v;
	int end_fd;
	int tick_fd;
	unsigned int ticks;
	pthread_t thread;
	u64 avail;
	u64 used;
	u16 seen;
	bool open[NUM];
	unsigned int under_way;
	unsigned int answered;
};

extern struct server server;
extern char server_path[64];
extern struct machine m;
extern bool machine_legacy;
extern struct vmm_loop *machine_outer;

u32 random_below(u32 n);
void server_start(u64 features, u64 protocol);
void server_stop(void);
int machine_start(void);
void machine_stop(bool created);
void *ram(u64 offset);
void wr(u32 offset, u32 value);
u32 rd(u32 offset);
bool needs_reset(void);
void driver_start_at(u64 features, u64 desc, u64 avail, u64 used);
void driver_start(u64 features);
void driver_start_legacy(void);
void driver_request(void);
bool driver_reap(void);
bool driver_works(unsigned int count);
bool eventually(unsigned int *what, unsigned int value);
bool needs_reset_eventually(void);

#endif /* VHOST_USER_LIB_H */
