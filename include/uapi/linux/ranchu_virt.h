/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The second arm64 board: the map that the emulator uses on an aarch64 host. Guest ABI:
 * a number here never changes. Guests find everything by the device tree.
 *
 *	0800_0000  GIC distributor
 *	0801_0000  GICv2 CPU interface
 *	0802_0000  GICv2m frame: messages become shared peripheral interrupts
 *	080a_0000  GICv3 redistributors
 *	0900_0000  PL011 console
 *	0901_0000  PL031 clock
 *	0903_0000  PL061 GPIO, with the power key at line 3
 *	0906_0000  pvpanic, 2 bytes, with vmmctl's --pvpanic on (ours: the reference has none)
 *	0907_0000  detector of stuck vCPUs, 16 bytes for each, with --stall-detector on (ours)
 *	0a00_0000  32 virtio-mmio transports, 0x200 bytes each
 *	0a02_0000  goldfish framebuffer
 *	0a03_0000  goldfish audio
 *	0a04_0000  goldfish battery
 *	0a05_0000  goldfish events
 *	0a06_0000  goldfish pipe
 *	0a07_0000  goldfish sync
 *	0a08_0000  the VM's generation (ours: the reference has none)
 *	1000_0000  PCI memory below 4 GiB
 *	3f00_0000  PCI configuration space (ECAM)
 *	4000_0000  RAM, at most 255 GiB
 *	80_0000_0000  PCI memory, 64 bits
 *
 * There is no fw_cfg, no secure world and no platform bus: the reference has them for
 * firmware, which neither has here. Its ports at 3eff_0000 are left out, because no
 * device has any.
 *
 * Source: platform_external_qemu hw/arm/virt.c (50d63dd1e1e3); the GICv2m frame, which
 * the reference inherits, hw/arm/virt.c of QEMU.
 */
#ifndef _UAPI_LINUX_RANCHU_VIRT_H
#define _UAPI_LINUX_RANCHU_VIRT_H

#define RANCHU_VIRT_GICD_BASE		0x08000000
#define RANCHU_VIRT_GICD_SIZE		0x00010000
#define RANCHU_VIRT_GICC_BASE		0x08010000
#define RANCHU_VIRT_GICC_SIZE		0x00010000
#define RANCHU_VIRT_GICV2M_BASE		0x08020000
#define RANCHU_VIRT_GICV2M_SIZE		0x00001000
#define RANCHU_VIRT_GICR_BASE		0x080a0000
#define RANCHU_VIRT_GICR_SIZE_PER_CPU	0x00020000

#define RANCHU_VIRT_PL011_BASE		0x09000000
#define RANCHU_VIRT_PL011_SIZE		0x00001000
#define RANCHU_VIRT_RTC_BASE		0x09010000
#define RANCHU_VIRT_RTC_SIZE		0x00001000
#define RANCHU_VIRT_GPIO_BASE		0x09030000
#define RANCHU_VIRT_GPIO_SIZE		0x00001000
#define RANCHU_VIRT_PVPANIC_BASE	0x09060000
#define RANCHU_VIRT_PVPANIC_SIZE	0x00000002
#define RANCHU_VIRT_STALL_BASE		0x09070000
#define RANCHU_VIRT_STALL_SIZE		0x00001000
#define RANCHU_VIRT_VIRTIO_MMIO_BASE	0x0a000000
#define RANCHU_VIRT_VIRTIO_MMIO_SIZE	0x00000200	/* of one transport */
#define RANCHU_VIRT_VIRTIO_MMIO_COUNT	32
#define RANCHU_VIRT_FB_BASE		0x0a020000
#define RANCHU_VIRT_FB_SIZE		0x00000100
#define RANCHU_VIRT_AUDIO_BASE		0x0a030000
#define RANCHU_VIRT_AUDIO_SIZE		0x00000100
#define RANCHU_VIRT_BATTERY_BASE	0x0a040000
#define RANCHU_VIRT_BATTERY_SIZE	0x00001000
#define RANCHU_VIRT_EVENTS_BASE		0x0a050000
#define RANCHU_VIRT_EVENTS_SIZE		0x00001000
#define RANCHU_VIRT_PIPE_BASE		0x0a060000
#define RANCHU_VIRT_PIPE_SIZE		0x00002000
#define RANCHU_VIRT_SYNC_BASE		0x0a070000
#define RANCHU_VIRT_SYNC_SIZE		0x00002000
#define RANCHU_VIRT_VMGENID_BASE	0x0a080000
#define RANCHU_VIRT_VMGENID_SIZE	0x00010000	/* a page of any host's */
#define RANCHU_VIRT_PCI_BASE		0x10000000
#define RANCHU_VIRT_PCI_SIZE		0x2eff0000
#define RANCHU_VIRT_ECAM_BASE		0x3f000000
#define RANCHU_VIRT_ECAM_SIZE		0x01000000	/* 16 buses, the first is there */
#define RANCHU_VIRT_PCI64_BASE		0x8000000000ULL
#define RANCHU_VIRT_PCI64_SIZE		0x8000000000ULL

#define RANCHU_VIRT_RAM_BASE		0x40000000
#define RANCHU_VIRT_RAM_MAX		0x3fc0000000ULL	/* 255 GiB */

/* GIC shared peripheral interrupts, as the device tree counts them. */
#define RANCHU_VIRT_PL011_SPI		1
#define RANCHU_VIRT_RTC_SPI		2
#define RANCHU_VIRT_PCI_SPI		3	/* INTA; B, C and D are the next */
#define RANCHU_VIRT_GPIO_SPI		7
#define RANCHU_VIRT_FB_SPI		16
#define RANCHU_VIRT_BATTERY_SPI		17
#define RANCHU_VIRT_AUDIO_SPI		18
#define RANCHU_VIRT_EVENTS_SPI		19
#define RANCHU_VIRT_PIPE_SPI		20
#define RANCHU_VIRT_SYNC_SPI		21
#define RANCHU_VIRT_VMGENID_SPI		22
#define RANCHU_VIRT_VIRTIO_MMIO_SPI	32	/* transport i raises 32 + i */
#define RANCHU_VIRT_GICV2M_SPI		64	/* the first message's */
#define RANCHU_VIRT_GICV2M_SPIS		64

/* Interrupt ids of the GIC, private ones included; a multiple of 32. */
#define RANCHU_VIRT_GIC_NR_IRQS		288

#define RANCHU_VIRT_POWER_KEY		3	/* line of the GPIO */

#endif /* _UAPI_LINUX_RANCHU_VIRT_H */
