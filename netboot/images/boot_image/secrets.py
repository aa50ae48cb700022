"""Finds secrets in a boot image: anyone who can boot it can read them.

A finding blocks publication until an operator accepts it with a reason. It names the file, the
line and the kind, never the secret itself.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

SCAN_LIMIT = 1 << 20
"""Larger files are not configuration or scripts."""

TEXT_EXTENSIONS = frozenset(
    {
        *(".bat", ".cmd", ".ps1", ".psm1", ".vbs", ".wsf"),
        *(".cfg", ".conf", ".config", ".ini", ".json", ".rdp", ".reg", ".txt", ".xml"),
        *(".key", ".pem", ".ppk", ".yaml", ".yml"),
    }
)
KEY_EXTENSIONS = frozenset({".pfx", ".p12"})
OTHER_NAMES = frozenset({"sysprep.inf", "variables.dat", "id_rsa", "id_ed25519", "id_ecdsa"})
SKIPPED_FOLDERS = ("/windows/servicing/", "/windows/winsxs/", "/windows/inf/")
"""Windows' own manifests: thousands of files that no administrator writes."""


@dataclass(frozen=True, slots=True)
class SecretFinding:
    """What looks like a secret: file, line (from 1; 0 for the whole file), kind."""

    path: str
    line: int
    kind: str

    @property
    def sentence(self) -> str:
        where = f"{self.path}, line {self.line}" if self.line else self.path
        return f"{where}: {self.kind}"


_EMPTY = r"(?!\s{0,40}(?:\*|%[^%\r\n]*%|%[0-9~*]|\$|<|\(|\"\"|''|$|Read-Host\b|InputBox\b))"
"""Prompts, variables and empty values are not secrets."""

# Bounded repetitions: a hostile file of one endless line must not take minutes.
_RULES = (
    (
        "a password in an answer file",
        re.compile(
            r"<(?:\w{1,40}:)?(?:\w{0,40}Password|Credentials)\b[^>]{0,200}>\s{0,40}"
            r"(?:<(?:\w{1,40}:)?Value>\s{0,40})?(?!\*|%)[^<>\s][^<>]{0,400}</",
            re.IGNORECASE,
        ),
    ),
    (
        "a Wi-Fi key",
        re.compile(r"<(?:\w{1,40}:)?keyMaterial>\s{0,40}[^<>\s][^<>]{0,400}</", re.IGNORECASE),
    ),
    (
        "a password in a setting",
        re.compile(
            r"^[ \t]{0,40}[\"']?(?:set[ \t]{1,40}|\$)?[\"']?\w{0,40}passw(?:or)?d\w{0,40}"
            rf"[\"']?[ \t]{{0,40}}[=:][ \t]{{0,40}}{_EMPTY}[\"']?[^\s\"']",
            re.IGNORECASE | re.MULTILINE,
        ),
    ),
    (
        "a saved Remote Desktop password",
        re.compile(r"^[ \t]{0,40}password 51:b:[0-9a-f]{8}", re.IGNORECASE | re.MULTILINE),
    ),
    (
        "a private key",
        re.compile(
            r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY-----|^PuTTY-User-Key-File",
            re.MULTILINE,
        ),
    ),
    (
        "a plain-text password for ConvertTo-SecureString",
        re.compile(r"ConvertTo-SecureString[^\r\n]{0,400}?-AsPlainText", re.IGNORECASE),
    ),
    (
        "a user name and password in a URL",
        re.compile(
            r"\b(?:https?|ftp|smb)://[^\s/:@\"'<>%]{1,200}:[^\s/@\"'<>%]{1,200}@", re.IGNORECASE
        ),
    ),
)

_NET_USE = re.compile(r"\bnet(?:\.exe)?[ \t]+use\b([^\r\n&|]*)", re.IGNORECASE)
_NO_PASSWORD = ("/", "\\\\", "*", "%", ">")  # switch, share, prompt, variable, redirection
_ARGUMENT = re.compile(r"\"[^\"]*\"|\S+")


def unaccepted(
    findings: Iterable[SecretFinding], accepted: Collection[str]
) -> tuple[SecretFinding, ...]:
    """Findings whose sentences are not in `accepted`."""
    return tuple(finding for finding in findings if finding.sentence not in accepted)


def is_scanned(path: str) -> bool:
    """Whether the scan reads the file at this path (forward slashes)."""
    lowered = path.lower()
    if lowered.startswith(SKIPPED_FOLDERS):
        return False
    name = lowered.rpartition("/")[2]
    extension = "." + name.rpartition(".")[2] if "." in name else ""
    return extension in TEXT_EXTENSIONS | KEY_EXTENSIONS or name in OTHER_NAMES


def scan_file(path: str, data: bytes) -> tuple[SecretFinding, ...]:
    name = path.rpartition("/")[2].lower()
    if name == "variables.dat":
        return (SecretFinding(path, 0, "task sequence variables of boot media"),)
    if name.endswith(tuple(KEY_EXTENSIONS)):
        return (SecretFinding(path, 0, "a certificate with its private key"),)
    text = _decode(data)
    matches = ((m.start(), kind) for kind, rule in _RULES for m in rule.finditer(text))
    findings = {
        SecretFinding(path, text.count("\n", 0, start) + 1, kind)
        for start, kind in (*matches, *_net_use(text))
    }
    return tuple(sorted(findings, key=lambda finding: (finding.line, finding.kind)))


def _net_use(text: str) -> Iterator[tuple[int, str]]:
    """In `net use X: SHARE PASSWORD /user:NAME` a word that is nothing else is the password."""
    for match in _NET_USE.finditer(text):
        words = [word.strip('"') for word in _ARGUMENT.findall(match[1])]
        if not any(word.lower().startswith("/user:") for word in words):
            continue
        bare = [word for word in words if word and not word.startswith(_NO_PASSWORD)]
        if any(not word.endswith(":") for word in bare):
            yield match.start(), "a password in a net use command"


def _decode(data: bytes) -> str:
    # The encodings that Windows' own tools write: UTF-16 with or without a mark, UTF-8, ANSI.
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return data.decode("utf-16", "replace")
    if data[1:2] == b"\0" and data[3:4] == b"\0":
        return data.decode("utf-16-le", "replace")
    return data.decode("utf-8-sig", "replace")
