#!/bin/sh
# Copies a boot image to this machine's own disk and starts it from there.
#
#   sh netboot-disk.sh install [--method grub|kexec] [--keep] [--no-restart]
#   sh netboot-disk.sh start   [--no-restart]     start what is installed once more
#   sh netboot-disk.sh status
#   sh netboot-disk.sh remove                     take everything back
#
# --keep makes the boot image the machine's standing choice until it is removed: GRUB's menu, shown
# for five seconds, still has the old system. Without it the image is started once, and after that
# the machine boots as before.
#
# Nothing is changed until every byte has come and was compared. Whatever fails before that, and
# whatever fails later, leaves the machine booting as it did.
set -eu

# What follows is filled in by the site that hands this script out.
NB_LABEL='' NB_ARCHITECTURE='' NB_BASE='' NB_ARGUMENTS='' NB_HEAD='' NB_IDENTITY='' NB_FILES=''
# ---- end of what is filled in

ENTRY=netboot-image
BEGIN="# $ENTRY begin" END="# $ENTRY end"
SPARE_KB=16384

say() { echo "netboot: $*"; }
fail() {
	echo "netboot: $*" >&2
	exit 1
}
has() { command -v "$1" > /dev/null 2>&1; }

# ---- what this machine is like

grub_folder() {
	for folder in /boot/grub /boot/grub2; do
		[ -f "$folder/grub.cfg" ] && echo "$folder" && return 0
	done
	return 1
}

# mount_point PATH, device_of PATH
mount_point() { df -P "$1" | awk 'NR == 2 { print $6 }'; }
device_of() { df -P "$1" | awk 'NR == 2 { print $1 }'; }

