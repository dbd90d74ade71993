# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# AREA=blk, part of bench.sh: random reads of 4 KiB from an image in memory, served
# by the kernel, by vmmctl and by QEMU in one run; and the network.

. "$HERE/net/net.sh"

FLOORS[virtio.exits_per_req]="0, exactly"
FLOORS[virtio.isr_read_instr]="<= 40"
FLOORS[blk.qd1_vs_user]=">= 1.5"
FLOORS[blk.qd32_vs_user]=">= 1.2"
FLOORS[blk.qd1_vs_qemu]=">= 1.5"
FLOORS[blk.qd32_vs_qemu]=">= 1.7"

BLK=$HERE/blk
# As the guest calls its disks: vmmctl's by number, QEMU's as blk_host.sh does.
BLK_KERNEL=ranchu-disk0
BLK_USER=ranchu-disk1
BLK_QEMU="native native-nopoll threads io_uring"

build_blk() {
	make -s -C "$RANCHU_TOP" "ARCH=$GUEST_ARCH" "KDIR=$RANCHU_CACHE/kdir-$GUEST_ARCH" \
		STATIC=-static modules userspace
	make -s -C "$BLK" "CROSS_COMPILE=$(cross_prefix "$GUEST_ARCH")" "OUTPUT=$OUT/blk"
}

stage_blk() {
	local b=$RANCHU_BUILD/$GUEST_ARCH stage=$OUT/stage-blk

	rm -rf "$stage"
	mkdir -p "$stage/bench" "$stage/bin"
	cp "$b/modules/drivers/virt/ranchu/ranchu.ko" \
		"$b/modules/drivers/vhost/vhost_ranchu_blk.ko" "$BLK/blk_host.sh" \
		"$HERE/host-lib.sh" "$stage/bench/"
	cp -L "$RANCHU_CACHE/vmlinuz-$GUEST_ARCH" "$stage/bench/Image"
	cp "$b/vmmctl/vmmctl" "$stage/bin/"
	"$RANCHU_TOP/tools/lab/program.sh" "$stage" "$QEMU_SYSTEM"
	"$RANCHU_TOP/tools/lab/guest-initrd.sh" "$stage/bench/guest.cpio" "$OUT/blk/blk_guest"
	"$RANCHU_TOP/tools/lab/guest-modules.sh" "$stage/bench/guest.cpio" \
		"$TRANSPORT" virtio_blk
}

# csv_blk LOG: one line for each measurement.
csv_blk() {
	echo "disk,depth,ns,ops"
	sed -n 's/^BLK-MARK end \([^ ]*\) \([0-9]*\) ns=\([0-9]*\) ops=\([0-9]*\)$/\1,\2,\3,\4/p' "$1"
}

# blk_cost DISK DEPTH: instructions per request, all rounds.
blk_cost() {
	awk -F, -v disk="$1" -v depth="$2" '
	$1 == disk && $2 == depth { ns += $3; ops += $4 }
	END { if (ops) printf "%.0f", ns / ops }' "$OUT/blk.csv"
}

# blk_best DEPTH: the least that any of QEMU's ways costs.
blk_best() {
	local disk

	for disk in $BLK_QEMU; do
		blk_cost "$disk" "$1"
		echo
	done | grep . | sort -n | head -n 1
}

# virtio_exits PREFIX NAME LOG: exits to userspace while NAME was measured, console left
# out, and operations.
virtio_exits() {
	awk -v prefix="$1" -v name="$2" '
	function number(text, name) {
		if (!match(text, "\"" name "\":[0-9]+"))
			return -1
		return substr(text, RSTART + length(name) + 3, RLENGTH - length(name) - 3) + 0
	}
	function exits(text, console) {
		if (!match(text, /"(pl011|uart16550)":\{[^}]*\}/))
			return -1
		console = substr(text, RSTART, RLENGTH)
		console = number(console, "reads") + number(console, "writes")
		return number(text, "userspace_exits") - console
	}
	$1 == prefix "-STATS" && $0 ~ prefix "-MARK begin " name " " { begin = exits($0) }
	$1 == prefix "-STATS" && $0 ~ prefix "-MARK end " name " " {
		sum += exits($0) - begin
		match($0, / ops=[0-9]+/)
		ops += substr($0, RSTART + 5, RLENGTH - 5)
	}
	END { print sum + 0, ops + 0 }' "$3"
}

# exits_per_op "EXITS OPS"...: of all these devices together; nothing if one was not measured.
exits_per_op() {
	printf '%s\n' "$@" | awk '
	$2 > 0 { n++; exits += $1; ops += $2 }
	END { if (n == NR) printf "%g", exits / ops }'
}

# Exits to userspace for each request, or operation of the network, that the kernel serves.
exits_per_req() {
	exits_per_op "$(virtio_exits BLK $BLK_KERNEL "$1")" "$NET_EXITS $NET_OPS"
}

blk_register() {
	sed -n 's/^ISR ns=\([0-9]*\) ops=\([0-9]*\)$/\1 \2/p' "$1" |
		awk '{ printf "%.1f", $1 / $2 }'
}

table_blk() {
	local disk

	printf '\nInstructions per request of 4 KiB, whole machine:\n'
	printf '  %-16s %12s %12s\n' "" "depth 1" "depth 32"
	for disk in $BLK_KERNEL $BLK_USER $BLK_QEMU; do
		printf '  %-16s %12s %12s\n' "$disk" "$(blk_cost "$disk" 1)" "$(blk_cost "$disk" 32)"
	done
	printf '\n'
}

# Many interrupts meet a guest that runs: on x86_64 each VMM's guest is kept from the fault of
# the emulator, at the same cost.
measure_blk() {
	local log=$OUT/blk.log inject=""

	[ "$GUEST_ARCH" != x86_64 ] || inject=--inject

	mkdir -p "$OUT"
	"$RANCHU_TOP/tools/lab/fetch.sh"
	long_step "building for the disks' benchmark" "$OUT/blk-build.log" build_blk
	long_step "packing guest and host" "$OUT/blk-stage.log" stage_blk
	# What was measured before a failure still counts, figure by figure.
	long_step "measuring disks in the lab" "$log" \
		"$RANCHU_TOP/tools/lab/run.sh" --host "$HOST" --icount $inject --timeout 3600 \
		--overlay "$OUT/stage-blk" -- sh /bench/blk_host.sh || missing=$((missing + 1))
	plain_log "$log"
	csv_blk "$log" > "$OUT/blk.csv"
	table_blk
}

bench_blk() {
	local log=$OUT/blk.log depth

	measure_blk
	bench_net

	figure virtio.exits_per_req "$(exits_per_req "$log")"
	figure virtio.isr_read_instr "$(blk_register "$log")"
	for depth in 1 32; do
		figure "blk.qd${depth}_vs_user" \
			"$(ratio "$(blk_cost $BLK_USER $depth)" "$(blk_cost $BLK_KERNEL $depth)")"
		figure "blk.qd${depth}_vs_qemu" \
			"$(ratio "$(blk_best $depth)" "$(blk_cost $BLK_KERNEL $depth)")"
	done
}
