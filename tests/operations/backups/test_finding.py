import os

import pytest

from netboot.errors import InvalidInput, NotFound
from netboot.operations.backups import finding, making
from tests.web.support.seeding import add_version


def test_a_verified_backup_says_what_it_is(small, store):
    """And a backup is whole only with those that it is based on."""
    making.make_backup(small, store / "first.tar")
    add_version(small)
    making.make_backup(small, store / "second.tar", incremental=True)
    parts = []
    found = finding.verify_backup(store / "second.tar", progress=lambda part, _: parts.append(part))

    assert found.bases == (str(store / "first.tar"),)
    assert (found.kind, found.missing) == ("site", ())
    assert parts == sorted(parts)
    assert parts[-1] == 1.0
    (store / "first.tar").unlink()
    with pytest.raises(NotFound, match=r"first\.tar"):
        finding.verify_backup(store / "second.tar")


def test_the_newest_whole_backup_is_found(small, store):
    """Files that are none are passed over."""
    assert finding.newest_in(store) is None
    making.make_backup(small, store / "b.tar")
    making.make_backup(small, store / "a.tar")
    os.utime(store / "b.tar", (1, 1))
    (store / "c.tar").write_text("no backup")

    assert finding.newest_in(store) == store / "a.tar"


def test_a_base_that_lacks_what_it_should_have_is_refused(small, store, monkeypatch):
    """Another file with its id, for instance."""
    making.make_backup(small, store / "first.tar")
    add_version(small)
    making.make_backup(small, store / "second.tar", incremental=True)
    monkeypatch.setattr(finding.BackupFile, "blobs", lambda _: {})
    with pytest.raises(InvalidInput, match="does not hold"):
        finding.verify_backup(store / "second.tar")
