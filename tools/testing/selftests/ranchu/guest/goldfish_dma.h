/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ioctls of Android's goldfish pipe drivers of version 4, and one of our own.
 * The numbers are theirs.
 */
#ifndef RANCHU_GOLDFISH_DMA_H
#define RANCHU_GOLDFISH_DMA_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct goldfish_dma_info - argument of GETOFF and CREATE_REGION
 * @phys_begin: GETOFF: the region's physical address, 0 without one
 * @size: its size in bytes; CREATE_REGION: the wanted size
 */
struct goldfish_dma_info {
	__u64 phys_begin;
	__u64 size;
};

#define GOLDFISH_DMA_LOCK		_IOWR('G', 0, struct goldfish_dma_info)
#define GOLDFISH_DMA_UNLOCK		_IOWR('G', 1, struct goldfish_dma_info)
#define GOLDFISH_DMA_GETOFF		_IOWR('G', 2, struct goldfish_dma_info)
#define GOLDFISH_DMA_CREATE_REGION	_IOWR('G', 3, struct goldfish_dma_info)

/**
 * struct goldfish_dma_state - state for tests
 * @unlocks: in: wait for this number of wakes UNLOCK_DMA; out: their number
 * @map_status: the host's answer to DMA_MAPHOST; 1: not called
 * @padding: not used
 */
struct goldfish_dma_state {
	__u64 unlocks;
	__s32 map_status;
	__u32 padding;
};

#define GOLDFISH_DMA_STATE		_IOWR('G', 64, struct goldfish_dma_state)

#endif /* RANCHU_GOLDFISH_DMA_H */
