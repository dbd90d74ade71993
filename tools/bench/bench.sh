#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Prints tables, a CSV file in build/bench/ for each area and one line per figure:
#
#	FIGURE <key>=<number>
#
#	tools/bench/bench.sh [AREA]...	all areas, or some: adb blk pipe vq stream trust
#				vmm reach devices x86 snapshot gpu
#
#	adb, blk	in an emulated host whose clock counts instructions
#	pipe	in an emulated host, once with a clock that counts instructions
#		and once by the wall clock; figures come from the former only
#	stream	in an emulated host, as pipe, without the wall clock
#	gpu	likewise; its pictures in six more, its fuzz targets on this machine
#	reach	in emulated hosts, one for each kernel; its costs as adb
#	trust	in an emulated host on the sanitizers' kernel, 64 VMs on Debian's
#	vmm	in an emulated host; its fuzz targets on this machine
#	x86	as pipe, blk and adb, in an emulated x86_64 host; all others are arm64's
#	devices	in an emulated host; frames and the console on this machine
#	snapshot	in an emulated host, once as adb; what is no snapshot on this machine
#	vq	on this machine, by the wall clock, in alternating runs; figures
#		are ratios of neighbouring runs
#
# A figure that could not be measured has no line, and the exit code is 1 then.
# Whether one is good enough is not decided here.
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

HERE=$RANCHU_TOP/tools/bench
OUT=$RANCHU_BUILD/bench
AREAS="pipe vq stream adb blk trust vmm reach devices x86 snapshot gpu"
# What the emulated hosts are; the area x86 calls the others' functions with its own, and
# with its own place in OUT.
host_options arm64

# Floors of the figures; printed in the summary that comes before the figures.
declare -A FLOORS=(
	[pipe.exits_per_cmd]="0, exactly"
	[pipe.poll_vs_kick]="<= 1.33"
	[pipe.poll_user_vs_kernel]=">= 2.4"
	[pipe.write1_user_vs_kernel]=">= 2.0"
	[pipe.blocked_read_user_vs_kernel]=">= 1.7"
	[pipe.write1m_vs_copy]="<= 1.25"
	[pipe.pipes_open]=">= 500"
	[adb.exits_per_mib]="0, exactly"
	[adb.raw_h2g_vs_socat]=">= 1.9"
	[adb.raw_g2h_vs_socat]=">= 1.7"
	[adb.raw_h2g_vs_native]=">= 1.25"
	[adb.raw_g2h_vs_native]=">= 1.0"
	[adb.rtt_vs_socat]=">= 1.5"
	[adb.push_vs_socat]=">= 1.05"
	[adb.pull_vs_socat]=">= 1.2"
	[adb.push_vs_native]=">= 1.0"
	[adb.pull_vs_native]=">= 1.0"
	[adb.push_tcp_vs_native]=">= 0.95"
	[adb.pull_tcp_vs_native]=">= 0.95"
	[adb.idle_stream_kib]="<= 16"
	[adb.busy_among_idle]=">= 0.95"
	[vq.split_vs_vringh_1]=">= 1.3"
	[vq.split_vs_vringh_min]=">= 1.0"
	[vq.packed_vs_split_1]=">= 1.1"
)

. "$HERE/stream/stream.sh"
. "$HERE/blk/blk.sh"
. "$HERE/trust/trust.sh"
. "$HERE/vmm/vmm.sh"
. "$HERE/reach/reach.sh"
. "$HERE/x86/x86.sh"
. "$HERE/devices/devices.sh"
. "$HERE/snapshot/snapshot.sh"
. "$HERE/gpu/gpu.sh"

missing=0
FIGURES=()

# figure KEY VALUE; an empty value is one that could not be measured. The line that programs
# read comes at once: what ends a run before its time leaves the figures it has.
figure() {
	if [ -z "$2" ]; then
		say "$1: not measured"
		missing=$((missing + 1))
		return
	fi
	printf '  %-32s %10s   floor: %s\n' "$1" "$2" "${FLOORS[$1]}"
	echo "FIGURE $1=$2"
	FIGURES+=("$1=$2")
}

# all_figures AREA: counts floors without a figure as missing.
all_figures() {
	local key

	for key in "${!FLOORS[@]}"; do
		[[ $key = "$1".* ]] || continue
		[[ " ${FIGURES[*]}" = *" $key="* ]] && continue
		say "$key: there is no figure"
		missing=$((missing + 1))
	done
}

# ratio A B: empty unless both are numbers and B is not 0.
ratio() {
	awk -v a="$1" -v b="$2" 'BEGIN { if (a != "" && b + 0 > 0) printf "%.3f", a / b }'
}

