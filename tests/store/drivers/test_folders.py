"""netboot.store.drivers.folders: folders and archives of drivers, as people make them."""

import os
from contextlib import contextmanager

import pytest

from netboot.errors import InvalidInput, Quarantined
from netboot.store.drivers import folders as driver_folders
from netboot.store.drivers.folders import (
    ImportedDriver,
    RefusedInf,
    driver_source,
    read_driver,
)
from tests.images.drivers.packages import inf_text, package_files
from tests.store.foreign.hostile_archives import cab_of, zip_of


def write(folder, files):
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def prefixed(prefix, files):
    return {f"{prefix}/{name}": data for name, data in files.items()}


def results_of(source):
    return (read_driver(source, name) for name in source.infs)


def read(path, tmp_path):
    with driver_source(path, scratch=tmp_path / "scratch") as source:
        return list(results_of(source))


TREE = {
    **prefixed("net", package_files("acme")),
    **prefixed("storage/x64", package_files("disky", ids=("PCI\\VEN_1000&DEV_0030",))),
    "readme.txt": b"hello",
}


@contextmanager
def packed_as(kind, folder):
    """TREE as a folder, ZIP, CAB or self-extracting program."""
    if kind == "folder":
        yield write(folder / "tree", TREE)
        return
    path = folder / f"pack.{kind}"
    slashed = {name.replace("/", "\\"): data for name, data in TREE.items()}
    stub = b"MZ" + bytes(1000)
    path.write_bytes(
        {
            "zip": lambda: zip_of(TREE),
            "cab": lambda: cab_of(slashed),
            "exe": lambda: stub + cab_of(slashed),
        }[kind]()
    )
    yield path


@pytest.mark.parametrize("kind", ["folder", "zip", "cab", "exe"])
def test_the_same_drivers_from_anywhere(tmp_path, kind):
    """A driver is the same whether it comes in a folder or in an archive."""
    with packed_as(kind, tmp_path) as path:
        results = read(path, tmp_path)
    assert [result.source for result in results] == ["net/acme.inf", "storage/x64/disky.inf"]
    plain = read(write(tmp_path / "plain", TREE), tmp_path)
    assert [result.driver for result in plain] == [result.driver for result in results]
    assert [result.driver.findings for result in results] == [(), ()]


@pytest.mark.parametrize("kind", ["folder", "zip", "cab"])
def test_files_are_handed_over_with_their_bytes(tmp_path, kind):
    """Each file of a driver comes with a path where its bytes lie while the source is open."""
    with (
        packed_as(kind, tmp_path) as path,
        driver_source(path, scratch=tmp_path / "scratch") as source,
    ):
        for result in results_of(source):
            folder = result.source.rpartition("/")[0]
            assert {f"{folder}/{file.path}" for file, _ in result.files} <= set(TREE)
            for file, where in result.files:
                assert TREE[f"{folder}/{file.path}"] == where.read_bytes()
    assert list((tmp_path / "scratch").glob("*")) == []


def test_a_single_inf(tmp_path):
    """Only that INF is read, with the files that lie below its folder."""
    write(tmp_path / "d", package_files("acme") | package_files("other"))
    (result,) = read(tmp_path / "d" / "acme.inf", tmp_path)
    assert (result.source, result.driver.findings) == ("acme.inf", ())


def test_infs_are_in_order(tmp_path):
    with driver_source(write(tmp_path / "t", TREE), scratch=tmp_path / "s") as source:
        assert source.infs == ("net/acme.inf", "storage/x64/disky.inf")


def test_results_come_one_by_one(tmp_path):
    """The first driver is there before the second INF was read."""
    folder = write(tmp_path / "t", TREE)
    with driver_source(folder, scratch=tmp_path / "s") as source:
        results = results_of(source)
        first = next(results)
        (folder / "storage/x64/disky.inf").write_bytes(b"no INF any more")
        second = next(results)
    assert isinstance(first, ImportedDriver)
    assert isinstance(second, RefusedInf)


def test_refused_infs_do_not_stop_the_others(tmp_path):
    """Each with its reason, the good ones beside them."""
    files = package_files("acme") | {
        "bad.inf": b"\0\1\2",
        "filter.inf": b'[Version]\nSignature="$Windows NT$"\n[DefaultInstall]\n',
        "huge.inf": b" " * (5 << 20),
        "template.inx": inf_text("template", targets=("NT$ARCH$",)).encode(),
    }
    results = {}
    for result in read(write(tmp_path / "t", files), tmp_path):
        name = result.source if isinstance(result, ImportedDriver) else result.path
        results[name] = "" if isinstance(result, ImportedDriver) else result.reason
    assert results == {
        "acme.inf": "",
        "bad.inf": "not an INF: it has no [Version] section",
        "filter.inf": "not PnP: it has a [DefaultInstall] section and no [Manufacturer]",
        "huge.inf": "an INF larger than 4 MiB",
        "template.inx": "not built: 'NT$ARCH$' is a placeholder for the build",
    }


def test_a_shared_program_is_read_once(tmp_path, monkeypatch):
    """Fifty INFs beside one program hash it once."""
    files = {f"{n}.inf": inf_text("acme", ids=(f"PCI\\VEN_{n:04X}",)).encode() for n in range(50)}
    files |= {"acme.sys": package_files()["acme.sys"], "acme.cat": b"c"}
    asked = []
    examine = driver_folders.examine

    def counting(path, name):
        asked.append(name)
        return examine(path, name)

    monkeypatch.setattr(driver_folders, "examine", counting)
    assert len(read(write(tmp_path / "t", files), tmp_path)) == 50
    assert (asked.count("acme.sys"), len(asked)) == (1, 52)


