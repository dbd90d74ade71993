/* SPDX-License-Identifier: GPL-2.0-only */
/* The host's own has the types of the interfaces of the kernel. */
#include_next <linux/types.h>
#include "../compat.h"
