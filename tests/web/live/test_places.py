"""Places that several processes share."""

import subprocess
import sys

from web.live.places import Places

HOLDER = """
import sys
from pathlib import Path
from web.live.places import Places
places = Places(Path(sys.argv[1]), 3)
print(places.take(), places.take(), flush=True)
sys.stdin.read()
"""


def test_a_place_is_taken_once_and_given_back(tmp_path):
    """As many as there are, and no more."""
    places = Places(tmp_path / "lock", 2)

    assert [places.take(), places.take(), places.take()] == [0, 1, None]
    places.give_back(0)
    assert (places.held, places.take()) == (1, 0)


def test_processes_share_the_places_and_a_killed_one_loses_its_own(tmp_path):
    """Nothing is left behind by a crash."""
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "lock")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert other.stdout.readline() == "0 1\n"
    places = Places(tmp_path / "lock", 3)
    assert [places.take(), places.take()] == [2, None]
    other.kill()
    other.communicate()

    assert [places.take(), places.take(), places.take()] == [0, 1, None]
