"""A registry hive from nothing, read back by two independent readers."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from regipy.registry import RegistryHive

from netboot.formats.hive import (
    DATA_LIMIT,
    REG_BINARY,
    REG_MULTI_SZ,
    Key,
    list_data,
    text_data,
    write_hive,
)


def sample() -> Key:
    root = Key()
    root.key("Select").set_number("Current", 1)
    service = root.key("ControlSet001\\Services\\FBWF")
    service.set_text("Name", "a file filter")
    service.set("Blob", REG_BINARY, bytes(range(100)))
    service.set("List", REG_MULTI_SZ, list_data(("one", "two")))
    service.set("", 1, text_data("unnamed"))
    root.key("controlset001b")
    return root


def saved(tmp_path: Path, root: Key) -> Path:
    path = tmp_path / "hive"
    path.write_bytes(write_hive("ROOT", root, file_name="\\A\\HIVE", at=1_700_000_000))
    return path


def hivexget(path: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["hivexget", path, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.mark.wimlib
def test_libhivex_reads_it(tmp_path: Path):
    """Keys, numbers, texts and lists, by hivexget and hivexsh."""
    path = saved(tmp_path, sample())

    assert hivexget(path, "Select", "Current") == "1"
    assert hivexget(path, "controlset001\\SERVICES\\fbwf", "Name") == "a file filter"
    listed = subprocess.run(
        ["hivexsh", path],
        input="ls\ncd ControlSet001\nls\n",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert listed.split() == ["ControlSet001", "controlset001b", "Select", "Services"]


def test_regipy_reads_it(tmp_path: Path):
    """The same by a reader in Python, with the time and the root's name."""
    hive = RegistryHive(str(saved(tmp_path, sample())))

    assert hive.root.name == "ROOT"
    key = hive.get_key("\\ControlSet001\\Services\\FBWF")
    values = {value.name: value.value for value in key.iter_values()}
    assert values["Name"] == "a file filter"
    assert values["List"] == ["one", "two"]
    assert {child.name for child in hive.root.iter_subkeys()} == {
        *("Select", "ControlSet001", "controlset001b"),
    }


def test_one_tree_gives_one_sequence_of_bytes():
    """No clock and no order of insertion is in the file."""
    reordered = Key()
    reordered.keys = dict(reversed(sample().keys.items()))

    assert write_hive("ROOT", sample()) == write_hive("ROOT", sample())
    assert write_hive("ROOT", sample()) == write_hive("ROOT", reordered)


def test_an_empty_hive_is_two_pages():
    """A base block and one bin."""
    data = write_hive("NewStoreRoot", Key())

    assert len(data) == 8192
    assert (data[:4], data[4096:4100]) == (b"regf", b"hbin")


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=8), st.binary(max_size=300)))
def test_any_values_are_read_back(values: dict[str, bytes]):
    """What was set is found, however long."""
    root = Key()
    for name, data in values.items():
        root.key("K").set(name, REG_BINARY, data)

    data = write_hive("ROOT", root)

    assert len(data) % 4096 == 0
    assert all(value in data for value in values.values() if len(value) > 4)


def test_what_it_cannot_write_is_a_bug_of_the_caller():
    """Too long a value and a name set twice are assertions."""
    key = Key()
    with pytest.raises(AssertionError):
        key.set("x", REG_BINARY, bytes(DATA_LIMIT + 1))
    key.set("x", REG_BINARY, b"")
    with pytest.raises(AssertionError):
        key.set("X", REG_BINARY, b"")
