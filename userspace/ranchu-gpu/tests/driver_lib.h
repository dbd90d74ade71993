/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A front end and a driver, for tests of the program in its sandbox.
 *
 *	RANCHU_GPU=PROGRAM TEST
 */
#ifndef DRIVER_LIB_H
#define DRIVER_LIB_H

#include "backends/vhost_user.h"
#include "backends/vhost_user_gpu.h"
#include "gpu.h"

#define RAM_BASE	0x40000000ULL
#define RAM_SIZE	(4 * MIB)
#define USER_BASE	0x7f0000000000ULL	/* a front end's address of it */
#define NUM		16			/* entries of a queue */
#define PIXELS		0x100000		/* offset of the guest's picture */
#define W		300			/* pixels of its picture */
#define H		200
#define FEATURES_3D	(1ULL << VIRTIO_GPU_F_VIRGL | 1ULL << VIRTIO_GPU_F_CONTEXT_INIT)

/**
 * struct queue - the driver's end of a queue
 * @kick_fd: signalled for the device
 * @call_fd: signalled by the device
 * @made: number of requests that were made available
 * @seen: number of requests that were returned
 */
struct queue {
	int kick_fd;
	int call_fd;
	u16 made;
	u16 seen;
};

extern u8 *ram;
extern const char *driver_renderer;
extern u64 driver_features;
extern u64 driver_accepts;
extern bool driver_resets;
extern int screen_sock;
extern struct vmm_vu_channel channel;
extern struct vmm_gpu_head screen_head;
extern u8 screen_body[1024 * 1024];
extern int screen_fd;
extern struct queue queue[2];

bool driver_init(void);
void program_start(void);
int program_end(void);
bool hear(u32 request);
u64 ask(u32 request, const void *data, u32 size);
u64 tell(u32 request, const void *data, u32 size, const int *fds, unsigned int n);
u64 tell_u64(u32 request, u64 value);
u64 tell_state(u32 request, u32 index, u32 num);
u64 tell_file(u32 request, u64 index, int fd);
void say(u32 request, const void *data, u32 size, u32 flags, const int *fds, unsigned int n);
bool screen_hears(u32 request);
void screen_says(u32 request, const void *data, u32 size);
u64 memory_table(void);
u64 memory_half(void);
void device_start(void);
void device_stop(void);
void device_pause(void);
void device_go_on(void);
u8 *answer_at(unsigned int i, u16 slot);
u16 make(unsigned int i, const void *request, size_t len, size_t room);
void kick(unsigned int i);
int wait_for_all(unsigned int i);
u32 control(const void *request, size_t len);
u32 create(u32 id, u32 format);
u32 attach(u32 id);
u32 set_scanout(u32 id, u32 width, u32 height);
u32 transfer(u32 id, u32 x, u32 y, u32 width, u32 height);
u32 flush(u32 id, u32 x, u32 y, u32 width, u32 height);
u32 drawn(u32 x, u32 y);
void draw(void);
void all_begin(u64 features);
void all_end(void);

#endif /* DRIVER_LIB_H */
