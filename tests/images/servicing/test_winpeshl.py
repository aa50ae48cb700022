"""winpeshl.ini: the order in which Windows PE runs what it lists, with ours before all of it."""

import re

import pytest

from netboot.images.servicing.startup_hooks import (
    WINPESHL,
    DriverLine,
    StartUp,
    Wish,
    decode_script,
    plan_hook,
)
from netboot.images.servicing.winpeshl import launched_programs, with_ours

OURS = "ours.exe"
BOTH = (
    "[LaunchApp]\r\nAppPath = X:\\shell.exe\r\n[LaunchApps]\r\nX:\\app1.exe\r\nX:\\app2.exe, /q\r\n"
)
IN_ORDER = ("X:\\shell.exe", "X:\\app1.exe", "X:\\app2.exe, /q")


def hooked(text: str, after: str = "") -> str | None:
    return with_ours(text, OURS, after, lambda line: line.lower().startswith("wpeinit"))


LAYOUTS = {
    "as documented": BOTH,
    "other case": BOTH.replace("Launch", "LAUNCH").replace("AppPath", "apppath"),
    "blanks": "  [LaunchApp]  \r\n\r\n\t AppPath=X:\\shell.exe \r\n [LaunchApps]\t\r\n"
    "  X:\\app1.exe  \r\n\r\nX:\\app2.exe, /q",
    "blanks in the brackets": BOTH.replace("[", "[ ").replace("]", "\t]"),
    "comments": "; first\r\n[LaunchApp] ; one\r\n; AppPath=X:\\old.exe\r\n"
    "AppPath=X:\\shell.exe ; shell\r\n"
    "[LaunchApps];more\r\n;X:\\old.exe\r\nX:\\app1.exe ; app\r\nX:\\app2.exe, /q\r\n",
    "lines of Unix": BOTH.replace("\r\n", "\n"),
    "a mark of UTF-8": "\xef\xbb\xbf" + BOTH,
    "a mark of UTF-16": "\ufeff" + BOTH,
    "a section between": BOTH.replace("[LaunchApps]", "[Other]\r\nX:\\no.exe\r\n[LaunchApps]"),
    "a section before": "[Other]\r\nAppPath=X:\\no.exe\r\n" + BOTH,
    "one heading twice": BOTH.replace("X:\\app2", "[LaunchApps]\r\nX:\\app2"),
    "two paths": BOTH.replace("[LaunchApps]", "AppPath=X:\\unread.exe\r\n[LaunchApps]"),
}


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_programs_of_both_sections_are_one_list(text: str):
    """Both are run in the order of appearance, whatever the file looks like."""
    assert launched_programs(text) == IN_ORDER
    result = hooked(text)
    assert result is not None
    assert launched_programs(result) == (OURS, *IN_ORDER)


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_a_program_of_its_own_section_becomes_an_entry_of_the_list(text: str):
    """One [LaunchApps] holds all, so no reader can see them in another order."""
    result = hooked(text) or ""

    assert len(re.findall(r"^\ufeff?\[LaunchApps\]\r$", result, re.MULTILINE)) == 1
    assert "launchapp]" not in result.lower()
    assert "AppPath=X:\\no.exe" in result or "AppPath=X:\\no.exe" not in text
    assert result.startswith("\ufeff") == text.startswith("\ufeff")


def test_the_list_before_the_single_program_keeps_its_place():
    """Then the list is run first."""
    text = "[LaunchApps]\r\nX:\\app1.exe\r\n[LaunchApp]\r\nAppPath=X:\\shell.exe\r\n"

    assert launched_programs(hooked(text) or "") == (OURS, "X:\\app1.exe", "X:\\shell.exe")


def test_a_list_alone_keeps_its_lines():
    """Comments, blanks and other sections stay as they are."""
    text = "; top\r\n[Other]\r\na=1\r\n[launchapps]\r\n; why\r\n  a.exe ; b\r\n\r\n[More]\r\nx\r\n"

    assert hooked(text) == text.replace("[launchapps]\r\n", f"[launchapps]\r\n{OURS}\r\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "; nothing\r\n",
        "[LaunchApps]\r\n",
        "[LaunchApps]\r\n; a.exe\r\n\r\n",
        "[LaunchApp]\r\nAppPath=\r\n",
        "[LaunchApp]\r\nAppPath= ; none\r\n[LaunchApps]\r\n",
        "[Other]\r\na.exe\r\n",
        "a.exe\r\n",
    ],
)
def test_a_file_that_names_no_program_lists_none(text: str):
    """Ours would be the only one, and Windows PE restarts when the last has ended."""
    assert launched_programs(text) == ()


def test_a_later_program_of_ours_follows_the_one_that_starts_the_network():
    """In either section, and not a line of another one."""
    for text in (
        "[Other]\r\nwpeinit\r\n[LaunchApps]\r\na.exe\r\nwpeinit.exe\r\nb.exe",
        "[LaunchApp]\r\nAppPath=wpeinit.exe\r\n[LaunchApps]\r\na.exe\r\n",
        "[LaunchApps]\r\na.exe\r\n[LaunchApp]\r\nAppPath=wpeinit.exe\r\n",
    ):
        programs = list(launched_programs(hooked(text, "later.exe") or ""))

        assert programs[0] == OURS
        assert programs[programs.index("wpeinit.exe") + 1] == "later.exe"
    assert hooked("[Other]\r\nwpeinit\r\n[LaunchApps]\r\na.exe\r\n", "later.exe") is None


def test_a_comma_in_a_path_begins_no_arguments():
    """[LaunchApp] knows no arguments, [LaunchApps] does."""
    text = "[LaunchApp]\r\nAppPath=X:\\a,b\\shell.exe\r\n"

    assert launched_programs(text) == ('"X:\\a,b\\shell.exe"',)


@pytest.mark.parametrize(
    ("encoding", "mark"), [("utf-16-le", "\ufeff"), ("utf-16-be", "\ufeff"), ("utf-16-le", "")]
)
def test_utf_16_is_read_with_and_without_a_mark(encoding: str, mark: str):
    """It is written with the mark of Windows."""
    start_up = StartUp(None, decode_script((mark + "; é\r\n" + BOTH).encode(encoding)))

    hook = plan_hook(start_up, Wish((DriverLine("0001-a", "a.inf"),)))

    data = bytes(next(file for file in hook.files if file.path == WINPESHL))
    assert data[:2] == b"\xff\xfe"
    programs = launched_programs(data.decode("utf-16"))
    assert programs[0].endswith("nb-start.cmd")
    assert programs[1:] == IN_ORDER
