from dataclasses import replace

from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion, DriverInVersion, ManifestFile
from netboot.images.versions.version_change import Change, compare_versions

ONE, TWO = ("sha256:" + digit * 64 for digit in "12")
OLD = ContentVersion(
    image="PE",
    number=1,
    architecture=Architecture.X64,
    recipe_digest=ONE,
    built_at=0.0,
    files=(ManifestFile("boot.wim", ONE, 100), ManifestFile("BCD-bios", ONE, 9)),
    chains=("native",),
    drivers=(DriverInVersion(ONE, "e1000", "1.0"), DriverInVersion(ONE, "vioscsi", "3.0")),
)
NEW = replace(
    OLD,
    number=2,
    files=(ManifestFile("boot.wim", TWO, 120), ManifestFile("BCD-uefi", ONE, 9)),
    drivers=(DriverInVersion(TWO, "e1000", "1.1"), DriverInVersion(ONE, "netkvm", "2.0")),
)
RECIPE = {"source": {"digest": ONE, "index": 1}, "properties": {}}


def test_drivers_and_files_are_compared_by_their_bytes():
    """Added, removed, and of another version; what is the same is not named."""
    change = compare_versions(OLD, NEW, old_recipe=RECIPE, new_recipe=RECIPE)

    assert (change.old, change.new, change.source, change.properties) == (1, 2, None, ())
    assert (
        Change("e1000", "1.0", "1.1"),
        Change("netkvm", "", "2.0"),
        Change("vioscsi", "3.0", ""),
    ) == change.drivers
    assert tuple(file.name for file in change.files) == ("BCD-bios", "BCD-uefi", "boot.wim")
    assert Change("boot.wim", "100 bytes", "120 bytes") == change.files[2]
    assert change.inside is None


def test_properties_and_source_are_named_for_people():
    """Yes and no, short digests, paths of extra files; an older recipe may lack all of it."""
    after = {
        "source": {"digest": TWO, "index": 2},
        "properties": {
            "command_shell": True,
            "scratch_space_mb": 512,
            "background": ONE,
            "extra_files": [{"path": "/a.cmd", "digest": TWO, "size": 3}],
        },
    }
    change = compare_versions(OLD, OLD, old_recipe={}, new_recipe=after)

    assert Change("Source", "", "222222222222, image 2") == change.source
    assert {
        Change("Command prompt at startup", "no", "yes"),
        Change("Scratch space (MB)", "", "512"),
        Change("Background picture", "", "111111111111"),
        Change("Extra files", "", "/a.cmd (22222222)"),
    } == set(change.properties)


def test_a_zero_is_shown_where_it_is_not_the_usual_value():
    """TFTP sizes of 0 leave the choice to the boot manager; the usual ones are 1456 and 4."""
    none = {"properties": {"tftp_block_size": 0, "tftp_window_size": 0, "menu_seconds": 5}}
    change = compare_versions(OLD, OLD, old_recipe={"properties": {}}, new_recipe=none)

    assert {
        Change("TFTP block size (bytes)", "1456", "0"),
        Change("TFTP window size (blocks)", "4", "0"),
        Change("Boot menu timeout (seconds)", "", "5"),
    } == set(change.properties)


def test_paths_in_the_wim_are_compared_where_both_are_listed():
    """One listing alone says nothing."""
    change = compare_versions(
        OLD, NEW, old_recipe=RECIPE, new_recipe=RECIPE, old_files={"/A": "1"}, new_files={"/a": "2"}
    )
    assert (change.inside.changed, change.inside.added_count) == (("/a",), 0)
    half = compare_versions(OLD, NEW, old_recipe=RECIPE, new_recipe=RECIPE, old_files={"/A": "1"})
    assert half.inside is None
