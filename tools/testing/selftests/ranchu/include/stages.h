/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device of any kind in a given stage, for tests that treat all devices alike.
 */
#ifndef RANCHU_STAGES_H
#define RANCHU_STAGES_H

#include "blk_driver.h"
#include "pipe_services.h"
#include "sync_dev.h"
#include "vsock_driver.h"

#define STAGES_NUM		16
#define STAGES_PIPE_ID		3
#define STAGES_PORT		7
/* At struct rig.data. */
#define STAGES_PAGES		20
/* Bytes of each of a pair of rings. */
#define STAGES_RING		(1u << 18)

/* Devices, a bit each. */
#define PIPE		1u
#define VQ		2u
#define BLK		4u
#define VSOCK		8u
#define SYNC		16u
#define VHOST		(VQ | BLK | VSOCK)
#define ALL		(PIPE | SYNC | VHOST)

/* Stages of a device. */
enum stage {
	CLOSED,
	OPENED,
	OWNED,		/* memory table and rings set: could be started */
	RUNNING,	/* pipe, sync: handshake done */
	BUSY,		/* pipe: one is connected; vsock: the guest asks for a stream; sync:
			 * for a wait, of the renderer
			 */
	ASKED,		/* pipe: a service of ours must answer, and there is a DMA region */
};

/**
 * struct rig - one device of any kind
 * @device: which
 * @fd: its node
 * @pipe_mem: the pipe's guest
 * @pipe: the pipe
 * @tp: its only pipe
 * @data: STAGES_PAGES pages of guest memory; the first is the DMA region
 * @services: its file of services
 * @open: number of the OPEN that the service must answer
 * @file: that a service was given: rings, or a DMA region's
 * @vq: the test device
 * @blk: a disk
 * @vs: a vsock
 * @sync: a sync device
 * @renderer: its renderer's file
 * @ring: the first ring of a device with rings
 * @run: starts and stops such a device
 * @efd: eventfd for ioctls
 * @ends: sockets for ioctls
 */
struct rig {
	unsigned int device;
	int fd;
	struct pipe_mem pipe_mem;
	struct pipe_dev pipe;
	struct test_pipe tp;
	uint64_t data;
	int services;
	uint64_t open;
	int file;
	struct vq_dev vq;
	struct bd_dev blk;
	struct vs_dev vs;
	struct sync_guest sync;
	int renderer;
	struct vq_ring *ring;
	unsigned long run;
	int efd;
	int ends[2];
};

const char *rig_path(unsigned int device);
void rig_make(struct rig *rig, unsigned int device, enum stage stage);
void rig_free(struct rig *rig);
/* Sends the guest's request for a stream to STAGES_PORT, from STAGES_PORT. */
void rig_vsock_ask(struct rig *rig);
/* Reads the event of the pipe's service, and answers with rings; returns -errno. */
void rig_pipe_event(struct rig *rig);
int __rig_pipe_ring(struct rig *rig);

#endif /* RANCHU_STAGES_H */
