#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the lab itself: that exit codes come back, and that each way in which
# a host can go wrong fails the run. KTAP on standard output.
#
#	tools/lab/selftest.sh [--all-hosts]
# shellcheck disable=SC2016 # most of what is quoted here runs in the host
set -euo pipefail
. "$(dirname "$0")/lib.sh"

RUN=$RANCHU_TOP/tools/lab/run.sh
HOSTS=(arm64)
[ "${1:-}" != --all-hosts ] || HOSTS=(arm64 arm64-gicv2 x86_64)

DIR=$(mktemp -d)
trap 'rm -rf "$DIR"' EXIT
COUNT=0
FAILED=0

report() {
	local verdict=$1 name=$2

	COUNT=$((COUNT + 1))
	if [ "$verdict" = ok ]; then
		echo "ok $COUNT $name"
		return
	fi
	FAILED=$((FAILED + 1))
	echo "not ok $COUNT $name"
	sed 's/^/# /' "$DIR/out" "$DIR/err"
}

# expect NAME EXIT-CODE TEXT ARGS...: the run ends with that code, and TEXT (an
# extended regular expression) is in what it printed.
expect() {
	local name=$1 want=$2 text=$3 rc=0

	shift 3
	"$RUN" "$@" >"$DIR/out" 2>"$DIR/err" </dev/null || rc=$?
	if [ "$rc" -eq "$want" ] && grep -qE "$text" "$DIR/out" "$DIR/err"; then
		report ok "$name"
	else
		echo "exit code $rc, wanted $want and '$text'" >> "$DIR/err"
		report failed "$name"
	fi
}

mkdir -p "$DIR/overlay/data"
echo 'laid over' > "$DIR/overlay/data/file"
echo "KTAP version 1"
echo "1..$((3 * ${#HOSTS[@]} + 10))"

for host in "${HOSTS[@]}"; do
	expect "$host: exit code 0 and output come back" 0 '^it.s 6\.12' \
		--host "$host" -- sh -c 'echo "it'\''s $(uname -r)"'
	expect "$host: exit code 7 comes back, overlay is there" 7 '^laid over' \
		--host "$host" --overlay "$DIR/overlay" -- \
		sh -c 'cat /data/file; exit 7'
	expect "$host: has a usable /dev/kvm" 0 'exit code 0' \
		--host "$host" -- test -c /dev/kvm
done

expect "a panic fails the run" 1 'died before the command ended: .*Kernel panic' \
	-- sh -c 'echo c > /proc/sysrq-trigger; sleep 60'
expect "a hang fails the run" 1 'no end after 15 seconds' \
	--timeout 15 -- sleep 1000
expect "a stack trace in the log fails the run" 1 'complained: .*Call trace' \
	-- sh -c 'echo l > /proc/sysrq-trigger; exit 0'
expect "a kernel warning fails the run" 1 'complained: .*WARNING: planted' \
	-- sh -c 'echo "<4>WARNING: planted" > /dev/kmsg; exit 0'
expect "a stalled host ends, and its CPUs' registers are shown" 1 ' PC=[0-9a-f]{16}' \
	-- sh -c 'echo "<4>planted: detected stalls on CPUs" > /dev/kmsg; sleep 1000'
# What host-vm.c is for: guests come and go without KVM patching the scheduler.
expect "all CPUs are there, and one VM" 0 '^2 CPUs, 1 VM' \
	-- sh -c 'set -- /sys/kernel/debug/kvm/*-*/; echo "$(nproc) CPUs, $# VM"'
expect "a vanished host fails the run" 1 'died before the command ended' \
	-- sh -c 'poweroff -f; sleep 60'
# Two runs of the same work: the counted clock must agree closely.
expect "--icount counts instructions" 0 'repeatable' --icount -- sh -c '
	work() { i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); done; }
	now() { awk "/^now at/ { print \$3; exit }" /proc/timer_list; }
	work
	a=$(now); work; b=$(now); work; c=$(now)
	x=$(((b - a) / 1000)); y=$(((c - b) / 1000))
	echo "$x and $y us"
	d=$((x - y)); [ $((d < 0 ? -d : d)) -lt $((x / 5)) ] && echo repeatable'

# What inject/ is for. If the emulator does without it one day, the first line fails.
mkdir -p "$DIR/inject/bin"
"$(cross_prefix x86_64)gcc" -static -O2 -Wall -Wextra -Werror -o "$DIR/inject/bin/inject-once" \
	"$RANCHU_TOP/tools/lab/inject-once.c"
expect "an injected interrupt comes twice, which is the emulator's fault" 1 \
	'^20 injected, (2[1-9]|3[0-9]|40) delivered' \
	--host x86_64 --icount --overlay "$DIR/inject" -- inject-once
expect "--inject: an injected interrupt comes once" 0 '^20 injected, 20 delivered' \
	--host x86_64 --icount --inject --overlay "$DIR/inject" -- inject-once

[ "$FAILED" -eq 0 ]
