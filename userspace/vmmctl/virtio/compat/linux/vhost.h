/* SPDX-License-Identifier: GPL-2.0-only */
/* The host's own: structures and numbers are a program's too. */
#include "../compat.h"
#include_next <linux/vhost.h>