build_pipe() {
	local b=$RANCHU_BUILD/$GUEST_ARCH

	make -s -C "$RANCHU_TOP" ARCH="$GUEST_ARCH" "KDIR=$RANCHU_CACHE/kdir-$GUEST_ARCH" \
		STATIC=-static modules userspace selftests
	make -s -C "$HERE" ARCH="$GUEST_ARCH" CROSS_COMPILE="$(cross_prefix "$GUEST_ARCH")" \
		KDIR="$RANCHU_CACHE/kdir-$GUEST_ARCH" TESTS="$b/selftests" OUTPUT="$OUT/programs"
	"$RANCHU_TOP/tools/lab/guest-initrd.sh" "$OUT/guest.cpio" "$b/selftests/pipe_guest"
}

stage_pipe() {
	local b=$RANCHU_BUILD/$GUEST_ARCH stage=$OUT/stage

	rm -rf "$stage"
	mkdir -p "$stage/bench"
	cp "$b/modules/drivers/virt/ranchu/ranchu.ko" \
		"$b/modules/drivers/vhost/vhost_goldfish_pipe.ko" \
		"$OUT/programs/module/ranchu_copy_bench.ko" \
		"$OUT/programs/pipe_bare_bench" "$b/vmmctl/vmmctl" \
		"$OUT/guest.cpio" "$HERE/pipe_host.sh" "$HERE/host-lib.sh" "$stage/bench/"
	cp -L "$RANCHU_CACHE/vmlinuz-$GUEST_ARCH" "$stage/bench/Image"
}

# bare RUN NAME: nanoseconds per operation, as the bare guest saw them.
bare() {
	sed -n "s/^BENCH $2 ns=\([0-9.]*\) .*/\1/p" "$OUT/$1.log"
}

# guest RUN MODE NAME: the same in the Linux guest, all rounds of both boots.
guest() {
	awk -F, -v mode="$2" -v name="$3" '
	$1 == mode && $2 == name { ns += $3; ops += $4 }
	END { if (ops) printf "%.1f", ns / ops }' "$OUT/$1-guest.csv"
}

# Exits to userspace per command while the kernel serves, all phases together.
# exits_per_cmd RUN
exits_per_cmd() {
	awk -F, '
	$1 == "kernel" { exits += $5; commands += $6 }
	END { if (commands) printf "%g", exits / commands }' "$OUT/$1-guest.csv"
}

exits_table() {
	printf 'Exits to userspace and pipe commands, console left out:\n'
	awk -F, '{
		key = $1 " " $2
		exits[key] += $5
		commands[key] += $6
	}
	END {
		for (key in commands)
			printf "  %-24s %8d exits %8d commands\n", key, exits[key], commands[key]
	}' "$1" | sort
	echo
}

# table_of RUN UNIT: what one run measured.
table_of() {
	local run=$1 unit=$2 name

	printf '\n%s per operation, bare guest:\n' "$unit"
	for name in poll kick exit write1m_256 write1m_1 copy1m; do
		printf '  %-16s %12s\n' "$name" "$(bare "$run" "$name")"
	done
	printf '\n%s per operation, stock driver in a Linux guest:\n' "$unit"
	printf '  %-16s %12s %12s %9s\n' "" user kernel ratio
	for name in poll write1 blocked_read write1m; do
		printf '  %-16s %12s %12s %9s\n' "$name" "$(guest "$run" user $name)" \
			"$(guest "$run" kernel $name)" \
			"$(ratio "$(guest "$run" user $name)" "$(guest "$run" kernel $name)")"
	done
}

table_pipe() {
	table_of pipe "Instructions"
	table_of pipe-wall "Nanoseconds of wall clock (emulated: compare within a line only)"
	echo
	exits_table "$OUT/pipe-guest.csv"
}

# csv_of RUN...
csv_of() {
	local run

	echo "clock,where,name,ns,ops,exits,commands,copied,bytes"
	for run; do
		{
			sed -n 's/^BENCH \([a-z0-9_]*\) ns=\([0-9.]*\) ops=\([0-9]*\)/\1 \2 \3/p' \
				"$OUT/$run.log" |
				awk '{ print "bare," $1 "," $2 * $3 "," $3 ",,,," }'
			cat "$OUT/$run-guest.csv"
		} | sed "s/^/$([ "$run" = pipe-wall ] && echo wall || echo instructions),/"
	done
}

# plain_log LOG: without what a serial line adds.
plain_log() {
	tr -d '\r' < "$1" > "$1.unix"
	mv "$1.unix" "$1"
}

# read_log RUN: makes RUN-guest.csv of RUN.log.
read_log() {
	plain_log "$OUT/$1.log"
	awk -f "$HERE/pipe_guest.awk" "$OUT/$1.log" > "$OUT/$1-guest.csv"
}

