"""From evidence to what is wrong and what to do."""

from dataclasses import replace

import pytest

from netboot.diagnose.asking.answers import Reply
from netboot.diagnose.asking.fetch import Fetched
from netboot.diagnose.asking.firmware import KINDS, Kind
from netboot.diagnose.expectation import Expectation, Promised, PromisedImage
from netboot.diagnose.judging.findings import Level
from netboot.diagnose.judging.verdict import Evidence, judge

KIND = {kind.key: kind for kind in KINDS}
X64_PROGRAM = b"MZ".ljust(60, b"\0") + b"\x40\0\0\0" + b"PE\0\0\x64\x86" + bytes(50)
SERVER = "10.0.0.2"


def reply(
    server: str, *, offered: str = "0.0.0.0", file: str = "", port: int = 67, word: str = ""
) -> Reply:
    """An answer."""
    return Reply(1, server, port, 2, server, offered, server, file, word, b"\6\1\x08\xff")


ADDRESS = reply("10.0.0.1", offered="10.0.0.99")
BOOT = reply(SERVER, file="snponly.efi", word="PXEClient")
ACK = reply(SERVER, file="snponly.efi", port=4011, word="PXEClient")
PROGRAM = Fetched("snponly.efi", X64_PROGRAM, size=len(X64_PROGRAM))
EXPECTED = Expectation(
    server=SERVER,
    programs={"snponly.efi": Promised(PROGRAM.digest, PROGRAM.size)},
    images=(
        PromisedImage(
            label="PE v1",
            architecture="x64",
            default=True,
            path="/v/pe/1/",
            files={"boot.wim": Promised("sha256:1", 100)},
        ),
    ),
)
GOOD = Evidence(
    kind=KIND["uefi-x64"],
    offers=(ADDRESS, BOOT),
    asked=SERVER,
    acknowledged=ACK,
    program=PROGRAM,
)


def faults(evidence: Evidence, expected: Expectation = EXPECTED) -> list[str]:
    """What is wrong, in words; each with a cure."""
    verdict = judge(evidence, expected)
    found = [one for one in verdict.findings if one.level is Level.FAULT]
    assert all(one.cure for one in found)
    assert (verdict.outcome == "fails") is bool(found)
    return [one.words for one in found]


def test_what_is_well_is_said_to_boot() -> None:
    """Five observations, no fault."""
    verdict = judge(GOOD, EXPECTED)

    assert verdict.outcome == "boots"
    assert [one.level for one in verdict.findings] == [Level.OK] * 5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"offers": (BOOT,)}, "no DHCP server offers an address [PXE-E52]"),
        (
            {"offers": (ADDRESS, BOOT, reply("10.0.0.9", file="evil", word="PXEClient"))},
            "a second boot server answers: 10.0.0.9 offers the boot file evil",
        ),
        (
            {"offers": (ADDRESS, reply(SERVER, word="PXEClient")), "acknowledged": None,
             "program": None},
            "10.0.0.2 does not answer on port 4011 [PXE-E55]",
        ),
        (
            {"acknowledged": replace(ACK, file="")},
            "10.0.0.2 answers on port 4011 without a boot file [PXE-E53]",
        ),
        (
            {"offers": (ADDRESS,), "program": None},
            "10.0.0.2 answers on port 4011, but not on port 67",
        ),
        (
            {"offers": (ADDRESS,), "acknowledged": None, "program": None},
            "10.0.0.2 does not answer at all [PXE-E53]",
        ),
        (
            {"offers": (ADDRESS,), "acknowledged": None, "program": None,
             "said": "no default image for x64"},
            "10.0.0.2 does not answer: no default image for x64",
        ),
        (
            {"offers": (ADDRESS,), "local": False, "to_relay": True, "program": None},
            "10.0.0.2 answers relays, but no relay forwards this network's requests to it",
        ),
        (
            {"offers": (ADDRESS,), "local": False, "to_relay": False, "program": None},
            "10.0.0.2 does not answer relays of this network",
        ),
        (
            {"offers": (ADDRESS,), "local": False, "program": None},
            "10.0.0.2 is in another network and does not answer",
        ),
        (
            {"program": Fetched("snponly.efi", trouble="missing", words="File not found")},
            "the server does not have snponly.efi: File not found [PXE-E3B]",
        ),
        (
            {"program": Fetched("snponly.efi", trouble="silent")},
            "no answer by TFTP for snponly.efi [PXE-E32]",
        ),
        (
            {"program": Fetched("snponly.efi", trouble="broken", words="timeout")},
            "the transfer of snponly.efi stopped half-way: timeout [PXE-E35]",
        ),
        (
            {"program": Fetched("snponly.efi", trouble="refused", words="access violation")},
            "the server refused snponly.efi: access violation [PXE-E36]",
        ),
        (
            {"program": Fetched("http://10.0.0.2/p/x", trouble="unreachable", words="refused")},
            "http://10.0.0.2/p/x cannot be reached: refused",
        ),
        (
            {"parts": (Fetched("http://10.0.0.2:8081/v/pe/1/boot.wim", b"MSWIM\0\0\0", size=99),)},
            "http://10.0.0.2:8081/v/pe/1/boot.wim has 99 bytes instead of 100",
        ),
        (
            {"parts": (Fetched("http://10.0.0.2:8081/v/pe/1/boot.wim", b"<html>", size=100),)},
            "http://10.0.0.2:8081/v/pe/1/boot.wim is not a WIM file",
        ),
        (
            {"parts": (Fetched("http://10.0.0.2/x", trouble="missing", words="HTTP 404"),)},
            "the server does not have http://10.0.0.2/x: HTTP 404 [PXE-E3B]",
        ),
    ],
)  # fmt: skip
def test_each_fault_is_named_alone(change: dict[str, object], words: str) -> None:
    """One thing is broken, one fault is told."""
    assert faults(replace(GOOD, **change)) == [words]  # type: ignore[arg-type]


