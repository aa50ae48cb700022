"""What live pages show."""

import pytest

from netboot.errors import NotFound
from netboot.operations import jobs
from web.topics import TOPICS

ARGUMENTS = {"image": "lab-pe-x64"}


def test_a_topic_reads_the_same_twice(shared_site):
    """Otherwise its part would be sent again and again."""
    job = jobs.submit(shared_site, "build_version", {"image": "Lab PE x64"}, title="x")
    for name, topic in TOPICS.items():
        if name == "boot":
            continue
        argument = str(job.id) if name == "job" else ARGUMENTS.get(name, "")
        assert topic.read(shared_site, argument) == topic.read(shared_site, argument), name


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("image", "nothing"),
        ("boot", "nothing"),
        ("job", "nothing"),
        ("job", "-1"),
        ("job", "9" * 40),
    ],
)
def test_a_topic_of_what_is_not_there_is_absent(shared_site, name, argument):
    """Whatever stands in the address."""
    with pytest.raises(NotFound):
        TOPICS[name].read(shared_site, argument)
