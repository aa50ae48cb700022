"""What was handed out, against what was published; whole verdicts stand in test_verdict."""

from dataclasses import replace

import pytest

from netboot.diagnose.asking.fetch import Fetched, digest_of
from netboot.diagnose.asking.firmware import KINDS
from netboot.diagnose.evidence import Evidence
from netboot.diagnose.expectation import Expectation, Promised, PromisedImage
from netboot.diagnose.judging.findings import Level
from netboot.diagnose.judging.loading import human, parts, shown

WIM = b"MSWIM\0\0\0" + bytes(92)
URL = "http://10.0.0.2:8081/v/pe/1/boot.wim"
PE = PromisedImage(
    label="PE v1",
    architecture="x64",
    default=True,
    path="/v/pe/1/",
    files={"boot.wim": Promised(digest_of(WIM), 100, digest_of(WIM))},
)
EXPECTED = Expectation(server="10.0.0.2", programs={}, images=(PE,))


def told(part: Fetched) -> tuple[Level, str]:
    """The finding on one part."""
    (finding,) = parts(Evidence(kind=KINDS[1], parts=(part,)), EXPECTED)
    return finding.level, finding.words


def test_the_beginning_of_an_image_is_compared() -> None:
    """All of it would take minutes."""
    head = Fetched(URL, WIM, size=100)

    assert told(head) == (
        Level.OK, f"{URL} is available (100 bytes) and begins as published"
    )  # fmt: skip
    altered = replace(head, data=WIM[:-1] + b"x")
    assert told(altered) == (
        Level.FAULT,
        f"{URL} differs from what was published in its first bytes",
    )


def test_an_image_that_was_read_to_its_end_is_compared_and_timed() -> None:
    whole = Fetched(URL, size=100, whole_digest=digest_of(WIM), seconds=1e-6)

    assert told(whole) == (
        Level.OK, f"{URL} arrived completely (100 bytes, 100.0 MB/s) and is what was published"
    )  # fmt: skip
    level, words = told(replace(whole, whole_digest="sha256:" + "0" * 64))
    assert level is Level.FAULT
    assert "is not what was published" in words


@pytest.mark.parametrize(
    ("size", "words"),
    [(-1, "size unknown"), (7, "7 bytes"), (2048, "2.0 KiB"), (3 << 30, "3.0 GiB")],
)
def test_sizes_are_told_as_people_read_them(size: int, words: str) -> None:
    """In powers of 1024."""
    assert human(size) == words


def test_names_are_shown_without_what_they_say_of_the_machine() -> None:
    """The script's URL carries its address and id."""
    assert shown("http://10.0.0.2/boot.ipxe?mac=1&uuid=2") == "http://10.0.0.2/boot.ipxe"
