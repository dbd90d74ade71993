# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# AREA=gpu, part of bench.sh: frames and fences of a guest by the goldfish pipe and the sync
# device, served by the kernel and by userspace in one run. The wall clock is not looked at.
# Figures that are no costs come from the tests of ranchu-gpu, ranchu-gles and virpipe: wrong
# pixels, exits of a virtio-gpu and of virpipe, copies, and findings of hostile guests and fuzz
# targets. Each fuzz target runs for RANCHU_FUZZ_SECONDS, 600 by default.

FLOORS[gpu.exits_per_frame]="0, exactly"
FLOORS[gpu.pipe_user_vs_kernel]=">= 1.5"
FLOORS[gpu.ring_vs_socket]=">= 1.2"
FLOORS[gpu.sync_exits_per_fence]="0, exactly"
FLOORS[gpu.sync_user_vs_kernel]=">= 1.5"
FLOORS[gpu.flush2d_copies]="<= 1"
FLOORS[gpu.wrong_pixels]="0, exactly"
FLOORS[gpu.hostile_findings]="0, exactly"

GPU_FUZZ="gpu gpu_ring gpu_socket gles"
# Pictures that gpu-test.sh, gles-test.sh and virpipe-test.sh compare.
GPU_PICTURES=15
GLES_PICTURES=19
VIRPIPE_PICTURES=28

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

# gpu_steps: runs the tests with guests, on both boards.
gpu_steps() {
	local host step log

	rm -f "$OUT"/gpu-step-*.log
	for host in arm64 x86_64; do
		for step in gpu gles virpipe; do
			log=$OUT/gpu-step-$step-$host.log
			long_step "pictures of $step in the lab ($host)" "$log" \
				"$RANCHU_TOP/tools/ci/$step-test.sh" "$host" ||
				missing=$((missing + 1))
			plain_log "$log"
		done
	done
}

# wrong_pixels: sum of all comparisons of all steps; empty if a comparison is missing.
wrong_pixels() {
	sed -n 's/^ *# pixels //p' "$OUT"/gpu-step-*.log |
		awk -v want=$((2 * (GPU_PICTURES + GLES_PICTURES + VIRPIPE_PICTURES))) '
		$3 == "wrong" { n++; wrong += $4 }
		END { if (n == want) print wrong + 0 }'
}

# frame_exits: exits per frame of the pipe, plus those of a virtio-gpu: 2D flips, and OpenGL with
# its fences, and of OpenGL through the pipe, behind a socket and behind rings, on each board.
frame_exits() {
	{
		echo "pipe $(gpu_exits frame)"
		sed -n 's,^ *# exits \([a-z_]*\) \([0-9]*\) / \([0-9]*\)$,\1 \2 \3,p' \
			"$OUT"/gpu-step-gpu-*.log "$OUT"/gpu-step-virpipe-*.log
	} | awk '
		$1 == "pipe" { pipe = $2 }
		$1 != "pipe" { n++; exits += $2; frames += $3 }
		END { if (n == 8 && frames && pipe != "") printf "%g", pipe + exits / frames }'
}

# hostile NAME...: number of failures in these logs; a log without results is one failure.
hostile() {
	local name

	for name; do
		awk -v "rc=$(cat "$OUT/$name.rc")" -f "$RANCHU_TOP/tools/ci/ktap.awk" \
			< "$OUT/$name.log"
	done | awk '$1 + $2 { n++; failed += $2 } END { if (n == '$#') print failed + 0 }'
}

# hostile_run NAME COMMAND...: runs a command; hostile() counts its findings.
hostile_run() {
	local name=$1 rc=0

	shift
	long_step "hostile guests: $name" "$OUT/$name.log" "$@" || rc=$?
	echo "$rc" > "$OUT/$name.rc"
}

hostile_guests() {
	# shellcheck disable=SC2086 # a list of words
	hostile_run gpu-fuzz "$RANCHU_TOP/tools/fuzz/run.sh" \
		"${RANCHU_FUZZ_SECONDS:-600}" $GPU_FUZZ
	hostile_run gpu-check make -s -C "$RANCHU_TOP/userspace/ranchu-gpu" \
		"O=$RANCHU_BUILD/check/ranchu-gpu" check
	hostile_run gles-check make -s -C "$RANCHU_TOP/userspace/ranchu-gles" \
		"O=$RANCHU_BUILD/check/ranchu-gles" check
}

# copies: the largest number of copies of a frame, for all layouts of the guest's memory, and page
# flips.
copies() {
	sed -n 's/^ *# copies [a-z_]* \([0-9.]*\):.*/\1/p' "$OUT/gpu-check.log" |
		awk '$1 > most { most = $1 } END { if (NR == 3) printf "%g", most }'
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
	gpu_steps
	hostile_guests
	sed -n 's/^ *# \(copies .*\)/  \1/p' "$OUT/gpu-check.log"

	figure gpu.exits_per_frame "$(frame_exits)"
	figure gpu.pipe_user_vs_kernel \
		"$(ratio "$(guest gpu user small)" "$(guest gpu kernel small)")"
	figure gpu.ring_vs_socket \
		"$(ratio "$(transport kernel socket_1k)" "$(transport kernel ring_1k)")"
	figure gpu.sync_exits_per_fence "$(gpu_exits fence)"
	figure gpu.sync_user_vs_kernel \
		"$(ratio "$(guest gpu user fence)" "$(guest gpu kernel fence)")"
	figure gpu.flush2d_copies "$(copies)"
	figure gpu.wrong_pixels "$(wrong_pixels)"
	figure gpu.hostile_findings "$(hostile gpu-fuzz gpu-check gles-check)"
	all_figures gpu
}
