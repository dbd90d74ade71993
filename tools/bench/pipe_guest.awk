# SPDX-License-Identifier: GPL-2.0-only
#
# Reads what pipe_host.sh prints and gives a line for each phase:
#
#	MODE,NAME,NS,OPS,EXITS,COMMANDS,COPIED,BYTES
#
# NS, OPS and BYTES, which is what the operations are for, come from the guest's end
# mark, the rest from the controller's snapshots at both marks; the console's own exits
# are taken off. COPIED is what the pipe device has copied from and to the guest.

function number(text, name) {
	if (!match(text, "\"" name "\":[0-9]+"))
		return -1
	return substr(text, RSTART + length(name) + 3, RLENGTH - length(name) - 3) + 0
}

# Exits to userspace but for the console's.
function exits(text, console) {
	if (!match(text, /"(pl011|uart16550)":\{[^}]*\}/))
		return -1
	console = substr(text, RSTART, RLENGTH)
	return number(text, "userspace_exits") - number(console, "reads") - number(console, "writes")
}

# The pipe's own counters are behind KVM's; its exits, before them, have that name too.
function pipe(text) {
	if (!match(text, /"kvm":\{.*/))
		return ""
	text = substr(text, RSTART)
	return match(text, /"pipe":\{[^}]*\}/) ? substr(text, RSTART, RLENGTH) : ""
}

function copied(text) {
	return number(text, "bytes_to_host") + number(text, "bytes_to_guest")
}

$1 == "BENCH-STATS" && /"label":"RANCHU-MARK begin bench/ {
	begin_exits = exits($0)
	begin_commands = number(pipe($0), "commands")
	begin_copied = copied(pipe($0))
	next
}

$1 == "BENCH-STATS" && /"label":"RANCHU-MARK end bench/ {
	label = $0
	sub(/.*"label":"RANCHU-MARK end bench /, "", label)
	sub(/".*/, "", label)
	split(label, word, " ")
	ns = ops = bytes = label
	sub(/.* ns=/, "", ns)
	sub(/ .*/, "", ns)
	sub(/.* ops=/, "", ops)
	sub(/.* bytes=/, "", bytes)
	sub(/ .*/, "", bytes)
	printf "%s,%s,%s,%s,%d,%d,%.0f,%s\n", $2, word[1], ns, ops,
	       exits($0) - begin_exits, number(pipe($0), "commands") - begin_commands,
	       copied(pipe($0)) - begin_copied, bytes
}
