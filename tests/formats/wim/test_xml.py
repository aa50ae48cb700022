"""A WIM's XML: what it tells, and what is refused."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.errors import FormatError
from netboot.formats.wim.xml import filetime_halves, parse_wim_xml

IMAGE = """<WIM><TOTALBYTES>9</TOTALBYTES><IMAGE INDEX="2">
<FILECOUNT>12</FILECOUNT><TOTALBYTES>5000</TOTALBYTES>
<LASTMODIFICATIONTIME><HIGHPART>0x01DA1747</HIGHPART><LOWPART>0xC66D0000</LOWPART>
</LASTMODIFICATIONTIME>
<WINDOWS><ARCH>9</ARCH><EDITIONID>WindowsPE</EDITIONID>
<INSTALLATIONTYPE>WindowsPE</INSTALLATIONTYPE><PRODUCTTYPE>WinNT</PRODUCTTYPE>
<LANGUAGES><LANGUAGE>de-DE</LANGUAGE><LANGUAGE>en-US</LANGUAGE><DEFAULT>de-DE</DEFAULT></LANGUAGES>
<VERSION><MAJOR>10</MAJOR><MINOR>0</MINOR><BUILD>22621</BUILD><SPBUILD>1</SPBUILD></VERSION>
<SYSTEMROOT>WINDOWS</SYSTEMROOT></WINDOWS>
<NAME>Windows Setup (x64)</NAME><DESCRIPTION>one &amp; all</DESCRIPTION></IMAGE></WIM>"""


def encoded(text: str) -> bytes:
    return b"\xff\xfe" + text.encode("utf-16-le")


def test_an_image_is_described():
    """Name, architecture, version, edition and languages come from their elements."""
    image = parse_wim_xml(encoded(IMAGE)).image(2)

    assert image is not None
    assert (image.name, image.description) == ("Windows Setup (x64)", "one & all")
    assert (image.architecture, image.version) == (9, "10.0.22621.1")
    assert (image.edition, image.languages) == ("WindowsPE", ("de-DE", "en-US"))
    assert (image.size, image.file_count, image.system_root) == (5000, 12, "WINDOWS")
    assert image.modified_at == 1_700_000_000


def test_the_default_language_comes_first():
    """In whatever order they are listed."""
    text = IMAGE.replace("<DEFAULT>de-DE", "<DEFAULT>en-US")
    image = parse_wim_xml(encoded(text)).image(2)

    assert image is not None
    assert image.languages == ("en-US", "de-DE")


def test_an_image_without_details_is_described():
    """What the XML does not say is empty, not an error."""
    (image,) = parse_wim_xml(encoded('<WIM><IMAGE INDEX="1"></IMAGE></WIM>')).images

    assert (image.index, image.name, image.architecture) == (1, "", None)
    assert (image.version, image.modified_at) == ("", 0)


def test_an_encrypted_esd_is_recognised():
    """ESD/ENCRYPTED marks what nobody can boot."""
    assert parse_wim_xml(encoded("<WIM><ESD><ENCRYPTED/></ESD></WIM>")).is_encrypted


BOMB = "<!DOCTYPE a [<!ENTITY b0 'x'>" + "".join(
    f"<!ENTITY b{n} '{f'&b{n - 1};' * 10}'>" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (IMAGE.encode(), "UTF-16"),
        (encoded("<WIM><IMAGE>"), "damaged"),
        (encoded("<WIM>")[:-1], "valid UTF-16"),
        (b"\xff\xfe\x00\xd8\x00\xd8", "valid UTF-16"),
        (encoded(BOMB + "]><WIM>&b11;</WIM>"), "document type"),
        (encoded("<!DOCTYPE WIM SYSTEM 'file:///etc/passwd'><WIM/>"), "document type"),
        (encoded("<!DOCTYPE WIM [<!ENTITY a SYSTEM 'http://192.0.2.1/'>]><WIM>&a;</WIM>"), "type"),
        (encoded("<WIM>&undefined;</WIM>"), "damaged"),
        (encoded("<a>" * 40 + "</a>" * 40), "nested"),
        (encoded("<WIM>" + "<a/>" * 60_000 + "</WIM>"), "too many"),
        (b"\xff\xfe" + bytes(17 << 20), "16 MiB"),
    ],
)
def test_tricks_and_wrecks_are_refused_at_once(data: bytes, reason: str):
    """Bombs, declarations and broken text are a FormatError, in little time."""
    began = time.process_time()

    with pytest.raises(FormatError, match=reason):
        parse_wim_xml(data)

    assert time.process_time() - began < 1


@pytest.mark.parametrize("number", ["", "-5", "1e9", "0x", "9" * 30, "٣", " 4 2"])
def test_what_is_no_number_counts_as_nothing(number: str):
    """Numbers that are none give 0 instead of an error."""
    text = f'<WIM><IMAGE INDEX="1"><TOTALBYTES>{number}</TOTALBYTES></IMAGE></WIM>'

    assert parse_wim_xml(encoded(text)).images[0].size == 0


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_any_text_is_read_or_refused(text: str):
    """Reading is total."""
    with contextlib.suppress(FormatError):
        parse_wim_xml(encoded(text))


def test_a_time_is_written_as_it_is_read():
    """HIGHPART and LOWPART of `filetime_halves` give the same time again."""
    high, low = filetime_halves(1_234_567_890)
    text = (
        f'<WIM><IMAGE INDEX="1"><LASTMODIFICATIONTIME><HIGHPART>{high}</HIGHPART>'
        f"<LOWPART>{low}</LOWPART></LASTMODIFICATIONTIME></IMAGE></WIM>"
    )

    assert parse_wim_xml(encoded(text)).images[0].modified_at == 1_234_567_890
