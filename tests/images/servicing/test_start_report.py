"""netboot.images.servicing.start_report: what Windows PE says after its drivers were loaded."""

import json
import re

import pytest

from netboot.images.servicing.start_report import (
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
VALUES = {
    "%PROCESSOR_ARCHITECTURE%": "AMD64",
    "%NBLOADED%": " vioscsi.inf netkvm.inf",
    "%NBFAILED%": " old.inf",
}


def body(report):
    """What curl is handed, as cmd.exe and the C runtime take it apart."""
    (line,) = [line for line in report_script(report) if " -d " in line]
    quoted = re.search(r'-d "((?:[^"\\]|\\.)*)"', line)[1].replace('\\"', '"')
    for name, value in VALUES.items():
        quoted = quoted.replace(name, value)
    return quoted


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
    assert f"-m {SECONDS_FOR_A_TRY} " in script[5]
    assert f"ping.exe -n {SECONDS_BETWEEN + 1} " in script[7]
    assert TRIES * (SECONDS_FOR_A_TRY + SECONDS_BETWEEN) <= 600


def test_without_curl_the_log_says_so():
    """Older Windows PE has none."""
    assert "no curl.exe" in report_script(HomeReport(ADDRESS, "Lab", 7))[0]
