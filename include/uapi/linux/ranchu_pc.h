/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The x86_64 board: where things are in guest physical memory and among the ports, and
 * which interrupt each device raises. Guest ABI: a number here never changes.
 *
 *	0000_0000  RAM, at most 3 GiB from here on
 *	  0000_7000  what a boot loader tells the kernel, and page tables behind it
 *	  0002_0000  the kernel's command line
 *	  0009_f000  not RAM for the guest's kernel, up to 1 MiB:
 *	  000e_0000  ACPI tables
 *	  0010_0000  RAM again
 *	c000_0000  PCI memory
 *	fec0_0000  IOAPIC
 *	fee0_0000  local APICs
 *	feff_c000  KVM's own: identity map and task state, 4 pages
 *	ff00_0000  the VM's generation, a page to read
 *	ff00_1000  goldfish pipe
 *	ff01_0000  goldfish battery
 *	ff01_1000  goldfish events
 *	ff01_2000  goldfish framebuffer
 *	ff01_3000  goldfish audio
 *	ff01_4000  goldfish sync
 *	ff01_6000  goldfish rtc
 *	ff01_7000  goldfish rotary
 *	ff01_8000  the emulator's pstore, 64 KiB, with vmmctl's --pstore
 *	1_0000_0000	RAM, at most 27 GiB
 *	8_0000_0000	PCI memory, 32 GiB
 *
 *	port 0020, 00a0	PICs		port 0040, 0061	PIT
 *	port 0064	i8042: the reset pulse, nothing else
 *	port 0070	clock		port 03f8	16550A, the console
 *	port 0505	pvpanic		port 0600	ACPI power management
 *	port 04d0	the PICs' triggers
 *	port 0cf8	PCI configuration
 *	port 0cf9	reset
 *	port 1000	PCI ports, to ffff
 *
 * KVM has the PICs, the PIT, the IOAPIC and the APICs.
 *
 * Source: goldfish_defs.h of the emulator's QEMU for the goldfish devices and their
 * interrupts; a PC has the ports where all PCs have them. The rest is ours.
 */
#ifndef _UAPI_LINUX_RANCHU_PC_H
#define _UAPI_LINUX_RANCHU_PC_H

#define RANCHU_PC_LOW_RAM_MAX		0xc0000000
#define RANCHU_PC_HIGH_RAM_BASE		0x100000000ULL
#define RANCHU_PC_HIGH_RAM_MAX		0x6c0000000ULL	/* 27 GiB */
#define RANCHU_PC_LEGACY_BASE		0x0009f000	/* no RAM for the guest's kernel */
#define RANCHU_PC_LEGACY_END		0x00100000
#define RANCHU_PC_ACPI_BASE		0x000e0000
#define RANCHU_PC_ACPI_SIZE		0x00020000

#define RANCHU_PC_PCI_BASE		0xc0000000
#define RANCHU_PC_PCI_SIZE		0x3ec00000
#define RANCHU_PC_PCI64_BASE		0x800000000ULL
#define RANCHU_PC_PCI64_SIZE		0x800000000ULL
#define RANCHU_PC_IOAPIC_BASE		0xfec00000
#define RANCHU_PC_LAPIC_BASE		0xfee00000
#define RANCHU_PC_MESSAGES		0x00100000	/* bytes from there on that take messages */
#define RANCHU_PC_KVM_BASE		0xfeffc000
#define RANCHU_PC_KVM_SIZE		0x00004000

#define RANCHU_PC_VMGENID_BASE		0xff000000
#define RANCHU_PC_VMGENID_SIZE		0x00001000
#define RANCHU_PC_PIPE_BASE		0xff001000
#define RANCHU_PC_PIPE_SIZE		0x00002000
#define RANCHU_PC_BATTERY_BASE		0xff010000
#define RANCHU_PC_BATTERY_SIZE		0x00001000
#define RANCHU_PC_EVENTS_BASE		0xff011000
#define RANCHU_PC_EVENTS_SIZE		0x00001000
#define RANCHU_PC_FB_BASE		0xff012000
#define RANCHU_PC_FB_SIZE		0x00000100
#define RANCHU_PC_AUDIO_BASE		0xff013000
#define RANCHU_PC_AUDIO_SIZE		0x00000100
#define RANCHU_PC_SYNC_BASE		0xff014000
#define RANCHU_PC_SYNC_SIZE		0x00002000
#define RANCHU_PC_RTC_BASE		0xff016000
#define RANCHU_PC_RTC_SIZE		0x00001000
#define RANCHU_PC_ROTARY_BASE		0xff017000
#define RANCHU_PC_ROTARY_SIZE		0x00001000
#define RANCHU_PC_PSTORE_BASE		0xff018000
#define RANCHU_PC_PSTORE_SIZE		0x00010000

#define RANCHU_PC_I8042_PORT		0x0064
#define RANCHU_PC_CMOS_PORT		0x0070
#define RANCHU_PC_CMOS_PORTS		2
#define RANCHU_PC_COM1_PORT		0x03f8
#define RANCHU_PC_COM1_PORTS		8
#define RANCHU_PC_PVPANIC_PORT		0x0505
#define RANCHU_PC_PM_PORT		0x0600
#define RANCHU_PC_PM_PORTS		12
#define RANCHU_PC_PCI_CONFIG_PORT	0x0cf8
#define RANCHU_PC_PCI_CONFIG_PORTS	8
#define RANCHU_PC_RESET_PORT		0x0cf9
#define RANCHU_PC_PCI_PORT		0x1000	/* for PCI functions, up to the last */
#define RANCHU_PC_PCI_PORTS		0xf000

/* Global system interrupts: pins of the IOAPIC, and above them messages. */
#define RANCHU_PC_COM1_GSI		4
#define RANCHU_PC_VMGENID_GSI		5
#define RANCHU_PC_CMOS_GSI		8
#define RANCHU_PC_SCI_GSI		9
#define RANCHU_PC_PCI_GSI_A		10	/* of two, that pins of PCI slots share */
#define RANCHU_PC_PCI_GSI_B		11
#define RANCHU_PC_BATTERY_GSI		16
#define RANCHU_PC_EVENTS_GSI		17
#define RANCHU_PC_PIPE_GSI		18
#define RANCHU_PC_FB_GSI		19
#define RANCHU_PC_AUDIO_GSI		20
#define RANCHU_PC_SYNC_GSI		21
#define RANCHU_PC_RTC_GSI		22
#define RANCHU_PC_ROTARY_GSI		23
#define RANCHU_PC_IOAPIC_PINS		24
#define RANCHU_PC_MSI_GSI		24	/* the first message */

#endif /* _UAPI_LINUX_RANCHU_PC_H */
