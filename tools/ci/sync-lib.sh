# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Guests with sync_driver.ko, and renderers for them, in an emulated host (busybox's sh).
# Sourced after host-lib.sh, never run.

socket=/tmp/sync
vmm=
renderer=

# render ARGUMENT...: a renderer, once there is something to connect to.
render() {
	while [ ! -S "$socket" ] && kill -0 "$vmm" 2>/dev/null; do
		sleep 1
	done
	/ranchu/sync_renderer "$socket" "$@" > /tmp/renderer 2>&1 &
	renderer=$!
}

# A renderer ends, and the next may begin.
end_renderer() {
	kill "$1" "$renderer" 2>/dev/null
	wait "$renderer" 2>/dev/null
	sed 's/^/# /' /tmp/renderer
}

# start COMMAND OPTION...: a guest in the background.
start() {
	rm -f "$socket"
	: > "$console"
	boot "$@" --sync-socket "$socket" &
	vmm=$!
}

ended() {
	wait "$vmm"
	printed '^GUEST-EXIT: 0$' && ! printed GUEST-SPLAT
}

# exits: accesses of the device that came to userspace between the marks.
exits() {
	{ counted "MARK begin" sync; counted "MARK end" sync; } |
		awk '{ n = $1 + $2 - n } END { if (NR == 2) print n; else print "?" }'
}
