r"""Adds nb-start.cmd, which loads the drivers, to the startup of a Windows PE.

winpeshl.exe starts the first of: the programs in winpeshl.ini; \$Windows.~BT\sources\setup.exe;
\setup.exe; `cmd /k startnet.cmd`. Drivers must be loaded before `wpeinit` asks for an address, so
nb-start.cmd comes first. In FULL mode it runs wpeinit itself. In PRE mode the image's own startup
runs wpeinit, and nb-start.cmd only loads drivers. Law: a second hook changes nothing.

References: Microsoft's "Winpeshl.ini reference: Launching an app when Windows PE starts" and
"Drvload command-line options"; osdeploy.com, "WinPE startup flow" (the order).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from netboot.images.servicing.batch_command import line_as_typed
from netboot.images.servicing.start_report import (
    LOADED_NAMES,
    REFUSED_NAMES,
    REPORT_SCRIPT,
    HomeReport,
    report_script,
    start_line,
)
from netboot.images.servicing.winpeshl import decode_ini, launched_programs, with_ours

SYSTEM32 = "/Windows/System32"
STARTNET = f"{SYSTEM32}/startnet.cmd"
WINPESHL = f"{SYSTEM32}/winpeshl.ini"
START_SCRIPT = f"{SYSTEM32}/nb-start.cmd"
PRESTART_SCRIPT = f"{SYSTEM32}/nb-prestart.cmd"

MARK = "rem netboot"
_HEAD = ("@echo off", f"{MARK}: written at each build of this image; changes made here are lost")
_IN_PLACE_OF_WPEINIT = f"{MARK}: stands for wpeinit"
"""Versions of earlier releases have this line too, so it never changes."""

_LOG = r"%SystemRoot%\System32\nb-start.log"
_PLAIN_EXPANSION = "setlocal EnableExtensions DisableDelayedExpansion"
"""Else an exclamation mark would begin a variable where an image's own script wishes that."""

_SAFE = re.compile(r"[A-Za-z0-9._-]+")
_CALL_START = r"call %SystemRoot%\System32\nb-start.cmd"
_CALL_PRESTART = r"call %SystemRoot%\System32\nb-prestart.cmd"
_CMD = r"%SYSTEMROOT%\System32\cmd.exe, /c %SYSTEMROOT%\System32"
_LAUNCH_START = rf"{_CMD}\nb-start.cmd"
_LAUNCH_PRESTART = rf"{_CMD}\nb-prestart.cmd"

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_WPEINIT = re.compile(
    r'^\s*@?(?:call\s+|start\s+/wait\s+)?"?(?:[^\s"]*\\)?wpeinit(?:\.exe)?"?\s*(?:$|[\s,>])',
    re.IGNORECASE,
)
_ECHO_OFF = re.compile(r"\s*@echo\s+off\s*$", re.IGNORECASE)
_COMMENT = re.compile(r"\s*(?:@?rem\b.*|::.*)?$", re.IGNORECASE)


class Mode(StrEnum):
    """How much of the startup nb-start.cmd does."""

    NONE = "none"
    PRE = "pre"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class StartUp:
    """The startup of an image: the texts of its files, None if missing.

    `setup_path` is the Setup program that Windows PE would start, with %SYSTEMDRIVE%, or "".
    """

    startnet: str | None = None
    winpeshl: str | None = None
    setup_path: str = ""


@dataclass(frozen=True, slots=True)
class DriverLine:
    """A driver to load: its folder below BootDrivers, and the name of its INF."""

    folder: str
    inf_name: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What to do at startup."""

    drivers: tuple[DriverLine, ...] = ()
    prestart_command: str = ""
    command_shell: bool = False
    report: HomeReport | None = None

    def __bool__(self) -> bool:
        return bool(self.drivers or self.prestart_command or self.command_shell or self.report)


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file to write: its absolute path in the image, and its text with CRLF."""

    path: str
    text: str

    def __bytes__(self) -> bytes:
        return encode_script(self.text)


@dataclass(frozen=True, slots=True)
class Hook:
    """The files to write, or in `refusal` the reason why it is not possible."""

    mode: Mode
    files: tuple[TextFile, ...] = ()
    findings: tuple[str, ...] = ()
    refusal: str = ""


