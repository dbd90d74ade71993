// SPDX-License-Identifier: GPL-2.0-only
/*
 * The line of a pipe that is raised by KVM_IRQ_LINE: a VM with KVM's interrupt controllers,
 * whose vCPU never runs, so that the test can see sent interrupts. There is no irqfd: the
 * test sees when the module uses its eventfd.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/kvm.h>

#include <kselftest_harness.h>

#include "pipe_dev.h"

#define TIMEOUT		120
#define MEM_SIZE	(8u << 20)

static int set_line_vm(struct pipe_dev *dev, int vm_fd, void *memory)
{
	struct vhost_goldfish_pipe_line_vm line = {
		.vm_fd = vm_fd, .gsi = 18, .uaddr = (uintptr_t)memory,
	};

	return __pipe_ioctl(dev->fd, VHOST_GOLDFISH_PIPE_SET_LINE_VM, &line);
}

static bool feature(struct pipe_dev *dev)
{
	uint64_t features = 0;

	if (__pipe_ioctl(dev->fd, VHOST_GET_BACKEND_FEATURES, &features))
		pipe_die("no features");
	return features >> VHOST_GOLDFISH_PIPE_F_LINE_VM & 1;
}

#ifdef __x86_64__

#define PIN		18
#define VECTOR		0x41
#define REMOTE_IRR	0x04000u
#define LEVEL_TRIGGERED	0x08000u
#define MASKED		0x10000u
/* Of a local APIC's registers. */
#define APIC_SPIV	0xf0
#define APIC_ENABLED	0x1ff
#define APIC_IRR	0x200

/**
 * struct machine - a VM whose vCPU does not run
 * @fd: KVM's file
 * @vcpu: of its vCPU
 */
struct machine {
	int fd;
	int vcpu;
};

static void die_unless(bool good, const char *what)
{
	if (!good)
		pipe_die("%s: %s", what, strerror(errno));
}

static void apic_word(struct kvm_lapic_state *apic, unsigned int at, uint32_t value)
{
	memcpy(apic->regs + at, &value, sizeof(value));
}

static bool machine_create(struct machine *machine)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	struct kvm_lapic_state apic;

	if (kvm < 0)
		return false;
	machine->fd = ioctl(kvm, KVM_CREATE_VM, 0);
	die_unless(machine->fd >= 0, "KVM_CREATE_VM");
	die_unless(!ioctl(machine->fd, KVM_CREATE_IRQCHIP, 0), "KVM_CREATE_IRQCHIP");
	machine->vcpu = ioctl(machine->fd, KVM_CREATE_VCPU, 0);
	die_unless(machine->vcpu >= 0, "KVM_CREATE_VCPU");
	die_unless(!ioctl(machine->vcpu, KVM_GET_LAPIC, &apic), "KVM_GET_LAPIC");
	apic_word(&apic, APIC_SPIV, APIC_ENABLED);
	die_unless(!ioctl(machine->vcpu, KVM_SET_LAPIC, &apic), "KVM_SET_LAPIC");
	close(kvm);
	return true;
}

static void machine_destroy(struct machine *machine)
{
	close(machine->vcpu);
	close(machine->fd);
}

static struct kvm_irqchip ioapic_get(struct machine *machine)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };

	die_unless(!ioctl(machine->fd, KVM_GET_IRQCHIP, &chip), "KVM_GET_IRQCHIP");
	return chip;
}

/* Sets the IOAPIC as a guest does; drops an interrupt that was sent. */
static void ioapic_set(struct machine *machine, uint64_t entry)
{
	struct kvm_irqchip chip = ioapic_get(machine);

	chip.chip.ioapic.redirtbl[PIN].bits = entry;
	die_unless(!ioctl(machine->fd, KVM_SET_IRQCHIP, &chip), "KVM_SET_IRQCHIP");
}

static uint64_t ioapic_entry(struct machine *machine)
{
	return ioapic_get(machine).chip.ioapic.redirtbl[PIN].bits;
}

static bool pin_is_up(struct machine *machine)
{
	return ioapic_get(machine).chip.ioapic.irr >> PIN & 1;
}

/* The vCPU has been sent the interrupt. */
static bool interrupt_pending(struct machine *machine)
{
	struct kvm_lapic_state apic;
	uint32_t word;

	die_unless(!ioctl(machine->vcpu, KVM_GET_LAPIC, &apic), "KVM_GET_LAPIC");
	memcpy(&word, apic.regs + APIC_IRR + VECTOR / 32 * 16, sizeof(word));
	return word >> VECTOR % 32 & 1;
}

FIXTURE(line)
{
	struct pipe_mem mem;
	struct pipe_dev dev;
	struct machine machine;
	struct test_pipe pipe;
	uint64_t data;
	uint8_t *page;
	uint64_t *memory;
	int call;
	int resample;
};

