import json
import shutil
import time
from pathlib import Path

import pytest

from netboot.errors import InvalidInput
from vm.machine import accel
from vm.machine.accel import Canary, choose_accelerator, fly_canary, judge_canary

QEMU = "qemu-system-x86_64"


def never() -> Path:
    pytest.fail("no trial was due")


@pytest.fixture
def kvm(monkeypatch, tmp_path):
    """A /dev/kvm that opens, and a trial whose outcome the test sets."""
    monkeypatch.delenv(accel.ACCELERATOR_VARIABLE, raising=False)
    device = tmp_path / "kvm"
    device.touch()
    monkeypatch.setattr(accel, "_KVM", device)
    trials = []

    def fly(accelerator, kernel, *, emulator):
        trials.append((accelerator, kernel, emulator))
        return Canary(usable=fly.usable, reason="")

    monkeypatch.setattr(accel, "fly_canary", fly)
    fly.trials = trials
    return fly


@pytest.mark.parametrize("wish", ["kvm", "tcg"])
def test_the_operators_word_comes_first(monkeypatch, tmp_path, wish):
    """No trial is made then."""
    monkeypatch.setenv(accel.ACCELERATOR_VARIABLE, wish)

    assert wish == choose_accelerator(never, tmp_path / "a.json", emulator=QEMU)


def test_a_wish_that_means_nothing_is_refused(monkeypatch, tmp_path):
    """The hint lists the choices."""
    monkeypatch.setenv(accel.ACCELERATOR_VARIABLE, "xen")

    with pytest.raises(InvalidInput) as caught:
        choose_accelerator(never, tmp_path / "a.json", emulator=QEMU)

    assert "auto, kvm, tcg" in caught.value.hint


def test_without_a_usable_device_there_is_no_trial(monkeypatch, tmp_path):
    """No /dev/kvm, no KVM."""
    monkeypatch.delenv(accel.ACCELERATOR_VARIABLE, raising=False)
    monkeypatch.setattr(accel, "_KVM", tmp_path / "none")

    assert choose_accelerator(never, tmp_path / "a.json", emulator=QEMU) == "tcg"


@pytest.mark.parametrize(("usable", "expected"), [(True, "kvm"), (False, "tcg")])
def test_a_trial_decides_and_is_made_once(kvm, tmp_path, usable, expected):
    """The answer is kept for this boot of the host."""
    kvm.usable = usable
    cache = tmp_path / "deep" / "a.json"
    kernel = tmp_path / "vmlinuz"

    for _ in range(2):
        assert choose_accelerator(lambda: kernel, cache, emulator=QEMU) == expected

    assert [("kvm", kernel, QEMU)] == kvm.trials
    assert [usable] == list(json.loads(cache.read_text()).values())


def test_a_damaged_cache_means_a_new_trial(kvm, tmp_path):
    """An unreadable answer is no answer."""
    kvm.usable = True
    cache = tmp_path / "a.json"
    cache.write_text("[half")

    assert choose_accelerator(lambda: tmp_path / "k", cache, emulator=QEMU) == "kvm"


def test_without_a_kernel_there_is_no_kvm(kvm, tmp_path):
    """What cannot be tried is not trusted."""
    assert choose_accelerator(lambda: None, tmp_path / "a.json", emulator=QEMU) == "tcg"


@pytest.mark.parametrize(
    ("status", "output", "usable"),
    [
        (0, b"Linux version 6.1\n...\nKernel panic - not syncing", True),
        (0, b"Linux version 6.1\nProbing EDD", False),
        (0, b"", False),
        (1, b"failed to initialize kvm: Permission denied", False),
    ],
)
def test_only_the_expected_panic_counts(status, output, usable):
    """Exit status, the kernel's first words and its panic are all needed."""
    assert usable is judge_canary(status, output).usable


@pytest.mark.skipif(shutil.which(QEMU) is None, reason="QEMU is not installed")
def test_a_canary_that_hangs_is_killed_in_time(tmp_path):
    """A kernel that never says a word costs the limit and no more."""
    loop = tmp_path / "hang"
    # A boot sector's worth of `jmp $` with a Linux header would do; any file that QEMU takes for
    # a kernel and that never panics shows the limit.
    loop.write_bytes(linux_that_hangs())
    began = time.monotonic()

    canary = fly_canary("tcg", loop, emulator=QEMU, seconds=1.5)

    assert not canary.usable
    assert time.monotonic() - began < 5.0


def linux_that_hangs() -> bytes:
    """The least that QEMU's loader takes for a bzImage: its setup code jumps to itself."""
    image = bytearray(512 * 6)
    image[0x1F1] = 4  # setup sectors
    image[0x1FE:0x200] = b"\x55\xaa"
    image[0x200:0x202] = b"\xeb\xfe"  # jmp $
    image[0x202:0x206] = b"HdrS"
    image[0x206:0x208] = (0x0204).to_bytes(2, "little")
    image[0x211] = 1  # loaded high
    image[0x22C:0x230] = (0x37FFFFFF).to_bytes(4, "little")  # where an initrd may lie
    return bytes(image)
