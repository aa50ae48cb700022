"""iPXE scripts, read as far as a check follows them: files that they name, and what comes next."""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

_FILE: Final = re.compile(
    r"^\s*(?:kernel|initrd|module|imgfetch|chain)\s+(?:-\S+\s+\S+\s+)*(\S+)", re.MULTILINE
)
_VARIABLE: Final = re.compile(r"\$\{([^${}]*)\}")
_JOINED: Final = re.compile(r"\s(&&|\|\|)(?=\s|$)")
_CHAINS: Final = frozenset({"chain", "boot", "imgexec"})
_LEAVES: Final = frozenset({"exit", "shell", "sanboot", "reboot", "poweroff", "choose", "login"})
# Commands that succeed in a boot that goes well; of all others the machine decides.
_SUCCEEDS: Final = frozenset(
    {"dhcp", "ifopen", "ifconf", "ifclose", "ifstat", "imgfetch", "imgfree", "imgargs", "imgselect",
     "kernel", "initrd", "module", "set", "clear", "echo", "sync", "sleep", "route", "console",
     "colour", "cpair", "params", "param", "menu", "item", "imgtrust", "imgverify", "imgstat"}
)  # fmt: skip
_WITH_VALUE: Final = frozenset({"-n", "--name", "-t", "--timeout"})
_MOST_STEPS: Final = 1000


def files_named(script: str, known: Mapping[str, str]) -> list[str]:
    """The files that a script names, without those that only the machine itself can expand."""
    names = dict.fromkeys(expanded(name, known) for name in _FILE.findall(script))
    return [name for name in names if "${" not in name]


def expanded(text: str, known: Mapping[str, str]) -> str:
    """`text` with the settings that are known; iPXE's others stay as they are."""
    return _VARIABLE.sub(lambda found: known.get(found[1].lower(), found[0]), text)


def chained_for_certain(script: str, known: Mapping[str, str]) -> str:
    """What every machine goes on to from this script by `chain`, or "".

    A choice that only the machine or a person can make ends the search: after it nothing is
    certain.
    """
    lines = [line.strip() for line in script.splitlines()]
    labels = {line.split()[0][1:]: at for at, line in enumerate(lines) if line[:1] == ":"}
    values, at = dict(known), 0
    for _ in range(_MOST_STEPS):  # a `goto` may lead back for ever
        if at >= len(lines):
            return ""
        step = _after(expanded(lines[at], values), values)
        if step is None:
            return ""
        chained, label = step
        if chained:
            return chained
        if label and label not in labels:
            return ""
        at = labels[label] if label else at + 1
    return ""


def _after(line: str, values: dict[str, str]) -> tuple[str, str] | None:
    """What a line that goes well chains to, and the label that it goes to; None: not certain."""
    if not line or line[0] in "#:":
        return "", ""
    commands = _JOINED.split(line)
    for operator, command in zip(["&&", *commands[1::2]], commands[0::2], strict=True):
        words = command.split()
        if operator == "||" or not words:  # what is done only after a failure
            continue
        match words:
            case ["goto", label]:
                return "", label
            case ["set", name, value]:
                values[name.lower()] = value
        if words[0] in _CHAINS:
            target = _target(words)
            return (target, "") if target else None
        if words[0] in _LEAVES:
            return None
        if words[0] not in _SUCCEEDS:
            return _either_way(line, values)
    return "", ""


def _either_way(line: str, values: dict[str, str]) -> tuple[str, str] | None:
    """After a condition: certain only if both outcomes lead to the next line."""
    words = line.split()
    if {"goto", *_CHAINS, *_LEAVES} & set(words):
        return None
    for before, name in pairwise(words):
        if before == "set":
            values.pop(name.lower(), None)
    return "", ""


def _target(words: list[str]) -> str:
    """The URL of a command that starts something; "" if it is unknown, or an image's name."""
    rest = iter(words[1:])
    for word in rest:
        if word in _WITH_VALUE:
            next(rest, "")
        elif not word.startswith("-"):
            known = "${" not in word and (words[0] == "chain" or "://" in word)
            return word if known else ""
    return ""
