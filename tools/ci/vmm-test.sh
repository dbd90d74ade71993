#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests how a VM lives, with a stock Linux guest in it, on an emulated arm64
# host: KTAP on standard output.
#
#	tools/ci/vmm-test.sh arm64|arm64-gicv2|arm64-pkvm|arm64-16k
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

[ $# -eq 1 ] || die "usage: vmm-test.sh HOST"
cd "$RANCHU_TOP"
OVERLAY=$RANCHU_BUILD/lab/overlay-vmm-$1
tools/lab/host-overlay.sh "$1" "$OVERLAY" --guest
# A guest whose kernel tells of its panic and of its CPUs, which Debian's for arm64 does
# not, and has a CPU that stops doing so.
cp "$OVERLAY/ranchu/guest/initrd.cpio" "$OVERLAY/ranchu/guest/modules.cpio"
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/modules.cpio" \
	drivers/misc/pvpanic/pvpanic.c drivers/misc/pvpanic/pvpanic-mmio.c \
	drivers/misc/vcpu_stall_detector.c tools/testing/vmmctl/spin.c
cp tools/ci/host-lib.sh tools/ci/vmm-in-host.sh "$OVERLAY/ranchu/"
exec tools/lab/run.sh --host "$1" --timeout 600 --overlay "$OVERLAY" -- \
	sh /ranchu/vmm-in-host.sh
