#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs the kselftests on a kernel that watches itself: KTAP on standard output.
# The kernel is built once and kept in the cache (tools/lab/kernel.sh); before
# it is believed, it must find bugs planted for it (tools/lab/planted.sh).
#
#	tools/ci/sanitizers.sh [OPTION]... [NAME=VALUE]... [TEST]...
#
#	--variant NAME	a fragment in tools/lab/configs: kasan (default), kcsan
#	--arch ARCH	arm64 (default) or x86_64
#	--configure	only show that the kernel can be configured
#	--shell		a shell in the host, with modules and tests in /ranchu
#	--log FILE	keep the kernel's log there
#	--ci		only what make check has the time for
#	--gcov		modules that count which lines ran; what they counted comes
#			last, for coverage.sh; no planted bugs
#	TEST		only these, such as doorbell_test, and no planted bugs;
#			NAME=VALUE is for their environment
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

cd "$RANCHU_TOP"
# One of each kind: data paths, ends, faults, hostile guests, hostile users, processes that
# do not answer. With few rounds each: here a line that runs once is a line that is looked at.
CI_TESTS="RANCHU_KILLS=5 RANCHU_FUZZ_PAIRS=40
	fault_test lifetime_test ioctl_fuzz_test isolation_test pipe_fuzz_test blk_request_test
	pipe_dma_test vq_hostile_test vsock_hostile_test vsock_wire_test
	vsock_foreign_test pipe_wait_test"
VARIANT=kasan
ARCH=arm64
TIMEOUT=7200
CI=0
CONFIGURE=()
SHELL_MODE=0
GCOV=()
LOG=()

while [ $# -gt 0 ]; do
	case $1 in
	--variant) VARIANT=$2; shift ;;
	--arch) ARCH=$(kernel_arch "$2"); shift ;;
	--configure) CONFIGURE=(--configure) ;;
	--shell) SHELL_MODE=1 ;;
	--log) LOG=(--log "$2"); shift ;;
	--ci) CI=1 TIMEOUT=1800 ;;
	--gcov) GCOV=(GCOV_PROFILE=y) ;;
	-*) die "no option '$1'" ;;
	*) break ;;
	esac
	shift
done

kernel=$(tools/lab/kernel.sh ${CONFIGURE[@]+"${CONFIGURE[@]}"} "$VARIANT" "$ARCH")
[ ${#CONFIGURE[@]} -eq 0 ] || exit 0

built=$RANCHU_BUILD/$ARCH/sanitizer-$VARIANT${GCOV:+-gcov}
overlay=$RANCHU_BUILD/lab/overlay-$VARIANT-$ARCH${GCOV:+-gcov}
tools/ci/modules.sh "$ARCH" "$kernel" "$built" ${GCOV[@]+"${GCOV[@]}"}
tools/lab/host-overlay.sh "$ARCH" "$overlay" --modules "$built"
cp tools/ci/sanitizers-in-host.sh "$overlay/ranchu/"
# Loaded by the host's init, while one CPU runs only: it switches static keys. KCSAN's
# delays at every thousandth access would be the scheduler's.
if [ "$VARIANT" != kcsan ]; then
	tools/lab/module.sh watch "$ARCH" "$kernel" "$RANCHU_BUILD/$ARCH/watch-$VARIANT"
	cp "$RANCHU_BUILD/$ARCH/watch-$VARIANT/ranchu_watch.ko" tools/lab/sleeps-allowed.txt \
		"$overlay/ranchu/"
	mkdir -p "$overlay/lab"
	echo /ranchu/ranchu_watch.ko > "$overlay/lab/load"
fi
# One report must not be the last: KASAN falls silent after its first.
run=(tools/lab/run.sh --host "$ARCH" --builtin --kernel "$kernel/vmlinuz"
     --kernel-args kasan_multi_shot --overlay "$overlay" --timeout "$TIMEOUT"
     ${LOG[@]+"${LOG[@]}"})

if [ "$SHELL_MODE" -eq 1 ]; then
	say "the tests: sh /ranchu/sanitizers-in-host.sh [TEST]..."
	exec "${run[@]}" --shell
fi
rc=0
[ $# -gt 0 ] || [ ${#GCOV[@]} -gt 0 ] ||
	tools/lab/planted.sh "$VARIANT" "$ARCH" "$kernel" "$built" || rc=$?
# shellcheck disable=SC2086 # a list of words
[ "$CI" -eq 0 ] || set -- $CI_TESTS
"${run[@]}" -- sh /ranchu/sanitizers-in-host.sh "$@" || rc=$?
exit "$rc"
