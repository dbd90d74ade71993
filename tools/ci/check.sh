#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make check: runs every step below, or those named as arguments, and ends with
# one line that counts the results of all. A step that cannot run has failed.
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

cd "$RANCHU_TOP"
RUN=tools/lab/run.sh
NATIVE=tools/testing/native

# Name and what it does. A step prints KTAP; a gate is silent and is one result.
STEPS=(
	"checkpatch	gate tools/ci/static.sh checkpatch"
	"kdoc		gate tools/ci/static.sh kdoc"
	"uapi		gate tools/ci/static.sh uapi"
	"w1		gate tools/ci/static.sh w1"
	"sparse		gate tools/ci/static.sh sparse"
	"vmmctl		make -s -C userspace/vmmctl O=$RANCHU_BUILD/check/vmmctl check"
	"native		make -s -C $NATIVE O=$RANCHU_BUILD/check/native check"
	"vq-diff	make -s -C $NATIVE/vq O=$RANCHU_BUILD/check/vq-diff ci"
	"fuzz		tools/fuzz/run.sh 60"
	"kunit		tools/ci/kunit.sh"
	"lab		tools/lab/selftest.sh"
	"arm64		kselftests arm64"
	"arm64-gicv2	kselftests arm64-gicv2 doorbell_test pipe_*_test"
	"x86_64		kselftests x86_64"
	"guest		tools/ci/guest-test.sh"
	"vmm		tools/ci/vmm-test.sh arm64-gicv2"
	"blk		tools/ci/blk-test.sh"
	"vsock		tools/ci/vsock-test.sh"
	"adb		tools/ci/adb-test.sh"
)

gate() {
	echo "1..1"
	if "$@"; then
		echo "ok 1 ${*: -1}"
	else
		echo "not ok 1 ${*: -1}"
		return 1
	fi
}

# kselftests HOST [PATTERN]...: all, or those that a pattern fits, in an emulated
# host. On GICv2 only those with a VM: the others see no interrupt controller.
kselftests() {
	local host=$1 arch=${1%-gicv2}

	shift

	tools/lab/host-overlay.sh "$arch" "$RANCHU_BUILD/lab/overlay-$arch"
	"$RUN" --host "$host" --overlay "$RANCHU_BUILD/lab/overlay-$arch" \
		--timeout 900 -- sh -c \
		"cd /ranchu/tests && RANCHU_MODULES=/ranchu/modules exec sh ./run_all.sh $*"
}

# run_step NAME COMMAND...: shows what the step prints, adds up its results.
run_step() {
	local name=$1 log=$LOGS/$1.log start=$SECONDS rc counts

	shift
	echo "# ---- $name"
	# A subshell, so that a step's exit is not ours, and not behind "||", where
	# bash would carry on after an error in it.
	set +e
	( set -euo pipefail; "$@" ) </dev/null 2>&1 | tee "$log"
	rc=${PIPESTATUS[0]}
	set -e
	counts=$(awk -v rc="$rc" -f tools/ci/ktap.awk "$log")
	read -r ok failed skipped <<<"$counts"
	PASSED=$((PASSED + ok))
	FAILED=$((FAILED + failed))
	SKIPPED=$((SKIPPED + skipped))
	TABLE+=$(printf '%-14s %6d %6d %7d %6d s' "$name" "$ok" "$failed" \
		"$skipped" $((SECONDS - start)))$'\n'
}

PASSED=0
FAILED=0
SKIPPED=0
TABLE=
LOGS=$RANCHU_BUILD/check/logs
mkdir -p "$LOGS"

tools/lab/fetch.sh
known=" "
for step in "${STEPS[@]}"; do
	read -r name command <<<"$step"
	known+="$name "
	if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then
		continue
	fi
	# shellcheck disable=SC2086 # the table holds words
	run_step "$name" $command
done
for name; do
	[[ $known == *" $name "* ]] || die "no step '$name': there are$known"
done

echo
printf '%-14s %6s %6s %7s\n%s\n' step passed failed skipped "$TABLE"
if [ "$SKIPPED" -gt 0 ]; then
	echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
else
	echo "$PASSED passed, $FAILED failed"
fi
[ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
