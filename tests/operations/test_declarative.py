"""The site as files for git."""

import shutil

import pytest

from netboot.errors import InvalidInput, NotPermitted, OperatorFault
from netboot.images.architecture import Architecture
from netboot.operations import declarative
from netboot.operations.deployments import deployments as policy
from netboot.operations.drivers import drivers
from netboot.operations.images import images
from netboot.operations.images.properties import set_details
from tests.samples.synthetic_winpe import SyntheticWinPe
from tests.support.content import version_of
from tests.web.support import seeding

MAC = "52:54:00:00:00:01"


@pytest.fixture
def furnished(site, tmp_path):
    """An image with a driver, a second driver, an assignment."""
    driver = seeding.add_driver(site, tmp_path / "d", "e1000", enabled=True)
    seeding.add_driver(site, tmp_path / "d", "netkvm", ids=("PCI\\VEN_1AF4&DEV_1000",))
    seeding.add_image(site, comment="a comment")
    images.add_driver(site, "Lab PE x64", driver.digest)
    policy.deploy(site, MAC, "Lab PE x64", comment="desk 4")
    return site


@pytest.fixture
def folder(furnished, tmp_path):
    """What it exports."""
    declarative.export(furnished, tmp_path / "site")
    return tmp_path / "site"


def edit(path, before, after):
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def told(plan):
    return [(c.kind.value, c.subject, c.label, *c.details) for c in plan.changes]


def test_what_was_exported_changes_nothing(furnished, folder):
    """And exporting once more writes the same bytes."""
    before = {path: path.read_bytes() for path in folder.rglob("*.toml")}
    declarative.export(furnished, folder)

    assert declarative.plan(furnished, folder, prune=True).changes == ()
    assert before == {path: path.read_bytes() for path in folder.rglob("*.toml")}
    assert {"drivers.toml", "assignments.toml", "lab-pe-x64.toml"} == {p.name for p in before}


def test_an_edited_file_is_planned_and_applied(furnished, folder):
    """Enable, add, comment, property, assignment: one after another, then nothing is left."""
    edit(folder / "drivers.toml", "enabled = false", "enabled = true")
    image = folder / "images" / "lab-pe-x64.toml"
    edit(image, "a comment", "another")
    edit(image, "[properties]", "[properties]\nscratch_space_mb = 128")
    image.write_text(image.read_text() + '\n[[driver]]\nname = "netkvm"\n')
    edit(folder / "assignments.toml", MAC, "52-54-00-00-00-02")
    expected = [
        ("change", "driver", "netkvm 1.2.3.4", "enable"),
        ("change", "image", "Lab PE x64", "+ netkvm 1.2.3.4",
         "scratch_space_mb: (nothing) -> 128", "comment: a comment -> another"),
        ("remove", "machine", MAC, "- Lab PE x64"),
        ("add", "machine", "52:54:00:00:00:02", "+ Lab PE x64"),
    ]  # fmt: skip

    assert told(declarative.plan(furnished, folder)) == expected
    assert not drivers.get_driver(furnished, "netkvm").enabled
    assert told(declarative.apply(furnished, folder)) == expected
    view = images.get_image(furnished, "Lab PE x64")
    assert (view.comment, [d.name for d in view.drivers]) == ("another", ["e1000", "netkvm"])
    assert [made.mac for made in policy.deployments(furnished)] == ["52:54:00:00:00:02"]
    assert furnished.point.load().assignments == {"52:54:00:00:00:02": "Lab PE x64"}
    assert declarative.plan(furnished, folder).changes == ()


def test_another_site_becomes_the_same(furnished, folder, tmp_path):
    """With the source file beside the declaration, a new site gets all of it."""
    if shutil.which("wimlib-imagex") is None:
        pytest.skip("needs wimlib-imagex: apt-get install wimtools")
    from netboot.site import Site
    from tests.web.conftest import close

    wim = SyntheticWinPe().capture(tmp_path / "media")
    declared = folder / "images" / "lab-pe-x64.toml"
    lines = [line for line in declared.read_text().splitlines() if not line.startswith("digest =")]
    text = "\n".join(lines).replace("index = 1", f'index = 1\nfile = "{wim}"')
    declared.write_text(text)
    for path in (folder / "drivers.toml",):
        path.write_text("\n".join(x for x in path.read_text().splitlines() if "digest" not in x))
    other = Site.open(tmp_path / "other")
    try:
        for name, ids in (
            ("e1000", "PCI\\VEN_8086&DEV_100E"),
            ("netkvm", "PCI\\VEN_1AF4&DEV_1000"),
        ):
            seeding.add_driver(other, tmp_path / "again", name, ids=(ids,))
        plan = declarative.apply(other, folder)
        assert [wim] == list(plan.sources)
        view = images.get_image(other, "Lab PE x64")
        assert [driver.name for driver in view.drivers] == ["e1000"]
        assert [made.comment for made in policy.deployments(other)] == ["desk 4"]
        assert declarative.plan(other, folder).changes == ()
    finally:
        close(other)


def test_an_image_that_no_file_declares_is_kept_unless_pruning_is_asked_for(furnished, folder):
    """Removing is never a surprise."""
    seeding.add_image(furnished, "Another", Architecture.X86)
    policy.drop(furnished, "Another")

    assert told(declarative.plan(furnished, folder)) == []
    assert told(declarative.plan(furnished, folder, prune=True)) == [("remove", "image", "Another")]
    declarative.apply(furnished, folder, prune=True)
    assert [image.name for image in images.list_images(furnished)] == ["Lab PE x64"]


