r"""The start scripts under a real cmd.exe (Wine 10's), with stand-ins for Windows PE's programs.

The stand-ins note how they were called, so these tests see what arrives, not what is written.
"""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from netboot.images.servicing.start_report import HomeReport
from netboot.images.servicing.startup_hooks import (
    STARTNET,
    DriverLine,
    Mode,
    StartUp,
    Wish,
    plan_hook,
)
from tests.support.wine import WindowsPc, compiled, missing

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(bool(missing()), reason=missing()),
]

HOME = HomeReport("http://192.0.2.1:8081/report/t", "Lab PE (x64)", 7)
PROGRAMS = ("drvload", "wpeinit", "wpeutil", "curl", "ping", "tool")
ODD_NAMES = (
    *("a&b.inf", "semi;colon.inf", "100%.inf", "%TEMP%.inf", "ca^ret.inf", "wow!.inf", "it's.inf"),
    *("a=b.inf", "(1).inf", "[2].inf", "{3}.inf", "~4.inf", "two words.inf", "back`tick.inf"),
    *("a,b.inf", "@5.inf", "#6$.inf", "+7-8.inf", "!wow!.inf", "^&(%).inf", "%%1.inf"),
)


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory) -> Path:
    return compiled("stand_in.c", tmp_path_factory.mktemp("programs") / "stand_in.exe")


@pytest.fixture
def started(tmp_path, stand_in) -> Callable[..., "Started"]:
    """`started(start_up, wish)` starts an image with that hook; `lacking` are programs left out."""

    def start(start_up, wish, *, refused=(), lacking=(), offline=0):
        pc = WindowsPc(tmp_path / "pc")
        (pc.home / "c" / "get.cmd").write_bytes(GET)
        for name in PROGRAMS:
            if name not in lacking:
                shutil.copy(stand_in, pc.system / f"{name}.exe")
        for line in wish.drivers:
            place = pc.windows / "BootDrivers" / line.folder
            place.mkdir(parents=True)
            text = "refuse" if line.inf_name in refused else "[Version]"
            (place / line.inf_name).write_text(text)
        for number in range(1, offline + 1):
            (pc.home / "c" / f"offline-{number}.txt").touch()
        hook = plan_hook(start_up, wish)
        assert hook.refusal == ""
        files = {STARTNET: (start_up.startnet or "").encode()}
        files |= {file.path: bytes(file) for file in hook.files}
        for path, data in files.items():
            (pc.system / path.rpartition("/")[2]).write_bytes(data)
        ended = pc.run("cmd.exe", "/c", r"C:\windows\system32\startnet.cmd")
        return Started(pc, hook.mode, ended.output)

    return start


GET = b"@tool.exe %*\r\n"
"""A script that starts a program with the arguments that it was given."""


class Started:
    """An image that was started: the calls of its programs, and what the scripts left behind."""

    def __init__(self, pc: WindowsPc, mode: Mode, output: str) -> None:
        self.pc, self.mode, self.output = pc, mode, output
        noted = pc.home / "c" / "calls.txt"
        self.calls = noted.read_text().splitlines() if noted.exists() else []

    @property
    def programs(self) -> list[str]:
        return [call.partition(" ")[0] for call in self.calls]

    @property
    def loaded(self) -> list[str]:
        """The paths that drvload was handed, without quotes."""
        return [call.split('"')[1] for call in self.calls if call.startswith("drvload ")]

    @property
    def log(self) -> list[str]:
        return (self.pc.system / "nb-start.log").read_text().splitlines()

    @property
    def report(self):
        return json.loads((self.pc.home / "c" / "sent.txt").read_text())


def lines_of(*names: str) -> tuple[DriverLine, ...]:
    return tuple(DriverLine(f"{n:04}-driver", name) for n, name in enumerate(names, 1))


def test_drivers_network_and_report_come_in_their_order(started):
    """drvload for each driver, then the report on its way, then wpeinit; the log tells it."""
    wish = Wish(lines_of("vioscsi.inf", "netkvm.inf"), report=HOME)

    seen = started(StartUp("wpeinit\r\n"), wish)

    assert seen.mode is Mode.FULL
    assert seen.programs[:2] == ["drvload", "drvload"]
    assert sorted(seen.programs[2:]) == ["curl", "wpeinit"]
    assert seen.loaded == [
        r"C:\windows\BootDrivers\0001-driver\vioscsi.inf",
        r"C:\windows\BootDrivers\0002-driver\netkvm.inf",
    ]
    assert seen.report == {
        "image": "Lab PE (x64)",
        "version": 7,
        "arch": "AMD64",
        "driver": " vioscsi.inf netkvm.inf",
        "missing": "",
    }
    assert seen.log == [
        *(f"loaded: {path}" for path in seen.loaded),
        *("netboot: loaded:", " vioscsi.inf", " netkvm.inf", "netboot: not loaded:"),
    ]


def test_any_name_of_an_inf_reaches_drvload(started):
    """Each is found and loaded, and is told by its name or by its folder's."""
    wish = Wish(lines_of(*ODD_NAMES), report=HOME)

    seen = started(StartUp(), wish)

    assert [path.rpartition("\\")[2] for path in seen.loaded] == list(ODD_NAMES)
    told = seen.report["driver"].split()
    assert len(told) == len(ODD_NAMES)
    assert "0001-driver" in told
    assert "+7-8.inf" not in told
    assert seen.report["missing"] == ""


