#!/bin/sh
# shellcheck disable=SC2154  # udhcpc sets them
# Called by udhcpc with the lease in its environment.
case $1 in
bound | renew)
	ip addr flush dev "$interface"
	ip addr add "$ip/${mask:-24}" dev "$interface"
	[ -n "$router" ] && ip route add default via "${router%% *}" dev "$interface"
	;;
esac
exit 0
