r"""How our start script gets into what Windows PE starts anyway.

Windows PE starts the first of: winpeshl.ini; \$Windows.~BT\sources\setup.exe; \setup.exe;
`cmd /k startnet.cmd`. Drivers must be loaded before `wpeinit` asks for an address, so our script
goes first. FULL mode: ours runs wpeinit itself. PRE mode: the image has a chain of its own that
runs wpeinit; ours only loads drivers. Law: applying a hook to a hooked image changes nothing.

Reference: Microsoft's "Winpeshl.ini reference: Launching an app when Windows PE starts".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from netboot.images.servicing.start_report import (
    REPORT_SCRIPT,
    HomeReport,
    report_script,
    start_line,
)

SYSTEM32 = "/Windows/System32"
STARTNET = f"{SYSTEM32}/startnet.cmd"
WINPESHL = f"{SYSTEM32}/winpeshl.ini"
START_SCRIPT = f"{SYSTEM32}/nb-start.cmd"
PRESTART_SCRIPT = f"{SYSTEM32}/nb-prestart.cmd"

MARK = "rem netboot"
_HEAD = ("@echo off", f"{MARK}: written at each build of this image; changes made here are lost")
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
_LAUNCH_APPS = re.compile(r"\s*\[LaunchApps\]\s*$", re.IGNORECASE)
_LAUNCH_APP = re.compile(r"\s*\[LaunchApp\]\s*$", re.IGNORECASE)
_APP_PATH = re.compile(r"\s*AppPath\s*=\s*(?P<path>.+?)\s*$", re.IGNORECASE)


class Mode(StrEnum):
    """How much of the start-up is ours."""

    NONE = "none"
    PRE = "pre"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class StartUp:
    """What the image starts by itself; None where a file is absent.

    `setup_path` is the Setup program that Windows PE finds, with %SYSTEMDRIVE%, or "".
    """

    startnet: str | None = None
    winpeshl: str | None = None
    setup_path: str = ""


@dataclass(frozen=True, slots=True)
class DriverLine:
    """A driver to load: its folder below BootDrivers and its INF's name."""

    folder: str
    inf_name: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What shall happen at start."""

    drivers: tuple[DriverLine, ...] = ()
    prestart_command: str = ""
    command_shell: bool = False
    report: HomeReport | None = None

    def __bool__(self) -> bool:
        return bool(self.drivers or self.prestart_command or self.command_shell or self.report)


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file to write: absolute path in the image, and its text with CRLF."""

    path: str
    text: str

    def __bytes__(self) -> bytes:
        return encode_script(self.text)


@dataclass(frozen=True, slots=True)
class Hook:
    """What to write. `refusal` says why a wish cannot be granted; then nothing is written."""

    mode: Mode
    files: tuple[TextFile, ...] = ()
    findings: tuple[str, ...] = ()
    refusal: str = ""


def decode_script(data: bytes) -> str:
    """A script's text so that `encode_script` gives back the same bytes.

    Scripts are in the machine's OEM code page, which we need not know: Latin-1 keeps bytes.
    winpeshl.ini may be UTF-16; then the text keeps its byte order mark.
    """
    return (
        data.decode("utf-16-le", "replace") if data[:2] == b"\xff\xfe" else data.decode("latin-1")
    )


def encode_script(text: str) -> bytes:
    """The bytes of a script."""
    return text.encode("utf-16-le") if text[:1] == "\ufeff" else text.encode("latin-1", "replace")


def plan_hook(start_up: StartUp, wish: Wish) -> Hook:
    """What to write so that the wish comes true in this image."""
    found, start_up = start_up, _without_our_lines(start_up)
    if not wish:
        return Hook(Mode.NONE, tuple(_restored(found, start_up)))
    if start_up.winpeshl is not None and (hook := _hook_winpeshl(start_up.winpeshl, wish)):
        return hook
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
    """The text of nb-start.cmd."""
    lines = [
        *_HEAD,
        r"set NBLOG=%SystemRoot%\System32\nb-start.log",
        "set NBLOADED=",
        "set NBFAILED=",
    ]
    if wish.command_shell:
        lines.append('start "Command prompt" %SystemRoot%\\System32\\cmd.exe /k')
    lines += [_drvload(line) for line in wish.drivers]
    if wish.drivers:
        lines.append("echo netboot: loaded:%NBLOADED%, not loaded:%NBFAILED%>>%NBLOG%")
    lines += [start_line()] if wish.report else []
    if mode is Mode.FULL:
        lines.append("wpeinit")
        lines += [f"call {wish.prestart_command}"] if wish.prestart_command else []
    return _text(lines)


def _drvload(line: DriverLine) -> str:
    """One driver; a percent sign would start a variable, so it is doubled.

    What drvload made of it is kept by the INF's name, or by the folder's, whose letters are
    safe, where the name would mean something to cmd.exe.
    """
    said = line.inf_name if _SAFE.fullmatch(line.inf_name) else line.folder
    folder, inf_name = (part.replace("%", "%%") for part in (line.folder, line.inf_name))
    path = rf"%SystemRoot%\BootDrivers\{folder}\{inf_name}"
    return (
        f'drvload "{path}" >>%NBLOG% 2>&1'
        f' && set "NBLOADED=%NBLOADED% {said}" || set "NBFAILED=%NBFAILED% {said}"'
    )


