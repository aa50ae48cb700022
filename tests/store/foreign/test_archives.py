"""netboot.store.foreign.archives: what is opened, and what is left shut."""

import stat
from os import urandom
from resource import RUSAGE_SELF, getrusage
from time import monotonic

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netboot.errors import InvalidInput, Quarantined
from netboot.store.foreign.archives import check_name, check_table, kind, unpacked
from netboot.store.foreign.unpackers import Limits
from tests.store.foreign.hostile_archives import (
    STORED,
    cab_of,
    zip_of,
    zip_of_shared_bytes,
    zip_that_lies,
    zip_with_mode,
)

SMALL = Limits(entries=50, total=200_000, entry=100_000, ratio_from=50_000)


def contents(tmp_path, data, limits=SMALL, name="archive.zip"):
    """Names and bytes of an archive; whatever happens, nothing is left behind."""
    archive = tmp_path / name
    archive.write_bytes(data)
    scratch = tmp_path / "scratch"
    try:
        with unpacked(archive, scratch, limits) as files:
            for file in files:
                assert (True, file.size) == (
                    file.path.resolve().is_relative_to(scratch),
                    file.path.stat().st_size,
                )
            return {file.name: file.path.read_bytes() for file in files}
    finally:
        assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"PK\3\4", "zip"),
        (b"MSCF", "cab"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        (b"MZ", "exe"),
        (b"\xd0\xcf\x11\xe0", ""),
        (b"", ""),
    ],
)
def test_kinds_by_their_first_bytes(tmp_path, head, what):
    """The name of a file says nothing."""
    path = tmp_path / "x.zip"
    path.write_bytes(head)
    assert what == kind(path)


@pytest.mark.parametrize("method", [STORED, 8])
def test_a_zip_gives_its_files(tmp_path, method):
    """Folders, blanks and letters of any kind; both kinds of slash."""
    files = {"a/b.inf": b"one", "c d\\ü.sys": b"two", "./e.txt": b""}
    assert contents(tmp_path, zip_of(files, method=method)) == {
        "a/b.inf": b"one",
        "c d/ü.sys": b"two",
        "e.txt": b"",
    }


def test_a_self_extracting_zip(tmp_path):
    """A program with a ZIP behind it is opened as the ZIP."""
    data = b"MZ" + bytes(600) + zip_of({"a.inf": b"one"})
    assert contents(tmp_path, data, name="setup.exe") == {"a.inf": b"one"}