def decode_script(data: bytes) -> str:
    """The text of a start file; `encode_script` reverses it, for UTF-16 with a byte order mark."""
    # cmd.exe reads scripts in the OEM code page, which is unknown here: Latin-1 keeps all bytes.
    # winpeshl.ini may be UTF-16; its byte order mark stays in the text.
    text = decode_ini(data)
    return data.decode("latin-1") if text is None else text


def encode_script(text: str) -> bytes:
    return text.encode("utf-16-le") if text[:1] == "\ufeff" else text.encode("latin-1", "replace")


def plan_hook(start_up: StartUp, wish: Wish) -> Hook:
    """The files to write so that this image does what is wished."""
    found, start_up = start_up, _without_our_lines(start_up)
    if not wish:
        return Hook(Mode.NONE, tuple(_restored(found, start_up)))
    if start_up.winpeshl is not None and (hook := _hook_winpeshl(start_up.winpeshl, wish)):
        return hook
    # From here on, in the order in which winpeshl.exe looks for something to start.
    findings: tuple[str, ...] = ()
    if start_up.winpeshl is not None:
        findings = ("winpeshl.ini lists no program, so it is ignored.",)
    if start_up.setup_path:
        return _hook_setup(start_up.setup_path, wish, findings)
    if start_up.startnet is None or is_default_startnet(start_up.startnet):
        return _replace_startnet(wish, findings)
    return _hook_startnet(start_up.startnet, wish, findings)


def is_default_startnet(text: str) -> bool:
    """Whether startnet.cmd does nothing but `wpeinit`."""
    lines = [
        line.strip()
        for line in _lines(text)
        if not _COMMENT.match(line.strip()) and not _ECHO_OFF.match(line.strip())
    ]
    return not lines or [line.lower() for line in lines] in (["wpeinit"], ["wpeinit.exe"])


def start_script(wish: Wish, mode: Mode) -> str:
    # What was loaded goes to files, a line each: a variable would outgrow what cmd.exe reads.
    lines = [*_HEAD, _PLAIN_EXPANSION, rf"set NBLOG={_LOG}"]
    lines += [f"if exist {names} del {names}" for names in (LOADED_NAMES, REFUSED_NAMES)]
    if wish.command_shell:
        lines.append('start "Command prompt" %SystemRoot%\\System32\\cmd.exe /k')
    lines += [_drvload(line) for line in wish.drivers]
    if wish.drivers:
        for what, names in (("loaded", LOADED_NAMES), ("not loaded", REFUSED_NAMES)):
            lines.append(f">>%NBLOG% echo netboot: {what}:")
            lines.append(f"if exist {names} type {names} >>%NBLOG%")
    lines += [start_line()] if wish.report else []
    if mode is Mode.FULL:
        # wpeinit starts plug and play and the network: the drivers above take part in both.
        lines.append("wpeinit")
        lines += [line_as_typed(wish.prestart_command)] if wish.prestart_command else []
    return _text(lines)


def _drvload(line: DriverLine) -> str:
    # The result is noted under the INF's name, or under the folder's name, which is always safe, if
    # the INF's has a special character of cmd.exe.
    noted = line.inf_name if _SAFE.fullmatch(line.inf_name) else line.folder
    # A blank before each name, since curl leaves out what is between the lines.
    # In a batch file a percent sign begins a variable, also inside quotes, unless it is doubled.
    folder, inf_name = (part.replace("%", "%%") for part in (line.folder, line.inf_name))
    path = rf"%SystemRoot%\BootDrivers\{folder}\{inf_name}"
    return (
        f'drvload "{path}" >>%NBLOG% 2>&1'
        f" && (>>{LOADED_NAMES} echo  {noted}) || (>>{REFUSED_NAMES} echo  {noted})"
    )


def _hook_winpeshl(text: str, wish: Wish) -> Hook | None:
    """The image lists its programs in winpeshl.ini: put nb-start.cmd before them."""
    if not launched_programs(text):
        return None
    prestart = _LAUNCH_PRESTART if wish.prestart_command else ""
    hooked = with_ours(text, _LAUNCH_START, prestart, lambda line: bool(_WPEINIT.match(line)))
    if hooked is None:
        return _no_place_for_prestart("winpeshl.ini")
    return _pre_hook(TextFile(WINPESHL, hooked), wish, ())


