// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest's driver of the goldfish rotary, for tests: Android's is in no Debian kernel. It
 * makes the same accesses as Android's driver, in the same order: the name, the
 * bitmaps of three types of events, the limits, whose length starts the device, and
 * three words for each interrupt, without reading a status.
 */
#include <linux/acpi.h>
#include <linux/input.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

#define ROTARY_READ		0x00
#define ROTARY_SET_PAGE		0x00
#define ROTARY_LEN		0x04
#define ROTARY_DATA		0x08

#define ROTARY_PAGE_NAME	0x00000
#define ROTARY_PAGE_BITS	0x10000	/* and the type */
#define ROTARY_PAGE_LIMITS	(0x20000 | EV_ABS)

#define ROTARY_NAME		63	/* bytes */

/**
 * struct rotary - the device
 * @regs: registers
 * @input: the guest's input device
 * @name: of the device
 */
struct rotary {
	void __iomem *regs;
	struct input_dev *input;
	char name[ROTARY_NAME + 1];
};

static irqreturn_t rotary_interrupt(int irq, void *data)
{
	struct rotary *rotary = data;
	u32 type = readl(rotary->regs + ROTARY_READ);
	u32 code = readl(rotary->regs + ROTARY_READ);
	u32 value = readl(rotary->regs + ROTARY_READ);

	/* The device itself sends SYN_REPORT. */
	input_event(rotary->input, type, code, value);
	return IRQ_HANDLED;
}

static void rotary_name(struct rotary *rotary)
{
	u32 len, i;

	writel(ROTARY_PAGE_NAME, rotary->regs + ROTARY_SET_PAGE);
	len = min_t(u32, readl(rotary->regs + ROTARY_LEN), ROTARY_NAME);
	for (i = 0; i < len; i++)
		rotary->name[i] = readb(rotary->regs + ROTARY_DATA + i);
}

static void rotary_bits(struct rotary *rotary, unsigned int type, unsigned long *bits,
			unsigned int count)
{
	u32 len, i;
	u8 byte;

	writel(ROTARY_PAGE_BITS | type, rotary->regs + ROTARY_SET_PAGE);
	len = readl(rotary->regs + ROTARY_LEN);
	for (i = 0; i < len; i++) {
		unsigned int bit;

		byte = readb(rotary->regs + ROTARY_DATA + i);
		for (bit = 0; bit < 8 && 8 * i + bit < count; bit++)
			if (byte & BIT(bit))
				__set_bit(8 * i + bit, bits);
	}
}

/* Reading the length starts the device, also without limits. */
static void rotary_limits(struct rotary *rotary)
{
	u32 len, axis;

	writel(ROTARY_PAGE_LIMITS, rotary->regs + ROTARY_SET_PAGE);
	len = readl(rotary->regs + ROTARY_LEN);
	for (axis = 0; axis < ABS_CNT && 16 * axis < len; axis++) {
		void __iomem *at = rotary->regs + ROTARY_DATA + 16 * axis;

		if (test_bit(axis, rotary->input->absbit))
			input_set_abs_params(rotary->input, axis, readl(at), readl(at + 4),
					     readl(at + 8), readl(at + 12));
	}
}

static int rotary_probe(struct platform_device *pdev)
{
	struct rotary *rotary = devm_kzalloc(&pdev->dev, sizeof(*rotary), GFP_KERNEL);
	struct resource *registers = platform_get_resource(pdev, IORESOURCE_MEM, 0);
	int err, irq = platform_get_irq(pdev, 0);

	if (!rotary)
		return -ENOMEM;
	if (!registers || irq < 0)
		return -ENODEV;
	rotary->regs = devm_ioremap(&pdev->dev, registers->start, resource_size(registers));
	rotary->input = devm_input_allocate_device(&pdev->dev);
	if (!rotary->regs || !rotary->input)
		return -ENOMEM;
	rotary_name(rotary);
	rotary->input->name = rotary->name;
	rotary->input->id.bustype = BUS_HOST;
	rotary_bits(rotary, EV_SYN, rotary->input->evbit, EV_CNT);
	rotary_bits(rotary, EV_REL, rotary->input->relbit, REL_CNT);
	rotary_bits(rotary, EV_ABS, rotary->input->absbit, ABS_CNT);
	rotary_limits(rotary);
	err = devm_request_irq(&pdev->dev, irq, rotary_interrupt, IRQF_SHARED, "goldfish_rotary",
			       rotary);
	return err ? err : input_register_device(rotary->input);
}

static const struct of_device_id rotary_of_match[] = {
	{ .compatible = "google,goldfish-rotary" },
	{ .compatible = "generic,goldfish-rotary" },
	{ },
};
MODULE_DEVICE_TABLE(of, rotary_of_match);

static const struct acpi_device_id rotary_acpi_match[] = {
	{ "GFSH0008", 0 },
	{ },
};
MODULE_DEVICE_TABLE(acpi, rotary_acpi_match);

/* Never unloaded: the guest ends with it. */
static struct platform_driver rotary_driver = {
	.probe = rotary_probe,
	.driver = {
		.name = "goldfish_rotary",
		.of_match_table = rotary_of_match,
		.acpi_match_table = ACPI_PTR(rotary_acpi_match),
		.suppress_bind_attrs = true,
	},
};
builtin_platform_driver(rotary_driver);

MODULE_DESCRIPTION("Guest's end of the goldfish rotary, for tests");
MODULE_LICENSE("GPL");
