"""`netboot check` inside the lab, on the boot server's host.

A request is `{"check": ["--kind", "uefi-x64", ...]}`; the answers are the check's JSON lines.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from netboot.errors import InvalidInput
from vm.network.lab_network import SERVER_ADDRESS, SRV, LabNetwork

_OPTIONS = {"--kind": 1, "--patience": 1, "--whole": 0}


def asked_for(line: bytes) -> list[str] | None:
    """The options of the requested check; None if the line requests something else.

    Raises InvalidInput for options that a check in the lab does not have.
    """
    try:
        request = json.loads(line)
    except ValueError:
        return None
    if not isinstance(request, dict) or "check" not in request:
        return None
    words = request["check"]
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise InvalidInput("the options of a check must be a list of words")
    rest = list(words)
    while rest:
        option = rest.pop(0)
        if option not in _OPTIONS or len(rest) < _OPTIONS[option]:
            raise InvalidInput(
                f"a check in the lab has no option {option[:40]!r}",
                hint=f"Its options are {', '.join(_OPTIONS)}.",
            )
        del rest[: _OPTIONS[option]]
    return words


def run_check(
    network: LabNetwork, data: Path, words: list[str], tell: Callable[[dict[str, Any]], None]
) -> None:
    """Run the check on the boot server's host, and pass on its events."""
    # With SQLAlchemy, which the service that waits for test machines can do without.
    from netboot.operations.boots.network import follow_check

    place = ["--interface", "eth0", "--server", SERVER_ADDRESS]
    argv = [sys.executable, "-m", "netboot.diagnose", "--data", str(data), "--json-lines"]
    for event in follow_check(network.command_in(SRV, [*argv, *place, *words])):
        tell(event)
