"""A site whose version 2 holds the driver of e1000 cards, and machines that start from media."""

import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from netboot.boot.told.events import Discovered, OfferSent, PeReported
from netboot.errors import NotPermitted
from netboot.images.architecture import Architecture
from netboot.images.boot_image.boot_image import slug
from netboot.images.media.request import MediaKind, MediaOrder
from netboot.operations.media import media
from netboot.site import Site
from tests.media_boots.old_system import OldSystem, task_disk
from vm.labpe import image_name
from vm.machine.firmware import NICS, FirmwareKind
from vm.machine.spec import Bus, Disk, MachineSpec
from vm.machine.virtual_machine import Ending, Limits, Machine
from vm.matrix import Laboratory
from vm.network.lab_network import SERVER_ADDRESS, Slot
from vm.proof import site_in_lab
from vm.summary import record
from vm.testrun import try_boot

ROOT = Path(__file__).resolve().parents[2]
NOTES = ROOT / "tests" / "output" / "boots.json"
HOME = f"http://{SERVER_ADDRESS}:8081"
VERSION = 2
X64, X86 = Architecture.X64, Architecture.X86
BOTH = ((image_name(X64), VERSION), (image_name(X86), VERSION))
LIMITS = Limits(silence=150, wall=400, processor=200)
NETWORK_BOOT = (Discovered, OfferSent)


class Typist:
    """Reads a console and types: for each pattern, one answer after the other."""

    def __init__(self, reader, line, answers):
        self._reader = reader
        self._line = line
        self._answers = {asked: iter(keys) for asked, keys in answers.items()}
        self._prompt = re.compile("|".join(f"(?:{re.escape(asked)})" for asked in answers))
        self._seen = 0

    @property
    def text(self):
        return self._reader.text

    def receive(self, data):
        found = self._reader.receive(data)
        for prompt in self._prompt.finditer(self.text, self._seen):
            self._seen = prompt.end()
            keys = next(self._answers[prompt[0]], "")
            self._line.sendall(keys.encode())
        return found


