#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Adds to a guest's archive (guest-initrd.sh), or to a directory that is to become its
# root (guest-root.sh), what it needs for vsock:
#
#	/bin/guest-vsock	loads the stock driver
#	/bin/guest-adbd		with --adbd: that, then Debian's adbd as a device has it
#
# and the given static programs, in /bin. GUEST_ARCH is as for guest-initrd.sh.
#
#	tools/lab/guest-vsock.sh INITRD|DIR [--adbd] [PROGRAM]...
set -euo pipefail
. "$(dirname "$0")/lib.sh"

MODULES=$(readlink -f "$RANCHU_CACHE/modules-${GUEST_ARCH:-arm64}")
# In the order in which they are loaded. The first is for guests behind PCI.
LOAD=(virtio_pci virtio_mmio vsock vmw_vsock_virtio_transport_common
      vmw_vsock_virtio_transport)

[ $# -ge 1 ] || die "usage: guest-vsock.sh INITRD|DIR [--adbd] [PROGRAM]..."
TO=$1
shift

if [ -d "$TO" ]; then
	stage=$TO
else
	stage=$(mktemp -d)
	trap 'rm -rf "$stage"' EXIT
fi
mkdir -p "$stage/vsock" "$stage/bin"
while [ $# -gt 0 ]; do
	case $1 in
	--adbd)
		"$RANCHU_TOP/tools/lab/program.sh" "$stage" adbd
		install -m 755 "$RANCHU_TOP/tools/lab/guest-adbd" "$stage/bin/"
		;;
	*) cp "$1" "$stage/bin/" ;;
	esac
	shift
done
install -m 755 "$RANCHU_TOP/tools/lab/guest-vsock" "$stage/bin/"
for module in "${LOAD[@]}"; do
	# What is built in needs no loading.
	if grep -q "/$module.ko\$" "$MODULES/modules.builtin"; then
		continue
	fi
	file=$(find "$MODULES/kernel" -name "$module.ko.xz")
	[ -n "$file" ] || die "Debian's ${GUEST_ARCH:-arm64} kernel has no module $module"
	# busybox's insmod cannot decompress.
	xz -dc "$file" > "$stage/vsock/$module.ko"
	echo "$module.ko" >> "$stage/vsock/order"
done

# The kernel takes a second archive behind the first.
[ -d "$TO" ] ||
	(cd "$stage" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) >> "$TO"
