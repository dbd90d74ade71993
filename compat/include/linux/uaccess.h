/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _RANCHU_COMPAT_LINUX_UACCESS_H
#define _RANCHU_COMPAT_LINUX_UACCESS_H

#include_next <linux/uaccess.h>

/* Before 6.12 no user address could be masked; callers check the range then. */
#ifndef can_do_masked_user_access
#define can_do_masked_user_access() 0
#define masked_user_access_begin(src) (src)
#endif

#endif /* _RANCHU_COMPAT_LINUX_UACCESS_H */
