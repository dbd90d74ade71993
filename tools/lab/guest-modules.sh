#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Adds to a guest's archive (guest-initrd.sh) modules of Debian's kernel, with what
# they need, and programs, in /bin: files, or names of Debian's (program.sh).
# guest-load, also there, loads the modules. A module that Debian's kernel lacks is named
# by its source, from drivers/ on. GUEST_ARCH is as for guest-initrd.sh.
#
#	tools/lab/guest-modules.sh INITRD MODULE... [-- PROGRAM...]
set -euo pipefail
. "$(dirname "$0")/lib.sh"

MODULES=$(readlink -f "$RANCHU_CACHE/modules-${GUEST_ARCH:-arm64}")

[ $# -ge 2 ] || die "usage: guest-modules.sh INITRD MODULE... [-- PROGRAM...]"
INITRD=$1
shift

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage/modules" "$stage/bin"
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	case $1 in
	drivers/*)
		name=$(basename "$1" .c).ko
		"$RANCHU_TOP/tools/lab/guest-module.sh" "$stage/modules/$name" "$1"
		echo "$name" >> "$stage/modules/order"
		shift
		continue
		;;
	esac
	files=$(module_files "$MODULES" "$1")
	for file in $files; do
		name=${file##*/}
		name=${name%.xz}
		[ ! -e "$stage/modules/$name" ] || continue
		# busybox's insmod cannot decompress.
		xz -dc "$MODULES/$file" > "$stage/modules/$name"
		echo "$name" >> "$stage/modules/order"
	done
	shift
done
[ $# -eq 0 ] || shift
for program in "$RANCHU_TOP/tools/lab/guest-load" "$@"; do
	case $program in
	*/*) install -m 755 "$program" "$stage/bin/" ;;
	*) "$RANCHU_TOP/tools/lab/program.sh" "$stage" "$program" ;;
	esac
done

# The kernel takes a second archive behind the first.
(cd "$stage" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) >> "$INITRD"
