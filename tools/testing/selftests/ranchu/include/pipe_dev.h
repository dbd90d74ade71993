/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device node and guest memory, as a VMM uses them, and a small guest driver
 * of the goldfish pipe that uses ACCESS ioctls.
 * Functions named __x return -errno (or a plain result), x ends the test when
 * anything but success comes back.
 */
#ifndef RANCHU_PIPE_DEV_H
#define RANCHU_PIPE_DEV_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/goldfish_pipe.h>
#include <linux/ranchu.h>
#include <linux/vhost_goldfish_pipe.h>

#include "host_page.h"

#define PIPE_DEV_PATH		"/dev/vhost-goldfish-pipe"

/* Value of status before a command: no command answers this. */
#define PIPE_PRESET		0x7e7e7e7e

/* Buffers that mainline's driver asks for, and its room for signals. */
#define PIPE_DRIVER_BUFFERS	336
#define PIPE_DRIVER_SIGNALS	64
#define PIPE_DRIVER_VERSION	2

/* Reads as 0 in either protocol. */
#define PIPE_REG_UNUSED		0x40

/* A page of the guests here. */
#define PIPE_PAGE		4096u

/* Ends the test with a message; the place is the caller's. */
void pipe_die_at(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), noreturn));
#define pipe_die(fmt, ...) \
	pipe_die_at(__FILE__, __LINE__, fmt, ##__VA_ARGS__)

/**
 * struct pipe_mem - guest memory: one region, and a pointer that moves up
 * @gpa: first guest address
 * @size: bytes
 * @hva: where this process sees it
 * @used: bytes given away by pipe_mem_alloc()
 */
struct pipe_mem {
	uint64_t gpa;
	size_t size;
	uint8_t *hva;
	size_t used;
};

void pipe_mem_create(struct pipe_mem *mem, uint64_t gpa, size_t size);
/* The same with a memfd, as the memory of a VM that was booted. */
void pipe_mem_create_file(struct pipe_mem *mem, uint64_t gpa, size_t size);
/* The same with a private mapping of a file, as the memory of a VM that started from a snapshot. */
void pipe_mem_create_private_file(struct pipe_mem *mem, uint64_t gpa, size_t size);
void pipe_mem_destroy(struct pipe_mem *mem);

/* Allocates zeroed guest memory, which is never freed. @align is a power of two. */
uint64_t pipe_mem_alloc(struct pipe_mem *mem, size_t size, size_t align);

/* The host's view of a guest address; ends the test if it is outside. */
void *pipe_mem_hva(struct pipe_mem *mem, uint64_t gpa, size_t size);

/**
 * struct pipe_dev - an open device node and the guest driver's state
 * @fd: the node
 * @mem: guest memory
 * @signal_gpa: signal buffer, PIPE_DRIVER_SIGNALS entries unless told otherwise
 * @open_gpa: open parameters
 * @window: the register page that a guest would read, or NULL
 */
struct pipe_dev {
	int fd;
	struct pipe_mem *mem;
	uint64_t signal_gpa;
	uint64_t open_gpa;
	uint8_t *window;
};

/* Returns 0, or -errno without such a device, for which a test is skipped. */
int __pipe_dev_open(struct pipe_dev *dev, struct pipe_mem *mem);
void pipe_dev_open(struct pipe_dev *dev, struct pipe_mem *mem);
void pipe_dev_close(struct pipe_dev *dev);

/* ioctl() that returns -errno. */
int __pipe_ioctl(int fd, unsigned long request, void *arg);

int __pipe_set_owner(struct pipe_dev *dev);
int __pipe_set_mem_table(struct pipe_dev *dev, const struct pipe_mem *mem,
			 unsigned int nr);
int __pipe_access(struct pipe_dev *dev,
		  struct vhost_goldfish_pipe_access *access);
int __pipe_set_doorbell(struct pipe_dev *dev, uint32_t id, int fd);
int __pipe_set_line(struct pipe_dev *dev, int call_fd, int resample_fd);
int __pipe_set_window(struct pipe_dev *dev, void *page);
int __pipe_hang_up(struct pipe_dev *dev, uint32_t id);
int __pipe_get_stats(struct pipe_dev *dev,
		     struct vhost_goldfish_pipe_stats *stats);

/* Open, owner and memory in one go. */
void pipe_dev_start(struct pipe_dev *dev, struct pipe_mem *mem);

void pipe_reg_write(struct pipe_dev *dev, uint32_t offset, uint32_t value);
uint32_t pipe_reg_read(struct pipe_dev *dev, uint32_t offset);
/* Reads the level of the line by an ioctl without other effects. */
bool pipe_line_level(struct pipe_dev *dev);
/* Waits until it is high; an announcement may come a little later. */
void pipe_wait_line(struct pipe_dev *dev);
void pipe_set_doorbell(struct pipe_dev *dev, uint32_t id, int fd);
void pipe_hang_up(struct pipe_dev *dev, uint32_t id);
void pipe_get_stats(struct pipe_dev *dev,
		    struct vhost_goldfish_pipe_stats *stats);
/* One statistic each. */
uint64_t pipe_stat_bad_guest(struct pipe_dev *dev);
uint64_t pipe_stat_open_pipes(struct pipe_dev *dev);

/* Register accesses of a guest driver's probe, in mainline's order. */
void pipe_handshake(struct pipe_dev *dev);
void pipe_set_signal_buffer(struct pipe_dev *dev, uint64_t gpa, uint32_t count);
void pipe_set_open_buffer(struct pipe_dev *dev, uint64_t gpa);

/*
 * Memory, device and handshake: a guest that has probed its pipe. Returns -errno,
 * with nothing done, if there is no such device.
 */
int __pipe_guest_start(struct pipe_dev *dev, struct pipe_mem *mem, size_t size);

/* Entry @i of the signal buffer. */
struct goldfish_pipe_signal pipe_signal(struct pipe_dev *dev, unsigned int i);

/**
 * struct test_pipe - a pipe at its guest's end
 * @dev: the device
 * @id: its number
 * @max: elements of the two arrays
 * @gpa: its command buffer
 * @cmd: the head of that, in this process
 * @ptrs: the first array
 * @sizes: the second array
 */
struct test_pipe {
	struct pipe_dev *dev;
	uint32_t id;
	uint32_t max;
	uint64_t gpa;
	struct goldfish_pipe_command *cmd;
	uint64_t *ptrs;
	uint32_t *sizes;
};

/* One buffer of a transfer, in guest memory. */
struct pipe_buf {
	uint64_t gpa;
	uint32_t size;
};

/* Prepares a command buffer in guest memory, without a command. */
void pipe_prepare(struct pipe_dev *dev, struct test_pipe *pipe, uint32_t id,
		  uint32_t max);

/* Runs a command and returns the status; PIPE_PRESET if none was written. */
int32_t pipe_command(struct test_pipe *pipe, uint32_t cmd);

/* OPEN with any parameters, and OPEN that must succeed. */
int32_t __pipe_open(struct pipe_dev *dev, struct test_pipe *pipe, uint32_t id,
		    uint32_t max);
void pipe_open(struct pipe_dev *dev, struct test_pipe *pipe, uint32_t id);
/* OPEN again with the command buffer that @pipe has already. */
int32_t __pipe_reopen(struct test_pipe *pipe);
void pipe_close(struct test_pipe *pipe);

/* DMA_MAPHOST or DMA_UNMAPHOST; the status. */
int32_t pipe_dma(struct test_pipe *pipe, uint32_t cmd, uint64_t gpa, uint64_t size);

/*
 * READ or WRITE with these buffers. Checks that consumed_size agrees with the
 * status and gives the status.
 */
int32_t pipe_transfer(struct test_pipe *pipe, uint32_t cmd,
		      const struct pipe_buf *bufs, uint32_t nr);
/* The same with one buffer. */
int32_t pipe_write(struct test_pipe *pipe, uint64_t gpa, uint32_t size);
int32_t pipe_read(struct test_pipe *pipe, uint64_t gpa, uint32_t size);

/* Writes bytes of this process, by way of guest memory that is given back. */
int32_t pipe_write_bytes(struct test_pipe *pipe, const void *bytes,
			 uint32_t size);

/* Writes a connector string and its NUL; gives the status. */
int32_t __pipe_connect(struct test_pipe *pipe, const char *name);
/* Opens @id and connects it, which must work. */
void pipe_connect(struct pipe_dev *dev, struct test_pipe *pipe, uint32_t id,
		  const char *name);

/* Random numbers that repeat: the seed is printed when a test dies. */
struct pipe_random {
	uint64_t state;
};

uint64_t pipe_random(struct pipe_random *random);
void pipe_random_fill(struct pipe_random *random, void *bytes, size_t size);

#endif /* RANCHU_PIPE_DEV_H */
