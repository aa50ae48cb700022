"""The wheel: what is in it, what it requires, and a site that runs from it alone."""

import ast
import os
import re
import socket
import subprocess
import sys
import tomllib
import zipfile
from email.parser import HeaderParser
from importlib.metadata import packages_distributions
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = ROOT / ".tools" / "bin" / "uv"
SOURCES = ("netboot", "web", "vm")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout, as `make wheel` builds it."""
    builder = [sys.executable, ROOT / "scripts" / "package" / "wheel.py"]
    done = subprocess.run(
        [*builder, tmp_path_factory.mktemp("wheel")], stdout=subprocess.PIPE, text=True, check=True
    )
    return Path(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def metadata(wheel):
    with zipfile.ZipFile(wheel) as packed:
        (name,) = [name for name in packed.namelist() if name.endswith(".dist-info/METADATA")]
        return HeaderParser().parsestr(packed.read(name).decode())


@pytest.mark.long
def test_everything_that_runs_is_in_it_and_nothing_else(wheel):
    """Templates, static files, migrations, sources of the Lab PE; and Help, which is built."""
    listed = subprocess.run(
        ["git", "ls-files", "--", *SOURCES], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    with zipfile.ZipFile(wheel) as packed:
        names = {name for name in packed.namelist() if ".dist-info/" not in name}
    help_pages = {name for name in names if name.startswith("web/help/")}
    assert "web/help/index.html" in help_pages
    assert set(listed.stdout.splitlines()) == names - help_pages


@pytest.mark.long
def test_it_requires_the_locked_versions_and_nothing_of_the_tests(metadata):
    """`netboot check` needs scapy, the Lab PE pyelftools; psycopg is for who asks for it."""
    required = metadata.get_all("Requires-Dist")
    assert [line for line in required if "==" not in line] == []
    names = {line.partition("==")[0]: line for line in required}
    assert {"flask", "scapy", "pyelftools", "sqlalchemy"} <= set(names)
    assert not {"pytest", "ruff", "hatchling", "playwright"} & set(names)
    assert metadata.get_all("Provides-Extra") == ["postgresql"]
    assert "extra == 'postgresql'" in names["psycopg"]
    assert "extra ==" not in names["scapy"]


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    """A package that only another one brings may be gone with that one's next version."""
    declared = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])
    places = packages_distributions()
    imported = {
        distribution.lower().replace("_", "-")
        for source in SOURCES
        for path in (ROOT / source).rglob("*.py")
        for name in imports_of(path) - set(sys.stdlib_module_names) - set(SOURCES)
        for distribution in places[name]
    }
    assert imported | {"jinja2"} == declared  # Flask's templates are written in it


def imports_of(path):
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The programs of an environment that holds the wheel, and nothing of the checkout."""
    if not UV.exists():
        pytest.skip("uv is not installed (scripts/setup could not fetch it)")
    home = tmp_path_factory.mktemp("own")
    python = home / "bin" / "python"
    run(UV, "venv", "-q", "--clear", "--python", "/usr/bin/python3", home)
    sync = [UV, "pip", "sync", "-q", "--require-hashes", "--python", python]
    lock = ROOT / "requirements.lock"
    if subprocess.run([*sync, "--offline", lock], stderr=subprocess.DEVNULL).returncode:
        run(*sync, lock)  # the cache is not the one that the tests' own packages came from
    run(UV, "pip", "install", "-q", "--offline", "--no-deps", "--python", python, wheel)
    run(UV, "pip", "check", "-q", "--python", python)
    return python.parent


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def elsewhere(tmp_path):
    """A folder to call the command in; it holds another `netboot`, which nobody may take."""
    for name in SOURCES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong one')\n")
    return tmp_path


def own_environment(**more):
    """The environment of a user who has no checkout."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "NETBOOT"))}
    return kept | more


@pytest.mark.long
@pytest.mark.loopback
def test_a_site_is_made_and_its_page_served_from_the_wheel_alone(installed, elsewhere):
    """Its first page needs templates, migrations and scripts of the page."""
    netboot = [installed / "netboot", "--data", elsewhere / "data"]
    made = run(*netboot, "site", "create", cwd=elsewhere, env=own_environment())
    assert "Set-up token" in made
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        port = free_port()
        manager.bind(str(elsewhere / "notify"))
        manager.settimeout(60)
        page = subprocess.Popen(
            list(map(str, [*netboot, "web", "--port", port])),
            cwd=elsewhere, env=own_environment(NOTIFY_SOCKET=str(elsewhere / "notify")),
        )  # fmt: skip
        try:
            assert manager.recv(999).startswith(b"READY=1")
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", follow_redirects=True) as client:
                shown = client.get("/")
                assert (shown.status_code, "Set up this site" in shown.text) == (200, True)
                (named,) = re.findall(r'"(/assets/\w+/console.css)"', shown.text)
                style = client.get(named)
                assert style.content == (ROOT / "web/static/console.css").read_bytes()
        finally:
            page.terminate()
            assert page.wait(30) == 0


def free_port():
    """A TCP port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return held.getsockname()[1]


@pytest.mark.long
def test_its_check_brings_scapy_and_its_readers_have_their_walls(installed, elsewhere):
    """Processes of their own find the modules of the wheel."""
    python = installed / "python"
    shown = run(installed / "netboot", "check", "--help", cwd=elsewhere, env=own_environment())
    assert "Usage: netboot check" in shown
    probe = [python, "-s", "-P", "-m", "netboot.store.foreign.walled", "--probe"]
    assert "seccomp" in run(*probe, cwd=elsewhere, env=own_environment())
    run(python, "-P", "-c", "import vm.defaults, netboot.diagnose.asking.firmware", cwd=elsewhere)
