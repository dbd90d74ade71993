#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests `vmmctl avd` end to end: an AVD that is made here of Debian's parts boots on an emulated
# arm64 host to bootcomplete, with ranchu-services, and keeps what it wrote: KTAP on
# standard output. No Android image takes part.
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

OVERLAY=$RANCHU_BUILD/lab/overlay-avd
PROGRAMS=$RANCHU_BUILD/arm64/services
SDK=$OVERLAY/sdk/system-images/android-34/default/arm64-v8a
AVD=$OVERLAY/home/.android/avd

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh arm64 "$OVERLAY" --guest
make -s -C tools/testing/services "OUTPUT=$PROGRAMS" "CROSS_COMPILE=$(cross_prefix arm64)"
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" virtio_mmio virtio_blk crc32c_generic ext4 -- \
	tools/ci/avd-in-guest "$PROGRAMS/services_guest"
cp "$RANCHU_BUILD/arm64/ranchu-services/ranchu-services" "$OVERLAY/bin/"
cp tools/ci/host-lib.sh tools/ci/avd-in-host.sh "$OVERLAY/ranchu/"

# image FILE MIB TEXT: an ext4 image with a file that has TEXT.
image() {
	local files

	files=$(mktemp -d)
	echo "$3" > "$files/hello"
	rm -f "$1"
	truncate -s "$2M" "$1"
	mke2fs -q -t ext4 -d "$files" "$1"
	rm -r "$files"
}

mkdir -p "$SDK" "$AVD/one.avd"
mv "$OVERLAY/ranchu/guest/Image" "$SDK/kernel-ranchu"
mv "$OVERLAY/ranchu/guest/initrd.cpio" "$SDK/ramdisk.img"
image "$SDK/system.img" 8 "the system"
image "$SDK/vendor.img" 4 "the vendor"
image "$SDK/userdata.img" 12 "the user"
image "$SDK/encryptionkey.img" 3 "the keys"
echo "AndroidVersion.ApiLevel=34" > "$SDK/source.properties"
printf '%s = on\n' AndroidbootProps2 DynamicPartition > "$SDK/advancedFeatures.ini"
# The emulator has made this one. The host has no mke2fs.
image "$AVD/one.avd/cache.img" 5 "the cache"
cat > "$AVD/one.ini" <<-END
	avd.ini.encoding=UTF-8
	path=/nowhere/one.avd
	path.rel=avd/one.avd
	target=android-34
END
cat > "$AVD/one.avd/config.ini" <<-END
	abi.type = arm64-v8a
	image.sysdir.1 = system-images/android-34/default/arm64-v8a/
	hw.cpu.ncore = 2
	hw.ramSize = 256
	hw.lcd.density = 160
END
exec tools/lab/run.sh --host arm64 --timeout 900 --overlay "$OVERLAY" -- \
	sh /ranchu/avd-in-host.sh
