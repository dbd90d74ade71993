#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests Debian's packages in chroots that are made for it (needs root). KTAP on standard
# output.
#
#	tools/ci/packages.sh [SUITE]...		bookworm and trixie, or some, or "none"
#
# They are built twice in a clean bookworm, must come out the same, and lintian must have
# nothing to say. Then each suite installs, upgrades, removes and purges them
# (packages-in-chroot.sh), with DKMS for the kernels below. build/packages keeps the
# packages and the logs; the cache keeps chroots and what they download.
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"
. "$RANCHU_TOP/tools/lab/apt.sh"

cd "$RANCHU_TOP"
OUT=$RANCHU_BUILD/packages
CHROOTS=$RANCHU_CACHE/chroots
# Headers that are there at first, and those that come later, as regular expressions; the
# newest package that fits is taken.
declare -A KERNELS=(
	[bookworm]='6\.1\.0-[0-9]+ 6\.12\.[0-9.]+\+deb12'
	[trixie]='6\.12\.[0-9.]+\+deb13 7\.[0-9.]+\+deb13'
)
NUMBER=0
FAILED=0
ROOT=

cleanup() {
	[ -z "$ROOT" ] || rm -rf --one-file-system "$ROOT"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

result() {
	NUMBER=$((NUMBER + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $NUMBER $1"
	else
		echo "not ok $NUMBER $1"
		FAILED=$((FAILED + 1))
	fi
}

# Lines for sources.list: SUITE, its updates, security fixes and backports.
sources() {
	# shellcheck disable=SC2016 # apt's own substitutions
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' | sort -u | awk -v suite="$1" '
		$3 != "main" { next }
		$2 == "bookworm" { debian = $1 }
		$2 == "bookworm-security" { security = $1 }
		END {
			print "deb", debian, suite, "main"
			print "deb", debian, suite "-updates", "main"
			print "deb", debian, suite "-backports", "main"
			print "deb", security, suite "-security", "main"
		}'
}

# base SUITE: makes the archive that chroots of SUITE are unpacked from.
base() {
	# What mmdebstrap makes is by the name's end.
	local tar=$CHROOTS/$1.tar new=$CHROOTS/new-$1.tar

	[ ! -e "$tar" ] || return 0
	command -v mmdebstrap >/dev/null || long_step "installing mmdebstrap" \
		"$OUT/mmdebstrap.log" apt-get install -y --no-install-recommends mmdebstrap
	mkdir -p "$CHROOTS"
	sources "$1" > "$OUT/$1.list"
	long_step "making a $1" "$OUT/$1-base.log" mmdebstrap --mode=root --variant=apt \
		"$1" "$new" "$OUT/$1.list"
	mv "$new" "$tar"
}

# in_chroot SUITE SCRIPT ARGUMENT...: runs our SCRIPT in a new chroot of SUITE, which has
# $OUT/stage as /stage. What apt downloads is kept for the next.
in_chroot() {
	local suite=$1 root archives=$CHROOTS/archives-$1 rc=0

	shift
	base "$suite" >&2
	root=$(mktemp -d "$OUT/root.XXXXXX")
	ROOT=$root
	mkdir -p "$archives/partial" "$root/stage"
	tar -C "$root" -xf "$CHROOTS/$suite.tar"
	mkdir -p "$root/stage"
	printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
	chmod +x "$root/usr/sbin/policy-rc.d"
	echo 'Binary::apt-get::APT::Keep-Downloaded-Packages "true";' \
		> "$root/etc/apt/apt.conf.d/keep"
	cp /etc/resolv.conf "$root/etc/"
	cp tools/ci/packages-in-chroot.sh "$root/"
	# The mounts are gone with the last process in there.
	# shellcheck disable=SC2016 # for the other shell
	unshare --mount --pid --fork --kill-child sh -euc '
		root=$1 archives=$2 stage=$3
		shift 3
		mount -t proc proc "$root/proc"
		mount -t sysfs -o ro sys "$root/sys"
		mount --bind "$archives" "$root/var/cache/apt/archives"
		mount --bind "$stage" "$root/stage"
		exec env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
			DEBIAN_FRONTEND=noninteractive chroot "$root" bash /packages-in-chroot.sh "$@"' \
		sh "$root" "$archives" "$OUT/stage" "$@" || rc=$?
	cleanup
	ROOT=
	return "$rc"
}

# tests SUITE ARGUMENT...: the same, and counts what comes out.
tests() {
	local suite=$1 log=$OUT/$1-$2.log rc=0 verdict

	in_chroot "$@" > "$log" 2>&1 || rc=1
	grep -E '^(ok|not ok) ' "$log" > "$log.results" || true
	[ -s "$log.results" ] || rc=1
	[ "$rc" -eq 0 ] || tail -n 60 "$log" | sed 's/^/# /'
	while read -r verdict; do
		result "$suite: ${verdict#*ok }" "$([[ $verdict == ok* ]]; echo $?)"
	done < "$log.results"
	[ "$rc" -eq 0 ] || result "$suite: $2 comes to its end" 1
}

# What git knows, or all but build/ if this is no repository.
stage_tree() {
	rm -rf "$OUT/stage"
	mkdir -p "$OUT/stage/tree"
	if [ -e .git ]; then
		git ls-files -z --cached --others --exclude-standard
	else
		find . -path ./build -prune -o -type f -print0
	fi | cpio -0pdm --quiet "$OUT/stage/tree"
}

[ $# -gt 0 ] || set -- bookworm trixie
[ "$*" != none ] || set --
for suite; do
	[ -n "${KERNELS[$suite]:-}" ] || die "no suite '$suite': there are ${!KERNELS[*]}"
done
[ "$(id -u)" -eq 0 ] || die "run as root: chroots are made"
mkdir -p "$OUT"
stage_tree
tests bookworm build
for suite; do
	# shellcheck disable=SC2086 # two words
	tests "$suite" install ${KERNELS[$suite]}
done
echo "1..$NUMBER"
[ "$FAILED" -eq 0 ]
