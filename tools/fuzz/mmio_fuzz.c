// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: the registers of every device that vmmctl serves itself, as two vCPUs
 * may write and read them: any offset, any length, any order, and RAM with anything in
 * it. The last quarter of the input is what the second vCPU does meanwhile. Then the
 * guest is reset, and each device must read as at power-on.
 */
#include <pthread.h>
#include <string.h>

#include "machine.h"

static struct {
	struct machine machine;
	bool open;
	u32 fresh[MACHINE_PLUGGED][0x140 / 4];
} fuzz;

/* Registers of a transport as the guest sees them; the configuration's front, too. */
static void look(unsigned int plugged, u32 *regs)
{
	struct vmm_device *bank = fuzz.machine.bank;
	u64 base = (u64)(bank->count - 1 - plugged) * bank->size;
	unsigned int i;

	for (i = 0; i < sizeof(fuzz.fresh[0]) / 4; i++)
		regs[i] = vmm_device_read(bank, base + i * 4, 4);
}

/* The second board has all models of the first one, and more. */
static void first_time(void)
{
	unsigned int i;

	machine_config(&fuzz.machine.cfg);
	machine_open(&fuzz.machine, vmm_board_virt);
	for (i = 0; i < MACHINE_PLUGGED; i++)
		look(i, fuzz.fresh[i]);
	fuzz.open = true;
}

static void act(struct input *in, bool first)
{
	unsigned int what = take(in, 1) & 7;

	if (what == 0)
		machine_access(&fuzz.machine, in, false);
	else if (what == 1)
		machine_bring_up(&fuzz.machine, in);
	else if (what == 2)
		machine_poke_ram(&fuzz.machine, in);
	else if (what == 3)
		machine_descriptor(&fuzz.machine, in);
	else if (what == 4 && first)
		machine_turn(&fuzz.machine);
	else if (what == 5 && first)
		machine_peers(in);
	else if (what == 6 && first)
		machine_steer(&fuzz.machine, in);
	else
		machine_access(&fuzz.machine, in, true);
}

static void *second_vcpu(void *arg)
{
	struct input *in = arg;

	while (in->left)
		act(in, false);
	return NULL;
}

static void reset(void)
{
	u32 now[sizeof(fuzz.fresh[0]) / 4];
	unsigned int i;

	machine_reset(&fuzz.machine);
	for (i = 0; i < MACHINE_PLUGGED; i++) {
		look(i, now);
		MUST(!memcmp(now, fuzz.fresh[i], sizeof(now)));
	}
	machine_clear_ram(&fuzz.machine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct input other = split_off(&in);
	pthread_t thread;

	if (!fuzz.open)
		first_time();
	MUST(!pthread_create(&thread, NULL, second_vcpu, &other));
	while (in.left)
		act(&in, true);
	pthread_join(thread, NULL);
	reset();
	return 0;
}
