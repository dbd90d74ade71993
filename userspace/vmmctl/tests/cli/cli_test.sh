#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# vmmctl as a user calls it: exit codes, one line for each failure, and nothing
# half made left behind.
#
#	VMMCTL=program cli_test.sh
set -uo pipefail

VMMCTL=${VMMCTL:?the program to test}
DIR=$(mktemp -d)
trap 'rm -rf "$DIR"' EXIT
n=0
bad=0

result() {
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n $2"
	else
		echo "not ok $n $2"
		bad=1
	fi
}

# fails CODE NAME ARGS...: ends with CODE and one line that names the program.
fails() {
	local code=$1 name=$2 rc=0

	shift 2
	"$VMMCTL" "$@" >"$DIR/out" 2>"$DIR/err" </dev/null || rc=$?
	[ "$rc" -eq "$code" ] && [ ! -s "$DIR/out" ] && [ "$(wc -l <"$DIR/err")" -eq 1 ] &&
		grep -q '^vmmctl: ' "$DIR/err"
	result $? "$name"
}

echo "1..23"
fails 2 "no command is refused"
fails 2 "an unknown command is refused" walk
fails 2 "an unknown option is refused" dtb --walk
fails 1 "a kernel that is no kernel is refused" dtb --kernel "$VMMCTL"
fails 1 "a kernel that is not there is refused" dtb --kernel "$DIR/none"
fails 1 "a directory is no initrd" dtb --initrd "$DIR"
if [ -c /dev/full ]; then
	fails 1 "a full disk is noticed, and a device is not removed" dtb -o /dev/full
	[ -c /dev/full ] || { echo "# /dev/full is gone"; bad=1; }
else
	n=$((n + 1))
	echo "ok $n a full disk is noticed # SKIP no /dev/full here"
fi
fails 1 "run says in one line why it does not" run --kernel "$DIR/none"

fails 2 "avd without a name is refused" avd -no-window
HOME=$DIR ANDROID_AVD_HOME='' fails 1 "an AVD that is not there is refused" avd one

# No pipe into grep -q: it goes early, and the writer dies of that.
"$VMMCTL" help >"$DIR/help" && grep -q '^usage: ' "$DIR/help"
result $? "help prints how it is used"

"$VMMCTL" dtb --cpus 2 -o "$DIR/a.dtb" && "$VMMCTL" dtb --cpus 2 >"$DIR/b.dtb" &&
	[ -s "$DIR/a.dtb" ] && cmp "$DIR/a.dtb" "$DIR/b.dtb"
result $? "dtb writes the same to a file and to stdout"

head -c 100000 /dev/zero >"$DIR/initrd"
"$VMMCTL" dtb --initrd "$DIR/initrd" -o "$DIR/c.dtb" &&
	grep -aq 'linux,initrd-end' "$DIR/c.dtb"
result $? "dtb tells where an initrd will be"

fails 2 "a key that is wrong is refused" run --kernel "$DIR/none" --disk a,ro
fails 2 "a configuration file that is not there is refused" run --config "$DIR/none"
echo '{ "cpus": 2, "gic": 9 }' >"$DIR/bad.json"
fails 2 "a configuration file that is wrong is refused" dtb --config "$DIR/bad.json"

echo '{ "cpus": 4, "memory": "512M" }' >"$DIR/vm.json"
"$VMMCTL" dtb --config "$DIR/vm.json" --cpus 2 >"$DIR/d.dtb" &&
	"$VMMCTL" dtb --memory 512M --cpus 2 >"$DIR/e.dtb" && cmp "$DIR/d.dtb" "$DIR/e.dtb"
result $? "a configuration file is read, and the command line wins"

"$VMMCTL" help disk >"$DIR/help" && grep -q 'readonly=on|off' "$DIR/help" &&
	"$VMMCTL" run --help >"$DIR/help" && grep -q -- '--no-reboot' "$DIR/help"
result $? "help explains a device and a command"

"$VMMCTL" --version >"$DIR/version" && grep -qx 'vmmctl [0-9.]*' "$DIR/version"
result $? "the version is printed"

# finds TEXT OPTION...: doctor ends with 1 and says TEXT.
finds() {
	local text=$1 rc=0

	shift
	"$VMMCTL" doctor "$@" >"$DIR/doctor" 2>/dev/null || rc=$?
	[ "$rc" -eq 1 ] && grep -q "MISSING.*$text" "$DIR/doctor" ||
		{ echo "# not found: $text"; return 1; }
}

