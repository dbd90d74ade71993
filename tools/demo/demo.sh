#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make demo: boots a stock Linux guest on each board, its root on a disk, twice: with its
# pipe and its disk served in the kernel, and by userspace. Each time the guest's unmodified
# drivers move data, and Debian's adb talks to Debian's adbd in the guest; a table compares
# the two. What is on the first guest's screen is written to a PNG file. In an emulated host
# of each architecture, or of those that BOARDS names; or with LAB=0 on this machine, which
# must then have KVM and be able to load the modules. LAB=0 leaves out adb: this machine's adb
# server may be in use, and the demo starts and ends one.
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

cd "$RANCHU_TOP"
LAB=${LAB:-1}
BOARDS=${BOARDS:-x86_64 arm64}

# build: modules, vmmctl and the guest's program for GUEST_ARCH, and nothing else.
build() {
	make -s "ARCH=$GUEST_ARCH" "KDIR=$RANCHU_CACHE/kdir-$GUEST_ARCH" STATIC=-static \
		modules vmmctl guest-program
}

# guest_root DIR [--adbd]: the guest in DIR, which has an initrd, gets a disk for its root,
# and Linux' framebuffer driver.
guest_root() {
	local root=$RANCHU_BUILD/lab/demo-root-$GUEST_ARCH

	tools/lab/guest-modules.sh "$1/initrd.cpio" "$TRANSPORT" virtio_blk crc32c_generic ext4 \
		drivers/video/fbdev/goldfishfb.c
	rm -rf "$root"
	mkdir -p "$root"
	[ "${2:-}" != --adbd ] || tools/lab/guest-vsock.sh "$root" --adbd
	tools/lab/guest-root.sh "$1/root" "$root" tools/demo/demo-in-guest \
		"$RANCHU_BUILD/$GUEST_ARCH/selftests/pipe_guest"
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
	build
	tools/lab/host-overlay.sh "$GUEST_ARCH" "$overlay" --guest-only
	mkdir -p "$overlay/ranchu/demo"
	cp tools/demo/in-host.sh tools/demo/table.awk tools/bench/host-lib.sh \
		"$overlay/ranchu/demo/"
	tools/lab/program.sh "$overlay" adb
	guest_root "$overlay/ranchu/guest" --adbd
	rm -f "$(picture_of "$1")"
}

picture_of() {
	echo "$RANCHU_BUILD/demo/screen-$1.png"
}

# lab HOST: all of it in an emulated host.
lab() {
	# An emulated machine's wall clock says little; counted instructions repeat.
	local note="The clock of this emulated $1 host counts instructions, one a nanosecond."

	echo "building, with nothing in build/ this takes a minute"
	prepare "$1"
	echo "booting the emulated host, and in it the guest, twice"
	tools/lab/run.sh --host "$1" --icount --timeout 1200 \
		--overlay "$RANCHU_BUILD/lab/overlay-demo-$1" -- \
		env ADB=1 NOTE="$note" \
		sh -c "sh /ranchu/demo/in-host.sh /ranchu/modules /ranchu/guest \
				/bin/vmmctl /tmp/screen.png &&
			echo PICTURE-BEGIN && base64 /tmp/screen.png && echo PICTURE-END" |
		picture_apart "$(picture_of "$1")"
	[ -s "$(picture_of "$1")" ] || die "there is no picture of the guest's screen"
}

tools/lab/fetch.sh
if [ "$LAB" = 0 ]; then
	host_options "$(kernel_arch "$(uname -m)")"
	[ "$(id -u)" -eq 0 ] || die "LAB=0 loads modules. Try: sudo make demo LAB=0"
	say "building"
	make -s modules vmmctl guest-program
	mkdir -p "$RANCHU_BUILD/demo"
	cp "$RANCHU_BUILD/$GUEST_ARCH"/modules/drivers/*/{,*/}*.ko "$RANCHU_BUILD/demo/" \
		2>/dev/null || true
	cp tools/demo/in-host.sh tools/demo/table.awk tools/bench/host-lib.sh \
		"$RANCHU_BUILD/demo/"
	ln -sf "$(readlink -f "$RANCHU_CACHE/vmlinuz-$GUEST_ARCH")" "$RANCHU_BUILD/demo/Image"
	tools/lab/guest-initrd.sh "$RANCHU_BUILD/demo/initrd.cpio"
	guest_root "$RANCHU_BUILD/demo"
	VMMCTL=$RANCHU_BUILD/$GUEST_ARCH/vmmctl/vmmctl
	"$RANCHU_BUILD/demo/in-host.sh" "$RANCHU_BUILD/demo" "$RANCHU_BUILD/demo" "$VMMCTL" \
		"$RANCHU_BUILD/demo/screen-$GUEST_ARCH.png" &&
		say "the guest's screen is in $RANCHU_BUILD/demo/screen-$GUEST_ARCH.png" && exit 0
	# Why not, in sentences, of the run that was tried.
	"$VMMCTL" doctor --disk "$RANCHU_BUILD/demo/root"
	exit 1
fi

# All boards at the same time, one CPU of this machine each; what they say is shown one after
# another.
mkdir -p "$RANCHU_BUILD/demo"
declare -A LABS=()
# Each is a process group of its own, and ends with this program.
trap 'for lab in "${LABS[@]}"; do kill -- "-$lab" 2>/dev/null || true; done' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
set -m
for board in $BOARDS; do
	: > "$RANCHU_BUILD/demo/$board.txt"
	lab "$board" >> "$RANCHU_BUILD/demo/$board.txt" 2>&1 &
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
