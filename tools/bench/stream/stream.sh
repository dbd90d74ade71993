# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# AREA=stream, part of bench.sh: commands to services of other processes, served
# by the kernel and by userspace in one run. The wall clock is not looked at.

FLOORS[stream.exits_per_cmd]="0, exactly"
FLOORS[stream.socket_user_vs_kernel_4k]=">= 1.6"
FLOORS[stream.rtt_user_vs_kernel]=">= 1.8"
FLOORS[stream.ring_vs_socket_256]=">= 1.3"
FLOORS[stream.dma_64m_vs_1m]="<= 1.1"
FLOORS[stream.ring_rtt_user_vs_kernel]="none of its own"

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
		"$OUT/arm64/dma_bench" "$OUT/guest.cpio" "$STREAM/stream_host.sh" "$stage/bench/"
	cp -L "$RANCHU_CACHE/vmlinuz-arm64" "$stage/bench/Image"
}

# What is measured behind a socket and behind a ring.
STREAM_PHASES="rtt64 rtt4096 parse64 parse256 parse4096 write4096 push1m push8m"

# socket_over_ring PHASE
socket_over_ring() {
	ratio "$(guest stream kernel "$1")" "$(guest stream kernel "ring_$1")"
}

# Bytes that go one way: MiB in 10^9 instructions, and how often the pipe device has
# copied each.
bulk_table() {
	printf '\nBytes to a service: MiB in 10^9 instructions, and copies of each by the pipe.\n'
	printf 'A service reads a socket, which is one more, and shared rings where they are:\n'
	printf '  %-16s %12s %12s %9s\n' "" user kernel copies
	awk -F, '
	$2 ~ /write4096|push/ {
		if (!($2 in seen))
			order[n++] = $2
		seen[$2]
		ns[$1, $2] += $3
		copied[$2] += $7
		bytes[$2] += $8
		moved[$1, $2] += $8
	}
	function speed(mode, name) {
		return ns[mode, name] ? moved[mode, name] / 1048576 / (ns[mode, name] / 1e9) : 0
	}
	END {
		for (i = 0; i < n; i++)
			printf "  %-16s %12.1f %12.1f %9.2f\n", order[i], speed("user", order[i]),
			       speed("kernel", order[i]), copied[order[i]] / bytes[order[i]]
	}' "$OUT/stream-guest.csv"
}

# latencies LOG: a line for each kind of round trip and way of serving.
latencies() {
	awk '
	$1 == "BENCH-GUEST" { mode = $2 }
	$1 == "RANCHU-LATENCY" {
		key = $2 " " mode
		for (i = 4; i <= 6; i++) {
			sub(/.*=/, "", $i)
			if ($i + 0 > worst[key, i])
				worst[key, i] = $i + 0
		}
		keys[key]
	}
	END {
		for (key in keys)
			printf "  %-24s %10d %10d %10d\n", key, worst[key, 4], worst[key, 5], worst[key, 6]
	}' "$1"
}

table_stream() {
	local direction size name ring

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
	printf '\nInstructions for an upload by DMA; map: its region mapped, touched once, unmapped:\n'
	for name in dma_1m dma_64m dma_map_1m dma_map_64m; do
		printf '  %-16s %12s\n' "$name" "$(bare stream "$name")"
	done
	printf '\nInstructions per operation, stock driver in a Linux guest:\n'
	printf '  %-16s %12s %12s %9s\n' "" user kernel ratio
	for name in $STREAM_PHASES; do
		for ring in "" ring_; do
			printf '  %-16s %12s %12s %9s\n' "$ring$name" \
				"$(guest stream user "$ring$name")" \
				"$(guest stream kernel "$ring$name")" \
				"$(ratio "$(guest stream user "$ring$name")" \
					"$(guest stream kernel "$ring$name")")"
		done
	done
	printf '\nThe same served by the kernel, a socket over a ring:\n'
	for name in $STREAM_PHASES; do
		printf '  %-16s %38s\n' "$name" "$(socket_over_ring "$name")"
	done
	bulk_table
	printf '\nRound trips, instructions, worst of all rounds:\n'
	printf '  %-24s %10s %10s %10s\n' "" p50 p99 max
	latencies "$OUT/stream.log" | sort
	printf '\n'
	exits_table "$OUT/stream-guest.csv"
}

# A bar for each phase and way, if there is gnuplot.
plot_stream() {
	local name

	for name in $STREAM_PHASES; do
		printf '%s %s %s %s %s\n' "$name" "$(guest stream user "$name")" \
			"$(guest stream kernel "$name")" "$(guest stream user "ring_$name")" \
			"$(guest stream kernel "ring_$name")"
	done > "$OUT/stream.dat"
	command -v gnuplot > /dev/null || return 0
	gnuplot <<-END
		set terminal svg size 900,500
		set output "$OUT/stream.svg"
		set style data histogram
		set style fill solid
		set logscale y
		set ylabel "instructions per operation"
		set xtics rotate by -30
		plot "$OUT/stream.dat" using 2:xtic(1) title "socket, user", \
			"" using 3 title "socket, kernel", \
			"" using 4 title "rings, user", \
			"" using 5 title "rings, kernel"
	END
}

bench_stream() {
	mkdir -p "$OUT"
	long_step "building for the streams' benchmarks" "$OUT/stream-build.log" build_stream
	stage_stream
	rm -f "$OUT/stream.log"
	long_step "measuring streams in the lab" "$OUT/stream.log" \
		"$RANCHU_TOP/tools/lab/run.sh" --host arm64 --icount --timeout 2400 \
		--overlay "$OUT/stage-stream" -- sh /bench/stream_host.sh ||
		missing=$((missing + 1))
	read_log stream
	table_stream
	{
		csv_of stream
		latencies "$OUT/stream.log" | sort |
			awk '{ print "instructions," $2 ",p50_" $1 "," $3 ",1,,,,"
			       print "instructions," $2 ",p99_" $1 "," $4 ",1,,,,"
			       print "instructions," $2 ",max_" $1 "," $5 ",1,,,," }'
	} > "$OUT/stream.csv"
	plot_stream

	figure stream.exits_per_cmd "$(exits_per_cmd stream)"
	figure stream.socket_user_vs_kernel_4k \
		"$(ratio "$(guest stream user write4096)" "$(guest stream kernel write4096)")"
	figure stream.ring_vs_socket_256 "$(socket_over_ring parse256)"
	figure stream.dma_64m_vs_1m "$(ratio "$(bare stream dma_64m)" "$(bare stream dma_1m)")"
	figure stream.rtt_user_vs_kernel \
		"$(ratio "$(guest stream user rtt64)" "$(guest stream kernel rtt64)")"
	figure stream.ring_rtt_user_vs_kernel \
		"$(ratio "$(guest stream user ring_rtt64)" "$(guest stream kernel ring_rtt64)")"
}
