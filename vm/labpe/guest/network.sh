# wpeinit: plug and play for what is loaded, then the network.

wpeinit() {
	if [ -e "$RUN/wpeinit" ]; then
		say "NOTE wpeinit was run before"
		return
	fi
	: > "$RUN/wpeinit"
	say "WPEINIT"
	while read -r slot vendor device class _ <&5; do
		[ "$(kind_of "$class")" = net ] || continue
		interface=$(interface_of "$slot")
		say "NIC slot=$slot device=$vendor:$device interface=${interface:-none}"
		[ -n "$interface" ] && [ ! -s "$RUN/online" ] && bring_up "$interface" "$slot"
	done 5< "$RUN/pci"
}

# bring_up INTERFACE SLOT: link, then an address; $RUN/online says `interface slot`.
bring_up() {
	ip link set "$1" up
	tries=0
	# Some cards take two seconds to find their link; a request sent before it is lost.
	while [ "$(cat "$SYS/class/net/$1/carrier" 2>/dev/null)" != 1 ] && [ $tries -lt 50 ]; do
		usleep 100000
		tries=$((tries + 1))
	done
	if udhcpc -i "$1" -n -q -f -t 6 -T 2 -A 1 -V LABPE -s "$LIB/udhcpc.sh" > /tmp/udhcpc.log 2>&1; then
		echo "$1 $2" > "$RUN/online"
		say "LEASE interface=$1 ip=$(address_of "$1")"
	else
		say "LEASE interface=$1 error=$(tail -n 1 /tmp/udhcpc.log | tr ' ' _)"
	fi
}

address_of() { ip -4 -o addr show "$1" | awk '{ sub("/.*", "", $4); print $4; exit }'; }
