import threading

import pytest

from netboot.errors import InvalidInput, NotFound
from netboot.images.architecture import Architecture
from netboot.operations.deployments import deployments as policy
from netboot.site import Site
from tests.web.support.seeding import add_image


def test_a_deployment_needs_an_image_that_is_there(site):
    """Nothing is noted for an image that nobody knows."""
    with pytest.raises(NotFound):
        policy.deploy(site, "525400abcdef", "Nobody's image")
    assert policy.deployments(site) == []


def test_what_was_never_assigned_cannot_be_withdrawn(site):
    """The address is named."""
    with pytest.raises(NotFound, match="52:54:00:ab:cd:ef"):
        policy.withdraw(site, "525400abcdef")


# --- with images, on either database ---------------------------------------------------------


@pytest.fixture
def stocked(any_site):
    """Two x64 images and one for x86; the first of each kind is the default."""
    add_image(any_site, "Lab PE x64")
    add_image(any_site, "Windows PE 11", is_lab=False)
    add_image(any_site, "Lab PE x86", Architecture.X86)
    return any_site


def test_the_first_image_of_a_kind_is_its_default_until_somebody_says_otherwise(stocked):
    """What is decided stands on the distribution point at once."""
    assert policy.defaults(stocked) == {
        Architecture.X64: "Lab PE x64",
        Architecture.X86: "Lab PE x86",
    }
    policy.set_default(stocked, "Windows PE 11", Architecture.X64)

    assert policy.defaults(stocked)[Architecture.X64] == "Windows PE 11"
    assert policy.defaults(stocked) == dict(stocked.point.load().defaults)


def test_a_machine_is_given_an_image_and_has_it_taken_away(stocked):
    """By any spelling of its address and of the image; a second word replaces the first."""
    policy.deploy(stocked, "52-54-00-AB-CD-EF", "windows-pe-11", comment="lecture hall")
    policy.deploy(stocked, "525400abcdef", "Lab PE x86")
    assert [policy.Deployment("52:54:00:ab:cd:ef", "Lab PE x86", "")] == policy.deployments(stocked)
    assert dict(stocked.point.load().assignments) == {"52:54:00:ab:cd:ef": "Lab PE x86"}
    policy.withdraw(stocked, "5254.00ab.cdef")

    assert policy.deployments(stocked) == []
    assert dict(stocked.point.load().assignments) == {}


def test_a_comment_has_an_end(stocked):
    """PostgreSQL would refuse it with a traceback; we do before, in words."""
    with pytest.raises(InvalidInput, match="at most"):
        policy.deploy(stocked, "525400abcdef", "Lab PE x64", comment="x" * 5000)
    assert policy.deployments(stocked) == []


def test_a_deleted_image_is_the_default_of_nothing(stocked):
    """Machines of that kind get none until somebody names another."""
    policy.drop(stocked, "Lab PE x64")

    assert policy.defaults(stocked) == {Architecture.X86: "Lab PE x86"}
    assert dict(stocked.point.load().defaults) == {Architecture.X86: "Lab PE x86"}


def test_machines_that_are_given_images_at_once_all_get_theirs(stocked):
    """Six administrators at the same moment: the point knows of all six afterwards."""
    macs = [f"52:54:00:00:00:0{number}" for number in range(6)]
    threads = [
        threading.Thread(target=policy.deploy, args=(stocked, mac, "Lab PE x64")) for mac in macs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert macs == [made.mac for made in policy.deployments(stocked)]
    assert set(macs) == set(stocked.point.load().assignments)


def test_what_was_cut_off_is_published_at_the_next_start(stocked):
    """Rows are the truth, and handing them over again changes nothing else."""
    policy.deploy(stocked, "525400abcdef", "Lab PE x64")
    stocked.point.publish_policy(lambda: ({}, {}))
    policy.publish(stocked)

    assert dict(stocked.point.load().assignments) == {"52:54:00:ab:cd:ef": "Lab PE x64"}
    assert policy.defaults(stocked) == dict(stocked.point.load().defaults)


def test_what_another_process_decides_is_seen_at_once(stocked):
    """What was read a moment ago is read again; what was handed out is the caller's own."""
    policy.deploy(stocked, "525400abcdef", "Lab PE x64")
    policy.deployments(stocked).clear()
    policy.defaults(stocked).clear()
    assert (len(policy.deployments(stocked)), len(policy.defaults(stocked))) == (1, 2)
    other = Site.open(stocked.data)
    policy.withdraw(other, "525400abcdef")
    policy.set_default(other, "Windows PE 11", Architecture.X64)
    other.database.close()

    assert policy.deployments(stocked) == []
    assert policy.defaults(stocked)[Architecture.X64] == "Windows PE 11"
