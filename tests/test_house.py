"""The laws of the house: what keeps the code one house while many hands build it.

Each law says what it found and what to do. An exception from a law stands in its list below,
with a reason; a list may not name what no longer needs it.
"""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, get_type_hints

import pytest

from netboot.boot.told.attempts import fold
from netboot.boot.told.events import KINDS, Discovered, TransferContinued

ROOT = Path(__file__).resolve().parent.parent
TOOLS = Path(sys.executable).parent

MODULE_LINES, FUNCTION_LINES, FLAT_MODULES = 400, 60, 16

LONG_MODULES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}
"""`netboot/a/b.py::function`: why it is better long."""

UNTESTED: dict[str, str] = {
    "netboot/access.py": "names only",
    "netboot/progress.py": "names only",
    "netboot/__main__.py": "two lines",
    "netboot/boot/told/events.py": "values; test_journal_writer and a law below cover every kind",
    "netboot/images/architecture.py": "names only",
    "netboot/protocols/transfer_actions.py": "values; test_transfer covers every kind",
    "netboot/store/database/account_records.py": "rows only; test_site_database checks them",
    "netboot/store/database/job_records.py": "rows only; test_site_database checks them",
}
"""Modules without a mirrored test, and why that is right."""

MIGRATIONS = "netboot/store/database/migrations/"
BENCH_BUILD = "tests/bench/build/"  # peers that `make bench` fetches; not in the repository

COVERED_BY = {
    "netboot/commands/": "tests/test_cli.py",
    "web/api/": "tests/web/api/test_api.py",
    MIGRATIONS: "tests/store/database/test_site_database.py",
}
"""Modules and folders whose modules are tested together, from outside, by one test."""

PURE = ("netboot/protocols/", "netboot/formats/", "netboot/images/", "netboot/boot/")
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "breakpoint"}
IMPURE_METHODS = {"now", "today", "utcnow", "read_text", "read_bytes", "write_text", "write_bytes"}

# Where a library may be imported; put together so that no list of them is repeated elsewhere.
HOMES = {
    "flask": ("web/", "tests/"),
    "scapy": ("netboot/diagnose/", "tests/"),
    "sqlite3": ("netboot/store/", "tests/", "scripts/"),
}

# Words that must not get into the repository. They are put together, or this file had them.
SECRET_WORDS = {
    "/" + "work/": "a path of the machine that it was written on",
    "/tmp/" + "nb": "a path of the machine that it was written on",
    "pypi" + ".org": "the host name of a package registry",
    "python" + "hosted": "the host name of a package registry",
    "registry.npm" + "js": "the host name of a package registry",
    "co-" + "founder": "a word about how it was written",
    "BEGIN RSA " + "PRIVATE KEY": "a key",
}
ISSUE_NUMBER = re.compile(r"\bissues? #?\d+\b", re.IGNORECASE)


def house() -> Iterator[tuple[str, Path]]:
    """The modules of the program, by their path from the root."""
    for folder in ("netboot", "web", "vm"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path


def modules() -> list[tuple[str, ast.Module, list[str]]]:
    """Every module: its name, its tree, its lines."""
    found = []
    for name, path in house():
        text = path.read_text()
        found.append((name, ast.parse(text, name), text.splitlines()))
    return found


@pytest.fixture(scope="module")
def parsed() -> list[tuple[str, ast.Module, list[str]]]:
    return modules()


Parsed = list[tuple[str, ast.Module, list[str]]]


def law(faults: list[str], advice: str) -> None:
    """The law holds when there are no faults; otherwise they are listed with the advice."""
    if faults:
        pytest.fail(
            "\n".join([f"{advice} ({len(faults)})", *(f"  {f}" for f in faults)]), pytrace=False
        )


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The top names of what a module imports, anywhere in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0], node.lineno


# --- floors -------------------------------------------------------------------------------


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_arrows_point_down() -> None:
    """Rooms import only rooms below them, as .importlinter draws the house."""
    done = run(str(TOOLS / "lint-imports"), "--no-logo", "--no-cache")

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_pure_rooms_touch_nothing(parsed: Parsed) -> None:
    """What import-linter can't see: files opened by a built-in, and clocks read by a method."""
    faults = [
        f"{name}:{node.lineno} calls {called}"
        for name, tree, _ in parsed
        if name.startswith(PURE)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and (called := _impure(node.func))
    ]

    law(faults, "Pure rooms are handed bytes and times; move this to store or serve")


