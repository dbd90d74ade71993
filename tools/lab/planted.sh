#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests that a sanitizer kernel's detectors are awake and that the lab hears
# them: of every bug planted in a host, the log must say the right words, on a
# line that fails a run. Without a bug the run must pass. KTAP on standard
# output.
#
#	tools/lab/planted.sh VARIANT ARCH KERNEL-DIR
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# Kernel, bug, what the log says of it. All of a kernel's go into one host, in
# this order: lockdep ends with its first report of a lock.
BUGS=(
	"kasan	rcu		WARNING: suspicious RCU usage"
	"kasan	sleep-in-atomic	BUG: sleeping function called from invalid context"
	"kasan	preemptible	BUG: using smp_processor_id\(\) in preemptible"
	"kasan	lock-inversion	WARNING: possible circular locking dependency"
	"kasan	use-after-free	BUG: KASAN: slab-use-after-free"
	"kasan	out-of-bounds	BUG: KASAN: slab-out-of-bounds"
	"kasan	shift		UBSAN: shift-out-of-bounds"
	"kasan	live-timer	ODEBUG: free active"
	"kasan	list		list_del corruption"
	"kasan	hung-task	INFO: task insmod:.* blocked for more than"
	"kasan	leak		kmemleak: [0-9]+ new suspected memory leaks"
	"kcsan	race		BUG: KCSAN: data-race in planted_racer"
)

[ $# -eq 3 ] || die "usage: planted.sh VARIANT ARCH KERNEL-DIR"
VARIANT=$1
ARCH=$(kernel_arch "$2")
KERNEL=$3
DIR=$RANCHU_BUILD/$ARCH/planted-$VARIANT
COUNT=0
FAILED=0

build() {
	mkdir -p "$DIR/module" "$DIR/overlay"
	# Objects made for another kernel are no use.
	if [ "$(cat "$DIR/module/.key" 2>/dev/null)" != "$KERNEL" ]; then
		rm -rf "$DIR/module"
		mkdir "$DIR/module"
		echo "$KERNEL" > "$DIR/module/.key"
	fi
	cp -u "$RANCHU_TOP"/tools/lab/planted/* "$DIR/module/"
	make -s -C "$KERNEL" "M=$DIR/module" "ARCH=$ARCH" \
		"CROSS_COMPILE=$(cross_prefix "$ARCH")" modules >"$DIR/log" 2>&1 || {
		cat "$DIR/log" >&2
		die "the module of planted bugs does not build"
	}
	cp "$DIR/module/planted.ko" "$DIR/overlay/"
}

# plant BUG...: runs a host with these bugs; leaves $DIR/klog and $DIR/out.
plant() {
	# shellcheck disable=SC2016 # the host's shell reads it
	"$RANCHU_TOP/tools/lab/run.sh" --host "$ARCH" --builtin --kernel "$KERNEL/vmlinuz" \
		--kernel-args kasan_multi_shot --mem 512M --timeout 300 \
		--log "$DIR/klog" --overlay "$DIR/overlay" -- sh -c '
			! [ -e /sys/kernel/debug/kcsan ] || echo on > /sys/kernel/debug/kcsan
			echo 1 > /proc/sys/kernel/hung_task_timeout_secs
			for bug; do
				insmod /planted.ko bug="$bug" && rmmod planted || exit 2
				[ "$bug" != leak ] || host-leaks
			done' sh "$@" >"$DIR/out" 2>&1 </dev/null
}

# result NAME 0|1
result() {
	COUNT=$((COUNT + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $COUNT planted: $1"
	else
		echo "not ok $COUNT planted: $1"
		FAILED=$((FAILED + 1))
	fi
}

rows=()
bugs=()
for row in "${BUGS[@]}"; do
	read -r variant bug text <<<"$row"
	[ "$variant" = "$VARIANT" ] || continue
	rows+=("$row")
	bugs+=("$bug")
done
build
echo "KTAP version 1"
echo "1..$((${#rows[@]} + 2))"

rc=0
plant none || rc=$?
[ "$rc" -eq 0 ] || sed 's/^/# /' "$DIR/out"
result none "$rc"

rc=0
plant "${bugs[@]}" || rc=$?
wrong=0
if [ "$rc" -ne 1 ] || ! grep -q 'the kernel complained' "$DIR/out"; then
	sed 's/^/# /' "$DIR/out"
	wrong=1
fi
result "the run fails" "$wrong"
for row in "${rows[@]}"; do
	read -r variant bug text <<<"$row"
	wrong=0
	# Not by a neighbour's line: this one alone has to be a splat.
	line=$(grep -m 1 -E "$text" "$DIR/klog") || wrong=1
	grep -qE -f "$RANCHU_TOP/tools/lab/splats.txt" <<<"$line" || wrong=1
	result "$bug" "$wrong"
done
[ "$FAILED" -eq 0 ]
