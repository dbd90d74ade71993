// SPDX-License-Identifier: GPL-2.0-only
//
// What every x86_64 board has in the same way. Devices are in a second table, which
// boards/acpi.c makes of what they say of themselves.

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
			IO (Decode16, 0x0600, 0x0600, 1, 12)
			IO (Decode16, 0x0CF9, 0x0CF9, 1, 1)
			Memory32Fixed (ReadWrite, 0xFEFFC000, 0x5000)
		})
	}

	// The VM's generation: where its bytes are, and an event when they have changed. The
	// interrupt is an edge, as on the boards that have a device tree.
	Device (\_SB.VGEN)
	{
		Name (_HID, "RNCH0001")
		Name (_CID, Package () { "VMGENCTR", "VM_Gen_Counter" })
		Name (_DDN, "VM_Gen_Counter")
		Name (ADDR, Package () { 0xFF000000, 0 })
	}
	Device (\_SB.GED)
	{
		Name (_HID, "ACPI0013")
		Name (_UID, 0)
		Name (_CRS, ResourceTemplate ()
		{
			Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 5 }
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
			IO (Decode16, 0x0CF8, 0x0CF8, 1, 8)
			WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
				0, 0x1000, 0xFFFF, 0, 0xF000)
			DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
				NonCacheable, ReadWrite,
				0, 0xC0000000, 0xFEBFFFFF, 0, 0x3EC00000)
			QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
				NonCacheable, ReadWrite,
				0, 0x800000000, 0xFFFFFFFFF, 0, 0x800000000)
		})
		Name (_PRT, Package ()
		{
			Package () { 0x0001FFFF, 0, 0, 11 },
			Package () { 0x0002FFFF, 0, 0, 10 },
			Package () { 0x0003FFFF, 0, 0, 11 },
			Package () { 0x0004FFFF, 0, 0, 10 },
			Package () { 0x0005FFFF, 0, 0, 11 },
			Package () { 0x0006FFFF, 0, 0, 10 },
			Package () { 0x0007FFFF, 0, 0, 11 },
			Package () { 0x0008FFFF, 0, 0, 10 },
			Package () { 0x0009FFFF, 0, 0, 11 },
			Package () { 0x000AFFFF, 0, 0, 10 },
			Package () { 0x000BFFFF, 0, 0, 11 },
			Package () { 0x000CFFFF, 0, 0, 10 },
			Package () { 0x000DFFFF, 0, 0, 11 },
			Package () { 0x000EFFFF, 0, 0, 10 },
			Package () { 0x000FFFFF, 0, 0, 11 },
			Package () { 0x0010FFFF, 0, 0, 10 },
			Package () { 0x0011FFFF, 0, 0, 11 },
			Package () { 0x0012FFFF, 0, 0, 10 },
			Package () { 0x0013FFFF, 0, 0, 11 },
			Package () { 0x0014FFFF, 0, 0, 10 },
			Package () { 0x0015FFFF, 0, 0, 11 },
			Package () { 0x0016FFFF, 0, 0, 10 },
			Package () { 0x0017FFFF, 0, 0, 11 },
			Package () { 0x0018FFFF, 0, 0, 10 },
			Package () { 0x0019FFFF, 0, 0, 11 },
			Package () { 0x001AFFFF, 0, 0, 10 },
			Package () { 0x001BFFFF, 0, 0, 11 },
			Package () { 0x001CFFFF, 0, 0, 10 },
			Package () { 0x001DFFFF, 0, 0, 11 },
			Package () { 0x001EFFFF, 0, 0, 10 },
			Package () { 0x001FFFFF, 0, 0, 11 },
		})
	}
}
