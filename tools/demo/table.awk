# SPDX-License-Identifier: GPL-2.0-only
#
# Joins vmmctl's statistics of two runs of `pipe_guest demo` into a table:
#
#	awk -f table.awk kernel.json user.json [adb.txt]
#
# A line of adb.txt is what adb has moved: served by whom, what, bytes, seconds, exits.
#
# Each line is a snapshot whose label is what the guest printed then; a phase
# is what lies between its "begin" and its "end". Exits that the console's own
# characters cost are not the pipe's and are left out.

function number(line, key,	text) {
	if (!match(line, "\"" key "\":[0-9]+"))
		return 0
	text = substr(line, RSTART, RLENGTH)
	sub(/.*:/, "", text)
	return text + 0
}

function part(line, key) {
	if (!match(line, "\"" key "\":[{][^}]*"))
		return ""
	return substr(line, RSTART, RLENGTH)
}

function exits(line,	console) {
	console = part(line, "pl011") part(line, "uart16550")
	return number(line, "userspace_exits") - number(console, "reads") - number(console, "writes")
}

# The module's counters are behind KVM's; the device's exits, before them, have that name too.
function commands(line) {
	return match(line, /"kvm":[{].*/) ? number(part(substr(line, RSTART), "pipe"), "commands") : 0
}

function value(words, name,	i, text) {
	for (i in words) {
		text = words[i]
		if (sub("^" name "=", "", text))
			return text + 0
	}
	return 0
}

function size_text(size) {
	if (size >= 1048576)
		return size / 1048576 " MiB"
	if (size >= 1024)
		return size / 1024 " KiB"
	return size " B"
}

# Three digits that matter, for rates from bytes to gigabytes a second.
function rate_text(rate) {
	return rate >= 100 ? sprintf("%.0f", rate) : sprintf("%.3g", rate)
}

FNR == 1 { run++ }

run == 3 {
	r = $1 == "kernel" ? 1 : 2
	key = "adb " $2 " " $3
	if (!(key in seen)) {
		seen[key] = 1
		order[++rows] = key
	}
	rate[r, key] = $3 / $4 / 1000000
	count[r, key] = 1
	left[r, key] = $5
	next
}

/"label":"RANCHU-MARK / {
	match($0, /RANCHU-MARK [^"]*/)
	split(substr($0, RSTART, RLENGTH), word, " ")
	key = word[3] " " word[4] " " word[5]
	if (word[2] == "begin") {
		exits_then = exits($0)
		commands_then = commands($0)
		next
	}
	if (!(key in seen)) {
		seen[key] = 1
		order[++rows] = key
	}
	ns = value(word, "ns")
	rate[run, key] = ns ? value(word, "bytes") * 1000 / ns : 0
	count[run, key] = word[3] == "disk" ? value(word, "ops") : commands($0) - commands_then
	left[run, key] = exits($0) - exits_then
}

END {
	if (!rows || run < 2) {
		print "table: nothing was measured"
		exit 1
	}
	printf "%-26s  %-31s  %-31s\n", "", "served in the kernel", "served by userspace"
	printf "%-9s %-5s %10s  %10s %9s %10s  %10s %9s %10s  %7s\n", "service", "moves", "size", \
		"MB/s", "commands", "exits/cmd", "MB/s", "commands", "exits/cmd", "speedup"
	for (i = 1; i <= rows; i++) {
		key = order[i]
		split(key, word, " ")
		printf "%-9s %-5s %10s", word[1], word[2], size_text(word[3])
		for (r = 1; r <= 2; r++) {
			if (!count[r, key]) {
				print "\ntable: no commands were counted in " key
				exit 1
			}
			printf "  %10s %9d %10.3f", rate_text(rate[r, key]), count[r, key], left[r, key] / count[r, key]
		}
		# throttle sets the pace itself, whoever serves it.
		if (word[1] == "throttle")
			printf "  %7s\n", "paced"
		else
			printf "  %6.2fx\n", rate[2, key] ? rate[1, key] / rate[2, key] : 0
	}
}
