"""The scripts for Windows, as far as they can be tried without Windows.

PowerShell's is parsed by a grammar of that language, and what it tells bcdedit is read out of its
syntax tree; cmd's out of its lines. Both are carried out by a model of bcdedit as Microsoft
documents it, and what comes out is compared with the boot configuration of media.
"""

import re
import shlex

import pytest
import tree_sitter_powershell
from regipy.registry import RegistryHive
from tree_sitter import Language, Parser

from netboot.formats.bcd import LOADER, RAMDISK_OPTIONS
from netboot.images.media.plan import Carried, media_bcd
from netboot.store.media.disk_scripts import windows_scripts
from tests.images.media.test_disk_package import WINDOWS
from tests.support.bcdedit import Refused, Store

NX = "25000020"
LOCALE = "12000005"
DEVICES = {"11000001", "21000001", "31000003"}
DRIVE = "C:"
IMAGE = r"ramdisk=[C:]\NetBoot\boot.wim,{ramdiskoptions}"


@pytest.fixture(scope="module")
def scripts():
    """Both scripts with their values."""
    return windows_scripts(WINDOWS)


@pytest.fixture(scope="module")
def tree(scripts):
    """The syntax tree of PowerShell's."""
    parser = Parser(Language(tree_sitter_powershell.language()))
    return parser.parse(scripts["netboot-disk.ps1"].encode("ascii")).root_node


def below(node):
    yield node
    for child in node.children:
        yield from below(child)


def text_of(node):
    return node.text.decode("ascii")


def function(tree, name):
    for node in below(tree):
        if node.type == "function_statement" and name in [text_of(one) for one in node.children]:
            return node
    raise AssertionError(f"no function {name}")


def functions(tree):
    names = [
        text_of(next(one for one in node.children if one.type == "function_name"))
        for node in below(tree)
        if node.type == "function_statement"
    ]
    return set(names)


def commands(node):
    """What a part of the script tells bcdedit: words, with the script's variables in them."""
    return [
        [
            text_of(leaf).strip("'\"")
            for leaf in below(command)
            if leaf.type in {"string_literal", "variable"}
            and leaf.parent.type != "expandable_string_literal"
        ]
        for command in below(node)
        if command.type == "command" and text_of(command).startswith("Invoke-Bcdedit")
    ]


def lines(script, begin, end):
    """What a part of cmd's script tells bcdedit, without what is done with the answer."""
    part = script.partition(f"\n:{begin}\n")[2].partition(f"\n:{end}\n")[0]
    found = []
    for told in re.findall(
        r"bcdedit (/(?:create|set|displayorder|bootsequence|delete)[^\n]*)", part
    ):
        words = re.split(r" >nul| \|\||'\)", told)[0]
        lexer = shlex.shlex(words, posix=True)
        lexer.whitespace_split, lexer.escape = True, ""
        found.append(list(lexer))
    return found


def carried_out(told, store, values):
    """Give bcdedit these commands; what it names as the new entry is used from there on."""
    for words in told:
        filled = [substitute(word, values) for word in words]
        said = store.run(*filled) or ""
        if created := re.search(r"\{[0-9a-f-]{36}\}", said):
            values |= {"$entry": created[0], "%ENTRY%": created[0], "%%E": created[0]}
    return store


def substitute(word, values):
    for name, value in sorted(values.items(), key=lambda item: -len(item[0])):
        word = word.replace(name, value)
    return word


def values_of():
    return {
        "$drive": DRIVE,
        "%SystemDrive%": DRIVE,
        "$Options": "{ramdiskoptions}",
        "%OPTIONS%": "{ramdiskoptions}",
        "$Label": "PE x64 v7",
        "%LABEL%": "PE x64 v7",
        "$device": IMAGE,
        "%DEVICE%": IMAGE,
        "$loader": WINDOWS.loaders[1],
        "%LOADER%": WINDOWS.loaders[1],
    }


