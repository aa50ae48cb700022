"""netboot.formats.inf.version: what an INF says about itself."""

import pytest

from netboot.errors import FormatError
from netboot.formats.inf.lexer import cut
from netboot.formats.inf.version import driver_ver, read_version


def version(text):
    return read_version(cut(text.encode()), lambda word: word)


@pytest.mark.parametrize(
    ("words", "date", "number", "complaints"),
    [
        (("11/23/2015", "3008.22.1030.2015"), "2015-11-23", "3008.22.1030.2015", 0),
        (("6/1/2010", "1.2"), "2010-06-01", "1.2", 0),
        (("06-22-2010", "6.1.7065.0"), "2010-06-22", "6.1.7065.0", 0),
        (("06/22/2010",), "2010-06-22", "", 0),
        (("20/11/2017", "1.0.0.0"), "", "1.0.0.0", 1),
        (("02/30/2017", "1.0.0.0"), "", "1.0.0.0", 1),
        (("11/23/2015", "one"), "2015-11-23", "", 1),
        (("", ""), "", "", 1),
        ((), "", "", 1),
        (("\u0660\u0661/\u0660\u0661/2020", "1.0"), "", "1.0", 1),
    ],
)
def test_driver_ver(words, date, number, complaints):
    """Month first; what cannot be read is a finding and not a guess."""
    found_date, found_number, findings = driver_ver(words)
    assert (date, number, complaints) == (found_date, found_number, len(findings))


def test_catalogs_by_architecture():
    """A decorated catalog file goes before the general one, its architecture before NT."""
    found = version(
        '[Version]\nSignature="$Windows NT$"\nCatalogFile=all.cat\nCatalogFile.nt=nt.cat\n'
        "CatalogFile.NTamd64=x64.cat\nDriverVer=1/1/2020,1.0"
    )
    assert (found.catalog("amd64"), found.catalog("x86")) == ("x64.cat", "nt.cat")
    assert found.findings == ()


@pytest.mark.parametrize("signature", ["$Windows NT$", "$CHICAGO$", '"$WINDOWS nt$"'])
def test_signatures_of_windows(signature):
    """Any case, quoted or not."""
    text = f"[version]\nsignature={signature}\nClassGuid={{4D36E972-E325-11CE-BFC1-08002BE10318}}\n"
    assert version(text).class_guid == "4d36e972-e325-11ce-bfc1-08002be10318"


@pytest.mark.parametrize(
    "text", ["", "[Versions]\na=b", "[Version]\nSignature=$Linux$", "[Version]"]
)
def test_what_is_no_inf(text):
    """Without [Version] and Windows' signature it is no INF."""
    with pytest.raises(FormatError, match="not an INF"):
        version(text)


def test_a_bad_class_guid_is_a_finding():
    """It is told, and not used."""
    found = version('[Version]\nSignature="$Windows NT$"\nClassGuid=net\nDriverVer=1/1/2020,1')
    assert (found.class_guid, found.findings) == ("", ("ClassGuid is not a GUID: 'net'.",))
