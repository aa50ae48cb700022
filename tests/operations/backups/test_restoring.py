import json
import os
import shutil
from pathlib import Path

import pytest
import tomlkit

from netboot.config import SYSTEM_COPY, SYSTEM_FILE
from netboot.errors import (
    InUse,
    InvalidInput,
    NotFound,
    NotPermitted,
    OperatorFault,
    SiteAlreadyRunning,
)
from netboot.operations import jobs
from netboot.operations.accounts import audit
from netboot.operations.backups import making, restoring
from netboot.operations.boots import boots
from netboot.operations.images import images
from netboot.site import UNFINISHED, Site
from netboot.store.backups import archive
from tests.support.kept_sites import close, count, rows_of, what_machines_get
from tests.web.support.seeding import add_version, boot_events, tell

NOT_KEPT = {"sessions", "jobs", "audit", "facts", "changes"}
"""Tables that a restore changes: sessions end, waiting jobs too, and it is in the audit log."""


@pytest.fixture
def target(tmp_path):
    """An empty folder for the restored site."""
    return tmp_path / "restored"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request):
    """The database that a backup is restored into."""
    if request.param == "sqlite":
        return "sqlite"
    server = request.getfixturevalue("postgres")
    return server.url(server.fresh())


@pytest.fixture
def full_database(postgres, postgres_template):
    """The URL of a database that has tables already."""
    return postgres.url(postgres.fresh(postgres_template))


@pytest.fixture
def opened():
    """`opened(folder)`: the site there, closed at the end."""
    sites = []

    def open_(folder):
        sites.append(Site.open(folder))
        return sites[-1]

    yield open_
    for site in sites:
        close(site)


def test_a_backup_of_either_database_is_restored_into_either(kept, store, target, database, opened):
    """The same rows; machines get the same bytes; who was signed in signs in again."""
    before, served = rows_of(kept.database), what_machines_get(kept)
    secret = kept.secret
    making.make_backup(kept, store / "one.tar")
    done = restoring.restore(target, store / "one.tar", database=database, actor="ada")
    site = opened(target)
    after = rows_of(site.database)

    assert (database == "sqlite") == (done.database == "site.db") == site.database.is_sqlite
    assert set(before) == set(after)
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= NOT_KEPT
    assert served == what_machines_get(site)
    assert (secret, 8443) == (site.secret, site.settings.web_port)
    assert count(site.database, "sessions") == 0
    assert [job.state for job in jobs.list_jobs(site)] == ["failed"]
    assert audit.entries(site)[0].action == "site.restore"
    assert audit.verify(site).faults == ()
    assert not list(target.glob("*.part"))


def test_the_restored_site_goes_on_from_where_it_was(kept, store, target, database, opened):
    """New rows and events get new numbers, and searches find what was there."""
    making.make_backup(kept, store / "one.tar")
    last = kept.journal.last_id()
    restoring.restore(target, store / "one.tar", database=database)
    site = opened(target)
    tell(site, *boot_events("52:54:00:00:00:07"))
    job = jobs.submit(site, jobs.JobKind.CLEAN_UP, {}, title="Again")

    assert site.journal.last_id() > last
    assert job.id > 1
    assert len(boots.list_boots(site)) == 2
    assert [one.name for one in images.list_images(site)] == ["Lab PE x64"]
    assert add_version(site).number == 2


def test_what_happened_after_the_snapshot_of_the_rows_becomes_rows(small, store, target, opened):
    """The journal is copied after the rows: the projector folds what they do not have yet."""
    for event in boot_events("52:54:00:00:00:07"):
        small.journal.emit(event)
    assert small.journal.flush()
    making.make_backup(small, store / "one.tar")
    restoring.restore(target, store / "one.tar")
    site = opened(target)
    tell(site)

    assert len(boots.list_boots(site)) == 2


