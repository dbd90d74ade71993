#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The x86_64 board's registers with this machine's own KVM: KTAP on standard output. It is
# skipped where there is none; the step x86_64 runs the same program in an emulated host.
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

skip() {
	echo "1..1"
	echo "ok 1 native_kvm # SKIP $*"
	exit 0
}

[ "$(uname -m)" = x86_64 ] || skip "the test guests are for x86, and this machine is not"
[ -e /dev/kvm ] || skip "this machine has no /dev/kvm"
[ -r /dev/kvm ] && [ -w /dev/kvm ] || skip "/dev/kvm is there, but $(id -un) may not open it"
cd "$RANCHU_TOP"
exec make -s -C userspace/vmmctl O="$RANCHU_BUILD/check/vmmctl-kvm" check-kvm
