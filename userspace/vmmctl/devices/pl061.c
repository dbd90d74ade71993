// SPDX-License-Identifier: GPL-2.0-only
/*
 * PL061: eight GPIO lines. The board names the line of the power key; a press of it lasts a
 * tenth of a second. Nothing else is connected.
 *
 * Source: ARM DDI 0190 (PrimeCell GPIO PL061), register map and 3.3.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "devices/devices.h"
#include "host/host.h"

#define GPIO_DATA_END	0x400	/* data registers: the offset selects the lines */
#define GPIO_DIR	0x400
#define GPIO_IS		0x404
#define GPIO_IBE	0x408
#define GPIO_IEV	0x40c
#define GPIO_IE		0x410
#define GPIO_RIS	0x414
#define GPIO_MIS	0x418
#define GPIO_IC		0x41c
#define GPIO_AFSEL	0x420
#define GPIO_PERIPH_ID0	0xfe0

#define PRESS_NS	100000000L

/* Peripheral and PrimeCell identification, one byte per register. */
static const u8 gpio_id[8] = { 0x61, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

/* Lines that have the level at which they raise an interrupt. */
static u8 active_levels(const struct vmm_pl061 *gpio)
{
	return gpio->reg[VMM_PL061_IS] & ~(gpio->in ^ gpio->reg[VMM_PL061_IEV]);
}

static u8 raw_interrupts(const struct vmm_pl061 *gpio)
{
	return (gpio->edges & ~gpio->reg[VMM_PL061_IS]) | active_levels(gpio);
}

static void gpio_update_locked(struct vmm_pl061 *gpio)
{
	bool level = raw_interrupts(gpio) & gpio->reg[VMM_PL061_IE];

	if (level == gpio->level)
		return;
	gpio->level = level;
	gpio->irq(gpio->arg, level);
}

static void gpio_input_locked(struct vmm_pl061 *gpio, u8 in)
{
	u8 changed = gpio->in ^ in;
	u8 wanted = gpio->reg[VMM_PL061_IBE] | ~(in ^ gpio->reg[VMM_PL061_IEV]);

	gpio->in = in;
	gpio->edges |= changed & wanted & ~gpio->reg[VMM_PL061_IS];
	gpio_update_locked(gpio);
}

/**
 * vmm_pl061_init - initialise lines to their reset state
 * @gpio: callbacks are set, all other members are zero
 */
void vmm_pl061_init(struct vmm_pl061 *gpio)
{
	pthread_mutex_init(&gpio->lock, NULL);
}

/**
 * vmm_pl061_reset - put lines into their reset state: all are inputs, and low
 * @gpio: the lines
 */
void vmm_pl061_reset(struct vmm_pl061 *gpio)
{
	unsigned int i;

	pthread_mutex_lock(&gpio->lock);
	for (i = 0; i < VMM_PL061_REGS; i++)
		gpio->reg[i] = 0;
	gpio->out = 0;
	gpio->in = 0;
	gpio->edges = 0;
	gpio_update_locked(gpio);
	pthread_mutex_unlock(&gpio->lock);
}

/* Returns the index of a register that keeps the written value, or -1. */
static int kept(u32 offset)
{
	switch (offset) {
	case GPIO_DIR:
		return VMM_PL061_DIR;
	case GPIO_IS:
		return VMM_PL061_IS;
	case GPIO_IBE:
		return VMM_PL061_IBE;
	case GPIO_IEV:
		return VMM_PL061_IEV;
	case GPIO_IE:
		return VMM_PL061_IE;
	case GPIO_AFSEL:
		return VMM_PL061_AFSEL;
	default:
		return -1;
	}
}

static u32 gpio_read_locked(const struct vmm_pl061 *gpio, u32 offset)
{
	u8 dir = gpio->reg[VMM_PL061_DIR];

	if (offset < GPIO_DATA_END)
		return ((gpio->out & dir) | (gpio->in & ~dir)) & (offset >> 2);
	if (kept(offset) >= 0)
		return gpio->reg[kept(offset)];
	if (offset == GPIO_RIS)
		return raw_interrupts(gpio);
	if (offset == GPIO_MIS)
		return raw_interrupts(gpio) & gpio->reg[VMM_PL061_IE];
	if (offset >= GPIO_PERIPH_ID0 && !(offset & 3))
		return gpio_id[(offset - GPIO_PERIPH_ID0) / 4 % sizeof(gpio_id)];
	return 0;
}

/**
 * vmm_pl061_read - answer a guest read
 * @gpio: the lines
 * @offset: byte offset of the register
 *
 * Context: any thread.
 * Return: the register's value
 */
u32 vmm_pl061_read(struct vmm_pl061 *gpio, u32 offset)
{
	u32 value;

	pthread_mutex_lock(&gpio->lock);
	value = gpio_read_locked(gpio, offset);
	pthread_mutex_unlock(&gpio->lock);
	return value;
}

/**
 * vmm_pl061_write - take a guest write
 * @gpio: the lines
 * @offset: byte offset of the register
 * @value: what was written
 *
 * Context: any thread.
 */
void vmm_pl061_write(struct vmm_pl061 *gpio, u32 offset, u32 value)
{
	u8 lines = offset >> 2;

	pthread_mutex_lock(&gpio->lock);
	if (offset < GPIO_DATA_END)
		gpio->out = (gpio->out & ~lines) | (value & lines);
	else if (kept(offset) >= 0)
		gpio->reg[kept(offset)] = value;
	else if (offset == GPIO_IC)
		gpio->edges &= ~value;
	gpio_update_locked(gpio);
	pthread_mutex_unlock(&gpio->lock);
}

/**
 * vmm_pl061_set - change the level of a line from outside
 * @gpio: the lines
 * @line: which, 0 to 7
 * @level: high or low
 *
 * Context: any thread.
 * Return: whether the guest has enabled the line's interrupt
 */
bool vmm_pl061_set(struct vmm_pl061 *gpio, unsigned int line, bool level)
{
	u8 bit = 1 << line;
	bool listens;

	pthread_mutex_lock(&gpio->lock);
	listens = gpio->reg[VMM_PL061_IE] & bit;
	gpio_input_locked(gpio, level ? gpio->in | bit : gpio->in & ~bit);
	pthread_mutex_unlock(&gpio->lock);
	return listens;
}

/* ---- the device on the board ---- */

/**
 * struct keys - the lines, and the timer that releases the power key
 * @gpio: the lines
 * @dev: the device
 * @timer_fd: expires when the key is released
 */
struct keys {
	struct vmm_pl061 gpio;
	struct vmm_device *dev;
	int timer_fd;
};

static void timer_set(const struct keys *keys, long ns)
{
	struct itimerspec when = { .it_value.tv_nsec = ns };

	timerfd_settime(keys->timer_fd, 0, &when, NULL);
}

static bool key_pressed(struct keys *keys)
{
	bool pressed;

	pthread_mutex_lock(&keys->gpio.lock);
	pressed = keys->gpio.in;
	pthread_mutex_unlock(&keys->gpio.lock);
	return pressed;
}

static int key_released(void *arg)
{
	struct keys *keys = arg;
	u64 times;

	if (read(keys->timer_fd, &times, sizeof(times)) == sizeof(times))
		vmm_pl061_set(&keys->gpio, keys->dev->vm->board.power_key, false);
	return 0;
}

static void pl061_destroy(struct vmm_device *dev)
{
	struct keys *keys = dev->state;

	if (keys->timer_fd >= 0) {
		vmm_loop_del(dev->vm->loop, keys->timer_fd);
		close(keys->timer_fd);
	}
	pthread_mutex_destroy(&keys->gpio.lock);
	free(keys);
}

static int pl061_create(struct vmm_device *dev)
{
	struct keys *keys = calloc(1, sizeof(*keys));
	int err;

	if (!keys)
		return vmm_error(ENOMEM, "pl061");
	keys->dev = dev;
	keys->gpio.irq = vmm_device_irq;
	keys->gpio.arg = dev;
	vmm_pl061_init(&keys->gpio);
	dev->state = keys;
	keys->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	err = keys->timer_fd < 0 ? vmm_error(errno, "pl061: cannot make a timer") :
				   vmm_loop_add(dev->vm->loop, keys->timer_fd, key_released, keys);
	if (err)
		pl061_destroy(dev);
	return err;
}

static void pl061_reset(struct vmm_device *dev)
{
	struct keys *keys = dev->state;

	timer_set(keys, 0);
	vmm_pl061_reset(&keys->gpio);
}

/* Registers are 32 bits wide; a read of any length returns the whole register. */
static u64 pl061_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	struct keys *keys = dev->state;

	(void)len;
	return vmm_pl061_read(&keys->gpio, offset);
}

