/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_LINUX_BLK_TYPES_H
#define SHIM_LINUX_BLK_TYPES_H

#include "../kernel.h"

#define SECTOR_SIZE 512

#endif /* SHIM_LINUX_BLK_TYPES_H */