def _impure(called: ast.expr) -> str:
    match called:
        case ast.Name(id=name) if name in IMPURE_CALLS:
            return name
        case ast.Attribute(attr=name) if name in IMPURE_METHODS:
            return f".{name}()"
    return ""


def test_pure_rooms_know_names_of_files_but_no_files(parsed: Parsed) -> None:
    """Of pathlib they may have the pure paths only."""
    faults = [
        f"{name}:{node.lineno} imports {alias.name} from pathlib"
        for name, tree, _ in parsed
        if name.startswith(PURE)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if (getattr(node, "module", "") == "pathlib" and not alias.name.startswith("Pure"))
        or alias.name == "pathlib"
    ]

    law(faults, "A pure room may use PurePosixPath and PureWindowsPath, not Path")


def test_libraries_stay_in_their_rooms(parsed: Parsed) -> None:
    """Flask lives in web, scapy in diagnose, SQLite in store."""
    faults = [
        f"{name}:{line} imports {library}"
        for name, tree, _ in parsed
        for library, line in imported(tree)
        if library in HOMES and not name.startswith(HOMES[library])
    ]

    law(faults, f"These libraries have a room of their own: {HOMES}")


# --- form ---------------------------------------------------------------------------------


def test_modules_are_short(parsed: Parsed) -> None:
    """A module has one idea, and that fits in 400 lines."""
    sizes = {name: len(lines) for name, _, lines in parsed}
    faults = [
        f"{name} has {size} lines"
        for name, size in sizes.items()
        if size > MODULE_LINES and name not in LONG_MODULES
    ]
    idle = [name for name in LONG_MODULES if sizes.get(name, 0) <= MODULE_LINES]

    law(faults, f"Cut it where the ideas part: at most {MODULE_LINES} lines a module")
    law(idle, "LONG_MODULES names modules that are not long")


def test_functions_are_short(parsed: Parsed) -> None:
    """A function does one thing, and that fits on a screen."""
    sizes = {
        f"{name}::{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for name, tree, _ in parsed
        for node in functions(tree)
        if not name.startswith(MIGRATIONS)  # one list of tables each, read once
    }
    faults = [
        f"{name} has {size} lines"
        for name, size in sizes.items()
        if size > FUNCTION_LINES and name not in LONG_FUNCTIONS
    ]
    idle = [name for name in LONG_FUNCTIONS if sizes.get(name, 0) <= FUNCTION_LINES]

    law(faults, f"Name the parts: at most {FUNCTION_LINES} lines a function")
    law(idle, "LONG_FUNCTIONS names functions that are not long")


def test_folders_are_small() -> None:
    """A folder holds few enough modules to be read at a glance."""
    counts = Counter(
        path.relative_to(ROOT).parent.as_posix()
        for folder in ("netboot", "web", "vm", "tests")
        for path in (ROOT / folder).rglob("*.py")
        if not path.relative_to(ROOT).as_posix().startswith((MIGRATIONS, BENCH_BUILD))
    )
    faults = [
        f"{name} holds {count} modules" for name, count in counts.items() if count > FLAT_MODULES
    ]

    law(faults, f"Build a wall, by subject: at most {FLAT_MODULES} modules flat in a folder")


def test_every_module_has_a_charter(parsed: Parsed) -> None:
    """Its docstring's first line says in one sentence what it is for."""
    charters = {name: (ast.get_docstring(tree) or "").split("\n", 1)[0] for name, tree, _ in parsed}
    faults = [
        f"{name}: {charter or 'no docstring'}"
        for name, charter in charters.items()
        if len(charter) < 10 or charter[-1] not in ".:"
    ]

    law(faults, "The first line of a module's docstring is one sentence: what it is for")


