# A start file as steps: `DRVLOAD|\path`, `CALL|\path`, `WPEINIT|`, `FOREIGN|program`, `NOTE|line`.
# Reads batch files, and with winpeshl=1 the [LaunchApp] and [LaunchApps] of a winpeshl.ini.

winpeshl {
	line = trimmed($0)
	if (line ~ /^\[/) {
		section = tolower(line)
		sub(/\].*/, "]", section)
		gsub(/[ \t]/, "", section)
		next
	}
	if (line == "" || line ~ /^;/) next
	if (section == "[launchapp]" && tolower(line) ~ /^apppath[ \t]*=/) {
		sub(/^[^=]*=/, "", line)
		command(line)
	}
	if (section == "[launchapps]") {
		sub(/[ \t]*,[ \t]*/, " ", line)
		command(line)
	}
	next
}
{ command($0) }

function trimmed(text) { gsub(/^[ \t]+|[ \t]+$/, "", text); return text }

# command: one command line; words may be quoted, redirections and what follows || && | end it.
function command(text,   n, i, verb, first) {
	text = trimmed(text)
	sub(/^@+[ \t]*/, "", text)
	while (text ~ /^[0-9]?>/) sub(/^[0-9]?>+[ \t]*[^ \t]+[ \t]*/, "", text)
	if (text == "" || text ~ /^:/ || tolower(text) ~ /^(rem|echo|set|setlocal|endlocal|title|color|cls|exit|goto|type|del)([ \t.].*)?$/) return
	if (tolower(text) ~ /^if[ \t]+(not[ \t]+)?exist[ \t]+[^ \t]+[ \t]+(type|del|echo|exit)[ \t]/) return
	# A command as typed: the outer quotes go, and so do the carets before operators.
	if (match(tolower(text), /^[^ \t]*cmd(\.exe)?[ \t]+\/s[ \t]+\/c[ \t]+".*"$/)) {
		text = substr(text, index(text, "\"") + 1)
		text = substr(text, 1, length(text) - 1)
		gsub(/%%/, "%", text)
		gsub(/\^/, "", text)
		command(text)
		return
	}
	n = words(text)
	first = 1
	verb = program(word[1])
	while (first <= n && (verb == "call" || verb == "start" || verb == "cmd" || word[first] ~ /^\/[a-zA-Z]+$/)) {
		first++
		# A quoted word behind `start` is the title of its window.
		if (verb == "start" && title[first]) first++
		verb = first <= n ? program(word[first]) : ""
	}
	if (verb == "") return
	if (verb == "wpeinit") print "WPEINIT|"
	else if (verb == "drvload") {
		for (i = first + 1; i <= n; i++) if (tolower(word[i]) ~ /\.inf$/) print "DRVLOAD|" rooted(word[i])
	}
	else if (tolower(word[first]) ~ /\.(cmd|bat)$/) print "CALL|" rooted(word[first])
	else if (verb ~ /^(if|for|wpeutil|curl|ping)$/) print "NOTE|" text
	else print "FOREIGN|" text
}

# words: split at blanks outside quotes, stop at a redirection or at the next command.
function words(text,   i, c, quoted, current, n, open, marked) {
	for (i = 1; i <= length(text); i++) {
		c = substr(text, i, 1)
		if (c == "\"") { quoted = !quoted; open = 1; marked = 1; continue }
		if (!quoted && (c == ">" || c == "<" || c == "|" || c == "&")) {
			if ((c == ">") && current ~ /^[0-9]$/) { current = ""; open = 0 }
			break
		}
		if (!quoted && (c == " " || c == "\t")) {
			if (open) { word[++n] = current; title[n] = marked }
			current = ""; open = 0; marked = 0
			continue
		}
		current = current c
		open = 1
	}
	if (open) { word[++n] = current; title[n] = marked }
	return n + 0
}

# program: the bare name of a program, lower case, without folder and .exe.
function program(path) {
	path = tolower(path)
	sub(/^.*[\\\/]/, "", path)
	sub(/\.exe$/, "", path)
	return path
}

# rooted: as a path from the image's root, beginning with a backslash.
function rooted(path,   lower) {
	gsub(/\//, "\\", path)
	lower = tolower(path)
	if (lower ~ /^%(systemroot|windir)%/) path = "\\Windows" substr(path, index(substr(path, 2), "%") + 2)
	else if (lower ~ /^%systemdrive%/) path = substr(path, index(substr(path, 2), "%") + 2)
	else if (lower ~ /^[a-z]:/) path = substr(path, 3)
	if (substr(path, 1, 1) != "\\") path = "\\Windows\\System32\\" path
	return path
}
