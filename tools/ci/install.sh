#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests `make dist`, `make install`, `make modules-install` and `make uninstall`: the archive
# of the last commit is unpacked, builds where git fails, installs below a directory, and
# takes away all that it has put there. KTAP on standard output.
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

cd "$RANCHU_TOP"
OUT=$RANCHU_BUILD/check/install
DEST=$OUT/root
VERSION=$(sed -n 's/^VERSION ?= //p' userspace/vmmctl/Makefile)
TREE=$OUT/ranchu-$VERSION
KDIR=$RANCHU_CACHE/kdir-$(kernel_arch "$(uname -m)")
NUMBER=0
FAILED=0

# check WHAT COMMAND...
check() {
	local what=$1 rc=0

	shift
	NUMBER=$((NUMBER + 1))
	"$@" > "$OUT/log" 2>&1 || rc=$?
	if [ "$rc" -eq 0 ]; then
		echo "ok $NUMBER $what"
	else
		tail -n 40 "$OUT/log" | sed 's/^/# /'
		echo "not ok $NUMBER $what"
		FAILED=$((FAILED + 1))
	fi
}

same_archive_twice() {
	local archive=build/ranchu-$VERSION.tar.xz

	make -s dist && cp "$archive" "$OUT/first.tar.xz" && make -s dist &&
		cmp "$archive" "$OUT/first.tar.xz" && tar -C "$OUT" -xf "$archive"
}

# in_tree ARGUMENT...: make, in what was unpacked, with a git that fails.
in_tree() {
	env -u RANCHU_BUILD -u MAKEFLAGS -u MAKELEVEL "PATH=$OUT/bin:$PATH" \
		make -s -C "$TREE" "DESTDIR=$DEST" PREFIX=/usr bindir=/opt/ranchu/bin \
		"KDIR=$KDIR" "$@"
}

# Where the variables say, and nowhere else.
all_is_there() {
	local file

	find "$DEST" -type f
	for file in opt/ranchu/bin/{vmmctl,ranchu-gpu,ranchu-gles,ranchu-services} \
			usr/share/man/man1/{vmmctl,ranchu-gpu,ranchu-gles,ranchu-services}.1 \
			usr/share/bash-completion/completions/vmmctl \
			usr/lib/libranchu_pipe.a usr/include/ranchu_pipe.h \
			usr/include/linux/{vhost_goldfish_pipe,goldfish_pipe,ranchu}.h \
			usr/lib/udev/rules.d/60-ranchu.rules usr/lib/modules-load.d/ranchu.conf \
			usr/share/doc/ranchu/{README,Documentation/index}.md; do
		[ -s "$DEST/$file" ] || { echo "no $file"; return 1; }
	done
	! find "$DEST" -type f ! -path "$DEST/usr/*" ! -path "$DEST/opt/ranchu/bin/*" | grep .
}

what_is_there_works() {
	"$DEST/opt/ranchu/bin/vmmctl" --version | grep -F "$VERSION" &&
		gcc -Wall -Werror -o "$OUT/example" "-I$DEST/usr/include" \
			"$DEST/usr/share/doc/ranchu/examples/ranchu_pipe_example.c" \
			"-L$DEST/usr/lib" -lranchu_pipe -pthread
}

# Each module that the makefiles name, but for the device that only tests use.
modules_are_there() {
	local release names

	release=$(sed -n 's/^#define UTS_RELEASE "\(.*\)"$/\1/p' \
		"$KDIR/include/generated/utsrelease.h")
	names="ranchu vhost_goldfish_pipe vhost_goldfish_sync vhost_ranchu_blk vhost_vsock_adb"
	find "$DEST/lib/modules/$release/updates" -name '*.ko' -printf '%f\n' | sort > "$OUT/modules"
	cat "$OUT/modules"
	[ "$(sed 's/\.ko$//' "$OUT/modules" | paste -sd ' ')" = "$names" ]
}

nothing_is_left() {
	! find "$DEST" -type f | grep .
}

others_files_are_left() {
	find "$DEST" -type f
	[ "$(find "$DEST" -type f | wc -l)" -eq 2 ] && [ -e "$DEST/usr/share/doc/ranchu/mine" ] &&
		[ -e "$(echo "$DEST"/lib/modules/*/updates/mine.ko)" ]
}

git_was_not_asked() {
	! cat "$OUT/asked"
}

if [ ! -e .git ]; then
	echo "1..1"
	echo "ok 1 install # SKIP make dist needs the repository"
	exit 0
fi
rm -rf "$OUT"
mkdir -p "$OUT/bin"
printf '#!/bin/sh\necho "git $*" >> "%s"\nexit 1\n' "$OUT/asked" > "$OUT/bin/git"
chmod +x "$OUT/bin/git"

check "two archives of a commit are the same" same_archive_twice
check "the archive builds and installs" in_tree install
check "all files are where DESTDIR, PREFIX and bindir say" all_is_there
check "what was installed works" what_is_there_works
check "the modules are built and installed" in_tree modules-install
check "the modules are there" modules_are_there
check "none of this asks git" git_was_not_asked
touch "$DEST/usr/share/doc/ranchu/mine" "$(echo "$DEST"/lib/modules/*/updates)/mine.ko"
check "uninstall" in_tree uninstall
check "uninstall leaves what others have put there" others_files_are_left
find "$DEST" -name 'mine*' -delete
check "uninstall leaves nothing of its own" nothing_is_left
echo "1..$NUMBER"
[ "$FAILED" -eq 0 ]
