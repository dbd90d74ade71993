#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Builds Debian's packages of this tree:
#
#	tools/package/deb.sh ARCH DIR
#
# leaves them in DIR, with those for all architectures. They are built from a copy of the
# files that git knows, or of all outside build/ where the tree is no repository. For
# another architecture than this machine's vmmctl is linked statically, with the libraries
# in the cache (make lab-setup), and there is no ranchu-tools. The same tree makes the same
# packages.
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

[ $# -eq 2 ] || die "usage: deb.sh ARCH DIR"
ARCH=$(debian_arch "$1")
DIR=$2
OPTIONS=()

command -v dpkg-buildpackage >/dev/null ||
	die "no dpkg-buildpackage: apt-get install dpkg-dev debhelper dh-dkms"
if [ "$ARCH" != "$(dpkg --print-architecture)" ]; then
	[ -e "$RANCHU_CACHE/libraries-$1" ] ||
		die "no libraries for $1 in the cache: run 'make lab-setup'"
	# Those that are needed are this machine's tools and the cache's libraries.
	OPTIONS=(-a "$ARCH" -d -Pcross)
fi

files() {
	if [ -e "$RANCHU_TOP/.git" ]; then
		git ls-files -z --cached --others --exclude-standard
	else
		find . -path ./build -prune -o -type f -print0
	fi
}

cd "$RANCHU_TOP"
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
mkdir "$WORK/ranchu"
files | cpio -0pdm --quiet "$WORK/ranchu"
mkdir -p "$DIR"
rm -f "$DIR"/*.deb
LOG=$DIR/build.log

# What make was told for this tree is not for that one.
unset MAKEFLAGS MAKELEVEL MFLAGS CROSS_COMPILE KDIR
(
	cd "$WORK/ranchu"
	export DEB_BUILD_OPTIONS="noautodbgsym ${DEB_BUILD_OPTIONS:-}"
	dpkg-buildpackage -b -us -uc "${OPTIONS[@]}"
) > "$LOG" 2>&1 || {
	tail -n 40 "$LOG" >&2
	die "dpkg-buildpackage failed, log: $LOG"
}
cp "$WORK"/*.deb "$DIR/"
ls "$DIR"/*.deb | sed 's/^/deb: /'
