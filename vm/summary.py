"""Summary of a run of boot tests: how many machines did what was expected, and the time.

`python -m vm.summary FILE --seconds N`. FILE holds one JSON object a line, written by the boot
tests after each machine: {"name": ..., "passed": true, "seconds": 12.3}.
"""

import argparse
import json
import sys
from pathlib import Path


def record(path: Path, *, name: str, passed: bool, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as out:
        line = {"name": name, "passed": passed, "seconds": round(seconds, 1)}
        out.write(json.dumps(line) + "\n")


def summarise(recorded: list[str], seconds: float) -> tuple[str, bool]:
    """The closing lines, and whether at least one machine booted and none failed."""
    boots = [json.loads(line) for line in recorded if line.strip()]
    failed = [boot for boot in boots if not boot["passed"]]
    lines = [f"failed: {boot['name']} after {boot['seconds']} s" for boot in failed]
    minutes, rest = divmod(round(seconds), 60)
    lines.append(f"time: {minutes} min {rest} s")
    lines.append(f"boots: {len(boots) - len(failed)} passed, {len(failed)} failed")
    return "\n".join(lines), bool(boots) and not failed


def main(arguments: list[str]) -> int:
    """Print the summary; 1 if a boot failed or no machine booted."""
    parser = argparse.ArgumentParser(prog="python -m vm.summary", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--seconds", type=float, required=True, help="time of the whole run")
    chosen = parser.parse_args(arguments)
    lines = chosen.file.read_text().splitlines() if chosen.file.exists() else []
    text, well = summarise(lines, chosen.seconds)
    print(text)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