def test_every_module_has_its_test() -> None:
    """`netboot/boot/files/names.py` is tested by `tests/boot/files/test_names.py`."""
    missing = [
        f"{name}: no {_test_of(name)}"
        for name, _ in house()
        if not name.endswith("__init__.py") and name not in UNTESTED
        if not (ROOT / _test_of(name)).exists()
    ]
    idle = [
        name for name in UNTESTED if not (ROOT / name).exists() or (ROOT / _test_of(name)).exists()
    ]

    law(missing, "Write the mirrored test, or give a reason in UNTESTED or a test in COVERED_BY")
    law(idle, "UNTESTED names modules that have a test, or are gone")


def _test_of(name: str) -> str:
    for folder, test in COVERED_BY.items():
        if name.startswith(folder):
            return test
    path = PurePosixPath(name.removeprefix("netboot/"))
    return f"{PurePosixPath('tests') / path.parent}/test_{path.stem.strip('_')}.py"


def test_every_test_says_what_is_true() -> None:
    """A test's name or docstring is a true sentence, and the test asserts something."""
    faults = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text())
        for node in functions(tree):
            if node.name.startswith("test_"):
                where = f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
                faults += [f"{where} {fault}" for fault in _faults_of_test(node)]

    law(faults, "A test is a true sentence with a proof")


def _faults_of_test(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    sentence = ast.get_docstring(node)
    if sentence is not None and (sentence[-1] not in ".?!" or len(_words(sentence)) < 3):
        yield "has a docstring that is no sentence"
    if sentence is not None and _words(sentence) == _words(node.name.removeprefix("test_")):
        yield "has a docstring that repeats its name"
    # `with pytest.raises(...)` is a proof, too, and so is a `try` that lets one error pass.
    proofs = (ast.Assert, ast.With, ast.Try)
    calls = {
        getattr(call.func, "id", getattr(call.func, "attr", ""))
        for call in ast.walk(node)
        if isinstance(call, ast.Call)
    }
    proved = any(isinstance(part, proofs) for part in ast.walk(node))
    if not proved and not any(re.match(r"law|fail|expect|assert|check|prove", c) for c in calls):
        yield "asserts nothing"


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def test_nobody_swallows_every_error(parsed: Parsed) -> None:
    """`except Exception` only keeps a daemon alive, and says why on the line or above it."""
    faults = []
    for name, tree, lines in parsed:
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and _catches_all(node.type):
                faults += [f"{name}:{node.lineno} {f}" for f in _faults_of_catch(name, node, lines)]

    law(faults, "Catch what you expect; a bug shows its traceback")


def _catches_all(caught: ast.expr | None) -> bool:
    match caught:
        case None | ast.Name(id="Exception"):
            return True
        case ast.Tuple(elts=elements):
            return any(_catches_all(element) for element in elements)
    return False


def _faults_of_catch(name: str, node: ast.ExceptHandler, lines: list[str]) -> Iterator[str]:
    if not name.startswith("netboot/serve/"):
        yield "catches every exception outside serve"
    around = lines[max(0, node.lineno - 2) : node.lineno + 1]
    if not any("#" in line for line in around):
        yield "does not say why it catches every exception"
    if all(isinstance(statement, ast.Pass) for statement in node.body):
        yield "passes in silence"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("open('x')", ["open"]),
        ("path.read_text()", [".read_text()"]),
        ("datetime.now()", [".now()"]),
        ("packet.open(3)", []),
    ],
)
def test_the_law_of_purity_is_awake(code: str, expected: list[str]) -> None:
    """It sees files that are opened and clocks that are read."""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]

    assert [name for call in calls if (name := _impure(call.func))] == expected


@pytest.mark.parametrize(
    ("caught", "name", "expected"),
    [
        ("except Exception:  # keeps serving\n log()", "netboot/serve/a.py", 0),
        ("except Exception:\n log()", "netboot/serve/a.py", 1),
        ("except (ValueError, Exception):  # why\n log()", "netboot/store/a.py", 1),
        ("except:\n pass", "web/a.py", 3),
        ("except ValueError:\n pass", "web/a.py", 0),
    ],
)
def test_the_law_of_exceptions_is_awake(caught: str, name: str, expected: int) -> None:
    """It sees who catches everything, where, and in silence."""
    code = f"try:\n work()\n{caught}"
    handler = next(
        node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ExceptHandler)
    )

    faults = list(_faults_of_catch(name, handler, code.splitlines()))

    assert expected == (len(faults) if _catches_all(handler.type) else 0)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('"""It works well."""\n assert True', 0),
        ('"""It works well."""\n work()', 1),
        ("work()", 1),
        ('"""it says too little"""\n assert True', 1),
        ('"""It works."""\n assert True', 1),
        ('"""It works well."""\n with raises(ValueError):\n  work()', 0),
        ("assert True", 0),
    ],
)
def test_the_law_of_tests_is_awake(body: str, expected: int) -> None:
    """It sees tests that say nothing or prove nothing."""
    node = next(functions(ast.parse(f"def test_it():\n {body}")))

    assert len(list(_faults_of_test(node))) == expected