def test_pruning_what_machines_get_needs_its_name(furnished, folder):
    """The plan says so, and without the name nothing at all is done."""
    seeding.add_image(furnished, "Another", Architecture.X86)
    policy.drop(furnished, "Another")
    version = version_of(furnished, 3, image="Another", architecture=Architecture.X86)
    furnished.point.update(version, furnished.blobs, now=1e9)
    (folder / "assignments.toml").write_text("")
    before = policy.deployments(furnished)

    planned = declarative.plan(furnished, folder, prune=True)
    assert planned.removes_served == ("Another",)
    (removed,) = [one for one in planned.changes if one.key == "Another"]
    assert removed.details == ("version 3 is served to machines",)
    for named in ((), ("Lab PE x64",), ("another",)):
        with pytest.raises(InvalidInput, match="Another is served to machines") as refused:
            declarative.apply(furnished, folder, prune=True, delete_served=named)
        assert '--delete-served "Another"' in refused.value.hint
    assert before == policy.deployments(furnished)
    assert furnished.point.served("Another") == 3

    declarative.apply(furnished, folder, prune=True, delete_served=("Another",))
    assert [image.name for image in images.list_images(furnished)] == ["Lab PE x64"]
    assert furnished.point.served("Another") is None


def test_a_part_without_a_file_is_left_alone(furnished, folder):
    """Who declares only images keeps his assignments."""
    (folder / "assignments.toml").unlink()
    policy.withdraw(furnished, MAC)

    assert told(declarative.plan(furnished, folder)) == []


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("drivers.toml", ("enabled = true", "enabled = 3"), "true or false"),
        ("drivers.toml", ("enabled = true", "enable = true"), "'enable' is unknown"),
        ("drivers.toml", ("[[driver]]", "[[driver]"), "cannot be read"),
        ("drivers.toml", ('name = "e1000"', 'name = "e1000"\ndigest = "x"'), "cannot be read"),
        ("images/lab-pe-x64.toml", ('name = "Lab PE x64"', ""), "name is missing"),
        ("images/lab-pe-x64.toml", ('name = "Lab PE x64"', 'name = "New"'), "names no source"),
        ("images/lab-pe-x64.toml", ('architecture = "x64"', 'architecture = "x65"'), "x65"),
        ("images/lab-pe-x64.toml", ('architecture = "x64"', 'architecture = "x86"'), "is x64"),
        ("images/lab-pe-x64.toml", ("[properties]", "[properties]\ncolour = 1"), "colour"),
        ("images/lab-pe-x64.toml", ("[properties]", '[properties]\nkeyboard = "x"'), "keyboard"),
        ("images/lab-pe-x64.toml", ("index = 1", 'index = "a"'), "index must be a number, not 'a'"),
        ("images/lab-pe-x64.toml", ("index = 1", 'index = 1\ncolor = "a"'), "'color' is unknown"),
        ("assignments.toml", ('image = "Lab PE x64"', 'image = "Nobody"'), "no such image"),
        ("assignments.toml", (MAC, "not-a-mac"), "not a MAC address"),
        ("assignments.toml", ("x64 =", "x65 ="), "x65"),
    ],
)
def test_a_file_that_cannot_be_is_refused_before_anything_changes(
    furnished, folder, name, change, words
):
    """Whatever is wrong, the message names it, and the site stays as it was."""
    edit(folder / name, *change)
    with pytest.raises(OperatorFault, match=words):
        declarative.apply(furnished, folder)

    assert images.get_image(furnished, "Lab PE x64").comment == "a comment"


def test_a_driver_that_may_not_be_added_stops_all_of_it(furnished, folder):
    """One transaction: the comment that would have changed, too, has not."""
    image = folder / "images" / "lab-pe-x64.toml"
    edit(image, "a comment", "another")
    image.write_text(image.read_text() + '\n[[driver]]\nname = "netkvm"\n')

    with pytest.raises(InvalidInput, match="not enabled"):
        declarative.apply(furnished, folder)
    assert images.get_image(furnished, "Lab PE x64").comment == "a comment"


def test_a_driver_that_was_disabled_since_may_stay(furnished, folder):
    """An image keeps what it holds; the files say so, too."""
    drivers.disable_driver(furnished, "e1000")
    edit(folder / "drivers.toml", "enabled = true", "enabled = false")
    edit(folder / "images" / "lab-pe-x64.toml", "a comment", "another")
    declarative.apply(furnished, folder)

    assert images.get_image(furnished, "Lab PE x64").disabled_drivers == ("e1000",)


def test_a_folder_that_declares_nothing_is_refused(site, tmp_path):
    """An empty folder must not mean: remove everything."""
    for missing in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(InvalidInput, match="no folder|declares nothing"):
            declarative.plan(site, missing, prune=True)


def test_a_folder_that_cannot_be_written_is_named(furnished, tmp_path):
    """A file stands where the folder should be."""
    (tmp_path / "file").write_text("x")

    with pytest.raises(NotPermitted, match="file"):
        declarative.export(furnished, tmp_path / "file")


def test_files_from_before_a_renaming_are_refused_with_the_new_name(furnished, folder):
    """Even where images that no file names are to go: it is the same image, and it stays."""
    set_details(furnished, "Lab PE x64", name="Lab PE of room 4")
    (folder / "assignments.toml").unlink()
    with pytest.raises(InvalidInput, match='"Lab PE x64" does not exist') as refused:
        declarative.apply(furnished, folder, prune=True)

    assert '"Lab PE of room 4"' in refused.value.hint
    assert images.get_image(furnished, "Lab PE of room 4").comment == "a comment"
