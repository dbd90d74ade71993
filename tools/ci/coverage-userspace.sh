#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Which lines of userspace/ its own tests run on this machine: vmmctl's unit tests and
# those of the programs beside it, and the x86_64 board's with a KVM, where there is one.
# What only a stock guest or the modules lead to is not among them. Prints a table by file;
# the lines that did not run are in build/coverage-userspace/missed. The last line is
# "TOTAL covered lines percent".
#
# Tests of the sandbox fail here, because counting ends where it begins: the step vmmctl
# has them. Ends with 1 if nothing of a program was counted.
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

cd "$RANCHU_TOP"
OUT=$RANCHU_BUILD/coverage-userspace
WRAP=-Wl,--wrap=_exit,--wrap=vmm_sandbox_enter,--wrap=vmm_helper_sandbox
COUNT="gcc --coverage -fprofile-update=atomic"

. tools/ci/coverage-lib.sh

rm -rf "$OUT"
mkdir -p "$OUT"
gcc -O1 -g -c -o "$OUT/coverage.o" tools/testing/vmmctl/coverage.c

# counts PROGRAM TARGET...: its tests, which may fail.
counts() {
	local target

	for target in "${@:2}"; do
		LDFLAGS="$WRAP $OUT/coverage.o" make -s -k -j2 -C "userspace/$1" "O=$OUT/$1" \
			"CC=$COUNT" GUEST_CC=gcc "$target" >> "$OUT/$1.log" 2>&1 || true
	done
	annotate gcov "$OUT/$1" > "$OUT/$1.gcov"
}

# With a KVM of this machine, the x86_64 board as well.
if [ "$(uname -m)" = x86_64 ] && [ -w /dev/kvm ]; then
	counts vmmctl check check-kvm
else
	counts vmmctl check
fi
for program in ranchu-gpu ranchu-gles ranchu-services ranchu-sound ranchu-vnc; do
	counts "$program" check
done
awk -v missed="$OUT/missed" -v tree="userspace/" -v of="^userspace/" \
	-f tools/ci/covered.awk "$OUT"/*.gcov
[ -s "$OUT/missed" ]
for program in vmmctl ranchu-gpu ranchu-gles ranchu-services ranchu-sound ranchu-vnc; do
	[ -s "$OUT/$program.gcov" ] || die "nothing of $program was counted: $OUT/$program.log"
done