# has_module NAME: whether GRUB can load this one of its modules; $grub is its folder.
has_module() {
	for file in "$grub"/*/"$1.mod"; do
		[ -f "$file" ] && return 0
	done
	return 1
}

# why_no_grub: why GRUB cannot do it here; says nothing where it can.
why_no_grub() {
	grub=$(grub_folder) || {
		echo "no GRUB in /boot"
		return
	}
	has grub-editenv || has grub2-editenv || {
		echo "no grub-editenv"
		return
	}
	grep -q custom.cfg "$grub/grub.cfg" || {
		echo "$grub/grub.cfg reads no custom.cfg"
		return
	}
	grep -q next_entry "$grub/grub.cfg" || {
		echo "$grub/grub.cfg knows no start for one time"
		return
	}
	for module in hashsum gcry_sha256; do
		has_module $module || {
			echo "no $module.mod in $grub, by which GRUB tells an altered image"
			return
		}
	done
	# GRUB must be able to write there, or "one start" would be every start.
	case $(device_of "$grub") in
	/dev/mapper/* | /dev/dm-* | /dev/md*) echo "GRUB cannot write to $(device_of "$grub")" ;;
	esac
	case $(awk -v at="$(mount_point "$grub")" '$2 == at { kind = $3 } END { print kind }' /proc/mounts) in
	ext2 | ext3 | ext4 | xfs | vfat) ;;
	*) echo "GRUB cannot write to this file system" ;;
	esac
}

secure_boot() {
	for file in /sys/firmware/efi/efivars/SecureBoot-*; do
		[ -e "$file" ] && [ "$(od -An -tu1 -j4 -N1 "$file" | tr -d ' ')" = 1 ] && return 0
	done
	return 1
}

require_machine() {
	[ "$(id -u)" = 0 ] || fail "this needs root. Nothing was changed."
	for tool in awk df sha256sum; do
		has "$tool" || fail "$tool is not installed. Nothing was changed."
	done
	has curl || has wget || fail "neither curl nor wget is installed. Nothing was changed."
	if [ "$NB_ARCHITECTURE" = x64 ] && ! grep -qw lm /proc/cpuinfo; then
		fail "$NB_LABEL is for 64-bit processors, and this is none. Nothing was changed."
	fi
	secure_boot && fail "Secure Boot is on: it starts nothing of ours. Nothing was changed."
	[ -f "$0" ] || fail "save this script to a file first, then run it. Nothing was changed."
}

choose_method() {
	reason=$(why_no_grub)
	case $METHOD in
	grub) [ -z "$reason" ] || fail "GRUB cannot do it here: $reason. Nothing was changed." ;;
	kexec) has kexec || fail "kexec is not installed. Nothing was changed." ;;
	*)
		if [ -z "$reason" ]; then
			METHOD=grub
		elif has kexec; then
			METHOD=kexec
		else
			fail "neither way works here: $reason, and kexec is not installed. Nothing was changed."
		fi
		;;
	esac
	[ "$METHOD" = grub ] || [ -z "$KEEP" ] || fail "--keep needs GRUB. Nothing was changed."
	[ "$METHOD" = grub ] && FOLDER=/boot/$ENTRY || FOLDER=/var/lib/$ENTRY
}

installed_folder() {
	for folder in /boot/$ENTRY /var/lib/$ENTRY; do
		[ -d "$folder" ] && echo "$folder" && return 0
	done
	return 1
}

# ---- the files

fetch() {
	if has curl; then curl -fsS -o "$2" "$1"; else wget -q -O "$2" "$1"; fi
}

matches() { echo "$2  $1" | sha256sum -c - > /dev/null 2>&1; }

require_room() {
	needed=$(echo "$NB_FILES" | awk '{ sum += $2 } END { printf "%d", sum / 1024 }')
	# kexec wants kernel and image once more, in one piece.
	[ "$METHOD" = grub ] || needed=$((needed * 2))
	free=$(df -Pk "$(dirname "$FOLDER")" | awk 'NR == 2 { print $4 }')
	[ "$free" -gt $((needed + SPARE_KB)) ] ||
		fail "$needed KB are needed at $FOLDER, $free KB are free. Nothing was changed."
}

# copy_files: into $FOLDER.new, each compared; then the folder gets its name at once.
copy_files() {
	rm -rf "$FOLDER.new"
	mkdir -p "$FOLDER.new"
	echo "$NB_FILES" | while read -r digest size name; do
		say "fetching $name, $size bytes"
		fetch "$NB_BASE/$name" "$FOLDER.new/$name" || fail "$name cannot be had. Nothing was changed."
		matches "$FOLDER.new/$name" "$digest" ||
			fail "$name came altered: it is not what the site promised. Nothing was changed."
	done
	# shellcheck disable=SC2059  # the head of an archive, with its zero bytes as escapes
	printf "$NB_HEAD" > "$FOLDER.new/wim.head"
	echo "$NB_IDENTITY" > "$FOLDER.new/$NB_IDENTITY"
	cp "$0" "$FOLDER.new/netboot-disk.sh"
	echo "$METHOD" > "$FOLDER.new/method"
	[ -z "$KEEP" ] || : > "$FOLDER.new/kept"
	(cd "$FOLDER.new" && sha256sum vmlinuz initrd.gz wim.head boot.wim > SHA256SUMS)
	sync
	mv "$FOLDER.new" "$FOLDER"
}

require_unaltered() {
	echo "$NB_FILES" | while read -r digest _ name; do
		matches "$FOLDER/$name" "$digest" ||
			fail "$FOLDER/$name was altered: it is not started. Take it away with: $0 remove"
	done
}

# ---- GRUB

editenv() { if has grub-editenv; then grub-editenv "$@"; else grub2-editenv "$@"; fi; }

# standing_choice: GRUB starts the image each time, unless grub-reboot chose something for one
# start; and it shows its menu for a moment, or nobody could choose the old system any more.
standing_choice() {
	[ -n "$KEEP" ] || return 0
	cat <<-EOT
		if [ -z "\${boot_once}" ]; then set default=$ENTRY; fi
		set timeout_style=menu
		set timeout=5
	EOT
}

# entry PATH: what GRUB is told; PATH is the folder as GRUB sees it.
entry() {
	cat <<-EOT
		$BEGIN
		set fallback=0
		$(standing_choice)
		menuentry '$NB_LABEL (boot image)' --id $ENTRY --unrestricted {
		  insmod hashsum
		  insmod gcry_sha256
		  search --no-floppy --file --set=root $1/$NB_IDENTITY
		  if hashsum --hash sha256 --check $1/SHA256SUMS --prefix $1; then
		    linux $1/vmlinuz $NB_ARGUMENTS
		    initrd $1/initrd.gz $1/wim.head $1/boot.wim
		  else
		    echo 'netboot: the boot image on this disk was altered: it is not started.'
		    sleep 5
		  fi
		}
		$END
	EOT
}

without_entry() {
	[ -f "$1" ] || return 0
	awk -v begin="$BEGIN" -v end="$END" '
		$0 == begin { inside = 1 }
		!inside { print }
		$0 == end { inside = 0 }' "$1"
}

# write_custom TEXT...: custom.cfg anew in one step, with what others put there.
write_custom() {
	file=$(grub_folder)/custom.cfg
	# A copy first, for the rights that it has: it may hold a password of others.
	rm -f "$file.new"
	[ ! -f "$file" ] || cp -p "$file" "$file.new"
	{
		without_entry "$file"
		[ $# = 0 ] || entry "$@"
	} > "$file.new"
	if [ -s "$file.new" ]; then mv "$file.new" "$file"; else rm -f "$file.new" "$file"; fi
}

arm_grub() {
	grub=$(grub_folder)
	root=$(mount_point /boot/$ENTRY)
	[ "$root" = / ] && seen=/boot/$ENTRY || seen=${FOLDER#"$root"}
	write_custom "$seen"
	[ -n "$KEEP" ] || editenv "$grub/grubenv" set next_entry=$ENTRY
	sync
}

disarm_grub() {
	grub=$(grub_folder) || return 0
	write_custom
	if [ -f "$grub/grubenv" ] && editenv "$grub/grubenv" list | grep -qx "next_entry=$ENTRY"; then
		editenv "$grub/grubenv" unset next_entry
	fi
}

# ---- kexec

arm_kexec() {
	has kexec || fail "kexec is not installed any more: the machine stays as it is."
	loaded=yes
	cat "$FOLDER/initrd.gz" "$FOLDER/wim.head" "$FOLDER/boot.wim" > "$FOLDER/initrd.all"
	kexec -l "$FOLDER/vmlinuz" --initrd="$FOLDER/initrd.all" --command-line="$NB_ARGUMENTS" ||
		loaded=
	rm -f "$FOLDER/initrd.all"
	[ -n "$loaded" ] || fail "this kernel starts no other (kexec -l): the machine stays as it is."
}

disarm_kexec() {
	[ "$(cat /sys/kernel/kexec_loaded 2> /dev/null)" != 1 ] || kexec -u
}

# ---- the verbs

undo() {
	code=$?
	[ -z "${UNFINISHED:-}" ] || {
		disarm_grub || true
		[ "$METHOD" != kexec ] || disarm_kexec || true
		rm -rf "$FOLDER.new" "$FOLDER"
		sync
	}
	exit $code
}

install() {
	require_machine
	installed_folder > /dev/null &&
		fail "a boot image is installed in $(installed_folder) already: remove it first."
	choose_method
	require_room
	trap undo EXIT
	trap 'exit 130' INT TERM HUP
	UNFINISHED=yes
	copy_files
	arm
	UNFINISHED=
	say "$NB_LABEL is on this disk, in $FOLDER"
	restart
}

start() {
	FOLDER=$(installed_folder) || fail "no boot image is installed here."
	[ "$(id -u)" = 0 ] || fail "this needs root. Nothing was changed."
	METHOD=$(cat "$FOLDER/method")
	[ ! -e "$FOLDER/kept" ] || KEEP=yes
	arm
	restart
}

arm() {
	require_unaltered
	if [ "$METHOD" = grub ]; then arm_grub; else arm_kexec; fi
}

restart() {
	if [ -n "$NO_RESTART" ]; then
		if [ "$METHOD" = grub ]; then say "it starts when the machine is restarted"; fi
		if [ "$METHOD" = kexec ]; then say "start it with: kexec -e"; fi
		return
	fi
	say "starting it now"
	sync
	if [ "$METHOD" = grub ]; then
		if has systemctl; then systemctl reboot; else reboot; fi
	elif has systemctl; then
		systemctl kexec
	else
		kexec -e
	fi
}

status() {
	if folder=$(installed_folder); then
		kept=''
		[ ! -e "$folder/kept" ] || kept=', started each time until it is removed'
		say "$NB_LABEL is in $folder ($(cat "$folder/method")$kept)"
	else
		say "no boot image is installed here"
	fi
}

remove() {
	[ "$(id -u)" = 0 ] || fail "this needs root. Nothing was changed."
	disarm_grub
	[ ! -d /var/lib/$ENTRY ] || disarm_kexec || true
	for folder in /boot/$ENTRY /var/lib/$ENTRY; do
		rm -rf "$folder" "$folder.new"
	done
	sync
	say "removed: this machine starts as it did before"
}

main() {
	METHOD='' KEEP='' NO_RESTART=''
	verb=${1:-}
	[ $# = 0 ] || shift
	while [ $# -gt 0 ]; do
		case $1 in
		--method) METHOD=${2:-} && shift ;;
		--keep) KEEP=yes ;;
		--no-restart) NO_RESTART=yes ;;
		*) fail "unknown option $1" ;;
		esac
		shift
	done
	case $METHOD in '' | grub | kexec) ;; *) fail "--method is grub or kexec, not $METHOD" ;; esac
	case $verb in
	install | start | status | remove) "$verb" ;;
	*)
		sed -n '2,14s/^# \{0,1\}//p' "$0"
		exit 2
		;;
	esac
}

main "$@"
