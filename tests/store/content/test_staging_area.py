"""Folders for work in progress: locked while their process lives."""

import os
import shutil

from netboot.store.content.staging_area import begin_work, clear_unless_in_use


def test_a_folder_in_use_stays_and_goes_when_its_lock_is_gone(tmp_path):
    folder, lock = begin_work(tmp_path)
    (folder / "half").write_bytes(b"half")
    assert clear_unless_in_use(folder) is False
    os.close(lock)
    assert clear_unless_in_use(folder) is True
    assert list(tmp_path.iterdir()) == []


def test_links_pipes_and_files_of_nobody_go_and_what_they_name_stays(tmp_path):
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    (tmp_path / "link").symlink_to(target)
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        assert clear_unless_in_use(tmp_path / name) is True
    assert [target] == list(tmp_path.iterdir())
    assert clear_unless_in_use(tmp_path / "gone") is False


def test_a_folder_that_is_cleared_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    """A clean-up may come in between."""
    opened, tries = os.open, []

    def cleared_once(path, *rest, **more):
        tries.append(path)
        if len(tries) == 1:
            shutil.rmtree(path)
        return opened(path, *rest, **more)

    monkeypatch.setattr(os, "open", cleared_once)
    folder, lock = begin_work(tmp_path)
    monkeypatch.undo()
    os.close(lock)

    assert folder.is_dir()
    assert folder != tries[0]
