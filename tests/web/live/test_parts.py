"""What live pages show."""

import pytest

from netboot.errors import NotFound
from netboot.operations import jobs
from web.app import create_app
from web.live.parts import TOPICS

ARGUMENTS = {"image": "lab-pe-x64", "source": "lab-pe-x64", "version": "lab-pe-x64/1"}


@pytest.fixture
def inside(shared_site):
    """Topics are read inside an application."""
    with create_app(shared_site).app_context():
        yield shared_site


def test_a_topic_reads_the_same_twice(inside):
    """Otherwise its part would be sent again and again."""
    job = jobs.submit(inside, "build_version", {"image": "Lab PE x64"}, title="x")
    for name, topic in TOPICS.items():
        if name == "boot":
            continue
        argument = str(job.id) if name == "job" else ARGUMENTS.get(name, "")
        assert topic.read(inside, argument) == topic.read(inside, argument), name


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
def test_a_topic_of_what_is_not_there_is_absent(inside, name, argument):
    """Whatever stands in the address."""
    with pytest.raises(NotFound):
        TOPICS[name].read(inside, argument)
