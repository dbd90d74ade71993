# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Debian's packages into the cache, for scripts that fetch some: beside the
# machine's own apt, and of any architecture. Sourced behind lib.sh, never run.

LOGS=$RANCHU_CACHE/logs
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# apt_setup NAME ARCH [SUITE]...: a private apt for one Debian architecture. It shares
# the machine's sources and keys, and leaves its dpkg architectures and package lists
# alone. Each SUITE is one more of the same archive, or of the one for security.
apt_setup() {
	local name=$1 arch=$2 dir=$RANCHU_CACHE/apt-$1 sources suite

	shift 2

	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	: > "$dir/status"
	# shellcheck disable=SC2016 # apt's own substitutions
	sources=$(apt-get indextargets --format \
		'$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
		awk '$2 ~ /bookworm/ && $2 !~ /backports/ && $3 == "main"' |
		sort -u)
	grep -q security <<<"$sources" ||
		die "apt has no bookworm-security source; Debian's 6.12 kernels are there"
	for suite; do
		sources+=$'\n'$(awk -v suite="$suite" '
			BEGIN { same = suite ~ /-security$/ ? "bookworm-security" : "bookworm" }
			$2 == same { $2 = suite; print; exit }' <<<"$sources")
	done
	awk -v a="$arch" -v k="$KEYRING" '{
		print "deb [signed-by=" k " arch=" a "] " $0
	}' <<<"$sources" > "$dir/sources.list"
	cat > "$dir/apt.conf" <<-CONF
	APT::Architecture "$arch";
	APT::Architectures { "$arch"; };
	APT::Sandbox::User "root";
	Dir::State "$dir";
	Dir::State::status "$dir/status";
	Dir::State::Lists "$dir/lists";
	Dir::Cache "$dir/cache";
	Dir::Etc::sourcelist "$dir/sources.list";
	Dir::Etc::sourceparts "/dev/null";
	CONF
	long_step "reading Debian's package lists ($name)" \
		"$LOGS/update-$name.log" apt_run "$name" apt-get update
}

# apt_run NAME TOOL ARGS...: NAME is apt_setup's.
apt_run() {
	local name=$1 tool=$2

	shift 2
	# -c is read last, so it wins over the machine's own configuration.
	"$tool" -c "$RANCHU_CACHE/apt-$name/apt.conf" "$@"
}

# get_deb NAME PACKAGE: puts what apt_setup's NAME has of PACKAGE into debs/ and prints
# its path. A file gets its name there only when it is complete.
get_deb() {
	local name=$1 package=$2 tmp file old

	file=$(apt_run "$name" apt-get download --print-uris "$package" |
		awk '{ print $2 }')
	[ -n "$file" ] || die "no package $package for $name"
	if [ ! -e "$RANCHU_CACHE/debs/$file" ]; then
		mkdir -p "$RANCHU_CACHE/debs"
		tmp=$(mktemp -d "$RANCHU_CACHE/debs/partial.XXXXXX")
		(
			cd "$tmp"
			long_step "downloading $package ($name)" \
				"$LOGS/download.log" \
				apt_run "$name" apt-get download "$package"
		)
		# Older versions of the same package only take up room.
		for old in "$RANCHU_CACHE/debs/${package}_"*"_${file##*_}"; do
			rm -f "$old"
		done
		mv "$tmp"/*.deb "$RANCHU_CACHE/debs/$file"
		rmdir "$tmp"
	fi
	echo "$RANCHU_CACHE/debs/$file"
}

# unpack_once NAME VERSION COMMAND ARGS...: runs COMMAND ARGS DIR for a
# temporary DIR, which becomes $RANCHU_CACHE/NAME-VERSION when all is in it.
unpack_once() {
	local name=$1 dir=$RANCHU_CACHE/$1-$2 tmp

	shift 2
	UNPACKED=$dir
	[ ! -d "$dir" ] || return 0
	rm -rf "$RANCHU_CACHE/$name-"*.partial
	tmp=$dir.partial
	mkdir -p "$tmp"
	say "unpacking ${dir##*/}"
	"$@" "$tmp"
	mv -T "$tmp" "$dir"
}

# relocate_headers DIR: of Debian's kernel headers. Relative to themselves the makefiles
# work wherever they are.
relocate_headers() {
	# shellcheck disable=SC2016 # make's variables
	sed -i -e 's|^include /usr/src/|include $(dir $(lastword $(MAKEFILE_LIST)))../|' \
		-e 's|^KBUILD_OUTPUT=.*|KBUILD_OUTPUT := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))|' \
		"$1/Makefile"
}
