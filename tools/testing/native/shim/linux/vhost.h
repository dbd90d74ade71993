/* SPDX-License-Identifier: GPL-2.0-only */
/* The machine's own: these structures are userspace's too. */
#include "../kernel.h"
#include <linux/vhost_types.h>
