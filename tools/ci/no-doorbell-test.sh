#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the modules as they are on a kernel that exports no task_work_add, on an
# emulated arm64 host: they load, say so, and serve everything in another way. KTAP
# on standard output.
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

cd "$RANCHU_TOP"
OVERLAY=$RANCHU_BUILD/lab/overlay-no-doorbell
BUILT=$RANCHU_BUILD/arm64/no-doorbell

tools/ci/modules.sh arm64 "$RANCHU_CACHE/kdir-arm64" "$BUILT" RANCHU_NO_TASK_WORK=1
tools/lab/host-overlay.sh arm64 "$OVERLAY" --modules "$BUILT"
# shellcheck disable=SC2016 # the host's shell reads it
exec tools/lab/run.sh --host arm64 --timeout 900 --overlay "$OVERLAY" -- sh -c '
	cd /ranchu/tests
	RANCHU_MODULES=/ranchu/modules sh ./run_all.sh pipe_ioctl_test pipe_protocol_test \
		vq_notify_test vq_ring_test blk_data_test vsock_wire_test || exit 1
	dmesg | grep -c "does not export task_work_add" >/dev/null ||
		{ echo "Bail out! ranchu.ko says nothing"; exit 1; }'