HOSTILE_NAMES = [
    *("../a", "a/../../b", "..\\a", "a\\..\\..\\b", "/etc/passwd", "\\Windows\\x", "C:\\x", "c:x"),
    *("a/..", "..", "\\\\server\\share\\x", "//server/x", "a\0b", "a\nb", "a\x1bb", "a\x7fb"),
    *("x" * 401, "a:stream", "./../x", "a//../../x", "file:///etc/passwd"),
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_that_lead_out_are_refused(tmp_path, name):
    """Above, absolute, on another drive, in a stream, with control characters."""
    with pytest.raises(Quarantined):
        check_name(name)
    with pytest.raises(Quarantined):
        contents(tmp_path, zip_of({"good.inf": b"x", name: b"y"}))


@pytest.mark.parametrize("name", ["", ".", "./.", ".\\."])
@pytest.mark.parametrize("packed", [zip_of, cab_of])
def test_an_entry_without_a_name_is_refused(tmp_path, packed, name):
    """By a message with the name of the file; a file there would be the folder itself."""
    with pytest.raises(Quarantined, match="an entry has no name"):
        check_name(name)
    with pytest.raises(InvalidInput, match=r"pack\.zip"):
        contents(tmp_path, packed({"good.inf": b"x", name: b"y"}), name="pack.zip")


def test_folders_are_no_files(tmp_path):
    """Nor is the archive's own folder; some programs end theirs with a backslash."""
    files = {"./": b"", "d/": b"", "e\\": b"", "d/a.inf": b"x"}

    assert contents(tmp_path, zip_of(files)) == {"d/a.inf": b"x"}


@pytest.mark.parametrize(
    "data",
    [
        b"no archive at all",
        zip_of({"../a": b"x"}),
        zip_of({f"{n}": b"" for n in range(60)}),
        zip_of({"a": b"x"})[:-30],
        b"MSCF" + bytes(60),
        b"7z\xbc\xaf\x27\x1c" + bytes(60),
        b"MZ" + bytes(60),
    ],
    ids=["none", "outside", "too many", "cut", "cab", "7z", "exe"],
)
def test_a_refusal_names_the_file(tmp_path, data):
    """Whatever is wrong: there may be many files."""
    with pytest.raises(InvalidInput, match=r"vendor pack\.bin"):
        contents(tmp_path, data, name="vendor pack.bin")


@pytest.mark.parametrize(
    "mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK]
)
def test_only_ordinary_files(tmp_path, mode):
    """Links, devices and pipes are no drivers."""
    with pytest.raises(Quarantined, match="an entry is not a regular file"):
        contents(tmp_path, zip_with_mode("a.sys", mode | 0o777, b"/etc/passwd"))


def test_names_that_differ_in_case_are_refused(tmp_path):
    """Windows could not hold both."""
    with pytest.raises(Quarantined, match="case"):
        contents(tmp_path, zip_of({"a/B.sys": b"1", "A/b.SYS": b"2"}))


@pytest.mark.parametrize(
    ("table", "packed", "word"),
    [
        ([(f"{n}", 1) for n in range(51)], 9999, "50 entries"),
        ([("a", 100_001)], 99_999, "a file of"),
        ([("a", 90_000), ("b", 90_000), ("c", 90_000)], 99_999, "MiB when extracted"),
        ([("a", 60_000)], 2999, "20 times"),
    ],
)
def test_tables_that_say_too_much(table, packed, word):
    """Entries, one file, all files, and what they grow by."""
    with pytest.raises(Quarantined, match=word):
        check_table(table, packed, SMALL)


def test_a_small_archive_may_grow(tmp_path):
    """The factor counts only from some size on."""
    check_table([("a", 50_000)], 100, SMALL)


BOMBS = {
    "one entry of a gigabyte": lambda: zip_of({"a": bytes(1 << 20)}, method=8),
    "says less than it is": lambda: zip_that_lies(bytes(10 << 20), 1000),
    "says more than it is": lambda: zip_that_lies(bytes(1000), 1 << 30),
    "entries that share their bytes": lambda: zip_of_shared_bytes(40, 4000),
    "sixty-five thousand entries": lambda: zip_of_shared_bytes(65_535, 10),
    "a hundred thousand entries": lambda: zip_of_shared_bytes(100_000, 10),
    "a cabinet that grows": lambda: cab_of({"a.sys": bytes(150_000)}),
    "a cabinet with many files": lambda: cab_of({f"{n}.sys": b"x" for n in range(60)}),
    "a cabinet that says more": lambda: cab_of({"a.sys": b"x"}, said=1 << 31),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_do_not_go_off(tmp_path, name):
    """Refused within seconds, within little memory and with nothing left on the disk."""
    data = BOMBS[name]()
    before = getrusage(RUSAGE_SELF).ru_maxrss
    began = monotonic()
    with pytest.raises((Quarantined, InvalidInput)):
        contents(tmp_path, data)
    assert monotonic() - began < 5
    assert getrusage(RUSAGE_SELF).ru_maxrss - before < 256 << 10


def test_an_archive_in_an_archive_stays_shut(tmp_path):
    """Nested archives are files like any other."""
    inner = zip_of({"deep.inf": b"x"})
    assert {"inner.zip": inner} == contents(tmp_path, zip_of({"inner.zip": inner}))


def test_a_locked_zip(tmp_path):
    """A password is not guessed."""
    data = bytearray(zip_of({"a.inf": b"x"}))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    with pytest.raises(InvalidInput, match="password"):
        contents(tmp_path, bytes(data))


@pytest.mark.parametrize("data", [b"", b"no archive", b"PK\3\4 and then nothing", b"MZ"])
def test_what_is_no_archive(tmp_path, data):
    """A hint says what can be opened."""
    with pytest.raises(InvalidInput):
        contents(tmp_path, data)


def test_a_zip_cut_anywhere(tmp_path):
    """At every 16th byte: the whole content or a refusal."""
    data = zip_of({"a.inf": b"text " * 50, "b.sys": bytes(range(256))})
    for cut in range(0, len(data), 16):
        with pytest.raises((InvalidInput, Quarantined)):
            contents(tmp_path, data[:cut])


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_damaged_zip(tmp_path, changes):
    """Whichever bytes are wrong: files, or a refusal with a reason."""
    data = bytearray(zip_of({"a.inf": b"text " * 20, "b.sys": bytes(range(100))}))
    for at, value in changes:
        data[at % len(data)] = value
    try:
        contents(tmp_path, bytes(data))
    except (InvalidInput, Quarantined):
        return


def test_ordinary_limits_let_a_vendor_pack_through(tmp_path):
    """Some megabytes of incompressible files are no bomb."""
    block = urandom(3 << 20)
    files = {f"{n}.sys": block for n in range(5)}
    assert len(contents(tmp_path, zip_of(files), Limits())) == 5
