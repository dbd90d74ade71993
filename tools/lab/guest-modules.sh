#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Adds to a guest's archive (guest-initrd.sh) modules of Debian's kernel, with what
# they need, and programs, in /bin: files, or names of Debian's (program.sh). What is
# built into the kernel is there already. A module that Debian's kernel lacks is named by
# its source, from drivers/ on; one of ours by its source, from tools/ on. Such a module
# may use what those before it export.
# guest-load, also there, loads the modules. GUEST_ARCH is as for guest-initrd.sh;
# GUEST_MODULES is another kernel's directory of modules.
#
#	tools/lab/guest-modules.sh INITRD MODULE... [-- PROGRAM...]
set -euo pipefail
. "$(dirname "$0")/lib.sh"

MODULES=$(readlink -f "${GUEST_MODULES:-$RANCHU_CACHE/modules-${GUEST_ARCH:-arm64}}")

[ $# -ge 2 ] || die "usage: guest-modules.sh INITRD MODULE... [-- PROGRAM...]"
INITRD=$1
shift

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage/modules" "$stage/bin"
: > "$stage/modules/order"
built=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	case $1 in
	drivers/* | tools/*.c)
		name=$(basename "$1" .c).ko
		# shellcheck disable=SC2086 # a list of words
		"$RANCHU_TOP/tools/lab/guest-module.sh" "$stage/modules/$name" "$1" $built
		built="$built ${name%.ko}"
		echo "$name" >> "$stage/modules/order"
		shift
		continue
		;;
	esac
	files=
	module_builtin "$MODULES" "$1" || files=$(module_files "$MODULES" "$1")
	for file in $files; do
		name=${file##*/}
		name=${name%.xz}
		[ ! -e "$stage/modules/$name" ] || continue
		# busybox's insmod cannot decompress.
		case $file in
		*.xz) xz -dc "$MODULES/$file" > "$stage/modules/$name" ;;
		*) cp "$MODULES/$file" "$stage/modules/$name" ;;
		esac
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
