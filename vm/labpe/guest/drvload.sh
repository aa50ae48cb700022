# drvload: read one INF, and load its files for the devices that this machine has.

# drvload PATH: PATH is an INF inside the image, already found.
# Writes `slot inf package driver` lines to $RUN/loaded for what came up.
drvload() {
	inf=$(basename "$1")
	folder=$(dirname "$1")
	package=$(basename "$folder")
	plain_text "$1" | awk -v arch="$ARCH" -f "$LIB/inf.awk" > "$RUN/models"
	if [ ! -s "$RUN/models" ]; then
		say "DRVLOAD inf=$inf package=$package error=no-model-for-$ARCH"
		return
	fi
	matched=
	while read -r slot vendor device class subsystem revision <&4; do
		files=$(files_for "$vendor" "$device" "$subsystem" "$revision" "$class") || continue
		matched=yes
		load_files "$folder" "$files"
		driver=$(bound_driver "$slot")
		say "DRVLOAD inf=$inf package=$package device=$vendor:$device slot=$slot" \
			"bound=${driver:-none}"
		[ -n "$driver" ] && echo "$slot $inf $package $driver" >> "$RUN/loaded"
	done 4< "$RUN/pci"
	[ -n "$matched" ] || say "DRVLOAD inf=$inf package=$package device=none"
}

# plain_text FILE: without byte order mark, carriage returns and UTF-16's zero bytes.
plain_text() {
	tr -d '\000\r\376\377' < "$1" | sed "1s/^$(printf '\357\273\277')//"
}

# files_for VENDOR DEVICE SUBSYSTEM REVISION CLASS: the files of the best model, `/` between them.
# Fails when the INF does not claim the device.
files_for() {
	hardware_ids "$@" | awk -F '|' '
		NR == FNR { if (!($1 in files)) files[$1] = $2; next }
		$0 in files { print files[$0]; found = 1; exit }
		END { exit !found }' "$RUN/models" -
}

# load_files FOLDER A/B/C: the Linux modules among the files, in their order.
load_files() {
	found=
	for file in $(echo "$2" | tr / ' '); do
		case $file in *.ko) ;; *) continue ;; esac
		found=yes
		name=$(basename "$file" .ko | tr - _)
		[ -d "$SYS/module/$name" ] && continue
		$INSMOD "$1/$file" || say "INSMOD file=$file error=failed"
	done
	[ -n "$found" ] || say "DRVLOAD inf=$inf error=no-linux-module"
}