static void pl061_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	struct keys *keys = dev->state;

	(void)len;
	vmm_pl061_write(&keys->gpio, offset, value);
}

static void pl061_pause(struct vmm_device *dev)
{
	timer_set(dev->state, 0);
}

static void pl061_resume(struct vmm_device *dev)
{
	struct keys *keys = dev->state;

	if (key_pressed(keys))
		timer_set(keys, PRESS_NS);
}

/* Fields of the saved state; a number is never reused. */
enum {
	STATE_REGS = 1,	/* registers that keep the written value */
	STATE_LINES,	/* output levels, input levels, edges */
};

#define STATE_VERSION	1

static int pl061_save(struct vmm_device *dev, struct vmm_state *state)
{
	struct keys *keys = dev->state;
	struct vmm_pl061 *gpio = &keys->gpio;
	u8 lines[3];
	int err = vmm_state_begin(state, dev->ops->name, STATE_VERSION);

	if (err)
		return err;
	pthread_mutex_lock(&gpio->lock);
	lines[0] = gpio->out;
	lines[1] = gpio->in;
	lines[2] = gpio->edges;
	vmm_state_put(state, STATE_REGS, gpio->reg, sizeof(gpio->reg));
	pthread_mutex_unlock(&gpio->lock);
	vmm_state_put(state, STATE_LINES, lines, sizeof(lines));
	return vmm_state_end(state);
}

