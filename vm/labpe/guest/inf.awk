# An INF as far as the Lab PE needs it: which hardware ids it claims for `arch`, and which files
# each brings. Output: `ID|file/file/...`, in the INF's order. Input is plain text (see drvload.sh).
# Honoured: sections in any case and more than once, comments, continuation lines, %strings%,
# architecture and version decorations (docs: "INF Manufacturer Section").

BEGIN {
	if (!windows_build) windows_build = 19041
	mine = arch == "x64" ? "ntamd64" : "ntx86"
}
{
	line = joined stripped($0)
	joined = ""
	if (line ~ /\\$/) { joined = substr(line, 1, length(line) - 1); next }
	if (line == "") next
	if (line ~ /^\[.*\]$/) { section = tolower(substr(line, 2, length(line) - 2)); next }
	lines[section, ++count[section]] = line
}
END {
	read_strings()
	for (i = 1; i <= count["manufacturer"]; i++) {
		models = models_section(value_of(lines["manufacturer", i]))
		if (models != "") print_models(models)
	}
}

# stripped: without a comment outside quotes, without blanks at the ends.
function stripped(text,   i, c, quoted, out) {
	if (index(text, ";")) {
		for (i = 1; i <= length(text); i++) {
			c = substr(text, i, 1)
			if (c == "\"") quoted = !quoted
			if (c == ";" && !quoted) break
			out = out c
		}
		text = out
	}
	return trimmed(text)
}
function trimmed(text) { gsub(/^[ \t]+|[ \t]+$/, "", text); return text }
function unquoted(text) { text = trimmed(text); gsub(/^"|"$/, "", text); return text }
function key_of(text) { return tolower(trimmed(substr(text, 1, index(text, "=") - 1))) }
function value_of(text) { return index(text, "=") ? trimmed(substr(text, index(text, "=") + 1)) : "" }

function read_strings(   i, text) {
	for (i = 1; i <= count["strings"]; i++) {
		text = lines["strings", i]
		strings[key_of(text)] = unquoted(value_of(text))
	}
}
function expanded(text,   start, name) {
	while (match(text, /%[^%]+%/)) {
		name = tolower(substr(text, RSTART + 1, RLENGTH - 2))
		if (!(name in strings)) break
		text = substr(text, 1, RSTART - 1) strings[name] substr(text, RSTART + RLENGTH)
	}
	return text
}

# models_section: the best decorated section for this machine, or the plain one on x86.
function models_section(value,   n, part, base, j, decoration, rank, best, name) {
	n = split(value, part, ",")
	base = tolower(trimmed(part[1]))
	best = -1
	if (arch == "x86" && (base in count)) { name = base; best = 0 }
	for (j = 2; j <= n; j++) {
		decoration = tolower(trimmed(part[j]))
		rank = decoration_rank(decoration)
		if (rank > best) { best = rank; name = base "." decoration }
	}
	return name
}

# decoration_rank: -1 when it is not for us, else higher for a newer minimum version.
function decoration_rank(decoration,   n, part, major, minor, build, rank) {
	n = split(decoration, part, ".")
	rank = part[1] == mine ? 2 : (part[1] == "nt" && arch == "x86") ? 1 : -1
	if (rank < 0) return -1
	major = n > 1 ? part[2] + 0 : 0
	minor = n > 2 ? part[3] + 0 : 0
	build = n > 5 ? part[6] + 0 : 0
	if (major > 10 || (major == 10 && (minor > 0 || build > windows_build))) return -1
	if (n > 3 && part[4] != "" && part[4] + 0 != 1) return -1	# product type: workstation
	return rank + 10 * (build + 100000 * (minor + 100 * major))
}

function print_models(models,   m, n, field, q, id, files) {
	for (m = 1; m <= count[models]; m++) {
		n = split(value_of(lines[models, m]), field, ",")
		files = install_files(tolower(unquoted(expanded(field[1]))))
		for (q = 2; q <= n; q++) {
			id = toupper(unquoted(expanded(field[q])))
			if (id != "") print id "|" files
		}
	}
}

# install_files: what CopyFiles of the most specific install section names, in order.
function install_files(base,   section, i, n, part, j, out) {
	section = base
	if ((base ".nt") in count) section = base ".nt"
	if ((base "." mine) in count) section = base "." mine
	for (i = 1; i <= count[section]; i++) {
		if (key_of(lines[section, i]) != "copyfiles") continue
		n = split(value_of(lines[section, i]), part, ",")
		for (j = 1; j <= n; j++) out = out copied(trimmed(part[j]))
	}
	return substr(out, 2)
}

# copied: `@file` is a file; anything else names a section with a file a line.
function copied(item,   list, i, part, out) {
	if (substr(item, 1, 1) == "@") return "/" unquoted(substr(item, 2))
	list = tolower(item)
	for (i = 1; i <= count[list]; i++) {
		split(lines[list, i], part, ",")
		out = out "/" unquoted(part[1])
	}
	return out
}