# measure_pipe RUN LAB-OPTION...: leaves RUN.log and RUN-guest.csv, the latter
# with pipe_guest.awk's lines.
measure_pipe() {
	local run=$1

	shift
	rm -f "$OUT/$run.log"
	# What was measured before a failure still counts, figure by figure.
	long_step "measuring pipes in the lab ($run)" "$OUT/$run.log" \
		"$RANCHU_TOP/tools/lab/run.sh" --host "$HOST" "$@" --timeout 1800 \
		--overlay "$OUT/stage" -- sh /bench/pipe_host.sh || missing=$((missing + 1))
	read_log "$run"
}

bench_pipe() {
	mkdir -p "$OUT"
	long_step "building for the pipe's benchmarks" "$OUT/build.log" build_pipe
	stage_pipe
	measure_pipe pipe --icount
	measure_pipe pipe-wall --smp 2
	table_pipe
	csv_of pipe pipe-wall > "$OUT/pipe.csv"

	figure pipe.exits_per_cmd "$(exits_per_cmd pipe)"
	figure pipe.poll_vs_kick "$(ratio "$(bare pipe poll)" "$(bare pipe kick)")"
	figure pipe.poll_user_vs_kernel "$(ratio "$(guest pipe user poll)" "$(guest pipe kernel poll)")"
	figure pipe.write1_user_vs_kernel "$(ratio "$(guest pipe user write1)" "$(guest pipe kernel write1)")"
	figure pipe.blocked_read_user_vs_kernel \
		"$(ratio "$(guest pipe user blocked_read)" "$(guest pipe kernel blocked_read)")"
	figure pipe.write1m_vs_copy "$(ratio "$(bare pipe write1m_256)" "$(bare pipe copy1m)")"
	figure pipe.pipes_open "$(sed -n 's/^RANCHU-BENCH pipes open=\([0-9]*\)$/\1/p' \
		"$OUT/pipe.log" | head -n 1)"
}

bench_vq() {
	local key libvhost

	mkdir -p "$OUT"
	"$RANCHU_TOP/tools/lab/fetch.sh"
	# Nice to have: without it the table has a column less, and says so.
	libvhost=$("$RANCHU_TOP/tools/lab/libvhost.sh" 2>"$OUT/vq-libvhost.log") || libvhost=
	long_step "building for the virtqueues' benchmark" "$OUT/vq-build.log" \
		make -s -C "$HERE/vq" O="$OUT/vq" LIBVHOST="$libvhost"
	long_step "measuring virtqueues" "$OUT/vq.log" \
		"$OUT/vq/vq_bench" "$OUT/vq.csv" || missing=$((missing + 1))
	grep -v '^FIGURE ' "$OUT/vq.log"
	for key in vq.split_vs_vringh_1 vq.split_vs_vringh_min vq.packed_vs_split_1; do
		figure "$key" "$(sed -n "s/^FIGURE $key=//p" "$OUT/vq.log")"
	done
}

build_adb() {
	make -s -C "$RANCHU_TOP" "ARCH=$GUEST_ARCH" "KDIR=$RANCHU_CACHE/kdir-$GUEST_ARCH" \
		STATIC=-static modules userspace
	make -s -C "$HERE/adb" "CROSS_COMPILE=$(cross_prefix "$GUEST_ARCH")" "OUTPUT=$OUT/adb"
}

stage_adb() {
	local b=$RANCHU_BUILD/$GUEST_ARCH stage=$OUT/stage-adb

	rm -rf "$stage"
	mkdir -p "$stage/bench" "$stage/bin"
	cp "$b/modules/drivers/virt/ranchu/ranchu.ko" \
		"$b/modules/drivers/vhost/vhost_vsock_adb.ko" \
		"$HERE/adb/adb_host.sh" "$HERE/host-lib.sh" "$stage/bench/"
	cp -L "$RANCHU_CACHE/vmlinuz-$GUEST_ARCH" "$stage/bench/Image"
	cp "$b/vmmctl/vmmctl" "$OUT/adb/adb_raw" "$OUT/adb/adb_timed" \
		"$OUT/adb/idle_streams" "$stage/bin/"
	"$RANCHU_TOP/tools/lab/program.sh" "$stage" adb socat "$QEMU_SYSTEM"
	"$RANCHU_TOP/tools/lab/guest-initrd.sh" "$stage/bench/guest.cpio"
	"$RANCHU_TOP/tools/lab/guest-vsock.sh" "$stage/bench/guest.cpio" --adbd \
		"$OUT/adb/adb_raw" "$HERE/adb/adb_guest"
}

# csv_adb LOG: all that was measured.
csv_adb() {
	echo "client,test,bytes,ops,ns,idle,exits,wakeups"
	sed -n -e 's/^RAW /raw /p' -e 's/^ADB \([a-z_]* [a-z]*\) \([0-9]*\) /adb \1 bytes=\2 ops=0 /p' \
		"$1" | sed 's/[a-z]*=//g' | tr ' ' , | cut -d , -f 2-
}