(rc=0
: >"$DIR/disk"
finds "kernel $DIR/none" --kernel "$DIR/none" || rc=1
finds "disk $DIR/none" --disk "$DIR/none" || rc=1
finds "module vhost_ranchu_blk .*Try" --disk "$DIR/disk" || rc=1
finds "ip tuntap add no-such-tap" --net tap=no-such-tap || rc=1
finds "module vhost_goldfish_pipe .*Try" || rc=1
finds "socket $DIR/none" --vhost-user "blk,socket=$DIR/none" || rc=1
finds "no target naa.0 in" --scsi wwpn=naa.0 || rc=1
finds "modprobe vhost_scsi" --scsi wwpn=naa.0 || rc=1
finds "module vhost_vsock_adb .*Try" --vsock 3 || rc=1
finds "truncate -s 1G $DIR/none" --disk "$DIR/none" || rc=1
finds "The interface lo is no tap" --net tap=lo || rc=1
finds "snapshots' directory $DIR/none .*mkdir -p $DIR/none" --snapshots "$DIR/none" || rc=1
finds "screenshots' directory $DIR/none .*mkdir -p $DIR/none" --screenshots "$DIR/none" || rc=1
finds "statistics file $DIR/none/s .*mkdir -p $DIR/none" --stats="$DIR/none/s" || rc=1
finds "socket $DIR/none/x .*mkdir -p $DIR/none" --screen-socket "$DIR/none/x" || rc=1
finds "store $DIR/none/p .*mkdir -p $DIR/none" --pstore "$DIR/none/p" || rc=1
finds "ranchu-sound --socket-path $DIR/none" --sound "socket=$DIR/none" || rc=1
finds "sound file $DIR/none/w .*mkdir -p $DIR/none" --sound "wav=$DIR/none/w" || rc=1
finds "socket $DIR/disk of --pipe-service is no socket" \
	--pipe-service "x=unix:$DIR/disk" || rc=1
finds "socket $DIR/none " --pipe-service "x=unix:$DIR/none" || rc=1
XDG_RUNTIME_DIR=$DIR/none finds "install -d -m 700 -o \$USER $DIR/none/ranchu" --name one || rc=1
(ulimit -f 100; finds "a file may have 0. Try: ulimit -f unlimited" --memory 64M) || rc=1
(ulimit -n 100; finds "may have 100 files open.*Try: ulimit -Hn") || rc=1
(ulimit -l 64; finds "lock 64 MiB of RAM, and 0 are allowed. Try: sudo prlimit --memlock=" \
	--memory 64M --vdpa "dev=$DIR/none") || rc=1
finds "are no multiple of 2 MiB. Try: --memory 68M\|has no pages of 2 MiB" \
	--huge-pages 2M --memory 67M || rc=1
finds "are free. Try: echo [0-9]* | sudo tee /sys\|has no pages of 2 MiB" \
	--huge-pages 2M --memory 30G || rc=1
"$VMMCTL" doctor --disk "$DIR/disk,served=user" >"$DIR/doctor" 2>/dev/null
grep -q "ok *The disk $DIR/disk is usable" "$DIR/doctor" || rc=1
! grep -q vhost_ranchu_blk "$DIR/doctor" || rc=1
exit $rc)
result $? "doctor asks for what the run needs, and says what mends it"

# A port that somebody has; the shell cannot listen, so another program does.
if command -v python3 >/dev/null; then
	python3 -c 'import socket, sys, time
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen()
print(s.getsockname()[1], flush=True)
time.sleep(60)' >"$DIR/port" &
	listener=$!
	while [ ! -s "$DIR/port" ]; do sleep 0.1; done
	finds "The port $(cat "$DIR/port") for the emulator's console is taken" \
		--emulator-console "$(cat "$DIR/port")"
	result $? "doctor finds a port that is taken"
	kill $listener
else
	n=$((n + 1))
	echo "ok $n doctor finds a port that is taken # SKIP no python3 here"
fi

if command -v groff >/dev/null; then
	# groff warns of what it does not understand, and ends with 0.
	groff -man -ww -Tutf8 "$(dirname "$VMMCTL")/vmmctl.1" >"$DIR/man" 2>"$DIR/err" &&
		[ ! -s "$DIR/err" ] && grep -q 'random numbers' "$DIR/man"
	result $? "the manual page is well formed"
else
	n=$((n + 1))
	echo "ok $n the manual page is well formed # SKIP no groff here"
fi

# completes LINE WORD...: behind LINE, bash offers exactly WORD...
completes() {
	local line=$1

	shift
	[ "$(bash -c '. "$1" && COMP_LINE=$2 COMP_POINT=${#2} && _vmmctl &&
		echo "${COMPREPLY[*]}"' bash "$(dirname "$VMMCTL")/vmmctl.bash" "$line")" = "$*" ] ||
		{ echo "# not completed: $line"; return 1; }
}

mkdir -p "$DIR/ranchu/one" "$DIR/ranchu/other"
touch "$DIR/ranchu/one/control.sock" "$DIR/ranchu/other/control.sock"
(cd "$DIR" && rc=0
completes "vmmctl d" dtb doctor device || rc=1
XDG_RUNTIME_DIR=$DIR completes "vmmctl stop o" one other || rc=1
XDG_RUNTIME_DIR=$DIR completes "vmmctl device ot" other || rc=1
XDG_RUNTIME_DIR=$DIR/none completes "vmmctl stop " || rc=1
completes "vmmctl run --gic=a" auto || rc=1
completes "vmmctl run --window " auto on off || rc=1
completes "vmmctl run --no" --no-reboot || rc=1
completes "vmmctl run --kernel vm.j" vm.json || rc=1
completes "vmmctl run --device di" disk || rc=1
completes "vmmctl run --device disk,se" disk,served= || rc=1
completes "vmmctl run --disk vm.json,served=u" user || rc=1
completes "vmmctl run --disk vm.json,direct=on,leg" on,legacy= || rc=1
exit $rc)
result $? "bash completes options, devices, keys, words and files"
exit $bad
