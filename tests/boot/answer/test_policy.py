"""Which image a client gets, and why."""

import pytest

from netboot.boot.answer.client import BootClient, identify
from netboot.boot.answer.policy import Choice, NoImage, choose
from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion, PublishedContent
from tests.support.boot_requests import BOTH, X64, X86, published, request, version

MAC = "52:54:00:77:00:01"
SPECIAL = version(Architecture.X64, image="Special", number=2)
SPECIAL_X86 = version(Architecture.X86, image="Special x86", number=4)
BIOS, IA32, UEFI64, EBC, ARM64 = 0, 6, 7, 9, 11


def client(architecture: int) -> BootClient:
    """A client of this architecture code."""
    found = identify(request(architecture=architecture))
    assert isinstance(found, BootClient)
    return found


@pytest.mark.parametrize(
    ("architecture", "content", "candidates"),
    [
        (UEFI64, BOTH, (X64,)),
        (EBC, BOTH, (X64,)),
        (IA32, BOTH, (X86,)),
        (BIOS, BOTH, (X64, X86)),
        (BIOS, published(X86), (X86,)),
        (BIOS, published(X64, SPECIAL, assignments={MAC: "Special"}), (SPECIAL,)),
        (BIOS, published(X64, SPECIAL_X86, assignments={MAC: "Special x86"}), (SPECIAL_X86,)),
        (UEFI64, published(X64, SPECIAL, assignments={MAC: "Special"}), (SPECIAL,)),
        (UEFI64, published(X64, SPECIAL, assignments={"02:00:00:00:00:09": "Special"}), (X64,)),
    ],
)
def test_the_machines_own_image_comes_first_then_the_default(
    architecture: int, content: PublishedContent, candidates: tuple[ContentVersion, ...]
) -> None:
    """A BIOS may start either kind of image, UEFI only its own."""
    choice = choose(client(architecture), content)

    assert isinstance(choice, Choice)
    assert choice.candidates == candidates
    assert choice.version == candidates[0]
    assert choice.reasons


@pytest.mark.parametrize(
    ("architecture", "content", "reason"),
    [
        (UEFI64, published(), "no default image for x64"),
        (BIOS, published(), "no default image for x64; no default image for x86"),
        (UEFI64, published(X86), "no default image for x64"),
        (
            UEFI64,
            published(defaults={Architecture.X64: "Gone"}),
            "the default for x64, 'Gone', is not published here",
        ),
        (
            UEFI64,
            published(X86, defaults={Architecture.X64: "Lab PE x86"}),
            "the default for x64, Lab PE x86 v3, is of another kind",
        ),
        (
            UEFI64,
            published(X64, assignments={MAC: "Gone"}),
            f"{MAC} is assigned 'Gone', which is not published here",
        ),
        (
            UEFI64,
            published(X64, X86, assignments={MAC: "Lab PE x86"}),
            f"{MAC} is assigned Lab PE x86 v3, an x86 image, but it is a 64-bit UEFI PC",
        ),
        (ARM64, BOTH, "no default image for arm64"),
        (2, BOTH, "no kind of image runs on a ITANIUM_EFI machine"),
        (4711, BOTH, "no kind of image runs on a machine of type 4711"),
    ],
)
def test_where_there_is_no_image_the_reason_is_told(
    architecture: int, content: PublishedContent, reason: str
) -> None:
    """And an assigned image is never silently replaced by the default."""
    assert choose(client(architecture), content) == NoImage(reason)
