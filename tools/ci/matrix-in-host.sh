#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# matrix.sh's part inside a host (busybox's sh): the kselftests that are named, then a
# stock guest. KTAP, and one line "# matrix: ..." that sums it up.
set -u
. /ranchu/host-lib.sh

RANCHU_DOORBELL=queue
# Enough to find what differs between kernels: the rest is the same C.
RANCHU_KILLS=20
RANCHU_ORDERS=7
export RANCHU_DOORBELL RANCHU_KILLS RANCHU_ORDERS

kselftests "$@"
tests=$?
result "kselftests" "$tests"
count=$(grep -c '^ok ' /tmp/tests)

way=$(cat /sys/module/ranchu/parameters/doorbell)
echo "# doorbell: $way"
[ "$way" = queue ] || exit 1

# What this kernel's KVM has and lacks.
doctor_is_content
doctor=$?
sed 's/^/# /' "$console"
result "vmmctl doctor finds nothing missing" "$doctor"

# Commands of the phase that exited, by device.
exits() {
	sed -n "s/.*\"label\":\"RANCHU-MARK $1\".*\"pipe\":{\"reads\":\([0-9]*\),\"writes\":\([0-9]*\)}.*/\1 \2/p" \
		/tmp/stats
}

serve echo
serve bye
serve stall
boot "pipe_guest remote" --cpus 2 --no-reboot --pipe kernel \
	--pipe-service echo=unix:/tmp/echo --pipe-service bye=unix:/tmp/bye \
	--pipe-service unix:/tmp/echo=unix:/tmp/echo --pipe-service stall=unix:/tmp/stall \
	--pipe-service gone=unix:/tmp/gone --stats=/tmp/stats --stats-at RANCHU-MARK
code=$?
# shellcheck disable=SC2086 # one word for each
kill $PEERS
sed 's/^/# /' "$console"
begin=$(exits "begin remote")
end=$(exits "end remote")
echo "# exits before '$begin', after '$end'"
guest=1
if [ "$code" -eq 0 ] && printed '^GUEST-EXIT: 0$' && ! printed GUEST-SPLAT &&
		[ -n "$begin" ] && [ "$begin" = "$end" ]; then
	guest=0
fi
result "a stock guest, no exit for a command" "$guest"
echo "1..$number"
unload_modules || exit 1
[ "$failed" -eq 0 ] || exit 1
echo "# matrix: $count kselftests and a stock guest, 0 exits per command"
