import json
import os
import threading

import pytest

from netboot.errors import BlobMissing, ContentFault, DigestMismatch, OperatorFault
from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion, ManifestFile
from netboot.store.content import point_folder as module
from netboot.store.content.blobs import BlobStore
from netboot.store.content.point_folder import PointFolder, PublishedReader, write_json

NOW = 1_000_000.0


@pytest.fixture
def source(tmp_path):
    return BlobStore(tmp_path / "site")


@pytest.fixture
def point(tmp_path):
    return PointFolder(tmp_path / "point")


def version(source, number, content=None):
    blob = source.add_bytes(content or b"content of %d" % number)
    return ContentVersion(
        image="Lab PE x64",
        number=number,
        architecture=Architecture.X64,
        recipe_digest="sha256:" + f"{number:064x}",
        built_at=NOW,
        files=(ManifestFile("boot.wim", blob.digest, blob.size),),
        chains=("linux",),
    )


def test_a_point_serves_what_it_was_updated_to_and_nothing_before(source, point):
    """A version that was only built is not served; after the update it is."""
    built = version(source, 1)

    assert point.load().current == {}
    assert point.update(built, source, now=NOW) is True
    assert built == point.load().current["Lab PE x64"]
    assert point.update(built, source, now=NOW) is False


def test_the_version_before_is_kept_for_running_boots_and_for_roll_back(source, point):
    """Boots that began on version 1 find its files after the point moved to version 2."""
    one, two = version(source, 1), version(source, 2)
    point.update(one, source, now=NOW)
    point.update(two, source, now=NOW + 1)

    published = point.load()
    assert published.current["Lab PE x64"].number == 2
    assert one == published.kept[("Lab PE x64", 1)]
    point.update(one, source, now=NOW + 2)
    assert point.served("Lab PE x64") == 1


def test_versions_of_yesterday_are_let_go_but_never_the_last_one(source, point):
    """After the day of grace only the served version and the one before it remain."""
    for number in (1, 2, 3):
        point.update(version(source, number), source, now=NOW)
    point.update(version(source, 4), source, now=NOW + module.GRACE_SECONDS + 1)

    assert {3, 4} == {number for _, number in point.load().kept}


def test_an_update_with_altered_bytes_changes_nothing(source, point):
    """A version whose bytes are not what it promises never becomes current."""
    good, bad = version(source, 1), version(source, 2)
    point.update(good, source, now=NOW)
    path = source.path(bad.files[0].digest)
    path.chmod(0o644)
    path.write_bytes(b"CONTENT of 2")

    with pytest.raises(DigestMismatch):
        point.update(bad, source, now=NOW)
    assert point.served("Lab PE x64") == 1


def test_a_version_that_is_withdrawn_is_served_to_nobody(source, point):
    """Neither new boots nor running ones get it; the version before is still there."""
    for number in (1, 2):
        point.update(version(source, number), source, now=NOW)

    assert point.withdraw("Lab PE x64", 2) is True
    published = point.load()
    assert ({}, {1}) == (dict(published.current), {number for _, number in published.kept})
    assert point.withdraw("Lab PE x64", 2) is False


def test_a_daemon_sees_a_change_by_one_stat(source, point):
    """A reader gives the same snapshot until the pointer is replaced, then the new one."""
    reader = PublishedReader(point, pytest.fail)
    assert reader().generation == 0
    point.update(version(source, 1), source, now=NOW)
    first = reader()

    assert reader() is first
    policy = ({Architecture.X64: "Lab PE x64"}, {"52:54:00:00:00:01": "Lab PE x64"})
    point.publish_policy(lambda: policy)
    assert reader().defaults[Architecture.X64] == "Lab PE x64"


def test_what_another_process_hands_out_is_seen_at_once(source, point):
    """The worker updates a point that the pages have read a moment ago."""
    other = PointFolder(point.root)
    seen = []
    for number in range(1, 9):
        other.update(version(source, number), source, now=NOW)
        seen.append((point.load().current["Lab PE x64"].number, point.numbers()["Lab PE x64"]))

    assert [(number, number) for number in range(1, 9)] == seen


def test_who_asks_for_numbers_may_do_with_them_what_they_like(source, point):
    """What is kept is not theirs."""
    point.update(version(source, 1), source, now=NOW)
    point.numbers().clear()

    assert point.numbers() == {"Lab PE x64": 1}


def test_a_damaged_pointer_is_our_fault_and_not_an_empty_point(point):
    """A daemon must not take damage for 'nothing to serve'."""
    point.pointer.write_text("{half")

    with pytest.raises(ContentFault, match="damaged"):
        point.load()


