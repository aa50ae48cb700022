"""Builds the pages that the console serves under Help, from docs/ and from the code.

    python scripts/help/build.py [FOLDER]

The folder (build/help unless another is named) is replaced as a whole, so a console that runs never
serves half of it. A warning of Sphinx is an error. Nothing is fetched.
"""

import shutil
import sys
import tempfile
from importlib.metadata import files
from pathlib import Path

from sphinx.cmd.build import build_main

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

LEFT_OUT = (".buildinfo", "objects.inv", "**/*.map", "_static/debug.css")
"""What Sphinx writes for itself and for other documents."""

BROUGHT_BY = ("sphinx", "furo", "sphinx-basic-ng", "snowballstemmer")
"""The packages whose scripts and styles are in the pages."""


def main(arguments: list[str]) -> None:
    folder = Path(arguments[0] if arguments else ROOT / "build" / "help").resolve()
    build_into(folder)
    print(f"Help: {folder}")


def build_into(folder: Path) -> None:
    """The pages in `folder`, in place of what was there. Ends the process if they cannot be built.

    Raises OSError.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".help-", dir=folder.parent) as scratch:
        made = Path(scratch) / "help"
        options = ("-q", "-b", "html", "-W", "--keep-going", "-n")
        places = ("-c", HERE, "-d", Path(scratch) / "read", ROOT / "docs", made)
        if build_main([*options, *map(str, places)]):
            sys.exit("The pages of Help could not be built; the messages are above.")
        for pattern in LEFT_OUT:
            for path in made.glob(pattern):
                path.unlink()
        (made / "_sources").rmdir()
        write_licences(made / "_static" / "licenses")
        made.chmod(0o755)
        if folder.exists():
            folder.rename(Path(scratch) / "old")
        shutil.move(made, folder)


def write_licences(folder: Path) -> None:
    folder.mkdir()
    for name in BROUGHT_BY:
        texts = [
            str(file.locate())
            for file in files(name) or ()
            if file.name.startswith(("LICENSE", "COPYING"))
        ]
        (folder / f"{name}.txt").write_text("\n".join(Path(one).read_text() for one in texts))


if __name__ == "__main__":
    main(sys.argv[1:])
