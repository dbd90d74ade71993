// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page whose accesses block. See held_page.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "held_page.h"
#include "pipe_services.h"

static int uffd_open(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		return -EOPNOTSUPP;
	}
	return fd;
}

const char *held_page_missing(void)
{
	int fd = uffd_open();

	if (fd < 0)
		return "no userfaultfd";
	close(fd);
	return NULL;
}

void held_page_create_at(struct held_page *page, void *where)
{
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	page->size = sysconf(_SC_PAGESIZE);
	page->at = mmap(where, page->size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | (where ? MAP_FIXED : 0), -1, 0);
	page->uffd = uffd_open();
	reg.range.start = (uintptr_t)page->at;
	reg.range.len = page->size;
	if (page->at == MAP_FAILED || page->uffd < 0 ||
	    ioctl(page->uffd, UFFDIO_REGISTER, &reg))
		pipe_die("userfaultfd: %s", strerror(errno));
}

void held_page_create(struct held_page *page)
{
	held_page_create_at(page, NULL);
}

void held_page_wait(struct held_page *page)
{
	struct uffd_msg msg;

	if (!services_poll(page->uffd, POLLIN, SERVICES_PATIENCE_MS) ||
	    read(page->uffd, &msg, sizeof(msg)) != sizeof(msg) ||
	    msg.event != UFFD_EVENT_PAGEFAULT)
		pipe_die("nobody has touched the page");
}

void held_page_give(struct held_page *page)
{
	struct uffdio_zeropage zero = {
		.range = { (uintptr_t)page->at, page->size },
	};

	if (ioctl(page->uffd, UFFDIO_ZEROPAGE, &zero) && errno != EEXIST)
		pipe_die("UFFDIO_ZEROPAGE: %s", strerror(errno));
}

void held_page_refuse(struct held_page *page)
{
	struct uffdio_range range = { (uintptr_t)page->at, page->size };

	/* Unregistering continues blocked accesses. */
	if (mprotect(page->at, page->size, PROT_NONE) ||
	    ioctl(page->uffd, UFFDIO_UNREGISTER, &range))
		pipe_die("userfaultfd: %s", strerror(errno));
}

void held_page_destroy(struct held_page *page)
{
	/* Closing it continues blocked accesses, with ordinary memory. */
	close(page->uffd);
	munmap(page->at, page->size);
}
