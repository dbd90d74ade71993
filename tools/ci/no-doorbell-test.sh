#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the modules as they are on a kernel that exports no task_work_add, on an
# emulated arm64 host: by the queue of our own doorbells are served all the same; where it
# is not to be used, or does not work, the modules load, say so, and serve everything in
# another way. And vmmctl with a KVM that lacks something. KTAP on standard output.
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

host_options arm64
OVERLAY=$RANCHU_BUILD/lab/overlay-no-doorbell
PROGRAMS=$RANCHU_BUILD/arm64/goldfish
BUILT=$RANCHU_BUILD/arm64/no-doorbell

# variant NAME VARIABLE...: leaves ranchu-NAME.ko; only one object differs.
variant() {
	local name=$1

	shift
	env RANCHU_NO_TASK_WORK=1 "$@" tools/ci/modules.sh arm64 "$RANCHU_CACHE/kdir-arm64" "$BUILT"
	cp "$BUILT/drivers/virt/ranchu/ranchu.ko" "$BUILT/ranchu-$name.ko"
}

variant too-new RANCHU_QUEUE_UNTRIED=6012
variant broken RANCHU_QUEUE_BROKEN=1
variant queue
tools/lab/host-overlay.sh arm64 "$OVERLAY" --guest --modules "$BUILT"
make -s -C tools/testing/goldfish "OUTPUT=$PROGRAMS" "CROSS_COMPILE=$(cross_prefix arm64)"
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" "$TRANSPORT" virtio_blk \
	tools/testing/goldfish/sync_driver.c -- tools/ci/sync-in-guest "$PROGRAMS/sync_fences"
"$(cross_prefix arm64)gcc" -O1 -Wall -Wextra -Werror -static -o "$OVERLAY/ranchu/kvm_without" \
	tools/testing/vmmctl/kvm_without.c
cp "$BUILT"/ranchu-*.ko tools/ci/no-doorbell-in-host.sh tools/ci/host-lib.sh tools/ci/sync-lib.sh \
	"$PROGRAMS/sync_renderer" "$OVERLAY/ranchu/"
exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --timeout 1200 --overlay "$OVERLAY" -- \
	sh /ranchu/no-doorbell-in-host.sh