@dataclass
class MediaLab:
    """The laboratory, its site, and one slot after another for its machines."""

    laboratory: Laboratory
    site: Site
    folder: Path
    slots: count = field(default_factory=count)

    def build(self, kind, **options):
        """A medium of both architectures, as `netboot media build` makes it; its path."""
        order = MediaOrder(kind=MediaKind(kind), home=HOME, **options)
        view = media.build_media(self.site, order, BOTH)
        return media.medium_path(self.site, view.id)[1]

    def spec(self, firmware, **options):
        """A machine with an e1000 card and a place of its own."""
        slot = Slot(next(self.slots) % 90)
        return MachineSpec(FirmwareKind(firmware), NICS["e1000"], slot, **options)

    def boot(self, name, spec):
        """Boot a machine; what it reported. Its report must name the version."""
        after = self.site.journal.last_id()
        tried = try_boot(
            spec,
            self.laboratory.network,
            self._folder(name),
            reports=self.laboratory.reports(),
            accelerator="tcg",
            limits=LIMITS,
        )
        events = [entry.event for entry in self.site.journal.events_since(after, 10_000)]
        reports = [each for each in events if isinstance(each, PeReported)]
        offered = [
            each for each in events if isinstance(each, NETWORK_BOOT) and each.mac == spec.boot_mac
        ]
        passed = tried.verdict.result.value == "online" and tried.verdict.version == VERSION
        seconds = tried.run.wall_seconds
        record(NOTES, name=f"media: {name}", passed=passed, seconds=seconds)
        tail = tried.run.serial[-2000:]

        assert tried.verdict.result.value == "online", f"{tried.verdict.reason}\n{tail}"
        assert tried.verdict.version == VERSION
        if not spec.boots_by_network:
            assert offered == [], "a machine with its network boot off asked for a boot server"
        return next(each for each in reports if each.mac == spec.boot_mac)

    def _folder(self, name):
        """QEMU takes a comma in a path for the end of it."""
        return self.folder / slug(name)

    def refused(self, name, spec):
        """Run a machine that finds nothing it may start."""
        with Machine(spec, self.laboratory.network, self._folder(name)) as machine:
            run = machine.run(LIMITS)
        passed = run.ending is Ending.HOPELESS
        record(NOTES, name=f"media: {name}", passed=passed, seconds=run.wall_seconds)

        assert passed, f"{run.ending}: {run.words}\n{run.serial[-2500:]}"
        return run

    def run(self, name, spec, *, expect, answers=None):
        """Run a machine whose console shall come to a line with these words; its console.

        `answers` are what somebody at the console types, one after the other, when it asks.
        """
        with Machine(spec, self.laboratory.network, self._folder(name)) as machine:
            line = machine._serial
            if answers:
                machine._consoles[line] = Typist(machine._consoles[line], line, answers)
            run = machine.run(LIMITS)
        passed = run.ending is Ending.DONE and expect in run.words
        record(NOTES, name=f"media: {name}", passed=passed, seconds=run.wall_seconds)

        assert passed, f"{run.ending}: {run.words}\n{run.serial[-2500:]}"
        return run.serial

    def netboot(self, *words):
        """What a `netboot` command prints."""
        done = subprocess.run(
            [sys.executable, "-m", "netboot", "--data", str(self.site.data), *words],
            capture_output=True, text=True, check=False, cwd=ROOT,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


class Guest:
    """A machine with the old system; what it shall do comes on a second disk."""

    def __init__(self, lab, disk, folder):
        self.lab = lab
        self.disk = disk
        self.folder = folder
        self._slot = Slot(next(lab.slots) % 90)

    def link(self):
        """A link that is good for one time."""
        words = ("media", "package", image_name(X64), "--system", "linux", "--address", HOME)
        return json.loads(self.lab.netboot(*words, "--json"))["url"]

    def take(self, then):
        """A script that fetches the package, then does this."""
        return f"cd /root && wget -q -O netboot-disk.sh {self.link()} || exit 9\n{then}"

    def spec(self, script):
        """The same machine each time, with its network boot off and this to do."""
        disks = (Disk(self.disk, Bus.VIRTIO, keeps=True), task_disk(self.folder, script))
        return MachineSpec(
            FirmwareKind.BIOS_X64, NICS["e1000"], self._slot, disks=disks, restarts=True, memory=768
        )

    def does(self, name, script, expect="result=old-system code=0", **options):
        """The old system starts and does this; what its console said."""
        return self.lab.run(name, self.spec(script), expect=expect, **options)

    def comes_up_in_the_image(self, name, script):
        """The machine starts, with this to do for the old system; the image's report."""
        return self.lab.boot(name, self.spec(script))


@pytest.fixture(scope="session")
def media_lab(tmp_path_factory):
    """The laboratory for all media."""
    folder = tmp_path_factory.mktemp("media-lab")
    try:
        with site_in_lab(folder) as laboratory:
            for architecture in (X64, X86):
                laboratory.site.add_driver(architecture, "e1000")
                laboratory.site.build(architecture)
                laboratory.site.update_points(architecture)
            site = Site.open(folder / "data")
            yield MediaLab(laboratory, site, folder / "machines")
            site.journal.close()
            site.database.close()
    except NotPermitted as refusal:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{refusal} {refusal.hint}")


@pytest.fixture
def guest(media_lab, old_system, tmp_path):
    """A machine with the old system on its disk."""
    return Guest(media_lab, old_system.copy(tmp_path), tmp_path)


@pytest.fixture(scope="session")
def old_system(lab):
    """An ordinary Linux on a disk, to be copied."""
    with tempfile.TemporaryDirectory(prefix="netboot-old-system-") as scratch:
        yield OldSystem.build(lab, Path(scratch))
