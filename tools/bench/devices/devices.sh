# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The area "devices" of bench.sh: what goldfish devices cost, and what the emulator's
# console knows. Sourced, never run.

FLOORS[devices.idle_exits]="0, exactly"
FLOORS[devices.fb_copy_vs_memcpy]="<= 1.3"
FLOORS[devices.console_commands]=">= 40"

devices_build() {
	local v=$RANCHU_TOP/userspace/vmmctl o=$OUT/devices

	mkdir -p "$o"
	make -s -C "$v" "O=$o/vmmctl" "$o/vmmctl/tests/control/emulator_test"
	gcc -std=gnu11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -pthread "-I$v" \
		"-I$RANCHU_TOP/include/uapi" -o "$o/fb_copy_bench" \
		"$HERE/devices/fb_copy_bench.c" "$v/host/display.c" "$v/host/log.c" "$v/host/output.c"
}

bench_devices() {
	local log=$OUT/devices.log o=$OUT/devices

	mkdir -p "$OUT"
	"$RANCHU_TOP/tools/lab/fetch.sh"
	devices_build
	"$o/vmmctl/tests/control/emulator_test" > "$OUT/console.log" || missing=$((missing + 1))
	"$o/fb_copy_bench" > "$OUT/fb.log" || missing=$((missing + 1))
	cat "$OUT/fb.log"
	long_step "stock drivers, driven from outside, in the lab" "$log" \
		"$RANCHU_TOP/tools/ci/goldfish-test.sh" || missing=$((missing + 1))
	tr -d '\r' < "$log" > "$log.txt"
	figure devices.idle_exits "$(sed -n 's/^# devices.idle_exits //p' "$log.txt")"
	figure devices.fb_copy_vs_memcpy "$(sed -n 's/^fb_copy_vs_memcpy //p' "$OUT/fb.log")"
	figure devices.console_commands \
		"$(sed -n 's/^# console commands answered: //p' "$OUT/console.log")"
}
