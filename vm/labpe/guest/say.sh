# What the Lab PE tells the world: lines `LABPE <uptime> KEY ...` on every console.

uptime_seconds() { read -r up _ < /proc/uptime; echo "$up"; }

say() {
	line="LABPE $(uptime_seconds) $*"
	echo "$line"
	[ -c /dev/tty0 ] && echo "$line" > /dev/tty0
	echo "$line" >> "$RUN/log"
}

# argument NAME: the last value of NAME= on the kernel's command line.
argument() {
	for word in $(cat /proc/cmdline); do
		case $word in "$1="*) echo "${word#*=}" ;; esac
	done | tail -n 1
}

# finish RESULT [key=value ...]: the last line, then the end that the command line asks for.
finish() {
	say "DONE result=$*"
	sync
	# Time for whoever watches to take a picture of the screen.
	case $(argument labpe.end) in
	shell) exec sh ;;
	hold) while :; do sleep 60; done ;;
	*) sleep 1; poweroff -f ;;
	esac
	sleep 60
}
