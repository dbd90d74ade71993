/* SPDX-License-Identifier: GPL-2.0-only */
/* The machine's own: structures and numbers are userspace's too. */
#include "../kernel.h"
#include_next <linux/vhost.h>