# adb_cost CLIENT TEST: instructions, which is the clock less what was idle; of the
# round in the middle: now and then the kernel tidies its free pages during one, which
# costs up to 10 million.
adb_cost() {
	awk -F, -v client="$1" -v test="$2" '
	$1 == client && $2 == test { printf "%.0f\n", $5 - $6 }' "$OUT/adb.csv" | sort -n |
		awk '{ cost[NR] = $1 } END { if (NR) print cost[int((NR + 1) / 2)] }'
}

# adb_ratio TEST THEIRS OURS
adb_ratio() {
	ratio "$(adb_cost "$2" "$1")" "$(adb_cost "$3" "$1")"
}

# Exits and wake-ups per MiB of our relay, raw streams, all rounds together.
adb_exits_per_mib() {
	awk -F, '
	($1 == "unix" || $1 == "tcp") && $2 ~ /^(h2g|g2h)/ {
		bytes += $3
		count += $7 + $8
	}
	END { if (bytes) printf "%g", count * 1048576 / bytes }' "$OUT/adb.csv"
}

# adb_idle NAME: what idle_streams printed.
adb_idle() {
	sed -n "s/^$1 \([0-9.]*\)$/\1/p" "$OUT/adb.log"
}

table_adb() {
	local test

	printf '\nThousands of instructions, whole machine; idle time in brackets (thousands of ns),\n'
	printf 'exits to userspace and wake-ups of the VMM and the relay, per MiB or round trip:\n'
	awk -F, 'NR > 1 {
		key = sprintf("%-8s %-10s", $2, $1)
		if (!(key in n))
			order[++keys] = key
		units = $4 ? $4 : $3 / 1048576
		n[key] += units
		busy[key] += $5 - $6
		idle[key] += $6
		exits[key] += $7
		wakeups[key] += $8
	}
	END {
		printf "  %-19s %12s %12s %10s %10s\n", "", "instructions", "(idle)", "exits", "wake-ups"
		for (i = 1; i <= keys; i++) {
			k = order[i]
			printf "  %s %12.1f %12s %10.2f %10.2f\n", k, busy[k] / n[k] / 1000,
				sprintf("(%.1f)", idle[k] / n[k] / 1000), exits[k] / n[k],
				wakeups[k] / n[k]
		}
	}' "$OUT/adb.csv" > "$OUT/adb.table"
	head -n 1 "$OUT/adb.table"
	for test in h2g g2h rtt h2g_16 g2h_16 push pull; do
		grep "^  $test " "$OUT/adb.table" || true
	done
	echo
}

# measure_adb WORD...: of adb_host.sh's.
measure_adb() {
	local log=$OUT/adb.log

	mkdir -p "$OUT"
	"$RANCHU_TOP/tools/lab/fetch.sh"
	long_step "building for adb's benchmark" "$OUT/adb-build.log" build_adb
	long_step "packing guest and host" "$OUT/adb-stage.log" stage_adb
	# What was measured before a failure still counts, figure by figure.
	long_step "measuring adb in the lab" "$log" \
		"$RANCHU_TOP/tools/lab/run.sh" --host "$HOST" --icount --timeout 2700 \
		--overlay "$OUT/stage-adb" -- sh /bench/adb_host.sh "$@" || missing=$((missing + 1))
	plain_log "$log"
	csv_adb "$log" > "$OUT/adb.csv"
	table_adb
}

bench_adb() {
	local way

	measure_adb

	figure adb.exits_per_mib "$(adb_exits_per_mib)"
	figure adb.raw_h2g_vs_socat "$(adb_ratio h2g socat tcp)"
	figure adb.raw_g2h_vs_socat "$(adb_ratio g2h socat tcp)"
	figure adb.raw_h2g_vs_native "$(adb_ratio h2g native unix)"
	figure adb.raw_g2h_vs_native "$(adb_ratio g2h native unix)"
	figure adb.rtt_vs_socat "$(adb_ratio rtt socat tcp)"
	figure adb.idle_stream_kib "$(adb_idle idle_stream_kib)"
	figure adb.busy_among_idle "$(ratio "$(adb_idle busy_among_mib_s)" \
		"$(adb_idle busy_alone_mib_s)")"
	for way in push pull; do
		figure "adb.${way}_vs_socat" "$(adb_ratio "$way" socat tcp)"
		figure "adb.${way}_vs_native" "$(adb_ratio "$way" native unix)"
		figure "adb.${way}_tcp_vs_native" "$(adb_ratio "$way" native tcp)"
	done
}

# shellcheck disable=SC2086 # a list of words
[ $# -gt 0 ] || set -- $AREAS
for area; do
	case " $AREAS " in
	*" $area "*) "bench_$area" ;;
	*) die "no area '$area': $AREAS" ;;
	esac
done
[ "$missing" -eq 0 ]
