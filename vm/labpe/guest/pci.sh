# The machine's PCI devices, and whether each is in use. Hexadecimal digits are lower case.

# list_pci: `slot vendor device class subsystem revision` a line. `class` is base and sub class;
# `subsystem` is device then vendor, as in Windows' SUBSYS_ddddvvvv.
list_pci() {
	for path in "$SYS"/bus/pci/devices/*; do
		[ -e "$path/vendor" ] || continue
		class=$(cut -c3-6 "$path/class")
		echo "${path##*/} $(hex "$path/vendor") $(hex "$path/device") $class" \
			"$(hex "$path/subsystem_device")$(hex "$path/subsystem_vendor")" \
			"$(cut -c3-4 "$path/revision" 2>/dev/null || echo 00)"
	done
}

hex() { cut -c3-6 "$1" 2>/dev/null || echo 0000; }

# hardware_ids VENDOR DEVICE SUBSYSTEM REVISION CLASS: as Windows makes them, best first
# (docs: "Identifiers for PCI Devices").
hardware_ids() {
	id="PCI\\VEN_$1&DEV_$2"
	printf '%s\n' "$id&SUBSYS_$3&REV_$4" "$id&SUBSYS_$3" "$id&REV_$4" "$id" "$id&CC_$5" \
		"PCI\\VEN_$1&CC_$5" "PCI\\CC_$5" | tr a-f A-F
}

# bound_driver SLOT: the Linux driver in charge. A virtio device counts only when the function's
# own driver is there: virtio_pci alone is a bus.
bound_driver() {
	path=$SYS/bus/pci/devices/$1
	for child in "$path"/virtio*; do
		[ -e "$child" ] && path=$child
	done
	[ -e "$path/driver" ] && basename "$(readlink "$path/driver")"
}

# interface_of SLOT: the network interface that the device gave, if any.
interface_of() {
	for path in "$SYS/bus/pci/devices/$1"/net/* "$SYS/bus/pci/devices/$1"/virtio*/net/*; do
		[ -e "$path" ] && echo "${path##*/}" && return
	done
}

# kind_of CLASS: net or storage; the rest is no business of a boot image.
kind_of() {
	case $1 in 02*) echo net ;; 01*) echo storage ;; esac
}

# missing_devices: `net:8086:100e storage:...`, the devices without a driver.
# Plain IDE (0101) is left out: Windows PE has its driver in the box.
missing_devices() {
	while read -r slot vendor device class _; do
		kind=$(kind_of "$class")
		[ -n "$kind" ] && [ "$class" != 0101 ] || continue
		case $kind in
		net) [ -n "$(interface_of "$slot")" ] && continue ;;
		*) [ -n "$(bound_driver "$slot")" ] && continue ;;
		esac
		printf '%s ' "$kind:$vendor:$device"
	done < "$RUN/pci" | sed 's/ $//'
}

all_devices() {
	awk '{ printf "%s%s:%s:%s:%s", (NR == 1 ? "" : " "), $2, $3, $4, $5 }' "$RUN/pci"
}

# all_disks: `name:sectors-in-KiB` of whole disks.
all_disks() {
	awk '$4 ~ /^(sd[a-z]|vd[a-z]|nvme[0-9]n[0-9])$/ {
		printf "%s%s:%s", (n++ ? " " : ""), $4, $3
	}' /proc/partitions
}
