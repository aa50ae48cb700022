"""What a named program leads to is fetched from where it is meant."""

import pytest

from netboot.diagnose.asking import fetch
from netboot.diagnose.asking.answers import Reply
from netboot.diagnose.asking.fetch import Fetched
from netboot.diagnose.asking.firmware import KINDS
from netboot.diagnose.expectation import Expectation, Promised, PromisedImage
from netboot.diagnose.follow import fetch_parts, fetch_program

SCRIPT = b"""#!ipxe
set x ${buildarch}
kernel vmlinuz initrd=initrd.gz quiet
initrd /v/pe/1/initrd.gz
initrd -n boot.wim http://10.0.0.3:80/boot.wim boot.wim || goto failed
chain http://10.0.0.2/boot.ipxe?cpu=${cpu}
chain tftp://10.0.0.2/pxeboot.n12
boot
"""
KIND = {kind.key: kind for kind in KINDS}
GRUB = Fetched("grubia32.efi", b"MZ" + bytes(100))
EXPECTED = Expectation(
    server="10.0.0.2",
    programs={},
    images=(
        PromisedImage(
            label="PE v1",
            architecture="x86",
            default=True,
            path="/v/pe/1/",
            files={"vmlinuz": Promised("sha256:1", 10), "boot.wim": Promised("sha256:2", 99)},
        ),
    ),
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is fetched, in order; nothing really is."""
    found: list[str] = []

    def http(url: str, *, head: int = 0, whole: bool = False) -> Fetched:
        found.append(f"{url} {'whole' if whole else head}")
        return Fetched(url)

    def tftp(server: str, name: str) -> Fetched:
        found.append(f"{server} {name}")
        return Fetched(name)

    monkeypatch.setattr(fetch, "by_http", http)
    monkeypatch.setattr(fetch, "by_tftp", tftp)
    return found


def test_what_a_script_names_is_fetched_from_where_it_means(asked: list[str]) -> None:
    """Relative to the script; what only a machine can expand is left out."""
    program = Fetched("http://10.0.0.2:8081/boot.ipxe?mac=1", SCRIPT)
    fetch_parts(program, KIND["ipxe-x64"], Expectation())

    assert asked == [
        "http://10.0.0.2:8081/vmlinuz 4096",
        "http://10.0.0.2:8081/v/pe/1/initrd.gz 4096",
        "http://10.0.0.3:80/boot.wim 4096",
        "10.0.0.2 pxeboot.n12",
    ]


def test_a_program_that_is_no_script_leads_to_the_default_image(asked: list[str]) -> None:
    """By HTTP, the largest file first."""
    fetch_parts(GRUB, KIND["uefi-x86"], EXPECTED)

    assert asked == [
        "http://10.0.0.2:8081/v/pe/1/boot.wim 4096",
        "http://10.0.0.2:8081/v/pe/1/vmlinuz 4096",
    ]


def test_images_are_read_to_their_end_when_asked(asked: list[str]) -> None:
    """Every byte is compared then."""
    fetch_parts(GRUB, KIND["uefi-x86"], EXPECTED, whole=True)

    assert asked[0] == "http://10.0.0.2:8081/v/pe/1/boot.wim whole"


def test_without_a_list_or_an_image_nothing_is_known_of_what_follows(asked: list[str]) -> None:
    """A program's inside is its own."""
    assert fetch_parts(GRUB, KIND["uefi-x86"], Expectation()) == ()
    assert fetch_parts(GRUB, KIND["uefi-x64"], EXPECTED) == ()
    assert asked == []


@pytest.mark.parametrize(
    ("file", "where"),
    [("x.efi", "10.0.0.3 x.efi"), ("http://10.0.0.4/x.efi", "http://10.0.0.4/x.efi 0")],
)
def test_a_program_comes_from_where_the_offer_says(asked: list[str], file: str, where: str) -> None:
    """By TFTP from the next server, or from the URL."""
    reply = Reply(1, "10.0.0.2", 67, 2, "10.0.0.2", "0.0.0.0", "10.0.0.3", file, "PXEClient")
    fetch_program(reply)

    assert asked == [where]
    assert fetch_program(None) is None
