#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests how a running VM is steered from outside, with a stock Linux guest in it, on an
# emulated arm64 host: KTAP on standard output.
#
#	tools/ci/control-test.sh [arm64]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

cd "$RANCHU_TOP"
OVERLAY=$RANCHU_BUILD/lab/overlay-control
tools/lab/host-overlay.sh arm64 "$OVERLAY" --guest
cp tools/ci/host-lib.sh tools/ci/control-in-host.sh "$OVERLAY/ranchu/"
tools/lab/program.sh "$OVERLAY" socat
exec tools/lab/run.sh --host "${1:-arm64}" --timeout 900 --overlay "$OVERLAY" -- \
	sh /ranchu/control-in-host.sh
