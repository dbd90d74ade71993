// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records between vmmctl and ranchu-services. Neither end trusts the other: the length of a
 * record is bounded, and no end waits for one that does not read.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "host/guest.h"

#define RECORD_HEAD	offsetof(struct vmm_guest_record, text)

/**
 * vmm_guest_send - send a record
 * @fd: the link
 * @what: type of the record
 * @number: see enum vmm_guest_what
 * @text: see enum vmm_guest_what
 * @len: bytes of @text, at most VMM_GUEST_TEXT
 *
 * Return: 0; -EAGAIN if the other end does not read; or -errno
 */
int vmm_guest_send(int fd, enum vmm_guest_what what, s32 number, const void *text, size_t len)
{
	struct {
		u32 what;
		s32 number;
	} head = { what, number };
	struct iovec iov[] = { { &head, RECORD_HEAD }, { (void *)text, len } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	if (len > VMM_GUEST_TEXT)
		return -EMSGSIZE;
	do
		n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == RECORD_HEAD + len ? 0 : -EPROTO;
}

/**
 * vmm_guest_receive - receive a record, if there is one
 * @fd: the link
 * @record: filled
 * @len: bytes of its text
 *
 * Return: 0; -EAGAIN if there is none now; -EPIPE if the other end is gone; -EPROTO if it is
 *	no record; or -errno
 */
int vmm_guest_receive(int fd, struct vmm_guest_record *record, size_t *len)
{
	ssize_t n;

	/* MSG_TRUNC returns the real length. Files in the packet are dropped. */
	do
		n = recv(fd, record, RECORD_HEAD + VMM_GUEST_TEXT, MSG_DONTWAIT | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n ? -errno : -EPIPE;
	if ((size_t)n < RECORD_HEAD || (size_t)n > RECORD_HEAD + VMM_GUEST_TEXT)
		return -EPROTO;
	*len = n - RECORD_HEAD;
	record->text[*len] = '\0';
	return 0;
}
