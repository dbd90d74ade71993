/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_LINUX_SIZES_H
#define SHIM_LINUX_SIZES_H

#define SZ_16M 0x01000000
#define SZ_1G 0x40000000

#endif /* SHIM_LINUX_SIZES_H */
