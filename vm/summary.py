"""One line for a run of boot tests: how many machines did what was expected, and how long it took.

`python -m vm.summary FILE --seconds N`. FILE holds one JSON object a line, written by the boot
tests as each machine ends: {"name": ..., "passed": true, "seconds": 12.3}.
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


def summarise(lines: list[str], seconds: float) -> tuple[str, bool]:
    """The closing lines, and whether all is well: at least one boot, and none failed."""
    boots = [json.loads(line) for line in lines if line.strip()]
    failed = [boot for boot in boots if not boot["passed"]]
    told = [f"failed: {boot['name']} after {boot['seconds']} s" for boot in failed]
    minutes, rest = divmod(round(seconds), 60)
    told.append(f"time: {minutes} min {rest} s")
    told.append(f"boots: {len(boots) - len(failed)} passed, {len(failed)} failed")
    return "\n".join(told), bool(boots) and not failed


def main(arguments: list[str]) -> int:
    """Print the summary; 1 when a boot failed or none took place."""
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