def test_altered_bytes_are_seen() -> None:
    """One bit is enough."""
    altered = Fetched("snponly.efi", X64_PROGRAM[:-1] + b"\1")

    assert faults(replace(GOOD, program=altered))[0].startswith(
        "snponly.efi is not what was published: sha256:"
    )


def test_a_program_for_other_machines_is_seen() -> None:
    """An x86 EFI program for a 64-bit machine, published as it is."""
    program = Fetched("snponly.efi", X64_PROGRAM.replace(b"\x64\x86", b"\x4c\x01"))
    expected = replace(EXPECTED, programs={"snponly.efi": Promised(program.digest, 1)})

    assert faults(replace(GOOD, program=program), expected) == [
        "snponly.efi is a program for 32-bit UEFI, which a 64-bit UEFI PC cannot start"
    ]


def test_the_wrong_server_is_named_with_the_silent_one() -> None:
    """Two faults: who answers, and who does not."""
    rogue = reply("10.0.0.9", file="evil", word="PXEClient")
    found = faults(
        replace(GOOD, offers=(ADDRESS, rogue), acknowledged=None, program=None, asked="")
    )

    assert found[0] == (
        "the wrong boot server answers: 10.0.0.9 offers the boot file evil;"
        " 10.0.0.2 does not answer"
    )


def test_a_dhcp_server_on_our_host_gets_its_lines() -> None:
    """It holds port 67 and does not send machines to 4011."""
    same_host = reply(SERVER, offered="10.0.0.99")
    verdict = judge(replace(GOOD, offers=(same_host,), program=None), EXPECTED)
    fault = next(one for one in verdict.findings if one.level is Level.FAULT)

    assert fault.words.startswith("10.0.0.2 answers on port 4011 only")
    assert "dhcp-option-force=tag:pxe,60,PXEClient" in fault.cure


@pytest.mark.parametrize("key", ["uefi-x86", "http-x86"])
def test_machines_without_an_image_are_not_served_and_not_broken(key: str) -> None:
    """The site has no x86 image, and that may be right."""
    evidence = Evidence(kind=KIND[key], offers=(ADDRESS,))

    assert judge(evidence, EXPECTED).outcome == "not served"
    assert faults(evidence) == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.key)
def test_without_an_expectation_whoever_answers_is_taken_for_the_server(kind: Kind) -> None:
    """And two of them are one too many."""
    alone = Evidence(kind=kind, offers=(ADDRESS, BOOT))
    both = Evidence(kind=kind, offers=(ADDRESS, BOOT, reply("10.0.0.9", word="PXEClient")))
    none = Evidence(kind=kind, offers=(ADDRESS,))

    assert faults(alone, Expectation()) == []
    assert faults(both, Expectation()) == ["2 boot servers answer: 10.0.0.2, 10.0.0.9"]
    assert faults(none, Expectation()) == ["no boot server answers [PXE-E53]"]


def test_what_is_not_published_is_suspicious() -> None:
    """A file that came though the list does not have it."""
    verdict = judge(replace(GOOD, program=replace(PROGRAM, name="other.efi")), EXPECTED)

    assert verdict.outcome == "boots"
    assert [one.words for one in verdict.findings if one.level is Level.WARNING] == [
        "other.efi arrived completely (120 bytes), but was not published"
    ]