def _hook_winpeshl(text: str, wish: Wish) -> Hook | None:
    """The image names its programs in winpeshl.ini: ours becomes the first of them."""
    lines = _lines(text)
    start = next((n for n, line in enumerate(lines) if _LAUNCH_APPS.match(_bare(line))), None)
    if start is None:
        program = _single_program(lines)
        if not program:
            return None
        lines = ["[LaunchApps]\r\n", f"{program}\r\n"]
        start = 0
        if text[:1] == "\ufeff":
            lines[0] = "\ufeff" + lines[0]
    _end_with_newline(lines)
    if wish.prestart_command:
        network = next(
            (n for n in range(start + 1, len(lines)) if _WPEINIT.match(_bare(lines[n]))), None
        )
        if network is None:
            return _no_place_for_prestart("winpeshl.ini")
        lines.insert(network + 1, _LAUNCH_PRESTART + "\r\n")
    lines.insert(start + 1, _LAUNCH_START + "\r\n")
    return _pre_hook(TextFile(WINPESHL, "".join(lines)), wish, ())


def _hook_setup(setup_path: str, wish: Wish, findings: tuple[str, ...]) -> Hook:
    """A Setup image never reads startnet.cmd: give it a winpeshl.ini that ends in Setup."""
    if wish.prestart_command:
        return _no_place_for_prestart("Windows Setup")
    text = _text(["[LaunchApps]", _LAUNCH_START, setup_path])
    return _pre_hook(TextFile(WINPESHL, text), wish, findings)


def _replace_startnet(wish: Wish, findings: tuple[str, ...]) -> Hook:
    """Only the default: all of the start-up becomes ours."""
    return Hook(
        Mode.FULL,
        (
            TextFile(STARTNET, _text([f"{MARK}: stands for wpeinit", _CALL_START])),
            TextFile(START_SCRIPT, start_script(wish, Mode.FULL)),
            *_reporter(wish),
        ),
        findings,
    )


def _hook_startnet(text: str, wish: Wish, findings: tuple[str, ...]) -> Hook:
    """A startnet.cmd of somebody's own: ours is called first, the rest stays."""
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
    """PRE mode: the changed start file, our script, and the prestart script where wanted."""
    files = [changed, TextFile(START_SCRIPT, start_script(wish, Mode.PRE)), *_reporter(wish)]
    if wish.prestart_command:
        lines = ["@echo off", MARK, f"call {wish.prestart_command}"]
        files.append(TextFile(PRESTART_SCRIPT, _text(lines)))
    return Hook(Mode.PRE, tuple(files), findings)


def _reporter(wish: Wish) -> Iterator[TextFile]:
    """The script that reports home, where that is wanted."""
    if wish.report:
        yield TextFile(REPORT_SCRIPT, _text([*_HEAD, *report_script(wish.report)]))


def _no_place_for_prestart(where: str) -> Hook:
    return Hook(
        Mode.NONE,
        refusal=(
            "The prestart command must run after the network is up, but "
            f"{where} does not run wpeinit"
        ),
    )


def _single_program(lines: list[str]) -> str:
    """The program of a [LaunchApp] section, or ""."""
    inside = False
    for line in lines:
        bare = _bare(line)
        if bare.startswith("["):
            inside = _LAUNCH_APP.match(bare) is not None
        elif inside and (match := _APP_PATH.match(bare)):
            return match["path"]
    return ""


def _without_our_lines(start_up: StartUp) -> StartUp:
    """The start-up as it was before we hooked it, when the WIM came out of a build of ours."""
    ours = {MARK, _CALL_START.lower(), _CALL_PRESTART.lower()}
    startnet = start_up.startnet
    if startnet is not None:
        kept = [line for line in _lines(startnet) if line.strip().lower() not in ours]
        kept = [
            "wpeinit\r\n" if line.strip() == f"{MARK}: stands for wpeinit" else line
            for line in kept
        ]
        startnet = "".join(kept)
    winpeshl = start_up.winpeshl
    if winpeshl is not None:
        launched = {_LAUNCH_START.lower(), _LAUNCH_PRESTART.lower()}
        winpeshl = "".join(
            line for line in _lines(winpeshl) if line.strip().lower() not in launched
        )
    return StartUp(startnet, winpeshl, start_up.setup_path)


def _restored(found: StartUp, clean: StartUp) -> Iterator[TextFile]:
    """Start files that still hold a hook of an earlier build, as they were before it."""
    for path, old, new in (
        (STARTNET, found.startnet, clean.startnet),
        (WINPESHL, found.winpeshl, clean.winpeshl),
    ):
        if new is not None and new != old:
            yield TextFile(path, new)


def _lines(text: str) -> list[str]:
    """Lines with their ends; only LF ends a line (0x85 is a letter in a code page)."""
    return _LINE.findall(text)


def _bare(line: str) -> str:
    """A line of an INI file without byte order marks, comments and spaces."""
    return line.lstrip("\ufeff").removeprefix("\xef\xbb\xbf").partition(";")[0].strip()


def _end_with_newline(lines: list[str]) -> None:
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\r\n"


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\r\n" for line in lines)
