"""What a machine could start, and whether it is meant to."""

import pytest

from netboot.diagnose.asking.answers import Reply
from netboot.diagnose.asking.firmware import KINDS
from netboot.diagnose.evidence import (
    architectures_for,
    boot_offers,
    is_from,
    not_meant_to_boot,
)
from netboot.diagnose.expectation import Expectation, PromisedImage

KIND = {kind.key: kind for kind in KINDS}
PE = PromisedImage(label="PE v1", architecture="x86", default=True, path="/v/pe/1/", files={})
X86_ONLY = Expectation(server="10.0.0.2", programs={}, images=(PE,))


@pytest.mark.parametrize(
    ("key", "architectures"),
    [
        ("bios", ("x64", "x86")),
        ("ipxe-bios", ("x64", "x86")),
        ("uefi-x86", ("x86",)),
        ("http-x64", ("x64",)),
        ("ipxe-x64", ("x64",)),
        ("uefi-arm64", ("arm64",)),
    ],
)
def test_a_bios_could_start_both_widths(key: str, architectures: tuple[str, ...]) -> None:
    """Whatever the stage; UEFI runs its own alone."""
    assert architectures_for(KIND[key]) == architectures


def test_without_an_image_a_kind_is_not_meant_to_boot() -> None:
    """Only where it is known what is published."""
    left_out = {kind.key for kind in KINDS if not_meant_to_boot(kind, X86_ONLY)}

    assert left_out == {"uefi-x64", "uefi-arm64", "http-x64", "ipxe-x64"}
    assert not any(not_meant_to_boot(kind, Expectation()) for kind in KINDS)


def test_a_dhcp_server_that_leads_to_us_counts_as_ours() -> None:
    """By its identity, its source, or the server that it names."""
    reply = Reply(1, "10.0.0.1", 67, 2, "10.0.0.1", "10.0.0.9", "10.0.0.2", "x.efi", "")

    assert [is_from(reply, one) for one in ("10.0.0.1", "10.0.0.2", "10.0.0.3")] == [
        True, True, False,
    ]  # fmt: skip
    assert boot_offers((reply,)) == [reply]
