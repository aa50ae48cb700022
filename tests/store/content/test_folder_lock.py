import threading

import pytest

from netboot.errors import OperatorFault
from netboot.store.content.folder_lock import locked


def test_the_second_waits_until_the_first_lets_go(tmp_path):
    """In another thread as in another process: each opens the file by itself."""
    lock, asked, order = tmp_path / ".lock", threading.Event(), []

    def second():
        asked.set()
        with locked(lock):
            order.append("second")

    with locked(lock):
        thread = threading.Thread(target=second)
        thread.start()
        assert asked.wait(30)
        order.append("first")
    thread.join(30)

    assert order == ["first", "second"]


def test_a_folder_that_is_not_there_is_told(tmp_path):
    """In the operator's words."""
    with (
        pytest.raises(OperatorFault, match="cannot write to "),
        locked(tmp_path / "no" / ".lock"),
    ):
        pass