def test_a_missing_manifest_is_damage(source, point):
    """A pointer that names a manifest which is gone cannot be read."""
    point.update(version(source, 1), source, now=NOW)
    for manifest in point.versions.iterdir():
        manifest.unlink()

    with pytest.raises(ContentFault):
        point.load()


def test_manifests_are_plain_json(source, point):
    """What lies on the disk can be read by any tool, and read back equal."""
    built = version(source, 1)
    point.update(built, source, now=NOW)
    (manifest,) = point.versions.iterdir()

    assert built == ContentVersion.from_json(json.loads(manifest.read_text()))


@pytest.mark.parametrize(
    "damage",
    ["", "[]", "{}", '{"generation": 1}', "\x00\x01", "null", '{"current": 7, "kept": 7}'],
)
def test_no_damage_is_taken_for_an_empty_point(point, damage):
    """Whatever stands in the pointer's place, the fault is ours and is told."""
    point.pointer.write_text(damage)

    with pytest.raises(ContentFault, match="damaged"):
        point.load()


def test_a_daemon_keeps_serving_its_last_good_state(source, point):
    """Damage to the pointer is told once, and mending it is enough."""
    point.update(version(source, 1), source, now=NOW)
    told = []
    reader = PublishedReader(point, told.append)
    good = point.pointer.read_text()
    write_pointer(point, "{half")

    assert [reader().current["Lab PE x64"].number for _ in range(2)] == [1, 1]
    assert len(told) == 1
    assert "the previous versions are still served" in told[0]
    write_pointer(point, good)
    point.update(version(source, 2), source, now=NOW)
    assert reader().current["Lab PE x64"].number == 2


def write_pointer(point, text):
    part = point.root / "edited"
    part.write_text(text)
    part.replace(point.pointer)


def test_a_daemon_does_not_begin_with_a_damaged_point(point):
    """Whoever starts it reads what is wrong."""
    point.pointer.write_text("{half")

    with pytest.raises(ContentFault, match="damaged"):
        PublishedReader(point, pytest.fail)


