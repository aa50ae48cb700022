"""netboot.store.foreign.unpackers: 7z and cabextract, which are real here."""

import os
import subprocess
from contextlib import suppress
from shutil import which

import pytest

from netboot.errors import InvalidInput, MissingTool, Quarantined
from netboot.store.foreign import unpackers
from netboot.store.foreign.archives import unpacked
from netboot.store.foreign.unpackers import Limits
from tests.store.foreign.hostile_archives import cab_of

FILES = {"a.inf": b"[Version]\n", "sub/b.sys": bytes(range(256)) * 300}
LIMITS = Limits()

pytestmark = pytest.mark.skipif(
    not (which("7z") and which("cabextract")), reason="7z and cabextract are not installed"
)


def contents(tmp_path, data, limits=LIMITS):
    archive = tmp_path / "archive"
    archive.write_bytes(data)
    archive.chmod(0o600)
    with unpacked(archive, tmp_path / "scratch", limits) as files:
        return {file.name: file.path.read_bytes() for file in files}


def seven_zip(tmp_path, *options):
    """What the real 7z makes of FILES."""
    folder = tmp_path / "files"
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    made = tmp_path / "made.7z"
    argv = ["7z", "a", *options, "--", str(made), *sorted(path.name for path in folder.iterdir())]
    subprocess.run(argv, cwd=folder, check=True, capture_output=True)
    return made.read_bytes()


def test_7z(tmp_path):
    """Folders come along, bytes are the same."""
    assert contents(tmp_path, seven_zip(tmp_path)) == FILES


def test_a_self_extracting_7z(tmp_path):
    """A program with a 7z archive behind it."""
    stub = b"MZ" + bytes(58) + b"\x40\0\0\0" + b"PE\0\0" + bytes(4000)
    assert contents(tmp_path, stub + seven_zip(tmp_path)) == FILES


@pytest.mark.parametrize("deflate", [True, False])
def test_cab(tmp_path, deflate):
    """MSZIP and stored; backslashes make folders."""
    files = {name.replace("/", "\\"): data for name, data in FILES.items()}
    assert contents(tmp_path, cab_of(files, deflate=deflate)) == FILES


def test_a_program_with_a_cabinet_inside(tmp_path):
    """As IExpress makes them: 7z sees a program, cabextract finds the cabinet."""
    stub = b"MZ" + bytes(2000)
    files = {name.replace("/", "\\"): data for name, data in FILES.items()}
    assert contents(tmp_path, stub + cab_of(files)) == FILES


def test_a_program_without_an_archive(tmp_path):
    """An installer of some other kind must be unpacked by hand; the hint says so."""
    with pytest.raises(InvalidInput, match="cannot be opened") as raised:
        contents(tmp_path, b"MZ" + bytes(5000))
    assert "vendor" in raised.value.hint


def test_a_link_in_a_7z(tmp_path):
    """A symbolic link is refused before anything is unpacked."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "link.sys").symlink_to("/etc/passwd")
    made = tmp_path / "made.7z"
    argv = ["7z", "a", "-snl", "--", str(made), "link.sys"]
    subprocess.run(argv, cwd=folder, check=True, capture_output=True)
    with pytest.raises(Quarantined, match="an entry is not a regular file"):
        contents(tmp_path, made.read_bytes())


def test_a_7z_that_grows(tmp_path):
    """Its table is held against the limits."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "zero.sys").write_bytes(bytes(30 << 20))
    made = tmp_path / "made.7z"
    argv = ["7z", "a", "--", str(made), "zero.sys"]
    subprocess.run(argv, cwd=folder, check=True, capture_output=True)
    with pytest.raises(Quarantined, match="20 times"):
        contents(tmp_path, made.read_bytes())


def test_a_locked_7z(tmp_path):
    """A password is not guessed."""
    with pytest.raises(InvalidInput):
        contents(tmp_path, seven_zip(tmp_path, "-psecret", "-mhe=on"))


@pytest.mark.parametrize("name", ["..\\..\\evil.sys", "\\evil.sys", "../evil.sys"])
def test_a_cabinet_that_leads_out(tmp_path, name):
    """cabextract would keep it inside; it is refused all the same, or lies inside."""
    try:
        found = contents(tmp_path, cab_of({"a.inf": b"x", name: b"evil"}))
    except Quarantined:
        found = {}
    assert all(".." not in name for name in found)
    assert not list(tmp_path.glob("evil.sys"))
    assert not list(tmp_path.parent.glob("evil.sys"))


def test_a_cab_cut_anywhere(tmp_path):
    """At every 64th byte a refusal, never a hang or a crash of ours."""
    data = cab_of({"a.inf": b"text " * 100, "b.sys": os.urandom(300)})
    for cut in range(4, len(data) - 1, 64):
        with pytest.raises((InvalidInput, Quarantined)):
            contents(tmp_path, data[:cut])