def test_a_driver_that_is_refused_keeps_no_other_from_loading(started):
    """It is told as not loaded, and everything after it goes on."""
    names = ("a.inf", "b&b.inf", "c.inf", "d.inf")
    seen = started(StartUp(), Wish(lines_of(*names), report=HOME), refused={"b&b.inf", "c.inf"})

    assert len(seen.loaded) == 4
    assert seen.report["driver"].split() == ["a.inf", "d.inf"]
    assert seen.report["missing"].split() == ["0002-driver", "c.inf"]
    assert "wpeinit" in seen.programs


@pytest.mark.long
@pytest.mark.timeout(600)
def test_five_hundred_drivers_are_all_loaded(started):
    """Network drivers come last, and are told as well."""
    names = [f"driver-of-20-let{n:04}.inf" for n in range(500)]

    seen = started(StartUp(), Wish(lines_of(*names), report=HOME), refused={names[-2]})

    assert len(seen.loaded) == 500
    assert seen.report["driver"].split() == [*names[:-2], names[-1]]
    assert seen.report["missing"].split() == [names[-2]]
    assert seen.programs.count("wpeinit") == 1


def test_without_curl_everything_else_happens(started):
    """And the log says what is missing."""
    wish = Wish(lines_of("a.inf"), prestart_command="tool.exe x", report=HOME)

    seen = started(StartUp(), wish, lacking={"curl"})

    assert seen.programs == ["drvload", "wpeinit", "tool"]
    assert "netboot: cannot report: this image has no curl.exe" in seen.log


def test_without_drvload_the_network_starts_all_the_same(started):
    """Every driver is told as not loaded."""
    seen = started(StartUp(), Wish(lines_of("a.inf", "b.inf"), report=HOME), lacking={"drvload"})

    assert sorted(seen.programs) == ["curl", "wpeinit"]
    assert (seen.report["driver"], seen.report["missing"].split()) == ("", ["a.inf", "b.inf"])


def test_a_report_is_tried_again_until_the_network_is_up(started):
    """curl fails twice; ping waits in between."""
    seen = started(StartUp(), Wish(lines_of("a.inf"), report=HOME), offline=2)

    assert [name for name in seen.programs if name in {"curl", "ping"}] == [
        *("curl", "ping", "curl", "ping", "curl"),
    ]
    assert seen.report["driver"] == " a.inf"


def test_the_body_of_a_report_is_sent_as_one_line(started, tmp_path):
    """curl itself takes the line ends out of the file that the script has written."""
    seen = started(StartUp(), Wish(lines_of("a.inf", "b.inf"), report=HOME))
    body = seen.pc.system / "nb-report.json"

    sent = subprocess.run(
        ["curl", "-s", "-d", f"@{body}", "telnet://127.0.0.1:9", "--libcurl", "-"],
        capture_output=True, text=True,
    ).stdout  # fmt: skip

    assert b"\r\n" in body.read_bytes()
    assert r"{\"image\":\"Lab PE (x64)\",\"version\":7" in sent
    assert r"\"driver\":\" a.inf b.inf\",\"missing\":\"\"}" in sent


PRESTARTS = (
    "get.cmd http://srv/a%20b.txt 100%",
    'get.cmd "a&b^c" x^&y',
    "get.cmd 50% off %NOPE% %%a wow! !wow!",
    "get.cmd a;b,c=d ~ [x] {y} (z) ` ' #$@+",
    'get.cmd "two words" "" "open',
    "get.cmd /?",
    "if exist C:\\get.cmd get.cmd found",
    "get.cmd 1 & get.cmd 2 && (get.cmd 3) || get.cmd 4",
    "for %i in (1 2) do @get.cmd %i",
    "get.cmd 2>C:\\told.txt 1>&2",
    "C:\\get.cmd %SystemRoot%\\x %systemdrive%",
    "call get.cmd plain",
    "get plain /q -a=1,2",
)


@pytest.fixture(scope="module")
def typed(tmp_path_factory, stand_in) -> dict[str, list[str]]:
    """What the programs of each command are handed if it is typed at a prompt."""
    told = {}
    for command in PRESTARTS:
        pc = WindowsPc(tmp_path_factory.mktemp("prompt") / "pc")
        shutil.copy(stand_in, pc.system / "tool.exe")
        (pc.home / "c" / "get.cmd").write_bytes(GET)
        pc.run("cmd.exe", "/q", typed=f"set PATH=C:\\;%PATH%\r\n{command}\r\nexit\r\n")
        told[command] = (pc.home / "c" / "calls.txt").read_text().splitlines()
    return told


@pytest.mark.parametrize("command", PRESTARTS)
@pytest.mark.parametrize(
    "startnet",
    [
        "set PATH=C:\\;%PATH%\r\n@setlocal EnableDelayedExpansion\r\nwpeinit\r\n",
        "@echo off\r\nset PATH=C:\\;%PATH%\r\nwpeinit.exe\r\n",
    ],
    ids=["delayed expansion", "plain"],
)
def test_a_prestart_command_gets_what_a_prompt_would_give_it(started, typed, startnet, command):
    """The same arguments, whether the line is typed or stands in a script of the image."""
    seen = started(StartUp(startnet), Wish(prestart_command=command))

    assert seen.mode is Mode.PRE
    assert seen.calls[0].startswith("wpeinit")
    assert seen.calls[1:] == typed[command]


def test_a_prestart_command_follows_the_network_in_a_default_image(started):
    """With arguments that a batch file would change."""
    wish = Wish(lines_of("a.inf"), prestart_command=r"C:\get.cmd http://srv/a%20b.txt 100%")

    seen = started(StartUp("wpeinit"), wish)

    assert seen.programs == ["drvload", "wpeinit", "tool"]
    assert seen.calls[-1].endswith("http://srv/a%20b.txt 100%")
