# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# AREA=x86, part of bench.sh: what other areas measure on the arm64 board, by the same
# programs on the x86_64 board; and how long a guest's start takes. RANCHU_X86_PARTS names
# some of "pipe start blk adb net", if not all are wanted.

FLOORS[x86.pipe_exits_per_cmd]="0, exactly"
FLOORS[x86.virtio_exits_per_req]="0, exactly"
FLOORS[x86.poll_user_vs_kernel]=">= 1.3"
FLOORS[x86.write1_user_vs_kernel]=">= 1.25"
FLOORS[x86.blocked_read_user_vs_kernel]=">= 1.25"
FLOORS[x86.blk_qd1_vs_qemu]=">= 1.5"
FLOORS[x86.blk_qd32_vs_qemu]=">= 1.5"
FLOORS[x86.adb_push_vs_native]=">= 1.0"
FLOORS[x86.start_vs_qemu]=">= 2.0"

X86=$HERE/x86
X86_PARTS=${RANCHU_X86_PARTS:-pipe start blk adb net}

x86_pipe() {
	local name

	long_step "building for the pipe's benchmarks" "$OUT/build.log" build_pipe
	stage_pipe
	measure_pipe pipe --icount
	table_of pipe "Instructions"
	echo
	exits_table "$OUT/pipe-guest.csv"
	csv_of pipe > "$OUT/pipe.csv"

	figure x86.pipe_exits_per_cmd "$(exits_per_cmd pipe)"
	for name in poll write1 blocked_read; do
		figure "x86.${name}_user_vs_kernel" \
			"$(ratio "$(guest pipe user $name)" "$(guest pipe kernel $name)")"
	done
}

build_start() {
	make -s -C "$RANCHU_TOP" "ARCH=$GUEST_ARCH" "KDIR=$RANCHU_CACHE/kdir-$GUEST_ARCH" \
		STATIC=-static userspace
	build_alone make -s -C "$X86" "OUTPUT=$OUT/start"
}

stage_start() {
	local stage=$OUT/stage-start

	rm -rf "$stage"
	mkdir -p "$stage/bench" "$stage/bin"
	cp "$X86/start_host.sh" "$X86/start.awk" "$HERE/host-lib.sh" "$stage/bench/"
	cp -L "$RANCHU_CACHE/vmlinuz-$GUEST_ARCH" "$stage/bench/Image"
	"$OUT/start/stop_at_entry" "$stage/bench/Image" "$stage/bench/Image.stop"
	cp "$RANCHU_BUILD/$GUEST_ARCH/vmmctl/vmmctl" "$stage/bin/"
	"$RANCHU_TOP/tools/lab/program.sh" "$stage" "$QEMU_SYSTEM"
	"$RANCHU_TOP/tools/lab/guest-initrd.sh" "$stage/bench/guest.cpio"
}

# started VMM WHERE COLUMN: 1 is instructions, 2 exits to userspace; the round in the middle.
started() {
	sed -n "s/^START $1 $2 ns=\([0-9]*\) exits=\([0-9]*\)$/\\$3/p" "$OUT/start.log" | sort -n |
		awk '{ n[NR] = $1 } END { if (NR) print n[int((NR + 1) / 2)] }'
}

table_start() {
	local where

	printf '\nFrom exec, instructions and exits to userspace:\n'
	printf '  %-16s %12s %12s %12s %12s\n' "" vmmctl exits QEMU exits
	for where in kernel init; do
		printf '  %-16s %12s %12s %12s %12s\n' "to the $where" \
			"$(started vmmctl $where 1)" "$(started vmmctl $where 2)" \
			"$(started qemu $where 1)" "$(started qemu $where 2)"
	done
	echo
}

x86_start() {
	long_step "building for the start's benchmark" "$OUT/start-build.log" build_start
	long_step "packing guest and host" "$OUT/start-stage.log" stage_start
	long_step "measuring starts in the lab" "$OUT/start.log" \
		"$RANCHU_TOP/tools/lab/run.sh" --host "$HOST" --icount --timeout 900 \
		--overlay "$OUT/stage-start" -- sh /bench/start_host.sh || missing=$((missing + 1))
	plain_log "$OUT/start.log"
	table_start
	figure x86.start_vs_qemu "$(ratio "$(started qemu kernel 1)" "$(started vmmctl kernel 1)")"
}

x86_blk() {
	local depth

	measure_blk
	for depth in 1 32; do
		figure "x86.blk_qd${depth}_vs_qemu" \
			"$(ratio "$(blk_best $depth)" "$(blk_cost $BLK_KERNEL $depth)")"
	done
}

# Requests of disks, vsock's packets and the network's. What was not measured this time is
# looked for where an earlier run has left it.
x86_virtio_exits() {
	local blk net vsock

	blk=$(virtio_exits BLK "$BLK_KERNEL" "$OUT/blk.log")
	net=$(virtio_exits NET "$NET_KERNEL" "$OUT/net.log")
	vsock=$(virtio_exits VSOCK unix "$OUT/adb.log")
	echo "  exits and operations: disks $blk, vsock $vsock, network $net"
	figure x86.virtio_exits_per_req "$(exits_per_op "$blk" "$net" "$vsock")"
}

x86_net() {
	bench_net vhost-net
}

x86_adb() {
	measure_adb 16 unix native
	echo "  exits and operations of vsock: $(virtio_exits VSOCK unix "$OUT/adb.log")"
	figure x86.adb_push_vs_native "$(adb_ratio push native unix)"
}

bench_x86() {
	local OUT=$OUT/x86 HOST HOST_OPTIONS GUEST_ARCH TRANSPORT QEMU_SYSTEM part
	local NET_EXITS=0 NET_OPS=0

	host_options x86_64
	mkdir -p "$OUT"
	"$RANCHU_TOP/tools/lab/fetch.sh"
	for part in $X86_PARTS; do
		"x86_$part"
		[ "$part" != net ] || x86_virtio_exits
	done
}