def test_more_than_its_table_says_is_ended(tmp_path):
    """What is written is counted while it is written."""
    archive = tmp_path / "archive"
    archive.write_bytes(seven_zip(tmp_path))
    archive.chmod(0o444)
    target = tmp_path / "target"
    target.mkdir()
    budget = Limits(total=1000)
    with (
        unpackers.lend(archive, "7z", tmp_path) as lent,
        pytest.raises(Quarantined, match="more than its directory lists"),
    ):
        unpackers.extract_all(unpackers.SEVEN_ZIP, lent, target, budget)


def test_a_tool_that_takes_too_long_is_ended(tmp_path):
    """No time is no time, and the tool is gone afterwards."""
    archive = tmp_path / "archive"
    archive.write_bytes(b"x")
    archive.chmod(0o444)
    leash = unpackers._Leash(
        unpackers.Lent(archive, "7z"), seconds=0.2, memory=1 << 30, entry=1 << 20
    )
    with pytest.raises(Quarantined, match="too long"):
        leash.run(["sleep", "1000"])


def test_tools_run_as_nobody_and_cannot_write_elsewhere(tmp_path):
    """As root we hand the work to nobody, who may write to nothing of ours."""
    if os.geteuid() != 0:
        pytest.skip("only root can become nobody")
    archive = tmp_path / "archive"
    archive.write_bytes(b"x")
    archive.chmod(0o444)
    leash = unpackers._Leash(
        unpackers.Lent(archive, "7z"), seconds=5, memory=1 << 30, entry=1 << 20
    )
    assert leash.run(["id", "-u"]) == "65534\n"
    assert leash.run(["touch", str(tmp_path / "file")]) is None


@pytest.mark.parametrize("as_nobody", [True, False])
def test_tools_reach_no_other_file_of_the_site_whoever_runs_them(tmp_path, monkeypatch, as_nobody):
    """Neither its secret nor its socket; where we are not root, they are of the same user."""
    if not as_nobody:
        monkeypatch.setattr(unpackers, "_nobody", lambda: None)
    secret, archive, target = (tmp_path / name for name in ("secret", "archive", "target"))
    for path in (secret, archive):
        path.write_bytes(b"x")
        path.chmod(0o644)
    target.mkdir()
    leash = unpackers._Leash(
        unpackers.Lent(archive, "7z"), seconds=5, memory=1 << 30, entry=1 << 20
    )
    leash.watch(target, 1 << 20, 10)
    assert leash.run(["cat", "--", unpackers.ARCHIVE]) == "x"
    assert leash.run(["cat", str(secret)]) is None
    assert leash.run(["ls", str(tmp_path)]) is None
    assert leash.run(["cat", "/etc/passwd"]) is None
    assert leash.run(["touch", str(tmp_path / "file")]) is None
    assert leash.run(["touch", f"{unpackers.TARGET}/file"]) == ""
    assert (target / "file").exists()


@pytest.mark.parametrize(
    ("mode", "parent"), [(0o600, 0o700), (0o400, 0o755), (0o640, 0o700), (0o644, 0o700)]
)
def test_a_file_of_any_mode_is_readable_for_the_tools(mode, parent, tmp_path):
    folder = tmp_path / "private"
    folder.mkdir(mode=parent)
    archive = folder / "archive"
    archive.write_bytes(seven_zip(tmp_path))
    archive.chmod(mode)
    with unpackers.lend(archive, "7z", folder) as lent:
        tool, entries = unpackers.list_entries(lent, 5, 1 << 30)
    assert tool == unpackers.SEVEN_ZIP
    assert {entry.name for entry in entries} == set(FILES)
    assert archive.stat().st_mode & 0o777 == mode
    assert list(folder.iterdir()) == [archive]


def test_a_file_that_the_tools_can_read_is_not_copied(tmp_path):
    archive = tmp_path / "archive"
    archive.write_bytes(b"x")
    archive.chmod(0o644)
    with unpackers.lend(archive, "7z", tmp_path) as lent:
        assert lent.path == archive


@pytest.mark.parametrize(("kind", "name"), [("7z", "zip"), ("zip", "7z"), ("iso", "7z")])
def test_the_type_is_what_we_say_not_what_the_name_says(kind, name, tmp_path):
    """7z is handed /proc/self/fd/n, and never asked to guess."""
    archive = tmp_path / f"archive.{name}"
    archive.write_bytes(seven_zip(tmp_path))
    archive.chmod(0o644)
    found = []
    with unpackers.lend(archive, kind, tmp_path) as lent, suppress(InvalidInput):
        found = unpackers.list_entries(lent, 5, 1 << 30)[1]
    assert bool(found) == (kind == "7z")


def test_a_tool_that_is_not_there(tmp_path, monkeypatch):
    """The hint names the package."""
    monkeypatch.setattr(unpackers, "which", lambda tool: None if tool == "7z" else "/bin/x")
    archive = tmp_path / "archive"
    archive.write_bytes(b"7z\xbc\xaf\x27\x1c")
    with pytest.raises(MissingTool) as raised:
        unpackers.list_entries(unpackers.Lent(archive, "7z"), 5, 1 << 30)
    assert raised.value.hint == "Install it: apt-get install p7zip-full"