def test_of_two_changes_at_once_none_is_lost(point):
    """Eight threads that each add a machine and publish: the point has all eight in the end."""
    known, guard = {}, threading.Lock()

    def deploy(number):
        with guard:
            known[f"52:54:00:00:00:{number:02x}"] = "Lab PE x64"
        point.publish_policy(lambda: ({}, dict(known)))

    threads = [threading.Thread(target=deploy, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert known == dict(point.load().assignments)


def test_a_boot_test_gives_a_machine_its_image_and_leaves_policy_as_it_was(point):
    """A second machine's test, a change of policy in between and the end of one do not mix."""
    one, two = "52:54:00:00:00:01", "52:54:00:00:00:02"
    point.publish_policy(lambda: ({}, {one: "Lab PE x64"}))
    point.try_image({one}, "Rescue")
    point.try_image({two}, "Other")
    assert dict(point.load().assignments) == {one: "Rescue", two: "Other"}

    point.publish_policy(lambda: ({}, {one: "Lab PE x64", two: "Lab PE x64"}))
    assert dict(point.load().assignments) == {one: "Rescue", two: "Other"}
    point.try_image({one}, "")
    assert dict(point.load().assignments) == {one: "Lab PE x64", two: "Other"}
    point.end_trials()
    assert dict(point.load().assignments) == {one: "Lab PE x64", two: "Lab PE x64"}


def test_an_update_that_was_cut_off_is_not_served_and_can_be_repeated(source, point, monkeypatch):
    """Blobs and manifest without the pointer's switch: the old version, then the new one."""
    point.update(version(source, 1), source, now=NOW)

    def cut_off(self, state):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(PointFolder, "_write", cut_off)
        with pytest.raises(KeyboardInterrupt):
            point.update(version(source, 2), source, now=NOW)
    assert point.load().current["Lab PE x64"].number == 1
    assert point.update(version(source, 2), source, now=NOW) is True
    assert point.load().current["Lab PE x64"].number == 2


def test_a_point_heals_a_bad_copy_of_its_own_from_the_site(source, tmp_path):
    """Where the point's bytes are a copy, the site's good ones replace them at the next update."""
    point = PointFolder(tmp_path / "point")
    built = version(source, 1, b"good bytes")
    path = point.blobs.path(built.files[0].digest)
    path.parent.mkdir()
    path.write_bytes(b"BAD! bytes")

    assert point.update(built, source, now=NOW) is True
    assert path.read_bytes() == b"good bytes"


def test_what_is_gone_from_both_is_told(source, point):
    """An update of a version whose bytes nobody has changes nothing."""
    built = version(source, 1)
    source.remove(built.files[0].digest)

    with pytest.raises(BlobMissing):
        point.update(built, source, now=NOW)
    assert dict(point.load().current) == {}


def age(store):
    for digest in store.digests():
        os.utime(store.path(digest), (NOW - 7200, NOW - 7200))


def test_a_sweep_takes_what_no_boot_and_no_roll_back_can_need(source, point):
    """After the day of grace two versions are left, with their manifests, and the programs."""
    program = point.blobs.add_bytes(b"iPXE")
    for number in (1, 2, 3):
        point.update(version(source, number), source, now=NOW)
    orphan = point.blobs.add_bytes(b"of a program that was updated")
    for store in (point.blobs, source):
        age(store)
    later = NOW + module.GRACE_SECONDS + 1
    swept = point.sweep({program.digest}, now=later, before=NOW)

    assert (swept.versions, swept.blobs) == (("Lab PE x64 v1",), 2)
    assert not point.blobs.holds(orphan.digest)
    assert point.blobs.holds(program.digest)
    assert {"lab-pe-x64-2.json", "lab-pe-x64-3.json"} == {p.name for p in point.versions.iterdir()}
    assert {2, 3} == {number for _, number in point.load().kept}
    point.update(version(source, 2), source, now=later)
    assert point.served("Lab PE x64") == 2


def test_a_sweep_leaves_running_boots_alone(source, point):
    """Within the day of grace nothing goes but what nobody names, and what is young stays."""
    for number in (1, 2, 3):
        point.update(version(source, number), source, now=NOW)
    age(source)
    young = point.blobs.add_bytes(b"comes in this minute")
    generation = point.load().generation
    swept = point.sweep(set(), now=NOW + 60, before=NOW - 3600)

    assert (swept.versions, swept.blobs) == ((), 0)
    assert point.blobs.holds(young.digest)
    assert generation == point.load().generation


def test_a_damaged_point_is_not_swept(source, point):
    """Who does not know what is needed takes nothing away."""
    built = version(source, 1)
    point.update(built, source, now=NOW)
    age(source)
    point.pointer.write_text("{half")

    with pytest.raises(ContentFault):
        point.sweep(set(), now=NOW, before=NOW)
    assert point.blobs.holds(built.files[0].digest)


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path):
    """A refusal of the disk is told, and no part remains."""
    target = tmp_path / "folder" / "state.json"

    with pytest.raises(OperatorFault, match="cannot write to"):
        write_json(target, {"a": 1})
    target.parent.mkdir()
    write_json(target, {"a": 1})
    assert [path.name for path in target.parent.iterdir()] == ["state.json"]


def test_a_renamed_image_keeps_its_versions_and_their_addresses(source, point):
    """Keys, policy and labels follow; manifests on the disk are not touched."""
    point.update(version(source, 1), source, now=NOW)
    point.update(version(source, 2), source, now=NOW)
    point.publish_policy(
        lambda: ({Architecture.X64: "Lab PE x64"}, {"52:54:00:00:00:01": "Lab PE x64"})
    )
    manifests = {path.name: path.read_bytes() for path in point.versions.iterdir()}
    for _ in range(2):  # a repetition is no fault
        point.rename("Lab PE x64", "Lab PE, new", "lab-pe-x64")

    published = point.load()
    assert {name: one.number for name, one in published.current.items()} == {"Lab PE, new": 2}
    assert sorted((one.label, one.address) for one in published.kept.values()) == [
        ("Lab PE, new v1", "lab-pe-x64"),
        ("Lab PE, new v2", "lab-pe-x64"),
    ]
    assert {"Lab PE, new"} == {*published.defaults.values(), *published.assignments.values()}
    assert dict(published.names) == {"lab-pe-x64": "Lab PE, new"}
    assert manifests == {path.name: path.read_bytes() for path in point.versions.iterdir()}
    assert point.sweep((), now=NOW + 1, before=NOW + 1).versions == ()
    point.forget("Lab PE, new")
    assert dict(point.load().names) == {}


def test_which_machines_need_a_certain_loader_is_told(point):
    """By MAC address, all at once."""
    assert dict(point.load().authorities) == {}
    point.publish_authorities(lambda: {"52:54:00:00:00:01": "2023"})

    assert dict(point.load().authorities) == {"52:54:00:00:00:01": "2023"}