def test_duplicates_have_one_digest(tmp_path):
    """The same package in two folders is one driver; another program is another driver."""
    changed = package_files() | {"acme.sys": package_files()["acme.sys"] + b"new"}
    tree = {
        **prefixed("a", package_files()),
        **prefixed("b", package_files()),
        **prefixed("c", changed),
    }
    one, same, other = (r.driver.digest for r in read(write(tmp_path / "t", tree), tmp_path))
    assert (one == same, one == other) == (True, False)


def test_links_are_not_followed(tmp_path):
    """Neither for an INF nor for its files, nor into another folder."""
    outside = write(tmp_path / "outside", package_files("far"))
    folder = write(tmp_path / "t", package_files())
    (folder / "acme.sys").unlink()
    (folder / "acme.sys").symlink_to(outside / "far.sys")
    (folder / "far.inf").symlink_to(outside / "far.inf")
    (folder / "more").symlink_to(outside)
    first, second = read(folder, tmp_path)
    assert first.driver.missing == ("acme.sys",)
    assert second == RefusedInf("far.inf", "a link or a special file, which is not followed")


def test_special_files_are_not_opened(tmp_path):
    """A pipe would block whoever reads it."""
    folder = write(tmp_path / "t", package_files())
    (folder / "acme.sys").unlink()
    os.mkfifo(folder / "acme.sys")
    (result,) = read(folder, tmp_path)
    assert result.driver.missing == ("acme.sys",)


def test_names_that_differ_in_case_are_not_used(tmp_path):
    """Which one Windows would take nobody knows."""
    folder = write(tmp_path / "t", package_files() | {"ACME.SYS": b"another"})
    (result,) = read(folder, tmp_path)
    assert result.driver.missing == ("acme.sys",)
    write(folder, {"Acme.INF": b"another"})
    reasons = {result.path: result.reason for result in read(folder, tmp_path)}
    assert {"Acme.INF", "acme.inf"} == reasons.keys()
    assert all("differ only in case" in reason for reason in reasons.values())


@pytest.mark.parametrize("name", ["empty", "file.txt", "nothing.zip"])
def test_nothing_to_import(tmp_path, name):
    """A folder, archive or file without an INF is refused with a hint."""
    path = tmp_path / name
    if name == "empty":
        path.mkdir()
    else:
        path.write_bytes(zip_of({"readme.txt": b"x"}) if name.endswith("zip") else b"text")
    with pytest.raises(InvalidInput) as raised:
        read(path, tmp_path)
    assert raised.value.hint


def test_archives_inside_are_named_in_the_hint(tmp_path):
    """They stay shut, and the operator is told which one to import."""
    path = tmp_path / "outer.zip"
    path.write_bytes(zip_of({"inner/driver.cab": b"MSCF"}))
    with pytest.raises(InvalidInput) as raised:
        read(path, tmp_path)
    assert "inner/driver.cab" in raised.value.hint


def test_what_is_not_there(tmp_path):
    """A wrong path is the operator's mistake."""
    with pytest.raises(InvalidInput, match="does not exist"):
        read(tmp_path / "nowhere", tmp_path)


def test_a_hostile_archive_is_quarantined(tmp_path):
    """Nothing of it is imported, not even its good INF."""
    path = tmp_path / "evil.zip"
    path.write_bytes(zip_of(package_files() | {"../../evil.inf": b"x"}))
    with pytest.raises(Quarantined):
        read(path, tmp_path)


def test_an_unpacked_archive_is_removed_when_the_reader_stops(tmp_path):
    """Closing early cleans up too."""
    with packed_as("zip", tmp_path) as path:
        opened = driver_source(path, scratch=tmp_path / "scratch")
        source = opened.__enter__()
        next(results_of(source))
        assert list((tmp_path / "scratch").iterdir())
        assert not opened.__exit__(RuntimeError, RuntimeError("enough"), None)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_catalog_file_that_knows_the_package_is_said_to(tmp_path):
    """INF and programs were found among its members."""
    (result,) = read(write(tmp_path / "t", package_files()), tmp_path)

    assert (result.driver.findings, result.driver.catalog_checked) == ((), True)


def test_a_changed_program_does_not_match_its_catalog_file(tmp_path):
    """The catalog file still knows the old one."""
    files = package_files()
    files["acme.sys"] = files["acme.sys"] + b"changed!"
    (result,) = read(write(tmp_path / "t", files), tmp_path)
    assert result.driver.findings == ("acme.sys does not match the catalog file acme.cat.",)


def test_a_catalog_file_that_cannot_be_read(tmp_path):
    """Nobody knows what it vouches for; the driver is imported all the same."""
    files = package_files() | {"acme.cat": b"text"}
    (result,) = read(write(tmp_path / "t", files), tmp_path)
    assert result.driver.findings == (
        "The catalog file acme.cat cannot be read (a truncated catalog file).",
    )
    assert (result.driver.catalog_file, result.driver.catalog_checked) == ("acme.cat", False)


def test_what_cannot_be_opened_is_refused_by_its_name(tmp_path):
    """A pipe, a link to itself, a name that is too long, a place below a file."""
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    for name in ("none", "loop", "pipe", "x" * 300, "file/below"):
        with (
            pytest.raises(InvalidInput, match=name),
            driver_source(tmp_path / name, scratch=tmp_path / "scratch"),
        ):
            pass
