from dataclasses import replace

import pytest

from vm.machine.console import lab_lines
from vm.verdict import Evidence, Report, Result, judge

ONLINE = lab_lines(
    "LABPE 4.3 IMAGE version=7 build=ab name=Lab PE x64\n"
    "LABPE 8.0 MISSING storage:8086:2922\n"
    "LABPE 8.1 NET interface=eth0 driver=e1000.inf package=0001-e1000 bound=e1000\n"
    "LABPE 8.9 DONE result=online\n"
)
OFFLINE = lab_lines(
    "LABPE 4.3 IMAGE version=6 build=ab name=Lab PE x64\n"
    "LABPE 8.0 MISSING net:8086:100e storage:8086:2922\n"
    "LABPE 8.9 DONE result=offline reason=no-driver\n"
)
REPORT = Report(
    mac="52:54:00:77:00:00", image="Lab PE x64", version=7, driver="e1000.inf", device="8086:100e"
)


def evidence(lines, *reports, done=True, words=""):
    return Evidence(lines=lines, done=done, words=words, device="8086:100e", reports=reports)


def test_online_needs_console_and_report():
    """Both say the same: online, with driver, package and version."""
    verdict = judge(evidence(ONLINE, REPORT))

    assert Result.ONLINE is verdict.result
    assert (verdict.driver, verdict.package, verdict.version) == ("e1000.inf", "0001-e1000", 7)
    assert verdict.image == "Lab PE x64"


def test_online_without_a_report_has_failed():
    """A console's word alone proves nothing about the server."""
    verdict = judge(evidence(ONLINE))

    assert Result.FAILED is verdict.result
    assert "no report reached the server" in verdict.reason


@pytest.mark.parametrize(
    "other", [{"version": 6}, {"driver": "e1000e.inf"}, {"device": "8086:10d3"}]
)
def test_a_contradiction_has_failed(other):
    """Console and report must agree about version, driver and device."""
    verdict = judge(evidence(ONLINE, replace(REPORT, **other)))

    assert Result.FAILED is verdict.result
    assert "disagree" in verdict.reason


def test_offline_names_the_device_without_driver():
    """The card under test is missing its driver, and no report came."""
    verdict = judge(evidence(OFFLINE))

    assert (verdict.result, verdict.version) == (Result.OFFLINE, 6)
    assert "net:8086:100e" in verdict.missing.split()


def test_offline_with_a_report_has_failed():
    """A machine that reported is not offline, whatever its console says."""
    assert Result.FAILED is judge(evidence(OFFLINE, REPORT)).result


def test_offline_for_another_reason_has_failed():
    """A machine that has its driver and no address proves nothing about drivers."""
    lines = lab_lines("LABPE 8.0 MISSING none\nLABPE 8.9 DONE result=offline reason=no-lease\n")
    verdict = judge(evidence(lines))

    assert (verdict.result, "no-lease" in verdict.reason) == (Result.FAILED, True)


@pytest.mark.parametrize("lines", [(), OFFLINE[:-1], OFFLINE])
def test_a_limit_is_never_offline(lines):
    """A run that was cut short has failed, with the run's own words."""
    verdict = judge(evidence(lines, done=False, words="no sign of life for 90 s"))

    assert (verdict.result, verdict.reason) == (Result.FAILED, "no sign of life for 90 s")


@pytest.mark.parametrize("said", ["nowim", "badwim", "noreport", "surprise"])
def test_other_ends_have_failed(said):
    """Each end that the Lab PE knows besides, and any that it does not."""
    verdict = judge(evidence(lab_lines(f"LABPE 8.9 DONE result={said}\n")))

    assert Result.FAILED is verdict.result
    assert verdict.reason
