# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# AREA=stream, part of bench.sh: commands to services of other processes, served
# by the kernel and by userspace in one run. The wall clock is not looked at.

FLOORS[stream.exits_per_cmd]="0, exactly"
FLOORS[stream.socket_user_vs_kernel_4k]=">= 1.6"
FLOORS[stream.rtt_user_vs_kernel]=">= 1.8"

STREAM=$HERE/stream

build_stream() {
	local b=$RANCHU_BUILD/arm64

	make -s -C "$RANCHU_TOP" ARCH=arm64 "KDIR=$RANCHU_CACHE/kdir-arm64" \
		modules userspace selftests
	make -s -C "$STREAM" ARCH=arm64 CROSS_COMPILE="$(cross_prefix arm64)" \
		TESTS="$b/selftests" OUTPUT="$OUT/arm64"
	"$RANCHU_TOP/tools/lab/guest-initrd.sh" "$OUT/guest.cpio" "$b/selftests/pipe_guest"
}

stage_stream() {
	local b=$RANCHU_BUILD/arm64 stage=$OUT/stage-stream

	rm -rf "$stage"
	mkdir -p "$stage/bench"
	cp "$b/modules/drivers/virt/ranchu/ranchu.ko" \
		"$b/modules/drivers/vhost/vhost_goldfish_pipe.ko" \
		"$b/selftests/pipe_peer" "$b/vmmctl/vmmctl" "$OUT/arm64/stream_bare_bench" \
		"$OUT/guest.cpio" "$STREAM/stream_host.sh" "$stage/bench/"
	cp -L "$RANCHU_CACHE/vmlinuz-arm64" "$stage/bench/Image"
}

table_stream() {
	local direction size name

	printf '\nInstructions per command, bare guest, AF_UNIX; user is the least a VMM can do:\n'
	printf '  %-16s %12s %12s %9s\n' "" user kernel ratio
	for direction in write read; do
		for size in 64 256 1024 4096 16384 65536; do
			name=${direction}_$size
			printf '  %-16s %12s %12s %9s\n' "$name" "$(bare stream "user_$name")" \
				"$(bare stream "kernel_$name")" \
				"$(ratio "$(bare stream "user_$name")" "$(bare stream "kernel_$name")")"
		done
	done
	printf '\nInstructions per operation, stock driver in a Linux guest:\n'
	printf '  %-16s %12s %12s %9s\n' "" user kernel ratio
	for name in rtt64 rtt4096 stream256 write4096 push1m; do
		printf '  %-16s %12s %12s %9s\n' "$name" "$(guest stream user $name)" \
			"$(guest stream kernel $name)" \
			"$(ratio "$(guest stream user $name)" "$(guest stream kernel $name)")"
	done
	printf '\n'
	exits_table "$OUT/stream-guest.csv"
}

bench_stream() {
	mkdir -p "$OUT"
	long_step "building for the streams' benchmarks" "$OUT/stream-build.log" build_stream
	stage_stream
	rm -f "$OUT/stream.log"
	long_step "measuring streams in the lab" "$OUT/stream.log" \
		"$RANCHU_TOP/tools/lab/run.sh" --host arm64 --icount --timeout 900 \
		--overlay "$OUT/stage-stream" -- sh /bench/stream_host.sh ||
		missing=$((missing + 1))
	read_log stream
	table_stream
	csv_of stream > "$OUT/stream.csv"

	figure stream.exits_per_cmd "$(exits_per_cmd stream)"
	figure stream.socket_user_vs_kernel_4k \
		"$(ratio "$(guest stream user write4096)" "$(guest stream kernel write4096)")"
	figure stream.rtt_user_vs_kernel \
		"$(ratio "$(guest stream user rtt64)" "$(guest stream kernel rtt64)")"
}