def test_a_site_that_is_not_empty_is_refused_and_moved_aside_by_force(small, store, target, opened):
    """Not a byte of it is lost: it can be moved back."""
    making.make_backup(small, store / "one.tar")
    other = opened(target)
    add_account = other.jobs.submit("clean_up", {}, title="Mine")
    close(other)
    with pytest.raises(InUse, match="not empty"):
        restoring.restore(target, store / "one.tar")
    assert Site.open(target).jobs.get(add_account.id).title == "Mine"
    done = restoring.restore(target, store / "one.tar", force=True)

    assert [one.name for one in images.list_images(opened(target))] == ["Lab PE x64"]
    assert opened(Path(done.aside)).jobs.get(add_account.id).title == "Mine"
    again = restoring.restore(target, store / "one.tar", force=True)
    assert Path(done.aside).is_dir()
    assert Path(again.aside).is_dir()
    assert again.aside != done.aside


def test_a_database_that_is_not_empty_is_refused_and_moved_aside_by_force(
    small, store, tmp_path, full_database, opened
):
    """Its tables are in a schema of their own afterwards."""
    target, url = tmp_path / "a", full_database
    making.make_backup(small, store / "one.tar")
    with pytest.raises(InUse, match="tables"):
        restoring.restore(target, store / "one.tar", database=url)
    assert not [one for one in target.iterdir() if one.name != "run.lock"]
    first = restoring.restore(target, store / "one.tar", database=url, force=True)
    second = restoring.restore(tmp_path / "b", store / "one.tar", database=url, force=True)
    site = opened(tmp_path / "b")

    assert count(site.database, f'"{first.database_aside}".images') == 0
    assert count(site.database, f'"{second.database_aside}".images') == 1
    assert add_version(site).number == 2


def test_a_running_site_is_not_replaced(small, store, target):
    making.make_backup(small, store / "one.tar")
    lock = Site.open(target).claim()
    try:
        with pytest.raises(SiteAlreadyRunning):
            restoring.restore(target, store / "one.tar", force=True)
    finally:
        lock.release()


