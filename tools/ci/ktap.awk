# SPDX-License-Identifier: GPL-2.0-only
#
# Counts KTAP results on standard input and prints "PASSED FAILED SKIPPED".
# A result that sums up indented results above it is not counted again. Every
# plan that is not kept, and a non-zero exit code (-v rc=) that no failed result
# explains, counts as one failure.

function depth_of(line) {
	match(line, /^[ ]*/)
	return RLENGTH
}

# Closes every level deeper than depth: returns how many of them held results.
function close_below(depth,	d, held) {
	held = 0
	inner_failed = 0
	for (d in results) {
		if (d + 0 <= depth)
			continue
		if (results[d] > 0)
			held++
		inner_failed += bad[d]
		end_level(d)
	}
	return held
}

function end_level(d) {
	if (d in plan && plan[d] != results[d]) {
		failed++
		printf "# %d results where %d were planned\n", results[d], plan[d] > "/dev/stderr"
	}
	delete plan[d]
	delete results[d]
	delete bad[d]
}

# Some consoles put a time before the line, or end it with a carriage return.
{ sub(/\r$/, ""); sub(/^\[ *[0-9]+\.[0-9]+\] /, "") }

/^ *1\.\.[0-9]+/ {
	depth = depth_of($0)
	close_below(depth)
	if (depth in plan)
		end_level(depth)
	split($1, part, /\.\./)
	plan[depth] = part[2]
	results[depth] += 0
	next
}

/^ *(not )?ok [0-9]+/ {
	depth = depth_of($0)
	held = close_below(depth)
	is_bad = $0 ~ /^ *not ok/
	results[depth]++
	bad[depth] += is_bad
	if (held && !(is_bad && inner_failed == 0))
		next
	if (toupper($0) ~ /# *SKIP/)
		skipped++
	else if (is_bad)
		failed++
	else
		passed++
}

/^ *Bail out!/ { failed++ }

END {
	for (d in results)
		end_level(d)
	if (rc != 0 && failed == 0)
		failed++
	if (passed + failed + skipped == 0)
		failed = 1
	print passed + 0, failed + 0, skipped + 0
}
