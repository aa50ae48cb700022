"""Names inside a WIM: ordinary ones pass, tricks are named."""

import pytest

from netboot.formats.wim.names import FINDING_LIMIT, hostile_names


def entries(paths: list[str]) -> list[tuple[str, str]]:
    return [(path, path.rpartition("/")[2]) for path in paths]


def test_ordinary_names_pass():
    """What real images hold is no finding."""
    paths = ["/", "/Windows", "/Windows/System32", "/$Windows.~BT", "/Windows/a b.txt", "/Ünïcode"]

    assert hostile_names(entries(paths)) == []


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        (["/.."], "only dots"),
        (["/Windows/."], "only dots"),
        (["/Windows/"], "empty"),
        (["/a\\b"], "does not allow"),
        (["/a:b"], "does not allow"),
        (["/a\nb"], "does not allow"),
        (["/a\x00b"], "does not allow"),
        (["/dot."], "dot or a space"),
        (["/space "], "dot or a space"),
        (["/aux"], "device"),
        (["/CON.txt"], "device"),
        (["/lpt1"], "device"),
        (["/x\udcff"], "Unicode"),
        (["/Windows", "/WINDOWS"], "except for case"),
        (["/a", "/a"], "twice"),
        (["/" + "a/" * 20_000 + "b"], "longer"),
    ],
)
def test_tricks_are_named(paths: list[str], reason: str):
    """Each trick gives one sentence with the reason and a printable path."""
    (finding,) = hostile_names(entries(paths))

    assert reason in finding
    assert finding.isprintable()


def test_a_flood_of_tricks_is_cut():
    """At most FINDING_LIMIT sentences, however many names are bad."""
    assert len(hostile_names((f"/bad{n}:", f"bad{n}:") for n in range(10_000))) == FINDING_LIMIT


def test_a_slash_inside_a_name_is_found():
    """The path looks ordinary; only the name itself shows the trick."""
    (finding,) = hostile_names([("/Windows/evil", "Windows/evil")])

    assert "does not allow" in finding
