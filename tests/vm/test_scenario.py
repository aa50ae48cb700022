import pytest

from netboot.errors import InvalidInput
from vm.machine.firmware import FirmwareKind
from vm.scenario import Phase, compare, expect, load_scenarios, parse_scenario
from vm.verdict import Result, Verdict

SCENARIO = parse_scenario("x", {"name": "X", "firmware": "bios-x64", "nic": "virtio-net-pci"})


def verdict(result, **values):
    return Verdict(result=result, reason="because", **values)


def test_the_shipped_scenarios_prove_what_they_must():
    """Three kinds of firmware with two cards each, both ways; a pending version; a plain ROM.

    Microsoft's chain on every kind of firmware.
    """
    scenarios = load_scenarios()
    both_ways = {
        (each.firmware.value, each.nic.name)
        for each in scenarios
        if {Phase.WITHOUT, Phase.WITH} <= set(each.phases)
    }

    for firmware in ("bios-x64", "bios-x86", "uefi-x64"):
        assert sum(1 for kind, _ in both_ways if kind == firmware) >= 2
    assert any(Phase.PENDING in each.phases for each in scenarios)
    assert any(each.plain_pxe for each in scenarios)
    assert set(FirmwareKind) == {each.firmware for each in scenarios if each.chain == "native"}


def test_expectations_of_the_phases():
    """Offline with the card missing, until the points are updated; then online by its driver."""
    offline = expect(SCENARIO, Phase.PENDING, served=1)
    online = expect(SCENARIO, Phase.WITH, served=2)

    assert (
        offline.result,
        offline.version,
        offline.missing,
    ) == (Result.OFFLINE, 1, "net:1af4:1000")
    assert (online.result, online.version, online.driver) == (Result.ONLINE, 2, "netkvm.inf")


def test_a_verdict_as_expected_has_nothing_wrong():
    """Both kinds of expectation can be met."""
    online = verdict(Result.ONLINE, version=2, driver="netkvm.inf")
    offline = verdict(Result.OFFLINE, version=1, missing="net:1af4:1000 storage:8086:2922")

    assert compare(expect(SCENARIO, Phase.WITH, served=2), online) == ""
    assert compare(expect(SCENARIO, Phase.WITHOUT, served=1), offline) == ""


@pytest.mark.parametrize(
    ("phase", "said", "words"),
    [
        (Phase.WITH, verdict(Result.OFFLINE, version=2), "offline instead of online"),
        (Phase.WITHOUT, verdict(Result.FAILED), "failed instead of offline: because"),
        (Phase.WITH, verdict(Result.ONLINE, version=1, driver="netkvm.inf"), "version 1"),
        (Phase.WITH, verdict(Result.ONLINE, version=2, driver="e1000.inf"), "driver 'e1000.inf'"),
        (Phase.WITHOUT, verdict(Result.OFFLINE, version=2, missing="net:8086:100e"), "missing"),
    ],
)
def test_what_is_wrong_is_said(phase, said, words):
    """Result, version, driver and missing device are each compared."""
    assert words in compare(expect(SCENARIO, phase, served=2), said)


@pytest.mark.parametrize(
    "text",
    [
        "name = 'x'",
        "name = 'x'\nfirmware = 'bios-x64'\nnic = 'none'",
        "name = 'x'\nfirmware = 'amiga'\nnic = 'e1000'",
        "name = 'x'\nfirmware = 'bios-x64'\nnic = 'e1000'\nphases = ['never']",
        "name = 'x'\nfirmware = 'bios-x64'\nnic = 'e1000'\ncolour = 'red'",
        "name = ",
    ],
)
def test_a_bad_scenario_is_named(tmp_path, text):
    """The message names the file."""
    (tmp_path / "bad.toml").write_text(text)

    with pytest.raises(InvalidInput, match=r"bad\.toml"):
        load_scenarios(tmp_path)
