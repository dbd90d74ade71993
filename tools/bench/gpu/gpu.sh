# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# AREA=gpu, part of bench.sh: frames and fences of a guest by the goldfish pipe and the sync
# device, served by the kernel and by userspace in one run. The wall clock is not looked at.

FLOORS[gpu.exits_per_frame]="0, exactly"
FLOORS[gpu.pipe_user_vs_kernel]=">= 1.5"
FLOORS[gpu.ring_vs_socket]=">= 1.2"
FLOORS[gpu.sync_exits_per_fence]="0, exactly"
FLOORS[gpu.sync_user_vs_kernel]=">= 1.5"

GPU=$HERE/gpu

build_gpu() {
	make -s -C "$RANCHU_TOP" ARCH=arm64 "KDIR=$RANCHU_CACHE/kdir-arm64" STATIC=-static \
		modules userspace
	make -s -C "$GPU" "CROSS_COMPILE=$(cross_prefix arm64)" "OUTPUT=$OUT/gpu"
	"$RANCHU_TOP/tools/lab/guest-initrd.sh" "$OUT/gpu.cpio"
	"$RANCHU_TOP/tools/lab/guest-modules.sh" "$OUT/gpu.cpio" \
		tools/testing/goldfish/sync_driver.c -- "$OUT/gpu/gles_bench"
}

stage_gpu() {
	local b=$RANCHU_BUILD/arm64 stage=$OUT/stage-gpu

	rm -rf "$stage"
	mkdir -p "$stage/bench"
	cp "$b/modules/drivers/virt/ranchu/ranchu.ko" \
		"$b/modules/drivers/vhost/vhost_goldfish_pipe.ko" \
		"$b/modules/drivers/vhost/vhost_goldfish_sync.ko" "$b/vmmctl/vmmctl" \
		"$b/ranchu-gles/ranchu-gles" "$OUT/gpu/gles_sink" "$GPU/gpu_host.sh" "$stage/bench/"
	cp "$OUT/gpu.cpio" "$stage/bench/guest.cpio"
	cp -L "$RANCHU_CACHE/vmlinuz-arm64" "$stage/bench/Image"
}

# transport MODE NAME: instructions of a frame without those of the parser.
transport() {
	awk -v all="$(guest gpu "$1" "$2")" -v parser="$(bare gpu parser_alone)" '
	BEGIN { if (all != "" && parser != "") printf "%.1f", all - parser }'
}

# gpu_exits NAME: for one of it, while the kernel serves.
gpu_exits() {
	awk -F, -v name="$1" '
	$1 == "kernel" && ($2 == name || name == "frame" && $2 != "fence") {
		exits += $5
		ops += $4
	}
	END { if (ops) printf "%g", exits / ops }' "$OUT/gpu-guest.csv"
}

table_gpu() {
	local name

	printf '\nInstructions of a frame without its parser (%s), or of a fence:\n' \
		"$(bare gpu parser_alone)"
	printf '  %-16s %12s %12s %9s\n' "" user kernel ratio
	for name in socket_frame ring_frame socket_1k ring_1k socket_256 ring_256; do
		printf '  %-16s %12s %12s %9s\n' "$name" "$(transport user $name)" \
			"$(transport kernel $name)" \
			"$(ratio "$(transport user $name)" "$(transport kernel $name)")"
	done
	for name in small fence; do
		printf '  %-16s %12s %12s %9s\n' "$name" "$(guest gpu user $name)" \
			"$(guest gpu kernel $name)" \
			"$(ratio "$(guest gpu user $name)" "$(guest gpu kernel $name)")"
	done
	printf '\nThe same served by the kernel, a socket over a ring:\n'
	for name in frame 1k 256; do
		printf '  %-16s %38s\n' "$name" \
			"$(ratio "$(transport kernel "socket_$name")" "$(transport kernel "ring_$name")")"
	done
	printf '\n'
	exits_table "$OUT/gpu-guest.csv"
}

bench_gpu() {
	mkdir -p "$OUT"
	long_step "building for graphics' benchmarks" "$OUT/gpu-build.log" build_gpu
	stage_gpu
	rm -f "$OUT/gpu.log"
	long_step "measuring graphics in the lab" "$OUT/gpu.log" \
		"$RANCHU_TOP/tools/lab/run.sh" --host arm64 --icount --timeout 1800 \
		--overlay "$OUT/stage-gpu" -- sh /bench/gpu_host.sh || missing=$((missing + 1))
	read_log gpu
	table_gpu
	csv_of gpu > "$OUT/gpu.csv"

	figure gpu.exits_per_frame "$(gpu_exits frame)"
	figure gpu.pipe_user_vs_kernel \
		"$(ratio "$(guest gpu user small)" "$(guest gpu kernel small)")"
	figure gpu.ring_vs_socket \
		"$(ratio "$(transport kernel socket_1k)" "$(transport kernel ring_1k)")"
	figure gpu.sync_exits_per_fence "$(gpu_exits fence)"
	figure gpu.sync_user_vs_kernel \
		"$(ratio "$(guest gpu user fence)" "$(guest gpu kernel fence)")"
}