def _hook_setup(setup_path: str, wish: Wish, findings: tuple[str, ...]) -> Hook:
    # winpeshl.exe never reads startnet.cmd if there is a Setup: write a winpeshl.ini with both.
    if wish.prestart_command:
        return _no_place_for_prestart("Windows Setup")
    text = _text(["[LaunchApps]", _LAUNCH_START, setup_path])
    return _pre_hook(TextFile(WINPESHL, text), wish, findings)


def _replace_startnet(wish: Wish, findings: tuple[str, ...]) -> Hook:
    """A missing or default startnet.cmd: nb-start.cmd does everything."""
    return Hook(
        Mode.FULL,
        (
            TextFile(STARTNET, _text([_IN_PLACE_OF_WPEINIT, _CALL_START])),
            TextFile(START_SCRIPT, start_script(wish, Mode.FULL)),
            *_reporter(wish),
        ),
        findings,
    )


def _hook_startnet(text: str, wish: Wish, findings: tuple[str, ...]) -> Hook:
    """A customised startnet.cmd: call nb-start.cmd first; the rest stays."""
    lines = _lines(text)
    _end_with_newline(lines)
    network = next((n for n, line in enumerate(lines) if _WPEINIT.match(line)), None)
    if network is None:
        if wish.prestart_command:
            return _no_place_for_prestart("startnet.cmd")
        findings = (
            *findings,
            "startnet.cmd does not run wpeinit, so the image must start the network itself.",
        )
    elif wish.prestart_command:
        lines[network + 1 : network + 1] = [f"{MARK}\r\n", _CALL_PRESTART + "\r\n"]
    first = next((n for n, line in enumerate(lines) if not _COMMENT.match(line.rstrip())), 0)
    at = first + 1 if _ECHO_OFF.match(lines[first].rstrip()) else 0
    lines[at:at] = [f"{MARK}\r\n", _CALL_START + "\r\n"]
    return _pre_hook(TextFile(STARTNET, "".join(lines)), wish, findings)


def _pre_hook(changed: TextFile, wish: Wish, findings: tuple[str, ...]) -> Hook:
    """PRE mode: the changed start file, nb-start.cmd, and the other scripts if wanted."""
    files = [changed, TextFile(START_SCRIPT, start_script(wish, Mode.PRE)), *_reporter(wish)]
    if wish.prestart_command:
        lines = ["@echo off", MARK, _PLAIN_EXPANSION, line_as_typed(wish.prestart_command)]
        files.append(TextFile(PRESTART_SCRIPT, _text(lines)))
    return Hook(Mode.PRE, tuple(files), findings)


def _reporter(wish: Wish) -> Iterator[TextFile]:
    if wish.report:
        yield TextFile(REPORT_SCRIPT, _text([*_HEAD, *report_script(wish.report)]))


def _no_place_for_prestart(where: str) -> Hook:
    why = f"The prestart command must run after the network is up, but {where} does not run wpeinit"
    return Hook(Mode.NONE, refusal=why)


def _without_our_lines(start_up: StartUp) -> StartUp:
    """The startup without the hook of an earlier build: a source may be a version of netboot."""
    ours = {MARK, _CALL_START.lower(), _CALL_PRESTART.lower()}
    startnet = start_up.startnet
    if startnet is not None:
        startnet = "".join(
            "wpeinit\r\n" if line.strip() == _IN_PLACE_OF_WPEINIT else line
            for line in _lines(startnet)
            if line.strip().lower() not in ours
        )
    winpeshl = start_up.winpeshl
    if winpeshl is not None:
        launched = {_LAUNCH_START.lower(), _LAUNCH_PRESTART.lower()}
        winpeshl = "".join(
            line for line in _lines(winpeshl) if line.strip().lower() not in launched
        )
    return StartUp(startnet, winpeshl, start_up.setup_path)


def _restored(found: StartUp, clean: StartUp) -> Iterator[TextFile]:
    """Start files with the hook of an earlier build, as they were before it."""
    for path, old, new in (
        (STARTNET, found.startnet, clean.startnet),
        (WINPESHL, found.winpeshl, clean.winpeshl),
    ):
        if new is not None and new != old:
            yield TextFile(path, new)


def _lines(text: str) -> list[str]:
    """Lines with their ends. `splitlines` would split at 0x85, a letter in OEM code pages."""
    return _LINE.findall(text)


def _end_with_newline(lines: list[str]) -> None:
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\r\n"


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\r\n" for line in lines)