static int pl061_load(struct vmm_device *dev, struct vmm_state *state)
{
	struct keys *keys = dev->state;
	struct vmm_pl061 *gpio = &keys->gpio;
	u8 regs[VMM_PL061_REGS];
	u8 lines[3];
	unsigned int i;
	int err = vmm_state_open(state, dev->ops->name, STATE_VERSION);

	if (err < 0)
		return err;
	vmm_state_get(state, STATE_REGS, regs, sizeof(regs));
	vmm_state_get(state, STATE_LINES, lines, sizeof(lines));
	err = vmm_state_close(state);
	/* Nothing is connected to the other lines. */
	if (!err && lines[1] & ~(1 << dev->vm->board.power_key))
		err = -EINVAL;
	if (err)
		return err;
	pthread_mutex_lock(&gpio->lock);
	for (i = 0; i < VMM_PL061_REGS; i++)
		gpio->reg[i] = regs[i];
	gpio->out = lines[0];
	gpio->in = lines[1];
	gpio->edges = lines[2];
	gpio_update_locked(gpio);
	pthread_mutex_unlock(&gpio->lock);
	return 0;
}

static int pl061_press(struct vmm_device *dev, const char *arg, struct vmm_text *text)
{
	struct keys *keys = dev->state;

	(void)arg;
	(void)text;
	if (!vmm_pl061_set(&keys->gpio, dev->vm->board.power_key, true))
		vmm_note("the guest does not listen to its power button yet");
	timer_set(keys, PRESS_NS);
	return 0;
}

static const struct vmm_device_command pl061_commands[] = {
	{ "power-button", "press the guest's power button", pl061_press },
	{ }
};

static void pl061_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	struct vmm_description description = {
		.node = "pl061",
		.compatible = { "arm,pl061", "arm,primecell" },
		.base = dev->base,
		.size = dev->size,
		.irq = dev->irq,
		.trigger = dev->trigger,
		.clocks = { "apb_pclk" },
		.gpio = true,
	};

	visitor->device(visitor, &description);
}

/** Lines of input and output, with the power key. */
const struct vmm_device_ops vmm_pl061_ops = {
	.name = "pl061",
	.create = pl061_create,
	.reset = pl061_reset,
	.destroy = pl061_destroy,
	.read = pl061_read,
	.write = pl061_write,
	.pause = pl061_pause,
	.resume = pl061_resume,
	.save = pl061_save,
	.load = pl061_load,
	.describe = pl061_describe,
	.commands = pl061_commands,
};
