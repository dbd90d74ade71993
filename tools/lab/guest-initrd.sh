#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Packs a guest: busybox, the stock goldfish_pipe.ko, guest-init and the given
# static programs, which go to /bin. Its kernel is $RANCHU_CACHE/vmlinuz-arm64
# (a plain Image), or vmlinuz-x86_64 with GUEST_ARCH=x86_64 in the environment, and
# ranchu.run="COMMAND ARGS" on the kernel's command line names what init runs; see
# guest-init for what it prints.
#
#	tools/lab/guest-initrd.sh OUT [PROGRAM]...
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ $# -ge 1 ] || die "usage: guest-initrd.sh OUT [PROGRAM]..."
OUT=$1
shift

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage"/{bin,sbin,dev,proc,sys,tmp,root}
cp "$(readlink -f "$RANCHU_CACHE/busybox-${GUEST_ARCH:-arm64}")" "$stage/bin/busybox" ||
	die "no busybox in the cache: run tools/lab/fetch.sh"
install -m 755 "$RANCHU_TOP/tools/lab/guest-init" "$stage/init"
"$RANCHU_TOP/tools/lab/guest-module.sh" "$stage/goldfish_pipe.ko"
for program; do
	[ -x "$program" ] || die "'$program' is no program"
	cp "$program" "$stage/bin/"
done

mkdir -p "$(dirname "$OUT")"
(cd "$stage" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) > "$OUT.partial"
mv "$OUT.partial" "$OUT"