FIXTURE_SETUP(line)
{
	if (__pipe_dev_open(&self->dev, NULL))
		SKIP(return, "no usable " PIPE_DEV_PATH);
	pipe_dev_close(&self->dev);
	if (!machine_create(&self->machine))
		SKIP(return, "no usable /dev/kvm");
	ioapic_set(&self->machine, LEVEL_TRIGGERED | VECTOR);
	pipe_mem_create(&self->mem, RANCHU_RAM_BASE, MEM_SIZE);
	pipe_dev_start(&self->dev, &self->mem);
	self->page = mmap(NULL, HOST_PAGE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	self->memory = mmap(NULL, HOST_PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
	self->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	self->resample = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_LE(0, self->call);
	ASSERT_LE(0, self->resample);
	ASSERT_EQ(0, __pipe_set_line(&self->dev, self->call, self->resample));
	self->data = pipe_mem_alloc(&self->mem, HOST_PAGE, HOST_PAGE);
	pipe_handshake(&self->dev);
	pipe_connect(&self->dev, &self->pipe, 0, "pipe:pingpong");
	ASSERT_EQ(0, set_line_vm(&self->dev, self->machine.fd, self->memory));
}

FIXTURE_TEARDOWN(line)
{
	pipe_dev_close(&self->dev);
	close(self->call);
	close(self->resample);
	machine_destroy(&self->machine);
	munmap(self->memory, HOST_PAGE);
	munmap(self->page, HOST_PAGE);
	pipe_mem_destroy(&self->mem);
}

/* Returns whether the eventfd of the irqfd was signalled. */
static bool called(int call)
{
	struct pollfd pollfd = { .fd = call, .events = POLLIN };
	eventfd_t count;

	return poll(&pollfd, 1, 0) == 1 && !eventfd_read(call, &count);
}

static uint64_t sent(struct pipe_dev *dev)
{
	struct vhost_goldfish_pipe_stats stats;

	pipe_get_stats(dev, &stats);
	return stats.line_vm;
}

/* Reads the batch, as the guest does in its interrupt. */
static uint32_t fetch(struct pipe_dev *dev)
{
	return pipe_reg_read(dev, GOLDFISH_PIPE_REG_GET_SIGNALLED);
}

/* A command wakes the guest, in this thread. */
static void wake(struct test_pipe *pipe, uint64_t data)
{
	if (pipe_command(pipe, GOLDFISH_PIPE_CMD_WAKE_ON_READ))
		pipe_die("WAKE_ON_READ");
	if (pipe_write(pipe, data, 1) != 1)
		pipe_die("WRITE");
}

static void empty(struct test_pipe *pipe, uint64_t data)
{
	if (pipe_read(pipe, data, 1) != 1)
		pipe_die("READ");
}

/* The guest ends its interrupt, with the pin masked or not: for KVM and for the module. */
static void end_with(struct machine *machine, int resample, uint64_t mask)
{
	ioapic_set(machine, mask | LEVEL_TRIGGERED | VECTOR);
	if (eventfd_write(resample, 1))
		pipe_die("resample: %s", strerror(errno));
}

static void end_interrupt(struct machine *machine, int resample)
{
	end_with(machine, resample, 0);
}

TEST_F_TIMEOUT(line, sent_without_the_irqfd, TIMEOUT)
{
	wake(&self->pipe, self->data);
	EXPECT_EQ(1, sent(&self->dev));
	EXPECT_FALSE(called(self->call));
	EXPECT_TRUE(interrupt_pending(&self->machine));
	EXPECT_TRUE(ioapic_entry(&self->machine) & REMOTE_IRR);
	/* Else it would be sent again at its end. */
	EXPECT_FALSE(pin_is_up(&self->machine));
	EXPECT_EQ(1, fetch(&self->dev));
	end_interrupt(&self->machine, self->resample);
	EXPECT_EQ(1, sent(&self->dev));
	EXPECT_FALSE(called(self->call));
}

TEST_F_TIMEOUT(line, next_batch_at_the_end, TIMEOUT)
{
	wake(&self->pipe, self->data);
	EXPECT_EQ(1, fetch(&self->dev));
	empty(&self->pipe, self->data);
	wake(&self->pipe, self->data);
	EXPECT_EQ(1, sent(&self->dev));
	end_interrupt(&self->machine, self->resample);
	/* Served before eventfd_write() returned. */
	EXPECT_EQ(2, sent(&self->dev));
	EXPECT_TRUE(ioapic_entry(&self->machine) & REMOTE_IRR);
	EXPECT_EQ(1, fetch(&self->dev));
	end_interrupt(&self->machine, self->resample);
	EXPECT_EQ(2, sent(&self->dev));
	EXPECT_FALSE(called(self->call));
}

TEST_F_TIMEOUT(line, an_end_before_the_fetch_sends_again, TIMEOUT)
{
	wake(&self->pipe, self->data);
	end_interrupt(&self->machine, self->resample);
	EXPECT_EQ(2, sent(&self->dev));
	EXPECT_EQ(1, fetch(&self->dev));
	end_interrupt(&self->machine, self->resample);
	EXPECT_EQ(2, sent(&self->dev));
	EXPECT_FALSE(called(self->call));
}

/* KVM reports the unmasking as an end, but the guest has not seen the batch. */
TEST_F_TIMEOUT(line, masked_pin_loses_no_batch, TIMEOUT)
{
	ioapic_set(&self->machine, MASKED | LEVEL_TRIGGERED | VECTOR);
	wake(&self->pipe, self->data);
	EXPECT_EQ(0, sent(&self->dev));
	EXPECT_TRUE(called(self->call));
	EXPECT_FALSE(interrupt_pending(&self->machine));
	EXPECT_FALSE(pin_is_up(&self->machine));

	end_interrupt(&self->machine, self->resample);
	EXPECT_EQ(1, sent(&self->dev));
	EXPECT_TRUE(interrupt_pending(&self->machine));
	EXPECT_FALSE(called(self->call));
	EXPECT_EQ(1, fetch(&self->dev));
	end_interrupt(&self->machine, self->resample);
	EXPECT_EQ(1, sent(&self->dev));
	EXPECT_FALSE(called(self->call));
}

/*
 * A guest with threaded handlers, on a KVM that does not report the unmasking: the
 * irqfd's interrupt ends with the pin masked, too.
 */
TEST_F_TIMEOUT(line, ends_with_the_pin_masked_come_to_rest, TIMEOUT)
{
	wake(&self->pipe, self->data);
	EXPECT_EQ(1, sent(&self->dev));
	end_with(&self->machine, self->resample, MASKED);
	/* The thread has not run yet. */
	EXPECT_TRUE(called(self->call));
	EXPECT_EQ(1, fetch(&self->dev));
	/* The pin is unmasked, which the irqfd's interrupt waits for. */
	end_with(&self->machine, self->resample, MASKED);
	EXPECT_FALSE(called(self->call));
	EXPECT_EQ(1, sent(&self->dev));
	EXPECT_EQ(0, fetch(&self->dev));

	empty(&self->pipe, self->data);
	ioapic_set(&self->machine, LEVEL_TRIGGERED | VECTOR);
	wake(&self->pipe, self->data);
	EXPECT_EQ(2, sent(&self->dev));
}

/* An interrupt of before is not ended yet; its end is not the batch's. */
TEST_F_TIMEOUT(line, unended_interrupt_loses_no_batch, TIMEOUT)
{
	ioapic_set(&self->machine, REMOTE_IRR | LEVEL_TRIGGERED | VECTOR);
	wake(&self->pipe, self->data);
	EXPECT_EQ(0, sent(&self->dev));
	EXPECT_TRUE(called(self->call));
	end_interrupt(&self->machine, self->resample);
	EXPECT_EQ(1, sent(&self->dev));
	EXPECT_EQ(1, fetch(&self->dev));
	end_interrupt(&self->machine, self->resample);
	EXPECT_EQ(1, sent(&self->dev));
	EXPECT_FALSE(called(self->call));
}

TEST_F_TIMEOUT(line, other_contexts_leave_it_to_the_irqfd, TIMEOUT)
{
	pipe_hang_up(&self->dev, 0);
	EXPECT_TRUE(called(self->call));
	EXPECT_EQ(0, sent(&self->dev));
	EXPECT_EQ(1, fetch(&self->dev));
	end_interrupt(&self->machine, self->resample);
	EXPECT_EQ(0, sent(&self->dev));
	EXPECT_FALSE(called(self->call));
}

TEST_F_TIMEOUT(line, without_its_memory, TIMEOUT)
{
	void *nowhere = mmap(NULL, HOST_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, nowhere);
	ASSERT_EQ(0, set_line_vm(&self->dev, self->machine.fd, nowhere));
	wake(&self->pipe, self->data);
	EXPECT_EQ(0, sent(&self->dev));
	EXPECT_TRUE(called(self->call));
	EXPECT_FALSE(interrupt_pending(&self->machine));
	EXPECT_EQ(1, fetch(&self->dev));
	end_interrupt(&self->machine, self->resample);
	EXPECT_FALSE(called(self->call));
	munmap(nowhere, HOST_PAGE);
}

TEST_F_TIMEOUT(line, taken_away_again, TIMEOUT)
{
	ASSERT_EQ(0, set_line_vm(&self->dev, -1, NULL));
	wake(&self->pipe, self->data);
	EXPECT_EQ(0, sent(&self->dev));
	EXPECT_TRUE(called(self->call));
}

/* With a window each end counts as the batch's: see the header of the ioctls. */
TEST_F_TIMEOUT(line, no_window_beside_it, TIMEOUT)
{
	EXPECT_EQ(-EINVAL, __pipe_set_window(&self->dev, self->page));
	ASSERT_EQ(0, set_line_vm(&self->dev, -1, NULL));
	EXPECT_EQ(0, __pipe_set_window(&self->dev, self->page));
	EXPECT_EQ(-EINVAL, set_line_vm(&self->dev, self->machine.fd, self->memory));
	EXPECT_EQ(0, set_line_vm(&self->dev, -1, NULL));
	wake(&self->pipe, self->data);
	EXPECT_EQ(0, sent(&self->dev));
	EXPECT_TRUE(called(self->call));
	ASSERT_EQ(0, __pipe_set_window(&self->dev, NULL));
	EXPECT_EQ(0, set_line_vm(&self->dev, self->machine.fd, self->memory));
}

/* A line that the VMM lowers stays the VMM's. */
TEST_F_TIMEOUT(line, without_a_resample_fd, TIMEOUT)
{
	ASSERT_EQ(0, __pipe_set_line(&self->dev, self->call, -1));
	wake(&self->pipe, self->data);
	EXPECT_EQ(0, sent(&self->dev));
	EXPECT_TRUE(pipe_line_level(&self->dev));
	EXPECT_FALSE(interrupt_pending(&self->machine));
}

/* In another process, with this one's VM. */
static bool leaves_it_to_the_irqfd(struct pipe_mem *mem, int vm_fd, int call, int resample)
{
	uint64_t memory[2];
	struct test_pipe pipe;
	struct pipe_dev dev;
	bool good;

	pipe_dev_start(&dev, mem);
	pipe_handshake(&dev);
	pipe_connect(&dev, &pipe, 0, "pipe:pingpong");
	good = !__pipe_set_line(&dev, call, resample) && !set_line_vm(&dev, vm_fd, memory);
	wake(&pipe, pipe_mem_alloc(mem, HOST_PAGE, HOST_PAGE));
	return good && called(call) && !sent(&dev);
}

/* KVM does not serve a process that has not made the VM. */
TEST_F_TIMEOUT(line, vm_of_another_process, TIMEOUT)
{
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(!leaves_it_to_the_irqfd(&self->mem, self->machine.fd, self->call,
					      self->resample));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_FALSE(interrupt_pending(&self->machine));
}

TEST_F_TIMEOUT(line, wrong_arguments, TIMEOUT)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int stats = ioctl(self->machine.fd, KVM_GET_STATS_FD, 0);
	struct pipe_dev *dev = &self->dev;

	ASSERT_LE(0, null);
	EXPECT_TRUE(feature(dev));
	EXPECT_EQ(-EINVAL, set_line_vm(dev, null, self->memory));
	EXPECT_EQ(-EINVAL, set_line_vm(dev, self->call, self->memory));
	EXPECT_EQ(-EINVAL, set_line_vm(dev, self->machine.vcpu, self->memory));
	EXPECT_EQ(-EINVAL, set_line_vm(dev, dev->fd, self->memory));
	if (stats >= 0)
		EXPECT_EQ(-EINVAL, set_line_vm(dev, stats, self->memory));
	EXPECT_EQ(-EINVAL, set_line_vm(dev, self->machine.fd, (uint8_t *)self->memory + 4));
	EXPECT_EQ(-EBADF, set_line_vm(dev, 1000, self->memory));
	EXPECT_EQ(-EBADF, set_line_vm(dev, -2, self->memory));
	EXPECT_EQ(-EFAULT, __pipe_ioctl(dev->fd, VHOST_GOLDFISH_PIPE_SET_LINE_VM, NULL));
	/* What was set before still is. */
	wake(&self->pipe, self->data);
	EXPECT_EQ(1, sent(dev));
	close(null);
	if (stats >= 0)
		close(stats);
}

#else

/* On this architecture an irqfd raises the line at once, and the ioctl returns no result. */
TEST(not_on_this_architecture)
{
	struct pipe_dev dev;

	if (__pipe_dev_open(&dev, NULL))
		SKIP(return, "no usable " PIPE_DEV_PATH);
	ASSERT_EQ(0, __pipe_set_owner(&dev));
	EXPECT_FALSE(feature(&dev));
	EXPECT_EQ(-EOPNOTSUPP, set_line_vm(&dev, -1, NULL));
	pipe_dev_close(&dev);
}

#endif

TEST_HARNESS_MAIN
