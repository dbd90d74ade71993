#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make demo: boots a stock Linux guest on the ranchu board, its root on a disk that the
# kernel serves, has its unmodified goldfish_pipe driver move data, and compares a pipe served in the kernel with
# one served by userspace; then Debian's adb talks to Debian's adbd in the guest.
# In the emulated arm64 host, or with LAB=0, without adb, on this machine, which
# must then be arm64 with KVM and able to load the modules.
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

cd "$RANCHU_TOP"
LAB=${LAB:-1}
OVERLAY=$RANCHU_BUILD/lab/overlay-demo

# guest_root DIR [--adbd]: the guest in DIR, which has an initrd, gets a disk for its root.
guest_root() {
	local root=$RANCHU_BUILD/lab/demo-root

	tools/lab/guest-modules.sh "$1/initrd.cpio" virtio_mmio virtio_blk crc32c_generic ext4
	rm -rf "$root"
	mkdir -p "$root"
	[ "${2:-}" != --adbd ] || tools/lab/guest-vsock.sh "$root" --adbd
	tools/lab/guest-root.sh "$1/root" "$root" "$RANCHU_BUILD/arm64/selftests/pipe_guest"
}

tools/lab/fetch.sh
say "building"
if [ "$LAB" = 0 ]; then
	[ "$(uname -m)" = aarch64 ] ||
		die "LAB=0 needs an arm64 machine, this one is $(uname -m)"
	[ "$(id -u)" -eq 0 ] || die "LAB=0 loads modules: run it as root"
	make -s modules userspace selftests
	mkdir -p "$RANCHU_BUILD/demo"
	cp "$RANCHU_BUILD"/arm64/modules/drivers/*/{,*/}*.ko "$RANCHU_BUILD/demo/" 2>/dev/null || true
	ln -sf "$(readlink -f "$RANCHU_CACHE/vmlinuz-arm64")" "$RANCHU_BUILD/demo/Image"
	tools/lab/guest-initrd.sh "$RANCHU_BUILD/demo/initrd.cpio"
	guest_root "$RANCHU_BUILD/demo"
	VMMCTL=$RANCHU_BUILD/arm64/vmmctl/vmmctl
	tools/demo/in-host.sh "$RANCHU_BUILD/demo" "$RANCHU_BUILD/demo" \
		"$VMMCTL" demo && exit 0
	"$VMMCTL" doctor
	exit 1
fi

tools/lab/host-overlay.sh arm64 "$OVERLAY" --guest
mkdir -p "$OVERLAY/ranchu/demo"
cp tools/demo/in-host.sh tools/demo/adb-in-host.sh tools/demo/table.awk "$OVERLAY/ranchu/demo/"
tools/lab/program.sh "$OVERLAY" adb
guest_root "$OVERLAY/ranchu/guest" --adbd
say "booting the emulated host, and in it the guest, three times: a few minutes"
# An emulated machine's wall clock says little; counted instructions repeat.
tools/lab/run.sh --host arm64 --icount --timeout 1200 --overlay "$OVERLAY" -- \
	env NOTE="The clock of this emulated host counts instructions, one a nanosecond." \
	sh -c "sh /ranchu/demo/in-host.sh /ranchu/modules /ranchu/guest /bin/vmmctl demo &&
		sh /ranchu/demo/adb-in-host.sh"
