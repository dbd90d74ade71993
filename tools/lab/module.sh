#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Builds the modules of tools/lab/NAME, which are for the lab alone, in DIR.
#
#	tools/lab/module.sh NAME ARCH KERNEL-DIR DIR [SYMBOLS]
#
# SYMBOLS is the Module.symvers of our modules, for those that use them.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ $# -ge 4 ] || die "usage: module.sh NAME ARCH KERNEL-DIR DIR [SYMBOLS]"
NAME=$1
ARCH=$(kernel_arch "$2")
KERNEL=$(readlink -f "$3")
DIR=$4
SYMBOLS=${5:-}

# Objects made for another kernel are no use.
if [ "$(cat "$DIR/.key" 2>/dev/null)" != "$KERNEL" ]; then
	rm -rf "$DIR"
	mkdir -p "$DIR"
	echo "$KERNEL" > "$DIR/.key"
fi
DIR=$(cd "$DIR" && pwd)
cp -u "$RANCHU_TOP/tools/lab/$NAME"/* "$DIR/"
# No CONFIG_DEBUG_INFO_BTF_MODULES: see tools/ci/modules.sh.
make -s -C "$KERNEL" "M=$DIR" "ARCH=$ARCH" "CROSS_COMPILE=$(cross_prefix "$ARCH")" \
	${SYMBOLS:+"KBUILD_EXTRA_SYMBOLS=$SYMBOLS"} CONFIG_DEBUG_INFO_BTF_MODULES= \
	modules >"$DIR/log" 2>&1 || {
	cat "$DIR/log" >&2
	die "tools/lab/$NAME does not build"
}
