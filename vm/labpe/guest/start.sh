# Starting the image, in Windows PE's order: winpeshl.ini where there is one, else startnet.cmd.
# Only what those files call is done; a driver package that no line names stays unloaded.

# open_image: take the start files and driver packages out of the WIM.
open_image() {
	if [ ! -s "$WIM" ]; then
		say "ERROR no boot.wim was handed over: $(ls / | tr '\n' ' ')"
		finish nowim
	fi
	INDEX=$(wimlib-imagex info "$WIM" 2>/dev/null | sed -n 's/^Boot Index: *//p')
	[ "${INDEX:-0}" -gt 0 ] || INDEX=1
	wimlib-imagex extract "$WIM" "$INDEX" '/Windows/System32/*.cmd' /Windows/System32/winpeshl.ini \
		/Windows/System32/nb-image.ini /Windows/BootDrivers \
		--dest-dir="$PE" --no-acls --no-attributes --preserve-dir-structure --nullglob > /tmp/wimlib.log 2>&1 || {
		say "ERROR wimlib: $(tail -n 1 /tmp/wimlib.log)"
		finish badwim
	}
	find "$PE" -type f > "$RUN/files"
	IMAGE=$(image_setting image)
	[ -n "$IMAGE" ] || IMAGE=$(wimlib-imagex info "$WIM" "$INDEX" | sed -n 's/^Name: *//p')
	VERSION=$(image_setting version)
	say "WIM size=$(stat -c %s "$WIM") index=$INDEX"
	say "IMAGE version=${VERSION:-0} build=$(image_setting build) name=$IMAGE"
}

# image_setting KEY: from nb-image.ini, which the site's build wrote.
image_setting() {
	ini=$(find_file '\Windows\System32\nb-image.ini') || return
	plain_text "$ini" | awk -v key="$1" '
		{ at = index($0, "="); name = tolower(substr($0, 1, at - 1)); gsub(/[ \t]/, "", name) }
		at && name == key { value = substr($0, at + 1); gsub(/^[ \t]+|[ \t]+$/, "", value) }
		END { print value }'
}

# find_file '\Windows\...': the extracted file of that name, in any case; fails when there is none.
find_file() {
	WANTED="$PE$(echo "$1" | tr '\\' /)" awk '
		tolower($0) == tolower(ENVIRON["WANTED"]) { print; found = 1; exit }
		END { exit !found }' "$RUN/files"
}

start_image() {
	: > "$RUN/loaded"
	FOREIGN=
	if shell_ini=$(find_file '\Windows\System32\winpeshl.ini'); then
		say "START-FILE winpeshl.ini"
		plain_text "$shell_ini" | awk -f "$LIB/batch.awk" -v winpeshl=1 > "$RUN/steps.0"
		run_steps 0
	elif startnet=$(find_file '\Windows\System32\startnet.cmd'); then
		run_batch "$startnet" 0
	else
		say "NOTE neither winpeshl.ini nor startnet.cmd is in the image"
	fi
	# The image's own program (ConfigMgr's, MDT's) would run wpeinit; here nothing can.
	[ -n "$FOREIGN" ] && [ ! -e "$RUN/wpeinit" ] && wpeinit
}

# run_batch FILE DEPTH
run_batch() {
	say "START-FILE $(basename "$1")"
	plain_text "$1" | awk -f "$LIB/batch.awk" > "$RUN/steps.$2"
	run_steps "$2"
}

# run_steps DEPTH: the lines that batch.awk made of a start file.
run_steps() {
	while IFS='|' read -r verb value <&3; do
		case $verb in
		DRVLOAD)
			if path=$(find_file "$value"); then drvload "$path"; else say "DRVLOAD error=no-such-file path=$value"; fi
			;;
		CALL)
			if [ "$1" -ge 8 ]; then
				say "NOTE start files call each other too deeply: $value"
			elif path=$(find_file "$value"); then
				run_batch "$path" $(($1 + 1))
			else
				say "NOTE not in the image: $value"
			fi
			;;
		WPEINIT) wpeinit ;;
		FOREIGN) FOREIGN=yes; say "NOTE no Windows program runs here: $value" ;;
		NOTE) say "NOTE skipped: $value" ;;
		esac
	done 3< "$RUN/steps.$1"
}
