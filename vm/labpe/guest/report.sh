# The end: who came up with what, said on the console and posted to the site.

conclude() {
	MISSING=$(missing_devices)
	say "MISSING ${MISSING:-none}"
	# Disks show up a moment after their controller's driver.
	has_storage_driver && sleep 1
	DISKS=$(all_disks)
	say "DISKS ${DISKS:-none}"
	if [ ! -s "$RUN/online" ]; then
		finish offline "reason=$(offline_reason)"
		return
	fi
	read -r INTERFACE SLOT < "$RUN/online"
	read -r INF PACKAGE DRIVER <<-EOT
		$(awk -v slot="$SLOT" '$1 == slot { print $2, $3, $4; exit }' "$RUN/loaded")
	EOT
	say "NET interface=$INTERFACE driver=${INF:-none} package=${PACKAGE:-none} bound=${DRIVER:-none}"
	URL=$(argument labpe.report)
	if [ -z "$URL" ]; then
		say "REPORT none: no labpe.report on the command line"
		finish online
		return
	fi
	write_report > "$RUN/report.json"
	if post_report; then finish online; else finish noreport; fi
}

has_storage_driver() {
	awk 'NR == FNR { loaded[$1]; next } ($1 in loaded) && $4 ~ /^01/ { found = 1 }
		END { exit !found }' "$RUN/loaded" "$RUN/pci"
}

offline_reason() {
	if [ ! -e "$RUN/wpeinit" ]; then echo wpeinit-never-ran
	elif ! grep -q ' 02.. ' "$RUN/pci"; then echo no-network-card
	elif [ -n "$(ls "$SYS/class/net" | grep -v '^lo$')" ]; then echo no-lease
	else echo no-driver
	fi
}

# post_report: busybox's own wget -T crashes in Debian's static build, hence timeout(1).
post_report() {
	for try in 1 2 3; do
		if timeout 15 wget -q -O /tmp/answer --header 'Content-Type: application/json' \
			--post-file "$RUN/report.json" "$URL" 2> /tmp/wget.log; then
			say "REPORT ok"
			return 0
		fi
		say "REPORT try=$try error=$(tail -n 1 /tmp/wget.log | tr ' ' _)"
		sleep 1
	done
	return 1
}

write_report() {
	device=$(awk -v slot="$SLOT" '$1 == slot { print $2 ":" $3 }' "$RUN/pci")
	cat <<-EOT
		{"mac": $(quoted "$(cat "$SYS/class/net/$INTERFACE/address")"),
		"ip": $(quoted "$(address_of "$INTERFACE")"),
		"id": $(quoted "$(argument labpe.id)"),
		"arch": "$ARCH", "firmware": "$FIRMWARE", "firmware_bits": $BITS,
		"image": $(quoted "$IMAGE"), "version": $(number "$VERSION"),
		"build": $(quoted "$(image_setting build)"),
		"driver": $(quoted "$INF"), "package": $(quoted "$PACKAGE"), "bound": $(quoted "$DRIVER"),
		"device": $(quoted "$device"), "missing": $(quoted "$MISSING"),
		"disks": $(quoted "$DISKS"), "devices": $(quoted "$(all_devices)"),
		"uptime": $(uptime_seconds),
		"log": $(quoted "$(tail -c 4096 "$RUN/log")")}
	EOT
}

# quoted TEXT: as a JSON string.
quoted() {
	printf '%s' "$1" | tr -d '\000-\010\013-\037' | awk '
		BEGIN { printf "\"" }
		{ gsub(/\\/, "\\\\"); gsub(/"/, "\\\""); gsub(/\t/, " "); printf "%s%s", (NR == 1 ? "" : "\\n"), $0 }
		END { printf "\"" }'
}

# number TEXT: TEXT where it is one, else 0.
number() { echo "$1" | awk '{ n = $1 } END { print n ~ /^[0-9]+$/ ? n + 0 : 0 }'; }
