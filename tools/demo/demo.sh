#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make demo: boots a stock Linux guest on each board, its root on a disk that the kernel
# serves, has its unmodified goldfish_pipe driver move data, and compares a pipe served in
# the kernel with one served by userspace; then Debian's adb talks to Debian's adbd in the
# guest. At the end what is on a guest's screen is written to a PNG file. In an emulated
# host of each architecture, or of those that BOARDS names; or with LAB=0, without adb, on
# this machine, which must then have KVM and be able to load the modules.
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

cd "$RANCHU_TOP"
LAB=${LAB:-1}
BOARDS=${BOARDS:-x86_64 arm64}

# guest_root DIR [--adbd]: the guest in DIR, which has an initrd, gets a disk for its root.
guest_root() {
	local root=$RANCHU_BUILD/lab/demo-root

	tools/lab/guest-modules.sh "$1/initrd.cpio" "$TRANSPORT" virtio_blk crc32c_generic ext4
	rm -rf "$root"
	mkdir -p "$root"
	[ "${2:-}" != --adbd ] || tools/lab/guest-vsock.sh "$root" --adbd
	tools/lab/guest-root.sh "$1/root" "$root" "$RANCHU_BUILD/$GUEST_ARCH/selftests/pipe_guest"
}

# guest_screen DIR: a guest with Linux' framebuffer driver and a test card.
guest_screen() {
	cp "$1/initrd.cpio" "$1/screen.cpio"
	tools/lab/guest-modules.sh "$1/screen.cpio" drivers/video/fbdev/goldfishfb.c -- \
		tools/demo/screen-in-guest
}

# Shows what comes, at once, but for the picture, which goes to the file $1.
picture_apart() {
	local line inside=

	while IFS= read -r line; do
		case $line in
		PICTURE-BEGIN*) inside=1 ;;
		PICTURE-END*) inside= ;;
		*) if [ -n "$inside" ]; then echo "$line" >&3; else echo "$line"; fi ;;
		esac
	done 3> "$1.base64"
	base64 -di "$1.base64" > "$1"
	rm "$1.base64"
}

# prepare HOST: what its emulated host needs.
prepare() {
	local overlay=$RANCHU_BUILD/lab/overlay-demo-$1

	host_options "$1"
	tools/lab/host-overlay.sh "$GUEST_ARCH" "$overlay" --guest
	mkdir -p "$overlay/ranchu/demo"
	cp tools/demo/in-host.sh tools/demo/adb-in-host.sh tools/demo/screen-in-host.sh \
		tools/demo/table.awk tools/bench/host-lib.sh "$overlay/ranchu/demo/"
	tools/lab/program.sh "$overlay" adb
	guest_root "$overlay/ranchu/guest" --adbd
	guest_screen "$overlay/ranchu/guest"
	rm -f "$(picture_of "$1")"
}

picture_of() {
	echo "$RANCHU_BUILD/demo/screen-$1.png"
}

# lab HOST: all of it in an emulated host.
lab() {
	# An emulated machine's wall clock says little; counted instructions repeat.
	tools/lab/run.sh --host "$1" --icount --timeout 1200 \
		--overlay "$RANCHU_BUILD/lab/overlay-demo-$1" -- \
		env NOTE="The clock of this emulated $1 host counts instructions, one a nanosecond." \
		sh -c "sh /ranchu/demo/in-host.sh /ranchu/modules /ranchu/guest /bin/vmmctl demo &&
			sh /ranchu/demo/adb-in-host.sh &&
			sh /ranchu/demo/screen-in-host.sh /ranchu/guest /bin/vmmctl /tmp/screen.png &&
			echo PICTURE-BEGIN && base64 /tmp/screen.png && echo PICTURE-END" |
		picture_apart "$(picture_of "$1")"
	[ -s "$(picture_of "$1")" ] || die "there is no picture of the guest's screen"
}

tools/lab/fetch.sh
say "building"
if [ "$LAB" = 0 ]; then
	host_options "$(kernel_arch "$(uname -m)")"
	[ "$(id -u)" -eq 0 ] || die "LAB=0 loads modules: run it as root"
	make -s modules userspace selftests
	mkdir -p "$RANCHU_BUILD/demo"
	cp "$RANCHU_BUILD/$GUEST_ARCH"/modules/drivers/*/{,*/}*.ko "$RANCHU_BUILD/demo/" \
		2>/dev/null || true
	cp tools/demo/in-host.sh tools/demo/screen-in-host.sh tools/demo/table.awk \
		tools/bench/host-lib.sh "$RANCHU_BUILD/demo/"
	ln -sf "$(readlink -f "$RANCHU_CACHE/vmlinuz-$GUEST_ARCH")" "$RANCHU_BUILD/demo/Image"
	tools/lab/guest-initrd.sh "$RANCHU_BUILD/demo/initrd.cpio"
	guest_root "$RANCHU_BUILD/demo"
	guest_screen "$RANCHU_BUILD/demo"
	VMMCTL=$RANCHU_BUILD/$GUEST_ARCH/vmmctl/vmmctl
	"$RANCHU_BUILD/demo/in-host.sh" "$RANCHU_BUILD/demo" "$RANCHU_BUILD/demo" \
		"$VMMCTL" demo && "$RANCHU_BUILD/demo/screen-in-host.sh" "$RANCHU_BUILD/demo" \
		"$VMMCTL" "$RANCHU_BUILD/demo/screen-$GUEST_ARCH.png" &&
		say "the guest's screen is in $RANCHU_BUILD/demo/screen-$GUEST_ARCH.png" && exit 0
	"$VMMCTL" doctor
	exit 1
fi

# All hosts run at the same time, one CPU of this machine each; what they say is shown one
# after another.
mkdir -p "$RANCHU_BUILD/demo"
for board in $BOARDS; do
	prepare "$board"
done
declare -A LABS=()
# Each is a process group of its own, and ends with this program.
trap 'for lab in "${LABS[@]}"; do kill -- "-$lab" 2>/dev/null || true; done' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
set -m
for board in $BOARDS; do
	say "booting the emulated $board host, and in it the guest, four times"
	lab "$board" > "$RANCHU_BUILD/demo/$board.txt" 2>&1 &
	LABS[$board]=$!
done
for board in $BOARDS; do
	say "the $board board"
	tail -n +1 -f "--pid=${LABS[$board]}" "$RANCHU_BUILD/demo/$board.txt"
	wait "${LABS[$board]}"
done
for board in $BOARDS; do
	say "a guest's screen is in $(picture_of "$board")"
done
