"""The worker's protocol, spoken to the real process: one request, lines of JSON, one answer."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from netboot.store.foreign.confinement import Limits
from tests.samples.synthetic_winpe import SyntheticWinPe

pytestmark = pytest.mark.wimlib

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def wim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return SyntheticWinPe().capture(tmp_path_factory.mktemp("worker"))


def ask(wim: Path, workdir: Path, command: str, **details: Any) -> list[dict[str, Any]]:
    """All lines that the worker says."""
    limits = asdict(Limits())
    request = {"command": command, "wim": str(wim), "workdir": str(workdir), "limits": limits}
    done = subprocess.run(
        [sys.executable, "-m", "netboot.store.wim.worker"],
        input=json.dumps({**request, **details}),
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=True,
        timeout=60,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_walls_come_first_and_the_answer_last(wim: Path, tmp_path: Path):
    """Before anything is opened the walls stand; progress lies between; one result ends it."""
    first, *between, last = ask(wim, tmp_path, "examine", index=1)

    assert first == {"walls": ["limits", "network", "landlock", "seccomp"]}
    assert all(list(line) == ["progress"] for line in between)
    assert between[-1]["progress"][0] == "verify"
    assert list(last) == ["result"]


def test_an_examination_takes_out_only_what_says_something(wim: Path, tmp_path: Path):
    """Boot files, scripts, hives, and the INFs of its own drivers; no font, no driver's program."""
    result = ask(wim, tmp_path, "examine", index=1)[-1]["result"]

    taken = set(result["collected"])
    assert {"/Windows/System32/startnet.cmd", "/Windows/System32/config/SYSTEM"} <= taken
    assert not any(path.endswith((".ttf", ".sys", ".jpg")) for path in taken)
    infs = {path for path in taken if path.endswith(".inf")}
    assert infs
    assert all(path.startswith("/Windows/INF/") for path in infs)
    lying = {
        "/" + str(path.relative_to(tmp_path / "files"))
        for path in (tmp_path / "files").rglob("*")
        if path.is_file()
    }
    assert taken == lying
    assert result["hives"]["SOFTWARE"] == {"build": "22621", "revision": 1, "edition": "WindowsPE"}
    assert (result["hostile"], result["warnings"], result["boot_index"]) == ([], [], 1)


def test_a_list_holds_files_only(wim: Path, tmp_path: Path):
    """Paths with hashes, no folders."""
    files = ask(wim, tmp_path, "list", index=1)[-1]["result"]["files"]

    assert "/Windows" not in files
    assert all(len(sha1) == 40 for sha1 in files.values())


def test_verifying_finds_nothing_in_a_sound_file(wim: Path, tmp_path: Path):
    """No fault and no warning."""
    assert ask(wim, tmp_path, "verify")[-1] == {"result": {"warnings": []}}


def test_a_refusal_names_code_and_stage(wim: Path, tmp_path: Path):
    """An image that is not there is refused while names are read."""
    refused = ask(wim, tmp_path, "list", index=7)[-1]["refused"]

    assert (refused["code"], refused["stage"]) == (18, "open")
    assert refused["message"]


def test_a_build_changes_the_copy_and_reports_what_it_found(wim: Path, tmp_path: Path):
    """Something expected that is not there is a fault, not an exception."""
    copy = tmp_path / "copy.wim"
    copy.write_bytes(wim.read_bytes())
    tree = tmp_path / "add"
    (tree / "Windows").mkdir(parents=True)
    (tree / "Windows/new.txt").write_text("new")

    result = ask(
        copy,
        tmp_path,
        "build",
        index=1,
        at=1_700_000_000,
        high="0x01DA1747",
        low="0xC66D0000",
        boot_index=1,
        removed=["/Windows/INF"],
        tree=str(tree),
        registry=[],
        expected={"/Windows/new.txt": [3, "0" * 40], "/Windows/none": [1, ""]},
        extract=["/Windows/Boot/PXE/bootmgr.exe", "/Windows/INF/usbstor.inf"],
    )[-1]["result"]

    assert result["faults"] == [
        "/Windows/new.txt is missing or wrong in the image",
        "/Windows/none is missing or wrong in the image",
    ]
    assert result["extracted"] == ["/Windows/Boot/PXE/bootmgr.exe"]


def test_files_are_taken_out_as_far_as_they_are_there(wim: Path, tmp_path: Path):
    """In any case; what is missing is not named."""
    wanted = ["/windows/boot/pxe/PXEBOOT.n12", "/windows/boot/pcat/bootmgr", "/Windows"]
    lines = ask(wim, tmp_path, "take", index=1, paths=wanted)
    (path,) = lines[-1]["result"]["extracted"]

    assert path.lower() == "/windows/boot/pxe/pxeboot.n12"
    assert (tmp_path / "files" / path.lstrip("/")).read_bytes().startswith(b"stand-in: pxeboot")
