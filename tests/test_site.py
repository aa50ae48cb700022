import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from netboot import site as module
from netboot.errors import NotPermitted, SiteAlreadyRunning
from netboot.site import LabSite, Site

CLAIM = """
import sys
from pathlib import Path
from netboot.site import LabSite, Site
lock = Site.open(Path(sys.argv[1])).claim()
print("claimed", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that runs a site on `tmp_path / "data"`."""
    process = subprocess.Popen(
        [sys.executable, "-c", CLAIM, tmp_path / "data"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "claimed\n"
    yield process
    process.kill()
    process.communicate()


def test_a_data_folder_is_for_its_owner_alone(tmp_path):
    """It is made with all folders above it, and closed even where it was open before."""
    made = Site.open(tmp_path / "deep" / "data")
    made.data.chmod(0o755)

    assert Site.open(made.data).data.stat().st_mode & 0o777 == 0o700


def test_a_data_folder_that_is_a_file_is_refused(tmp_path):
    """The folder is named, and the hint says what to do."""
    (tmp_path / "data").write_text("not a folder")

    with pytest.raises(NotPermitted, match="data folder .*/data cannot be used") as refusal:
        Site.open(tmp_path / "data")
    assert "--data" in refusal.value.hint


def test_parts_are_opened_when_they_are_asked_for(tmp_path):
    """Opening a site makes neither a database nor a journal nor a secret."""
    Site.open(tmp_path / "data")

    assert list((tmp_path / "data").iterdir()) == []


def test_each_part_is_opened_once(site):
    """Whoever asks twice gets the same store, database, journal and queue."""
    for part in ("blobs", "point", "settings", "database", "journal", "jobs", "secret"):
        assert getattr(site, part) is getattr(site, part)


def test_the_secret_is_made_once_and_readable_by_its_owner(tmp_path):
    """A second process reads the same; nobody else reads it at all."""
    site = Site.open(tmp_path / "data")
    secret = site.secret

    assert len(secret) >= module.SECRET_BYTES
    assert secret == Site.open(site.data).secret
    assert (site.data / "secret").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in site.data.iterdir()] == ["secret"]


def test_processes_that_begin_together_sign_with_the_same_secret(tmp_path):
    """Whatever the order in which they make and read it, nobody reads half of one or none."""
    found, ready = [], threading.Barrier(16)

    def read():
        ready.wait()
        found.append(Site.open(tmp_path / "data").secret)

    for _ in range(5):
        (tmp_path / "data" / "secret").unlink(missing_ok=True)
        threads = [threading.Thread(target=read) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(found)) == 1
        assert len(found.pop()) >= module.SECRET_BYTES
        found.clear()


@pytest.mark.parametrize("content", ["", "short", "\n"])
def test_a_damaged_secret_signs_nothing(site, content):
    """An empty or cut key would let anybody sign; the refusal says how to get a new one."""
    (site.data / "secret").write_text(content)

    with pytest.raises(NotPermitted, match="holds no secret") as refusal:
        _ = site.secret
    assert "Remove it" in refusal.value.hint


def test_one_site_runs_on_a_data_folder(holder, tmp_path):
    """The second is refused, and told which process has it."""
    with pytest.raises(SiteAlreadyRunning, match=rf"process {holder.pid}\)") as refusal:
        Site.open(tmp_path / "data").claim()
    assert "--data" in refusal.value.hint


def test_a_killed_site_does_not_block_the_next(holder, tmp_path):
    """The system lets go of the lock with the process; no stale file is in the way."""
    holder.kill()
    holder.communicate()
    lock = Site.open(tmp_path / "data").claim()

    assert str(os.getpid()) == (tmp_path / "data" / "run.lock").read_text()
    lock.release()


def test_children_do_not_inherit_the_lock(site):
    """A daemon that outlives the site for a moment must not keep the next one from starting."""
    lock = site.claim()
    child = subprocess.Popen(["sleep", "60"])
    try:
        lock.release()
        site.claim().release()
    finally:
        child.kill()
        child.wait()


def test_a_lock_that_cannot_be_written_is_told(site):
    """A folder in its place is no lock."""
    (site.data / "run.lock").mkdir()

    with pytest.raises(NotPermitted, match=r"run\.lock cannot be used"):
        site.claim()


def test_settings_name_the_database(site):
    """Without a setting it is a file in the data folder."""
    assert f"sqlite:///{site.data / 'site.db'}" == site.database.url
    assert Path(site.data / "site.db").exists()


def test_a_lab_has_the_settings_of_the_site_but_none_of_its_networks(site):
    """Its own network is another one, in which the interfaces of the site do not exist."""
    (site.data / "netboot.toml").write_text(
        'interface = "ens3"\naddress = "192.0.2.1"\nrelays = ["10.9.0.0/16"]\nhttp_port = 8099\n'
        '[[networks]]\ninterface = "ens4"\nonly_known = true\n'
    )
    settings = LabSite(site.data).settings
    assert (settings.interface, settings.address, settings.relays) == ("", "", [])
    assert (settings.networks, settings.all_networks) == ([], ())
    assert settings.http_port == 8099
