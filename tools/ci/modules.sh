#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Builds the modules out of tree, in DIR, which gets links to the sources: so
# builds for several architectures or with different flags live side by side.
#
#	tools/ci/modules.sh ARCH KDIR DIR [MAKE-ARGUMENT]...
#
# CROSS_COMPILE is taken from the environment, or Debian's for ARCH.
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

[ $# -ge 3 ] || die "usage: modules.sh ARCH KDIR DIR [MAKE-ARGUMENT]..."
ARCH=$(kernel_arch "$1")
KDIR=$2
DIR=$3
shift 3

[ -e "$KDIR/Makefile" ] ||
	die "no kernel headers in '$KDIR': give KDIR=, or run 'make lab-setup' for Debian's"
KDIR=$(readlink -f "$KDIR")

mkdir -p "$DIR"
DIR=$(cd "$DIR" && pwd)
cp -rsuf "$RANCHU_TOP/drivers" "$RANCHU_TOP/include" "$RANCHU_TOP/compat" \
	"$RANCHU_TOP/Kbuild" "$DIR/"
# Sources that are gone leave links that lead nowhere.
find "$DIR" -xtype l -delete
# Objects made for other headers or with other flags are no use.
key="$KDIR $*"
if [ "$(cat "$DIR/.key" 2>/dev/null)" != "$key" ]; then
	find "$DIR" -type f \( -name '*.o' -o -name '*.ko' -o -name '*.cmd' \) -delete
	printf '%s\n' "$key" > "$DIR/.key"
fi

# Makes the CONFIG_DEBUG_INFO_BTF_MODULES step go away: it needs pahole and the
# kernel's own BTF, which header packages do not have.
exec make -s -C "$KDIR" "M=$DIR" "ARCH=$ARCH" "CROSS_COMPILE=$(cross_prefix "$ARCH")" \
	CONFIG_DEBUG_INFO_BTF_MODULES= "$@" modules
