"""The Debian package's parts, without building it: units, man pages, settings, the command."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from netboot.cli import SUBJECTS
from netboot.config import Settings, load_settings
from netboot.operations.extras import EXTRAS
from netboot.site import SERVICES

PACKAGE = Path(__file__).resolve().parent.parent / "scripts" / "package"


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(PACKAGE))


@pytest.fixture
def build():
    import build

    return build


@pytest.fixture
def units(build, tmp_path):
    build.write_units(tmp_path)
    return tmp_path


def test_every_service_has_a_unit_that_the_target_starts(units):
    """No mark of the build is left in them."""
    target = (units / "netboot.target").read_text()
    for service in SERVICES:
        text = (units / f"netboot-{service}.service").read_text()
        assert f"-m netboot {service}\n" in text
        assert f"netboot-{service}.service" in target
        assert "@" not in re.sub(r"@(system-service|privileged|resources|mount)", "", text)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("unit", [*SERVICES, "site"])
def test_a_unit_is_valid_and_exposes_little(units, unit):
    """By systemd's own measure: at most 2.5."""
    name = f"netboot-{unit}.service"
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(units / name)]
    done = subprocess.run(command, capture_output=True, text=True)
    (level,) = re.findall(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert float(level) <= 2.5
    assert done.stderr == ""


def test_only_the_boot_services_have_capabilities(units):
    having = [path.name for path in units.iterdir() if "AmbientCapabilities" in path.read_text()]
    assert having == ["netboot-boot.service"]


def test_landlocks_calls_are_named_in_every_unit(units):
    """systemd 252 takes them away silently, and then the walls of the readers are gone."""
    for path in units.glob("*.service"):
        text = path.read_text()
        for call in ("create_ruleset", "add_rule", "restrict_self"):
            assert f"landlock_{call}" in text, path.name


def test_every_command_is_in_a_man_page_without_a_warning(tmp_path):
    """groff reads each; every verb with its options is there."""
    import manual

    manual.write_pages(tmp_path, "2026-01-01")
    assert {path.name for path in tmp_path.iterdir()} == {
        "netboot.1", *(f"netboot-{subject}.1" for subject in SUBJECTS)
    }  # fmt: skip
    text = (tmp_path / "netboot-image.1").read_text()
    assert "netboot image import" in text.replace("\\-", "-")
    if shutil.which("groff") is not None:
        for path in tmp_path.iterdir():
            command = ["groff", "-man", "-Tutf8", "-ww", "-z", str(path)]
            done = subprocess.run(command, capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, ""), path.name


def test_the_settings_file_shows_every_default_as_a_comment(tmp_path, monkeypatch):
    """With the comment signs removed it changes nothing but the folder for backups."""
    import settings

    for name in [name for name in os.environ if name.startswith("NETBOOT_")]:
        monkeypatch.delenv(name)
    text = settings.text()
    assert tomllib.loads(text) == settings.PRESET
    shown = re.sub(r"^#(?=\w)", "", text, flags=re.MULTILINE)
    assert set(tomllib.loads(shown)) == set(Settings.model_fields) - {"data"}
    empty = {"tls_certificate", "tls_key"}  # an empty path is a path
    kept = "\n".join(line for line in shown.splitlines() if line.split(" ")[0] not in empty)
    (tmp_path / "netboot.toml").write_text(kept)
    expected = Settings(data=tmp_path, **settings.PRESET)
    assert load_settings(tmp_path).model_dump() == expected.model_dump()


def test_the_worker_may_write_the_folder_for_backups_which_the_installation_makes(units):
    import settings

    folder = settings.PRESET["backup_folder"]
    assert f"ReadWritePaths=-{folder}\n" in (units / "netboot-worker.service").read_text()
    assert folder in (PACKAGE / "postinst").read_text()


def test_what_the_product_says_is_missing_is_what_the_package_recommends(build):
    """One table; the newest release's name of a package is the first alternative."""
    relations = build.relations()
    named = " ".join(relations["Depends"] + relations["Recommends"])
    for extra in EXTRAS:
        for package, _ in extra.packages:
            assert package in named
    assert not {"gcc", "qemu-system-x86"} & set(relations["Depends"])
    assert "postgresql" in relations["Suggests"]


def test_the_driver_of_postgresql_is_locked_with_hashes(build):
    text = build.locked()
    for name in ("psycopg==", "psycopg-binary=="):
        (line,) = [line for line in text.splitlines() if line.startswith(name)]
        assert line.endswith("\\"), "the hashes follow"


def test_what_all_pythons_have_in_common_is_there_once(build, tmp_path):
    """A package with one differing file stays with each."""
    sites = [tmp_path / name for name in ("one", "two")]
    for number, site in enumerate(sites):
        (site / "pure").mkdir(parents=True)
        (site / "pure" / "a.py").write_text("same")
        (site / "binary").mkdir()
        (site / "binary" / "x.so").write_text(f"of {number}")
    common = tmp_path / "common"
    common.mkdir()
    build.share(common, sites)
    assert [path.name for path in common.iterdir()] == ["pure"]
    for site in sites:
        assert sorted(path.name for path in site.iterdir()) == ["binary", "common.pth"]
