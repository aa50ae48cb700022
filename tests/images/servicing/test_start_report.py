"""netboot.images.servicing.start_report: what Windows PE says after its drivers were loaded."""

import json
import re

import pytest

from netboot.images.servicing.start_report import (
    LOADED_NAMES,
    REFUSED_NAMES,
    SECONDS_BETWEEN,
    SECONDS_FOR_A_TRY,
    TRIES,
    HomeReport,
    report_script,
)
from netboot.images.versions.content_version import PublishedContent
from netboot.pe_reports import ReportTokens, read_report
from tests.images.versions.test_content_version import VERSION

ADDRESS = "http://192.0.2.1:8081/report/t"
LISTS = {LOADED_NAMES: " vioscsi.inf\r\n netkvm.inf\r\n", REFUSED_NAMES: " old.inf\r\n"}


def body(report):
    """What the script writes into the file, as curl sends it: without line ends."""
    written = ""
    for line in report_script(report):
        if said := re.fullmatch(r">>?(\S+nb-report\.json) echo (.*)", line):
            written += said[2] + "\r\n"
        elif copied := re.fullmatch(r"if exist (\S+) type (\S+) >>\S+nb-report\.json", line):
            assert copied[1] == copied[2]
            written += LISTS[copied[1]]
    (sent,) = [line for line in report_script(report) if " -d " in line]
    assert r'-d "@%SystemRoot%\System32\nb-report.json"' in sent
    return re.sub("[\r\n]", "", written).replace("%PROCESSOR_ARCHITECTURE%", "AMD64")


def test_the_report_names_image_version_and_what_was_loaded():
    """As JSON that the site understands."""
    assert json.loads(body(HomeReport(ADDRESS, "Windows PE (x64) 11", 7))) == {
        "image": "Windows PE (x64) 11",
        "version": 7,
        "arch": "AMD64",
        "driver": " vioscsi.inf netkvm.inf",
        "missing": " old.inf",
    }


@pytest.mark.parametrize("name", ['a "b"', "50 % off", "a&b", "Büro", "a^b", "x>y"])
def test_a_name_that_cmd_would_read_is_left_to_the_token(name):
    """The site then takes the image that the token was made for."""
    said = json.loads(body(HomeReport(ADDRESS, name, 7)))

    assert {"arch", "driver", "missing"} == set(said)


def test_the_site_reads_the_report_as_one_of_its_own():
    """Image and drivers stand in the event."""
    tokens = ReportTokens("secret" * 10)
    token = tokens.issue(VERSION, "52:54:00:77:00:00")
    event = read_report(
        tokens,
        token,
        body(HomeReport(ADDRESS, "Lab", 7)).encode(),
        "10.0.0.1",
        PublishedContent.empty(),
    )

    assert (
        event.image,
        event.version,
        event.driver.strip(),
        event.missing.strip(),
    ) == ("Lab", 7, "vioscsi.inf netkvm.inf", "old.inf")


def test_the_reporter_ends():
    """Its tries are counted and each has a limit: ten minutes in all."""
    script = report_script(HomeReport(ADDRESS, "Lab", 7))

    assert f"if %NBTRY% GEQ {TRIES} exit /b" in script
    assert f"-m {SECONDS_FOR_A_TRY} " in script[-4]
    assert f"ping.exe -n {SECONDS_BETWEEN + 1} " in script[-2]
    assert TRIES * (SECONDS_FOR_A_TRY + SECONDS_BETWEEN) <= 600


def test_without_curl_the_log_says_so():
    """Older Windows PE has none."""
    assert "no curl.exe" in report_script(HomeReport(ADDRESS, "Lab", 7))[0]