# --- tools --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("ruff", "check", "--output-format", "concise", "."), id="ruff"),
        pytest.param(("ruff", "format", "--check", "."), id="format"),
        pytest.param(("mypy", "--no-error-summary"), id="mypy"),
    ],
)
def test_the_tools_are_content(command: tuple[str, ...]) -> None:
    """ruff finds nothing, the form is ruff's, mypy --strict agrees."""
    done = run(str(TOOLS / command[0]), *command[1:])

    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-8000:]}{done.stderr[-2000:]}"


# --- what must not get in -----------------------------------------------------------------


def texts() -> Iterator[tuple[str, str]]:
    """Every file of the repository that is text, tracked or about to be."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if listed.returncode != 0:
        pytest.skip("not a git repository: nothing says which files belong to it")
    for name in filter(None, listed.stdout.split("\0")):
        try:
            yield name, (ROOT / name).read_text()
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue


def test_the_repository_tells_nothing_of_where_it_was_written() -> None:
    """No paths of one machine, no hosts of registries, no words about how it came to be."""
    faults = [
        f"{name}:{number} has {word!r}, {what}"
        for name, text in texts()
        for word, what in SECRET_WORDS.items()
        if word in text
        for number, line in enumerate(text.splitlines(), 1)
        if word in line
    ]

    law(faults, "Take these out")


def test_the_repository_speaks_of_things_not_of_issue_numbers() -> None:
    """A reader has no list of issues; say the thing itself."""
    faults = [
        f"{name}:{number} {line.strip()[:80]}"
        for name, text in texts()
        if name.startswith(("netboot/", "web/", "vm/", "tests/", "scripts/")) or "/" not in name
        if name.endswith((".py", ".md", ".toml", ".sh", ".html")) and ISSUE_NUMBER.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        if ISSUE_NUMBER.search(line)
    ]

    law(faults, "Say what it is about instead of its number")


# --- the boot's story ---------------------------------------------------------------------

SAMPLES: dict[type, Any] = {str: "x", int: 1, float: 1.0}


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.__name__)
def test_every_event_is_folded(kind: Callable[..., Any]) -> None:
    """What a daemon tells stands in the story of the machine's boot."""
    mac = "52:54:00:00:00:01"
    values = {name: SAMPLES[hint] for name, hint in get_type_hints(kind).items()}
    begin = Discovered(at=0.5, mac=mac, architecture="x64", firmware="bios", stage="firmware")

    (attempt,) = fold([begin, kind(**values | {"mac": mac, "at": 1.0})])

    # One for every minute of a read: it moves the boot's last time, and is no step.
    steps = [] if kind is TransferContinued else [kind.__name__]
    assert [step.kind for step in attempt.steps] == ["Discovered", *steps]
    assert attempt.last == 1.0


def test_every_event_stands_in_the_boot_page() -> None:
    """netboot/boot/README.md has a row for each kind of event, and its list of deviations."""
    page = (ROOT / "netboot/boot/README.md").read_text()

    law([kind for kind in KINDS if f"| `{kind}` |" not in page], "Add a row to boot/README.md")
    assert "## Known deviations from specifications" in page


def test_every_module_of_the_boot_room_that_the_page_names_is_there() -> None:
    """The page does not speak of what was renamed."""
    page = (ROOT / "netboot/boot/README.md").read_text()
    named = set(re.findall(r"`([a-z_/]+\.py)`", page))
    room = ROOT / "netboot/boot"

    law([name for name in named if not any(room.rglob(name))], "Gone from boot/")
