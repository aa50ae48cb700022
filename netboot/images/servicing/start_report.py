r"""The report that Windows PE sends home after its drivers were loaded: nb-report.cmd.

It runs in parallel with the image's own startup and never delays it: it waits for the network by
trying, for ten minutes at most, and ends. Windows PE has curl.exe since Windows 10 1803; where
it is missing the log says so. nb-start.cmd leaves in NBLOADED and NBFAILED which packages
drvload took and which it refused.
"""

import re
from dataclasses import dataclass

REPORT_SCRIPT = "/Windows/System32/nb-report.cmd"
TRIES = 60
SECONDS_FOR_A_TRY = 5
SECONDS_BETWEEN = 5

_CURL = r"%SystemRoot%\System32\curl.exe"
_START = r"start /min %SystemRoot%\System32\cmd.exe /c %SystemRoot%\System32\nb-report.cmd"
# What neither a batch file nor JSON gives another meaning.
_PLAIN = re.compile(r"[A-Za-z0-9 ._()+-]+")


@dataclass(frozen=True, slots=True)
class HomeReport:
    """Where to report to, and what the image is called; `version` is the build's number.

    The address has only signs that `properties` lets through: none that cmd.exe would read.
    """

    address: str
    image: str
    version: int


def start_line() -> str:
    """The line of nb-start.cmd that sends the reporter on its way."""
    return _START


def report_script(report: HomeReport) -> list[str]:
    """The lines of nb-report.cmd after its head.

    An image whose name cannot stand in a batch file is named by the report's token alone.
    """
    said = {
        "arch": "%PROCESSOR_ARCHITECTURE%",
        "driver": "%NBLOADED%",
        "missing": "%NBFAILED%",
    }
    fields = [rf"\"{name}\":\"{value}\"" for name, value in said.items()]
    if _PLAIN.fullmatch(report.image):
        fields[:0] = [rf"\"image\":\"{report.image}\"", rf"\"version\":{report.version}"]
    body = ",".join(fields)
    # ping waits a second between two echoes; Windows PE has no other program that waits.
    return [
        f"if not exist {_CURL} echo netboot: cannot report: this image has no curl.exe>>%NBLOG%",
        f"if not exist {_CURL} exit /b",
        "set NBTRY=0",
        ":again",
        "set /a NBTRY+=1",
        _post(report.address, body),
        f"if %NBTRY% GEQ {TRIES} exit /b",
        rf"%SystemRoot%\System32\ping.exe -n {SECONDS_BETWEEN + 1} 127.0.0.1 >nul",
        "goto again",
    ]


def _post(address: str, body: str) -> str:
    """One try, after whose success the script ends."""
    return (
        f'{_CURL} -s -f -m {SECONDS_FOR_A_TRY} -H "Content-Type: application/json" '
        f'-d "{{{body}}}" "{address}" >>%NBLOG% 2>&1 && exit /b'
    )
