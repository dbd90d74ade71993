# Completion of vmmctl's command line. Which commands, options, keys and words there
# are is in the generated functions above.

# _vmmctl_offer FRONT BEGIN WORD...: what begins with BEGIN becomes FRONTWORD. "@file"
# stands for the names of files.
_vmmctl_offer() {
	local front=$1 begin=$2 word

	shift 2
	for word; do
		if [ "$word" = @file ]; then
			compopt -o filenames 2>/dev/null
			while read -r word; do
				COMPREPLY+=("$front$word")
			done < <(compgen -f -- "$begin")
		elif [[ $word == "$begin"* ]]; then
			COMPREPLY+=("$front$word")
		fi
	done
}

# _vmmctl_device FRONT TEXT TYPE: TEXT is a device's type or first value, then keys.
# TYPE is what _vmmctl_type says.
# shellcheck disable=SC2046,SC2086 # lists of words
_vmmctl_device() {
	local front=$1 text=$2 type=$3 last

	if [[ $text != *,* && $type == '?' ]]; then
		_vmmctl_offer "$front" "$text" $_vmmctl_devices
		return
	fi
	if [[ $text != *,* && $type == *@file ]]; then
		_vmmctl_offer "$front" "$text" @file
		return
	fi
	[ "$type" != '?' ] || type=${text%%,*}
	type=${type% @file}
	last=${text##*,}
	front+=${text%"$last"}
	if [[ $last == *=* ]]; then
		_vmmctl_offer "$front${last%%=*}=" "${last#*=}" \
			$(_vmmctl_values "$type:${last%%=*}")
	else
		_vmmctl_offer "$front" "$last" $(_vmmctl_keys "$type")
	fi
}

# _vmmctl_word COMMAND OPTION WORD: completes WORD, which is behind OPTION.
# shellcheck disable=SC2046 # lists of words
_vmmctl_word() {
	local option=$2 word=$3 front='' type

	if [[ $word == --*=* ]]; then
		option=${word%%=*}
		front=$option=
		word=${word#*=}
	fi
	type=$(_vmmctl_type "$option")
	if [ -n "$type" ]; then
		_vmmctl_device "$front" "$word" "$type"
	elif [[ $word == -* || -z $(_vmmctl_values "$option") ]]; then
		_vmmctl_offer "$front" "$word" $(_vmmctl_options "$1")
	else
		_vmmctl_offer "$front" "$word" $(_vmmctl_values "$option")
	fi
}

# The names of VMs; those of dead ones are among them until somebody looks for them.
_vmmctl_vms() {
	local socket

	for socket in "${XDG_RUNTIME_DIR:-/run}"/ranchu/*/control.sock; do
		socket=${socket%/*}
		[ "${socket##*/}" = '*' ] || echo "${socket##*/}"
	done
}

# shellcheck disable=SC2046,SC2086 # lists of words
_vmmctl() {
	local line=${COMP_LINE:0:COMP_POINT} words typed

	COMPREPLY=()
	read -ra words <<<"$line"
	[[ $line != *' ' ]] || words+=('')
	typed=${words[-1]}
	if [ ${#words[@]} -le 2 ]; then
		_vmmctl_offer '' "$typed" $_vmmctl_commands
	elif [ "${words[1]}" = help ]; then
		_vmmctl_offer '' "$typed" $_vmmctl_topics
	elif [[ ${#words[@]} -eq 3 && " $_vmmctl_named" == *" ${words[1]} "* ]]; then
		_vmmctl_offer '' "$typed" $(_vmmctl_vms)
	else
		_vmmctl_word "${words[1]}" "${words[-2]}" "$typed"
	fi
	[[ ${COMPREPLY[0]:-} != *= ]] || compopt -o nospace 2>/dev/null
	# Bash replaces only what is behind the last "=" or ":".
	COMPREPLY=("${COMPREPLY[@]#"${typed%"${typed##*[=:]}"}"}")
}

complete -F _vmmctl vmmctl