@pytest.fixture(params=["netboot-disk.ps1", "netboot-disk.cmd"])
def told(request, scripts, tree):
    """(what installs, what takes back) of each script."""
    if request.param.endswith("ps1"):
        return commands(function(tree, "Add-Entry")), commands(function(tree, "Undo-Entry"))
    script = scripts[request.param]
    return lines(script, "install", "undo"), lines(script, "takeback", "administrator")


def test_powershells_grammar_finds_no_fault(tree):
    """Nothing is left over, nothing is missing, and every function that is called is there."""
    faults = [text_of(node)[:80] for node in below(tree) if node.type == "ERROR" or node.is_missing]
    called = {
        text_of(node)
        for node in below(tree)
        if node.type == "command_name" and re.match(r"(Assert|Undo|Add-Entry|Stop-Here|Invoke-B)",
                                                    text_of(node))
    }  # fmt: skip

    assert faults == []
    assert called
    assert called - {"Add-Content"} <= functions(tree)


def test_both_scripts_tell_bcdedit_the_same(scripts, tree):
    """In the same order; they differ in the names of their variables only."""
    script = scripts["netboot-disk.cmd"]
    entry = dict.fromkeys(("$entry", "%ENTRY%", "%%E"), "{entry}")

    def said(told):
        return [[substitute(word, values_of() | entry) for word in words] for words in told]

    assert said(lines(script, "install", "undo")) == said(commands(function(tree, "Add-Entry")))
    taken_back = said(lines(script, "takeback", "administrator"))
    assert taken_back == said(commands(function(tree, "Undo-Entry")))


def test_bcdedit_makes_of_it_what_media_have(told, tmp_path):
    """Element by element, but for the drive, and a locale that bcdedit needs no word for."""
    store = carried_out(told[0], Store(), values_of())
    (tmp_path / "BCD").write_bytes(
        media_bcd([Carried(version=WINDOWS.version, loaders=WINDOWS.loaders)], is_uefi=True)
    )
    objects = {
        key.name: {
            element.name: next(iter(element.iter_values())).value
            for element in key.get_subkey("Elements").iter_subkeys()
        }
        for key in RegistryHive(str(tmp_path / "BCD")).get_key("\\Objects").iter_subkeys()
    }
    (loader,) = store.next_start
    made, media = store.entries[loader], objects[f"{{{LOADER}}}"]

    assert set(media) - {LOCALE} == set(made) - {NX}
    assert IMAGE == made["11000001"] == made["21000001"]
    for element in set(made) - DEVICES - {NX}:
        value = media[element]
        expected = {"01": True, "00": False, b"\1": True, b"\0": False}.get(value, value)
        assert made[element] == expected, element
    options = store.entries[RAMDISK_OPTIONS]
    assert options["31000003"] == "partition=C:"
    assert options["32000004"] == r"\NetBoot\boot.sdi"
    assert set(objects[f"{{{RAMDISK_OPTIONS}}}"]) == set(options)


@pytest.mark.parametrize("started", [False, True])
def test_removal_leaves_the_store_as_it_was(told, started):
    """Well-known entries go by force only; what was not started yet does not start any more."""
    values = values_of()
    store = carried_out(told[0], Store(), values)
    if started:
        store.next_start.clear()
    for words in told[1]:
        try:
            carried_out([words], store, values)
        except Refused:
            assert words[0] == "/bootsequence", words  # tried, and not needed
    assert Store() == store


def test_the_model_refuses_what_bcdedit_refuses():
    """Or the tests above would say nothing."""
    store = Store()
    store.run("/create", "{ramdiskoptions}", "/d", "NetBoot")
    for words in (
        ("/delete", "{ramdiskoptions}"),
        ("/create", "{ramdiskoptions}", "/d", "again"),
        ("/set", "{ramdiskoptions}", "winpe", "yes"),
        ("/set", "{7619dcc9-fafe-11d9-b411-000476eba25f}", "winpe", "yes"),
        ("/create", "/d", "x", "/application", "loader"),
    ):
        with pytest.raises(Refused):
            store.run(*words)
