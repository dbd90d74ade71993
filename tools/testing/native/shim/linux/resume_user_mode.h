/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads that are to look at their task works. */
#define set_notify_resume(task) ((void)(task)->notified++)
