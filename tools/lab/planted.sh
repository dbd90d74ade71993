#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests that a sanitizer kernel's detectors are awake and that the lab hears
# them: of every bug planted in a host, the log must say the right words, on a
# line that fails a run. Without a bug the run must pass. KTAP on standard
# output.
#
#	tools/lab/planted.sh VARIANT ARCH KERNEL-DIR MODULES
#
# MODULES is the directory where modules.sh has built ours for that kernel.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# Kernel, bug, what the log says of it. All of a kernel's go into one host, in
# this order: lockdep ends with its first report of a lock. sleep/NAME is one of
# planted_sleep.c's, the others are planted.c's.
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
	"kasan	sleep/in-command	ranchu-watch: a vCPU's thread .* slept [0-9]+ ms \(D\) in planted_uninterruptible"
	"kasan	sleep/waits-in-command	ranchu-watch: a vCPU's thread .* slept [0-9]+ ms \(S\) in planted_interruptible"
	"kasan	sleep/in-worker		ranchu-watch: a worker .* slept [0-9]+ ms \(D\) in planted_uninterruptible"
	"kasan	sleep/in-strangers-close	ranchu-watch: a stranger's close .* slept [0-9]+ ms \(D\) in planted_release"
	"kcsan	race		BUG: KCSAN: data-race in planted_racer"
)

# No bugs: sleeps that are short, allowed by a row, or in the owner's own close.
HARMLESS=(
	"kasan	sleep/short-in-command"
	"kasan	sleep/allowed-in-command"
	"kasan	sleep/in-owners-close"
)

[ $# -eq 4 ] || die "usage: planted.sh VARIANT ARCH KERNEL-DIR MODULES"
VARIANT=$1
ARCH=$(kernel_arch "$2")
KERNEL=$3
MODULES=$4
DIR=$RANCHU_BUILD/$ARCH/planted-$VARIANT
COUNT=0
FAILED=0

build() {
	rm -rf "$DIR/overlay"
	mkdir -p "$DIR/overlay/lab"
	"$RANCHU_TOP/tools/lab/module.sh" planted "$ARCH" "$KERNEL" "$DIR/module" \
		"$MODULES/Module.symvers"
	cp "$DIR"/module/*.ko "$MODULES/drivers/virt/ranchu/ranchu.ko" "$DIR/overlay/"
	if [ "$VARIANT" != kcsan ]; then
		"$RANCHU_TOP/tools/lab/module.sh" watch "$ARCH" "$KERNEL" "$DIR/watch"
		cp "$DIR/watch/ranchu_watch.ko" "$DIR/overlay/"
		echo /ranchu_watch.ko > "$DIR/overlay/lab/load"
	fi
	echo /ranchu.ko >> "$DIR/overlay/lab/load"
	"$(cross_prefix "$ARCH")gcc" -O1 -Wall -Wextra -Werror -static \
		-o "$DIR/overlay/with_eventfd" "$RANCHU_TOP/tools/lab/planted/with_eventfd.c"
}

# plant BUG...: runs a host with these bugs; leaves $DIR/klog and $DIR/out.
plant() {
	# shellcheck disable=SC2016 # the host's shell reads it
	"$RANCHU_TOP/tools/lab/run.sh" --host "$ARCH" --builtin --kernel "$KERNEL/vmlinuz" \
		--kernel-args kasan_multi_shot --mem 512M --timeout 300 \
		--log "$DIR/klog" --overlay "$DIR/overlay" -- sh -c '
			! [ -e /sys/kernel/debug/kcsan ] || echo on > /sys/kernel/debug/kcsan
			echo 1 > /proc/sys/kernel/hung_task_timeout_secs
			allowed=/sys/kernel/debug/ranchu_watch/allowed
			! [ -e $allowed ] || echo "vcpu planted_allowed" > $allowed
			for bug; do
				module=planted
				[ "$bug" = "${bug#sleep/}" ] || module=planted_sleep
				/with_eventfd insmod /$module.ko bug="${bug#sleep/}" || exit 2
				case $bug in
				sleep/*close) (: < /dev/planted) ;;
				leak) host-leaks ;;
				esac
				rmmod $module || exit 2
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
harmless=(none)
for row in "${HARMLESS[@]}"; do
	read -r variant bug <<<"$row"
	[ "$variant" != "$VARIANT" ] || harmless+=("$bug")
done
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
plant "${harmless[@]}" || rc=$?
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
