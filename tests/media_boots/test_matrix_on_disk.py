"""A Linux machine's own disk: what `make test` has no time for."""

import pytest

from tests.media_boots.old_system import file_on
from tests.support.netlab import needs_netns

pytestmark = [pytest.mark.vm, pytest.mark.netns, needs_netns, pytest.mark.timeout(1200)]

INSTALLED = "/boot/netboot-image"
COUNTDOWN = "will be executed automatically"
UP = "\x10"  # GRUB takes Control-P for the arrow that goes up
REMOVE = f"""
[ -e {INSTALLED} ] || exit 0
sh {INSTALLED}/netboot-disk.sh remove || exit 4
reboot
"""


def test_what_is_kept_starts_each_time_until_it_is_removed(guest):
    """Twice into the image; then somebody chooses the old system in GRUB's menu and removes it."""
    report = guest.comes_up_in_the_image(
        "package: kept, first start",
        guest.take("sh netboot-disk.sh install --method grub --keep"),
    )
    assert (report.way, report.version) == ("package", 2)

    again = guest.comes_up_in_the_image("package: kept, second start", "exit 8")
    assert again.way == "package"

    said = guest.does(
        "package: kept, then removed, the old system",
        REMOVE,
        # GRUB marks the entry that its bar is on by a star, and passes over keys while it begins.
        answers={COUNTDOWN: [UP] * 5, "*Old system": ["\r"] * 10},
    )
    assert "Lab PE x64 v2 (boot image)" in said
    assert "this machine starts as it did before" in said
    assert said.count("OLD-SYSTEM is up") == 2
    assert "START arch=" not in said
    assert file_on(guest.disk, "/boot/grub/custom.cfg") == b""
    assert file_on(guest.disk, f"{INSTALLED}/SHA256SUMS") == b""


def test_kexec_starts_the_image_without_the_firmware(guest):
    """Where GRUB cannot do it the running kernel does; a restart gives the old system."""
    report = guest.comes_up_in_the_image(
        "package: started by kexec", guest.take("sh netboot-disk.sh install --method kexec")
    )

    assert report.way == "package"

    said = guest.does("package: after kexec, the old system",
                      "sh /var/lib/netboot-image/netboot-disk.sh remove")  # fmt: skip
    assert "OLD-SYSTEM is up" in said
    assert file_on(guest.disk, "/var/lib/netboot-image/SHA256SUMS") == b""
