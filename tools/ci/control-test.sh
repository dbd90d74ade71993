#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests how a running VM is steered from outside, with a stock Linux guest in it, on an
# emulated host: KTAP on standard output.
#
#	tools/ci/control-test.sh [arm64|x86_64]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

host_options "${1:-arm64}"
OVERLAY=$RANCHU_BUILD/lab/overlay-control-$HOST

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh "$HOST" "$OVERLAY" --guest
cp tools/ci/host-lib.sh tools/ci/control-in-host.sh "$OVERLAY/ranchu/"
tools/lab/program.sh "$OVERLAY" socat
exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --timeout 2400 --overlay "$OVERLAY" -- \
	sh /ranchu/control-in-host.sh
