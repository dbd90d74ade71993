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
}
