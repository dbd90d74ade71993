#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Lays this tree's files over a kernel source tree and hooks them into its
# Kconfig and Makefiles. Again on the same tree: brings it up to date.
#
#	tools/overlay.sh KSRC
#
# The sources are written for the newest kernel, and compat/ is for builds outside a tree. What
# the lab's tree, 6.12, lacks is two names, which the compiler is told on its command line.
#
# KSRC may be a hard-linked copy (cp -al): no file of the kernel's is written
# in place, so the tree that it was copied from stays as it is.
set -euo pipefail
. "$(dirname "$0")/lab/lib.sh"

[ $# -eq 1 ] || die "usage: overlay.sh KSRC"
KSRC=$1
[ -e "$KSRC/drivers/vhost/vhost.c" ] || die "'$KSRC' is no kernel source tree"

MARK_BEGIN='# ranchu: laid over from here'
MARK_END='# ranchu: to here'

# hook FILE: puts what standard input holds at the end of FILE, in place of
# what was put there before. Writes a file only if that changes it, so that a
# kernel's build sees nothing new where nothing is.
hook() {
	local file=$KSRC/$1

	{
		sed "/^$MARK_BEGIN\$/,/^$MARK_END\$/d" "$file"
		echo "$MARK_BEGIN"
		cat
		echo "$MARK_END"
	} > "$file.ranchu"
	if cmp -s "$file" "$file.ranchu"; then
		rm "$file.ranchu"
	else
		# A rename, not a write: this is what breaks the hard link.
		mv "$file.ranchu" "$file"
	fi
}

# Copies what differs; --remove-destination breaks hard links.
lay() {
	local file

	(cd "$RANCHU_TOP" && find "$@" -type f -print) | while read -r file; do
		if ! cmp -s "$RANCHU_TOP/$file" "$KSRC/$file"; then
			mkdir -p "$KSRC/${file%/*}"
			cp --remove-destination "$RANCHU_TOP/$file" "$KSRC/$file"
		fi
	done
}

# Files of ours that an earlier overlay brought and that are gone since.
remove_gone() {
	local file list=$KSRC/.ranchu-files

	if [ -e "$list" ]; then
		while read -r file; do
			[ -e "$RANCHU_TOP/$file" ] || rm -f "$KSRC/$file"
		done < "$list"
	fi
	(cd "$RANCHU_TOP" && find "${OURS[@]}" -type f) > "$list.new"
	mv "$list.new" "$list"
}

# old_name NEW OLD HEADER: has the compiler write OLD for NEW, if HEADER lacks NEW.
old_name() {
	grep -qsw "${1%%(*}" "$KSRC/include/linux/$3" || echo "subdir-ccflags-y += '-D$1=$2'"
}

OURS=(drivers/virt/ranchu include)
# In drivers/vhost the kernel has its own Kconfig and Makefile.
while read -r entry; do
	OURS+=("$entry")
done < <(cd "$RANCHU_TOP" && find drivers/vhost -mindepth 1 -maxdepth 1 \
	! -name Kconfig ! -name Makefile)

remove_gone
lay "${OURS[@]}"
OLD_NAMES=$(
	old_name timer_container_of from_timer timer.h
	old_name 'hrtimer_setup(t,f,c,m)' \
		'(hrtimer_init(t,c,m),(void)((t)->function=(f)))' hrtimer.h
)
hook drivers/vhost/Kconfig < "$RANCHU_TOP/drivers/vhost/Kconfig"
(cat "$RANCHU_TOP/drivers/vhost/Makefile" && echo "$OLD_NAMES") | hook drivers/vhost/Makefile
grep '^source "drivers/virt/ranchu/' "$RANCHU_TOP/Kconfig" | hook drivers/virt/Kconfig
# shellcheck disable=SC2016 # make's variable, not the shell's
(echo 'obj-$(CONFIG_RANCHU)		+= ranchu/' && echo "$OLD_NAMES") | hook drivers/virt/Makefile
# The kernel enters these two directories only for drivers of its own.
hook drivers/Makefile <<'HOOK'
obj-$(CONFIG_RANCHU)		+= virt/
obj-$(CONFIG_RANCHU)		+= vhost/
HOOK
