// SPDX-License-Identifier: GPL-2.0-only
//
// What every x86_64 board has in the same way. Devices are in a second table, which
// boards/acpi.c makes of what they say of themselves. The C preprocessor comes first, so
// that addresses, ports and interrupts are those of the board's header.

#include <linux/ranchu_pc.h>

// The last addresses of the PCI bus's windows. iasl adds up nothing in a descriptor, but
// refuses one whose last address is not what its base and its length make of it.
#define PCI_PORT_LAST	0xFFFF
#define PCI_LAST	0xFEBFFFFF
#define PCI64_LAST	0xFFFFFFFFF

DefinitionBlock ("", "DSDT", 2, "RANCHU", "PC", 1)
{
	// Soft off is type 0 of the power management's control register.
	Name (\_S5, Package () { 0, 0, 0, 0 })

	// Addresses that no driver may give to anything else.
	Device (\_SB.RSVD)
	{
		Name (_HID, EisaId ("PNP0C02"))
		Name (_UID, 1)
		Name (_CRS, ResourceTemplate ()
		{
			IO (Decode16, RANCHU_PC_PM_PORT, RANCHU_PC_PM_PORT, 1,
				RANCHU_PC_PM_PORTS)
			IO (Decode16, RANCHU_PC_RESET_PORT, RANCHU_PC_RESET_PORT, 1, 1)
			Memory32Fixed (ReadWrite, RANCHU_PC_KVM_BASE, RANCHU_PC_KVM_SIZE)
			Memory32Fixed (ReadWrite, RANCHU_PC_VMGENID_BASE,
				RANCHU_PC_VMGENID_SIZE)
		})
	}

	// The VM's generation: where its bytes are, and an event when they have changed. The
	// interrupt is an edge, as on the boards that have a device tree.
	Device (\_SB.VGEN)
	{
		Name (_HID, "RNCH0001")
		Name (_CID, Package () { "VMGENCTR", "VM_Gen_Counter" })
		Name (_DDN, "VM_Gen_Counter")
		Name (ADDR, Package () { RANCHU_PC_VMGENID_BASE, 0 })
	}
	Device (\_SB.GED)
	{
		Name (_HID, "ACPI0013")
		Name (_UID, 0)
		Name (_CRS, ResourceTemplate ()
		{
			Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive)
				{ RANCHU_PC_VMGENID_GSI }
		})
		Method (_EVT, 1, Serialized)
		{
			Notify (\_SB.VGEN, 0x80)
		}
	}

	// The PCI bus: who configures it, what it may be given, and which interrupt a slot's
	// pin A raises. No slot has another pin.
	Device (\_SB.PCI0)
	{
		Name (_HID, EisaId ("PNP0A03"))
		Name (_UID, 0)
		Name (_BBN, 0)
		Name (_CRS, ResourceTemplate ()
		{
			WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
				0, 0, 0, 0, 1)
			IO (Decode16, RANCHU_PC_PCI_CONFIG_PORT, RANCHU_PC_PCI_CONFIG_PORT, 1,
				RANCHU_PC_PCI_CONFIG_PORTS)
			WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
				0, RANCHU_PC_PCI_PORT, PCI_PORT_LAST, 0, RANCHU_PC_PCI_PORTS)
			DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
				NonCacheable, ReadWrite,
				0, RANCHU_PC_PCI_BASE, PCI_LAST, 0, RANCHU_PC_PCI_SIZE)
			QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
				NonCacheable, ReadWrite,
				0, RANCHU_PC_PCI64_BASE, PCI64_LAST, 0, RANCHU_PC_PCI64_SIZE)
		})
		Name (_PRT, Package ()
		{
			Package () { 0x0001FFFF, 0, 0, RANCHU_PC_PCI_GSI_B },
			Package () { 0x0002FFFF, 0, 0, RANCHU_PC_PCI_GSI_A },
			Package () { 0x0003FFFF, 0, 0, RANCHU_PC_PCI_GSI_B },
			Package () { 0x0004FFFF, 0, 0, RANCHU_PC_PCI_GSI_A },
			Package () { 0x0005FFFF, 0, 0, RANCHU_PC_PCI_GSI_B },
			Package () { 0x0006FFFF, 0, 0, RANCHU_PC_PCI_GSI_A },
			Package () { 0x0007FFFF, 0, 0, RANCHU_PC_PCI_GSI_B },
			Package () { 0x0008FFFF, 0, 0, RANCHU_PC_PCI_GSI_A },
			Package () { 0x0009FFFF, 0, 0, RANCHU_PC_PCI_GSI_B },
			Package () { 0x000AFFFF, 0, 0, RANCHU_PC_PCI_GSI_A },
			Package () { 0x000BFFFF, 0, 0, RANCHU_PC_PCI_GSI_B },
			Package () { 0x000CFFFF, 0, 0, RANCHU_PC_PCI_GSI_A },
			Package () { 0x000DFFFF, 0, 0, RANCHU_PC_PCI_GSI_B },
			Package () { 0x000EFFFF, 0, 0, RANCHU_PC_PCI_GSI_A },
			Package () { 0x000FFFFF, 0, 0, RANCHU_PC_PCI_GSI_B },
			Package () { 0x0010FFFF, 0, 0, RANCHU_PC_PCI_GSI_A },
			Package () { 0x0011FFFF, 0, 0, RANCHU_PC_PCI_GSI_B },
			Package () { 0x0012FFFF, 0, 0, RANCHU_PC_PCI_GSI_A },
			Package () { 0x0013FFFF, 0, 0, RANCHU_PC_PCI_GSI_B },
			Package () { 0x0014FFFF, 0, 0, RANCHU_PC_PCI_GSI_A },
			Package () { 0x0015FFFF, 0, 0, RANCHU_PC_PCI_GSI_B },
			Package () { 0x0016FFFF, 0, 0, RANCHU_PC_PCI_GSI_A },
			Package () { 0x0017FFFF, 0, 0, RANCHU_PC_PCI_GSI_B },
			Package () { 0x0018FFFF, 0, 0, RANCHU_PC_PCI_GSI_A },
			Package () { 0x0019FFFF, 0, 0, RANCHU_PC_PCI_GSI_B },
			Package () { 0x001AFFFF, 0, 0, RANCHU_PC_PCI_GSI_A },
			Package () { 0x001BFFFF, 0, 0, RANCHU_PC_PCI_GSI_B },
			Package () { 0x001CFFFF, 0, 0, RANCHU_PC_PCI_GSI_A },
			Package () { 0x001DFFFF, 0, 0, RANCHU_PC_PCI_GSI_B },
			Package () { 0x001EFFFF, 0, 0, RANCHU_PC_PCI_GSI_A },
			Package () { 0x001FFFFF, 0, 0, RANCHU_PC_PCI_GSI_B },
		})
	}
}
