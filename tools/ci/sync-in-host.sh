#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The host's part of sync-test.sh (busybox's sh).
set -u

. /ranchu/host-lib.sh
. /ranchu/sync-lib.sh

echo "1..8"

refuses "is vhost_goldfish_sync loaded" --pipe none --sync kernel
result missing_module_is_said $?
load_modules

start "sync-in-guest fences burst host held" --cpus 2 --stats=/tmp/stats --stats-at MARK
render answer
waits_for 1 HOST-READY "$vmm"
end_renderer -TERM
result renderer_ends_and_the_guest_goes_on $?
render make 3
waits_for 1 HELD-READY "$vmm"
grep -q '^sync_renderer: made 3$' /tmp/renderer
made=$?
end_renderer -TERM
render hold
tries=0
while [ "$(grep -c '^sync_renderer: wait' /tmp/renderer)" -lt 8 ] && [ $tries -lt 60 ]; do
	sleep 1
	tries=$((tries + 1))
done
held=$(grep -c '^sync_renderer: wait' /tmp/renderer)
end_renderer -KILL
ended
result guest_ends_in_order $?
printed '^sync_fences 20 4: done.* wrong 0' && printed '^sync_fences 3 32: done.* wrong 0'
result fences_are_signalled $?
echo "# exits: $(exits)"
[ "$(exits)" = 0 ]
result no_fence_exits $?
[ "$made" -eq 0 ] && printed '^sync_fences host 3: done.* signalled 3 wrong 0'
result host_makes_timelines_and_fences $?
[ "$held" -eq 8 ] && printed '^sync_fences 1 8: done.* wrong 0'
result fences_of_a_killed_renderer_are_signalled $?

# The same by exits; and so the count above can fail.
start "sync-in-guest fences burst" --cpus 2 --stats=/tmp/stats --stats-at MARK --sync user
render answer
ended && printed '^sync_fences 100 1: done.* wrong 0' && echo "# exits: $(exits)" &&
	[ "$(exits)" -ge 300 ]
result user_served_fences_exit $?
end_renderer -TERM

[ "$failed" -eq 0 ]
