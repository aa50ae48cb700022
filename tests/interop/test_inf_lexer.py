"""Our reading of INFs beside setupapi's (Wine 10's): sections, lines, keys and fields."""

import re
from pathlib import Path

import pytest

from netboot.formats.inf.lexer import cut
from netboot.formats.inf.strings import Strings
from tests.support.wine import WindowsPc, compiled, missing

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(bool(missing()), reason=missing()),
]

FOLDER_ID = re.compile(rb"%(\x00?(?:\d\x00?)+)%")
"""Windows replaces the ids of folders; they are none of the lexer's business."""

SAMPLES = sorted((Path(__file__).parents[1] / "samples" / "inf").glob("*.inf"))
MADE = {
    "comments": '[A]\r\nx = 1 ; one\r\n; y = 2\r\nz = "a;b" ; c\r\n[B] ; more\r\nw\r\n',
    "quotes": '[A]\r\nx = "say ""hi""", "a,b" , "" , plain\r\n"k e y" = "v"\r\n',
    "continued": "[A]\r\nx = 1, \\\r\n  2, \\ ; why\r\n  3\r\nC:\\path\\file.sys,,,1\r\n",
    "sections twice": "[A]\r\nx=1\r\n[b]\r\ny=2\r\n[a]\r\nz=3\r\n",
    "blanks": "  [A]  \r\n\t x\t=\t 1 , 2 \r\n\r\n \r\ny\r\n",
    "strings": "[A]\r\n%x% = %y%, a%x%b, %%, %none%, 100%%\r\n"
    '[Strings]\r\nx = "one"\r\nY = two\r\n',
    "empty fields": "[A]\r\nHKR,,Name,,value\r\nx = ,\r\ny =\r\n,,\r\n",
    "letters": '[A]\r\nd = "Gerät – 装置"\r\n',
}


@pytest.fixture(scope="module")
def pc(tmp_path_factory) -> WindowsPc:
    made = WindowsPc(tmp_path_factory.mktemp("setupapi") / "pc")
    compiled("inf_lines.c", made.system / "inf_lines.exe", "setupapi")
    return made


def read_by_setupapi(pc: WindowsPc, data: bytes) -> dict[str, list[tuple[str, list[str]]]]:
    """Key and fields of each line, by section."""
    (pc.home / "c" / "a.inf").write_bytes(data)
    ended = pc.run("inf_lines.exe", r"C:\a.inf")
    assert ended.code == 0, ended.output
    sections: dict[str, list[tuple[str, list[str]]]] = {}
    for line in ended.output.splitlines():
        _, *words = line.split(" ")
        section, key, *fields = (text_of(word) for word in words)
        sections.setdefault(section.lower(), []).append((key, fields))
    return sections


def text_of(word: str) -> str:
    return bytes.fromhex(word.removeprefix(".")).decode("utf-16-be")


def read_by_us(data: bytes) -> dict[str, list[tuple[str, list[str]]]]:
    sections = cut(data)
    strings = Strings(sections)
    result = {}
    for name in sections.lines:
        lines = []
        for entry in sections.entries(name):
            fields = [strings.expand(field) for field in entry.values]
            # Windows hands out the only field of a line as its key too.
            key = strings.expand(entry.key) or (fields[0] if len(fields) == 1 else "")
            lines.append((key, fields))
        if lines:
            result[name] = lines
    return result


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_real_inf_is_read_as_setupapi_reads_it(pc, path):
    """Every line of every section."""
    data = FOLDER_ID.sub(rb"<\1>", path.read_bytes())

    assert read_by_us(data) == read_by_setupapi(pc, data)


@pytest.mark.parametrize("text", MADE.values(), ids=MADE.keys())
def test_each_rule_of_the_syntax_is_that_of_setupapi(pc, text):
    """In UTF-16, so that no code page matters."""
    data = ("[Version]\r\nSignature=$CHICAGO$\r\n" + text).encode("utf-16")

    assert read_by_us(data) == read_by_setupapi(pc, data)
