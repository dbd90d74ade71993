/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The ranchu board: where things are in guest physical memory and which
 * interrupt each device raises. Guest ABI: a number here never changes.
 *
 *	0000_0000  flash space, nothing mapped
 *	0800_0000  GIC distributor
 *	0801_0000  GICv2 CPU interface
 *	080a_0000  GICv3 redistributors (our placement, see below)
 *	0900_0000  PL011 console
 *	0901_0000  goldfish framebuffer
 *	0902_0000  goldfish battery
 *	0903_0000  goldfish audio
 *	0904_0000  goldfish events
 *	0905_0000  PL031 clock (ours, see below)
 *	0906_0000  pvpanic, 2 bytes, with vmmctl's --pvpanic on (ours, see below)
 *	0907_0000  detector of stuck vCPUs, 16 bytes for each, with --stall-detector on (ours)
 *	0a00_0000  32 virtio-mmio transports, 0x200 bytes each
 *	0a01_0000  goldfish pipe
 *	0a02_0000  goldfish sync
 *	0a03_0000  the VM's generation (ours, see below)
 *	4000_0000  RAM, at most 30 GiB
 *
 * Source: platform_external_qemu hw/arm/ranchu.c (866554d0017e). The GICv3
 * redistributors, which that board does not have, are where hw/arm/virt.c of
 * the same repository (50d63dd1e1e3) puts them.
 *
 * That board has no clock either, and virt.c's place for one is the framebuffer's
 * here. Ours is at the next step of 64 KiB behind the last device of the row, with
 * the next interrupt; neither map has anything there. A guest finds it by the device
 * tree only, so that a VMM may leave it out. The same holds for the VM's generation, whose
 * size is that of the largest page that a host has: it is memory for the guest to read. And
 * for pvpanic, which has no interrupt; it is where the device tree's binding has its example.
 * The detector of stuck vCPUs, at the next step, has none either.
 */
#ifndef _UAPI_LINUX_RANCHU_H
#define _UAPI_LINUX_RANCHU_H

#define RANCHU_GICD_BASE		0x08000000
#define RANCHU_GICD_SIZE		0x00010000
#define RANCHU_GICC_BASE		0x08010000
#define RANCHU_GICC_SIZE		0x00010000
#define RANCHU_GICR_BASE		0x080a0000
#define RANCHU_GICR_SIZE_PER_CPU	0x00020000

#define RANCHU_PL011_BASE		0x09000000
#define RANCHU_PL011_SIZE		0x00001000
#define RANCHU_FB_BASE			0x09010000
#define RANCHU_FB_SIZE			0x00000100
#define RANCHU_BATTERY_BASE		0x09020000
#define RANCHU_BATTERY_SIZE		0x00001000
#define RANCHU_AUDIO_BASE		0x09030000
#define RANCHU_AUDIO_SIZE		0x00000100
#define RANCHU_EVENTS_BASE		0x09040000
#define RANCHU_EVENTS_SIZE		0x00001000
#define RANCHU_RTC_BASE			0x09050000
#define RANCHU_RTC_SIZE			0x00001000
#define RANCHU_PVPANIC_BASE		0x09060000
#define RANCHU_PVPANIC_SIZE		0x00000002
#define RANCHU_STALL_BASE		0x09070000
#define RANCHU_STALL_SIZE		0x00001000
#define RANCHU_VIRTIO_MMIO_BASE		0x0a000000
#define RANCHU_VIRTIO_MMIO_SIZE		0x00000200	/* of one transport */
#define RANCHU_VIRTIO_MMIO_COUNT	32
#define RANCHU_PIPE_BASE		0x0a010000
#define RANCHU_PIPE_SIZE		0x00002000
#define RANCHU_SYNC_BASE		0x0a020000
#define RANCHU_SYNC_SIZE		0x00002000
#define RANCHU_VMGENID_BASE		0x0a030000
#define RANCHU_VMGENID_SIZE		0x00010000

#define RANCHU_RAM_BASE			0x40000000
#define RANCHU_RAM_MAX			0x780000000ULL	/* 30 GiB */

/* GIC shared peripheral interrupts, as the device tree counts them. */
#define RANCHU_PL011_SPI		1
#define RANCHU_FB_SPI			2
#define RANCHU_BATTERY_SPI		3
#define RANCHU_AUDIO_SPI		4
#define RANCHU_EVENTS_SPI		5
#define RANCHU_PIPE_SPI			6
#define RANCHU_SYNC_SPI			7
#define RANCHU_RTC_SPI			8
#define RANCHU_VMGENID_SPI		9
#define RANCHU_VIRTIO_MMIO_SPI		16	/* transport i raises 16 + i */

/* Interrupt ids of the GIC, private ones included; a multiple of 32. */
#define RANCHU_GIC_NR_IRQS		160
#define RANCHU_GIC_FIRST_SPI		32

#endif /* _UAPI_LINUX_RANCHU_H */
