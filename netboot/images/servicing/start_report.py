r"""nb-report.cmd: the report that Windows PE sends after its drivers were loaded.

It runs in parallel with the image's own startup and never delays it: it tries until the network is
up, for at most ten minutes. Windows PE has curl.exe since Windows 10 1803; if it is missing, the
script logs that and ends. nb-start.cmd has written the packages that drvload loaded to LOADED_NAMES
and those that it refused to REFUSED_NAMES, a line each. The report is put together in a file as
well, since cmd.exe reads no line of more than 8,191 characters; curl leaves out the line ends.
"""

import re
from dataclasses import dataclass

REPORT_SCRIPT = "/Windows/System32/nb-report.cmd"
TRIES = 60
SECONDS_FOR_A_TRY = 5
SECONDS_BETWEEN = 5

LOADED_NAMES = r"%SystemRoot%\System32\nb-loaded.txt"
REFUSED_NAMES = r"%SystemRoot%\System32\nb-not-loaded.txt"

_BODY = r"%SystemRoot%\System32\nb-report.json"
_CURL = r"%SystemRoot%\System32\curl.exe"
_START = r"start /min %SystemRoot%\System32\cmd.exe /c %SystemRoot%\System32\nb-report.cmd"
# Characters without a special meaning in batch files and JSON.
_PLAIN = re.compile(r"[A-Za-z0-9 ._()+-]+")


@dataclass(frozen=True, slots=True)
class HomeReport:
    """The address for reports, and the image and version that report.

    `properties` allows no address with a special character of cmd.exe.
    """

    address: str
    image: str
    version: int


def start_line() -> str:
    """The line of nb-start.cmd that starts nb-report.cmd."""
    return _START


def report_script(report: HomeReport) -> list[str]:
    """The lines of nb-report.cmd after its head."""
    about = '"arch":"%PROCESSOR_ARCHITECTURE%"'
    # Another name is left out: the token in the address identifies the image as well.
    if _PLAIN.fullmatch(report.image):
        about = f'"image":"{report.image}","version":{report.version},{about}'
    post = (
        f'{_CURL} -s -f -m {SECONDS_FOR_A_TRY} -H "Content-Type: application/json" '
        f'-d "@{_BODY}" "{report.address}" >>%NBLOG% 2>&1 && exit /b'
    )
    # ping waits a second between two echoes; Windows PE has no other program that waits.
    return [
        f"if not exist {_CURL} echo netboot: cannot report: this image has no curl.exe>>%NBLOG%",
        f"if not exist {_CURL} exit /b",
        f'>{_BODY} echo {{{about},"driver":"',
        f"if exist {LOADED_NAMES} type {LOADED_NAMES} >>{_BODY}",
        f'>>{_BODY} echo ","missing":"',
        f"if exist {REFUSED_NAMES} type {REFUSED_NAMES} >>{_BODY}",
        f'>>{_BODY} echo "}}',
        "set NBTRY=0",
        ":again",
        "set /a NBTRY+=1",
        post,
        f"if %NBTRY% GEQ {TRIES} exit /b",
        rf"%SystemRoot%\System32\ping.exe -n {SECONDS_BETWEEN + 1} 127.0.0.1 >nul",
        "goto again",
    ]