def test_a_backup_that_is_cut_off_anywhere_is_refused(small, store, target):
    """Before anything is changed."""
    making.make_backup(small, store / "one.tar")
    whole = (store / "one.tar").read_bytes()
    for size in (0, 1, 511, 512, 5000, len(whole) // 2, len(whole) - 2048, len(whole) - 1):
        (store / "cut.tar").write_bytes(whole[:size])
        with pytest.raises(InvalidInput, match=r"cut off|not a backup"):
            restoring.restore(target, store / "cut.tar")
    (store / "cut.tar").write_bytes(whole + b"\0")
    with pytest.raises(InvalidInput, match="cut off"):
        restoring.restore(target, store / "cut.tar")
    assert not target.exists()


def test_a_backup_with_any_altered_byte_is_refused(small, store, target):
    """In content, headers, padding, contents and seal alike; what was altered is named."""
    making.make_backup(small, store / "one.tar")
    whole = (store / "one.tar").read_bytes()
    step = len(whole) // 40
    for place in [*range(0, len(whole), step), len(whole) - 1100, len(whole) - 1]:
        altered = bytearray(whole)
        altered[place] ^= 0x01
        (store / "bad.tar").write_bytes(altered)
        with pytest.raises(InvalidInput, match=r"altered|cut off|not a backup|newer"):
            restoring.restore(target, store / "bad.tar")
    assert not target.exists()


def test_an_altered_blob_is_named(small, store, target):
    making.make_backup(small, store / "one.tar")
    digest = small.point.load().current["Lab PE x64"].files[0].digest.removeprefix("sha256:")
    with archive.BackupFile(store / "one.tar") as file:
        member = file.members[f"blobs/{digest[:2]}/{digest}"]
    with (store / "one.tar").open("r+b") as out:
        out.seek(member.offset + 5)
        out.write(b"#")
    with pytest.raises(InvalidInput, match=digest):
        restoring.restore(target, store / "one.tar")


def test_what_is_no_backup_is_refused(store, target, tmp_path):
    (store / "text.tar").write_text("hello" * 1000)
    for path, words in ((store / "text.tar", "not a backup"), (store / "no.tar", "cannot be read")):
        with pytest.raises(InvalidInput, match=words):
            restoring.restore(target, path)
    with pytest.raises(InvalidInput, match="cannot be read"):
        restoring.restore(target, tmp_path)


def test_a_backup_of_a_newer_schema_is_refused_with_its_release(small, store, target, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(making, "HEAD", "9999")
        making.make_backup(small, store / "one.tar")
    with pytest.raises(OperatorFault, match=r"netboot \d.*9999 is newer"):
        restoring.restore(target, store / "one.tar")
    with monkeypatch.context() as patch:
        patch.setattr(archive, "FORMAT", 99)
        patch.setattr(archive.Head.__init__, "__defaults__", (99,))
        making.make_backup(small, store / "two.tar")
    with pytest.raises(InvalidInput, match="newer"):
        restoring.restore(target, store / "two.tar")


def test_an_incremental_backup_names_the_one_that_is_missing(
    small, store, target, tmp_path, opened
):
    """It is found in the folder whatever its name, or named."""
    served = what_machines_get(small)
    making.make_backup(small, store / "first.tar")
    add_version(small)
    making.make_backup(small, store / "second.tar", incremental=True)
    (store / "first.tar").rename(tmp_path / "elsewhere.tar")
    with pytest.raises(NotFound, match=r"missing: first\.tar of \d{4}") as refused:
        restoring.restore(target, store / "second.tar")
    assert "--base" in refused.value.hint
    assert not target.exists()
    restoring.restore(target, store / "second.tar", others=[tmp_path / "elsewhere.tar"])
    (tmp_path / "elsewhere.tar").rename(store / "renamed.tar")
    restoring.restore(tmp_path / "third", store / "second.tar")

    assert served == what_machines_get(opened(target))
    assert add_version(opened(tmp_path / "third")).number == 3


def test_an_altered_base_is_refused(small, store, target):
    making.make_backup(small, store / "first.tar")
    making.make_backup(small, store / "second.tar", incremental=True)
    with (store / "first.tar").open("r+b") as out:
        out.seek(9000)
        out.write(b"####")
    with pytest.raises(InvalidInput, match=r"first\.tar was altered"):
        restoring.restore(target, store / "second.tar")
    with (store / "first.tar").open("r+b") as out:
        out.truncate(9000)
    with pytest.raises(InvalidInput, match=r"first\.tar is cut off"):
        restoring.restore(target, store / "second.tar")


def names(folder):
    """What is in a folder, without the files of an open database."""
    return sorted(one.name for one in folder.iterdir() if not one.name.endswith(("-wal", "-shm")))


def test_a_restore_that_fails_leaves_the_old_site(small, store, target, monkeypatch, opened):
    """Whatever fails, at the last moment too."""
    making.make_backup(small, store / "one.tar")
    other = opened(target)
    mine = other.jobs.submit("clean_up", {}, title="Mine")
    close(other)
    before = names(target)

    def full(*_):
        raise OSError(28, "No space left on device", str(target))

    for where, name in ((restoring, "sync_folder"), (restoring, "_give_to_owner"),
                        (restoring, "copy_blob"), (restoring.os, "link")):  # fmt: skip
        with monkeypatch.context() as patch:
            patch.setattr(where, name, full)
            if name != "link":  # a file system without links gets copies
                with pytest.raises(OperatorFault, match="full"):
                    restoring.restore(target, store / "one.tar", force=True)
                assert sorted({*before, "run.lock"}) == names(target)
                assert Site.open(target).jobs.get(mine.id).title == "Mine"
    assert restoring.restore(target, store / "one.tar", force=True).blobs > 3


def test_a_restore_that_was_killed_is_repeated(small, store, target, monkeypatch, opened):
    """The site does not open in between, and the old site is whole in its folder afterwards."""
    making.make_backup(small, store / "one.tar")
    other = opened(target)
    mine = other.jobs.submit("clean_up", {}, title="Mine")
    (target / "netboot.toml").write_text("web_port = 7777\n")
    close(other)

    class Killed(BaseException):
        pass

    real, moves = Path.rename, []

    def dies(self, to):
        if target in self.parents and len(moves) == 6:
            raise Killed
        moves.append(self)
        return real(self, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", dies)
        patch.setattr(restoring._Exchange, "undo", lambda _: None)
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(Killed):
            restoring.restore(target, store / "one.tar", force=True)
    assert (target / UNFINISHED).exists()
    with pytest.raises(NotPermitted, match="interrupted"):
        Site.open(target)
    done = restoring.restore(target, store / "one.tar", force=True)
    old = opened(Path(done.aside))

    assert opened(target).settings.web_port == 8443
    assert (old.jobs.get(mine.id).title, old.settings.web_port) == ("Mine", 7777)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_restores_belongs_to_the_owner_of_the_folder(small, store, target):
    making.make_backup(small, store / "one.tar")
    target.mkdir(mode=0o700)
    os.chown(target, 65534, 65534)
    restoring.restore(target, store / "one.tar")

    owners = {path.stat().st_uid for path in target.rglob("*")}
    assert owners == {65534}


def test_a_backup_with_a_file_of_a_strange_name_is_refused(small, store, target, monkeypatch):
    """A backup that was made by hand must not write elsewhere."""
    real = making._served_files
    for name in ("../../evil", "tls/../../evil.pem", "netboot.toml/x", "web/x"):
        with monkeypatch.context() as patch:
            patch.setattr(
                making, "_served_files", lambda site, name=name: ({name: b"x"}, real(site)[1])
            )
            making.make_backup(small, store / "bad.tar")
        with pytest.raises(InvalidInput, match="strange name"):
            restoring.restore(target, store / "bad.tar")
        (store / "bad.tar").unlink()
    assert [one.name for one in target.iterdir()] == ["run.lock"]


def test_the_database_of_the_settings_is_restored_into_unless_another_is_named(
    small, store, target, postgres, monkeypatch
):
    """A variable that contradicts the option is refused, before anything is changed."""
    url = postgres.url(postgres.fresh())
    (small.data / "netboot.toml").write_text(f'# ours\ndatabase_url = "{url}"\nweb_port = 8443\n')
    making.make_backup(small, store / "one.tar")
    done = restoring.restore(target, store / "one.tar")
    assert "postgresql" in done.database
    restoring.restore(target, store / "one.tar", database="sqlite", force=True)
    text = (target / "netboot.toml").read_text()
    assert "# ours" in text
    assert tomlkit.parse(text) == {"web_port": 8443}
    monkeypatch.setenv("NETBOOT_DATABASE_URL", url)
    with pytest.raises(InvalidInput, match="NETBOOT_DATABASE_URL"):
        restoring.restore(target, store / "one.tar", database="sqlite", force=True)


def test_a_restore_needs_no_more_than_is_in_the_backup(small, store, target, netboot, data):
    """From the command line, with the folder before or after the verb."""
    made = json.loads(netboot("backup", store / "one.tar", "--json").stdout)
    assert "backups.make" in netboot("audit", "list").stdout
    assert made["file"] in netboot("backup", "last").stdout
    shutil.rmtree(data)
    netboot("backup", "verify", made["file"])
    told = netboot("restore", made["file"]).stdout
    assert "is restored" in told
    assert netboot("restore", made["file"], code=2).stderr.count("not empty") == 1
    netboot("restore", made["file"], "--data", target)

    assert "Lab PE x64" in netboot("image", "list").stdout
    assert "site.restore" in netboot("audit", "list").stdout


@pytest.mark.parametrize("differs", [True, False])
def test_other_system_settings_are_kept_next_to_the_restored_site(
    small, store, target, monkeypatch, differs
):
    """The file below /etc of this machine is never changed."""
    system = store.parent / "etc.toml"
    system.write_text("tftp_workers = 2\n")
    monkeypatch.setenv(SYSTEM_FILE, str(system))
    made = making.make_backup(small, store)
    here = "tftp_workers = 3\n" if differs else "tftp_workers = 2\n"
    system.write_text(here)
    done = restoring.restore(target, Path(made.file))
    copy = target / SYSTEM_COPY
    assert done.system_settings == (str(copy) if differs else "")
    assert copy.exists() == differs
    assert not differs or copy.read_text() == "tftp_workers = 2\n"
    assert system.read_text() == here
    assert Site.open(target).settings.tftp_workers == (3 if differs else 2)
