"""netboot.formats.inf.lexer: the written rules of INF syntax, one by one."""

import pytest

from netboot.errors import FormatError
from netboot.formats.inf.lexer import MAX_BYTES, MAX_LINES, Entry, cut, decode, split_fields


def entries(text, section="s"):
    return cut(text.encode()).entries(section)


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("\ufeff[ä]\n".encode("utf-16-le"), "utf-16le"),
        ("\ufeff[ä]\n".encode("utf-16-be"), "utf-16be"),
        ("[Version]ä\n".encode("utf-16-le"), "utf-16le"),
        ("[Version]ä\n".encode("utf-16-be"), "utf-16be"),
        ("\ufeff[ä]\n".encode(), "utf-8"),
        ("[ä]\n".encode(), "utf-8"),
        (b"[a]\n", "ascii"),
        ("[ä]\n".encode("cp1252"), "ansi"),
    ],
)
def test_encodings_are_told_apart(data, encoding):
    """Marks, zeros in every other byte, and validity as UTF-8 tell what the bytes are."""
    text, found = decode(data)
    assert (encoding, True) == (found, text.endswith(("]\n", "ä\n")))


def test_lines_end_in_any_of_the_three_ways():
    """CR LF, LF and CR may stand in one file."""
    assert [Entry("a", ("1",)), Entry("b", ("2",)), Entry("c", ("3",))] == entries(
        "[s]\r\na=1\nb=2\rc=3"
    )


def test_section_names_know_no_case_and_merge():
    """The same section twice is one section."""
    assert [Entry("a", ("1",)), Entry("b", ("2",))] == entries("[S]\na=1\n[t]\n[ s ]\nb=2")


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("a = b ; c", Entry("a", ("b",))),
        ('a = "b ; c" ; d', Entry("a", ("b ; c",))),
        ('a = "say ""hello; you""" ; d', Entry("a", ('say "hello; you"',))),
        ('"a=b" = c', Entry("a=b", ("c",))),
        ('"a;b" = c', Entry("a;b", ("c",))),
        ("a = b = c", Entry("a", ("b = c",))),
        ("b, c ,", Entry("", ("b", "c", ""))),
        ("a =", Entry("a", ("",))),
        ('a = "  b "', Entry("a", ("  b ",))),
        ("HKR, Ndi,,, x", Entry("", ("HKR", "Ndi", "", "", "x"))),
        ('a = "unclosed, b', Entry("a", ("unclosed, b",))),
        ('a = x"y,z"w , q', Entry("a", ("xy,zw", "q"))),
    ],
)
def test_a_line_as_key_and_fields(line, entry):
    """Quotes, comments, equals signs and commas."""
    assert [entry] == entries(f"[s]\n{line}\n")


@pytest.mark.parametrize(
    "text",
    [
        'CopyFiles = "Dir\\"\\\n,File',
        'CopyFiles = "Dir\\"\\ ; comment \n ,File',
        "CopyFiles = Dir\\,\\\n   File",
    ],
)
def test_a_backslash_at_the_end_continues(text):
    """The entry goes on in the next line; a comment may follow the backslash."""
    assert [Entry("CopyFiles", ("Dir\\", "File"))] == entries(f"[s]\n{text}\n")


def test_the_first_of_two_backslashes_is_ignored():
    """As the documentation warns, Dir followed by two backslashes loses both."""
    assert [Entry("CopyFiles", ("Dir", "File"))] == entries("[s]\nCopyFiles = Dir\\\\\n,File")


def test_a_continued_line_does_not_swallow_a_section():
    """A path that ends in a backslash leaves the next section alone."""
    sections = cut(b"[s]\n1 = %Disk%,,,\\\n[t]\na=1\n")
    assert ([Entry("1", ("%Disk%", "", "", ""))], [Entry("a", ("1",))]) == (
        sections.entries("s"),
        sections.entries("t"),
    )


def test_an_empty_line_ends_a_continued_one():
    """Continued by nothing, the entry is whole."""
    assert [Entry("a", ("b",)), Entry("c", ("d",))] == entries("[s]\na = b\\\n\nc = d\n")


def test_control_z_ends_the_text():
    """What stands behind Ctrl-Z, from the days of CP/M, is not text."""
    assert [Entry("a", ("1",))] == entries("[s]\na=1\n\x1ab=2\n")


def test_zero_bytes_are_blanks():
    """NUL bytes in an eight-bit file separate nothing and hide nothing."""
    assert [Entry("a", ("1",))] == entries("[s]\n\0a\0=\0 1\0\n")


def test_lost_lines_are_told():
    """Text before the first section and a section without its bracket are findings."""
    sections = cut(b"lost\nlost too\n[a]\nx=1\n[b\ny=2\n")
    assert sections.findings == (
        "3 lines before the first section are ignored.",
        "1 section names have no closing bracket.",
    )


def test_every_translation_is_in_the_code_page_of_its_language():
    """An ANSI file may hold Japanese, Korean, two Chinese and Western text."""
    words = {
        "strings": ("Gerät", "cp1252"),
        "strings.0411": ("ネットワーク表", "cp932"),
        "strings.0412": ("네트워크", "cp949"),
        "strings.0804": ("网络", "gbk"),
        "strings.0404": ("網路", "big5"),
        "strings.0419": ("Сеть", "cp1251"),
        "strings.zz": ("é", "cp1252"),
    }
    data = b"".join(
        f'[{name}]\r\nword = "'.encode() + word.encode(page) + b'"\r\n'
        for name, (word, page) in words.items()
    )
    sections = cut(data)
    assert sections.encoding == "ansi"
    for name, (word, _) in words.items():
        assert [Entry("word", (word,))] == sections.entries(name)


def test_too_much_is_refused():
    """Neither too many bytes nor too many lines are read."""
    with pytest.raises(FormatError, match="4 MiB"):
        cut(b" " * (MAX_BYTES + 1))
    with pytest.raises(FormatError, match="lines"):
        cut(b"\r" * MAX_LINES)
    assert cut(b"\n" * (MAX_LINES - 1)).findings == ()


def test_fields_of_a_long_quoted_line():
    """A line of a hundred thousand quoted fields is cut in one pass."""
    assert len(split_fields('"a""b",' * 100_000)) == 100_001
