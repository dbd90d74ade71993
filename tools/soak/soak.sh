#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Stock guests with pipe, disk, vsock and adb at work, on the sanitizers' kernel, while VMs are
# killed, reset, paused and saved at random, and so is a service of theirs killed. Prints what was done, and
# at the end
#
#	FIGURE soak.findings=N	splats, leaks, stalls, wrong bytes, unexpected ends
#
#	tools/soak/soak.sh [MINUTES] [SEED]	60 minutes, and a seed of the clock's
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

cd "$RANCHU_TOP"
MINUTES=${1:-60}
SEED=${2:-$(date +%s)}
OUT=$RANCHU_BUILD/soak
OVERLAY=$RANCHU_BUILD/lab/overlay-soak
BUILT=$RANCHU_BUILD/arm64/sanitizer-kasan

mkdir -p "$OUT"
tools/lab/fetch.sh
host_options arm64
kernel=$(tools/lab/kernel.sh kasan arm64)
tools/ci/modules.sh arm64 "$kernel" "$BUILT"
tools/lab/host-overlay.sh arm64 "$OVERLAY" --guest --modules "$BUILT"
tools/lab/program.sh "$OVERLAY" adb
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" "$TRANSPORT" virtio_blk \
	-- tools/soak/soak-in-guest
tools/lab/guest-vsock.sh "$OVERLAY/ranchu/guest/initrd.cpio" --adbd
cp tools/ci/host-lib.sh tools/ci/snapshot-lib.sh tools/soak/soak-in-host.sh "$OVERLAY/ranchu/"
say "$MINUTES minutes, seed $SEED"
rc=0
# The boot and the last look are not counted.
tools/lab/run.sh --host arm64 --builtin --kernel "$kernel/vmlinuz" --mem 6G \
	--kernel-args kasan_multi_shot --overlay "$OVERLAY" --log "$OUT/klog" \
	--timeout $((MINUTES * 60 + 1200)) -- \
	sh /ranchu/soak-in-host.sh "$MINUTES" "$SEED" | tee "$OUT/log" || rc=$?

found=$(sed -n 's/^findings \([0-9]*\)$/\1/p' "$OUT/log")
# Without its last line it did not come to its end, which is one more.
splats=$(tr -d '\r' < "$OUT/klog" | grep -cE -f tools/lab/splats.txt || true)
total=$((${found:-1} + splats))
echo "FIGURE soak.findings=$total"
[ "$total" -eq 0 ] && [ "$rc" -eq 0 ]
