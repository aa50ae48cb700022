"""netboot.formats.inf.strings: tokens, translations, and words that bite."""

import pytest

from netboot.errors import FormatError
from netboot.formats.inf.lexer import cut
from netboot.formats.inf.strings import DEPTH, MAX_TOTAL, Strings


def strings(text):
    return Strings(cut(text.encode()))


def test_tokens_know_no_case():
    """%Vendor% and %VENDOR% are one token."""
    words = strings('[Strings]\nVendor = "Red Hat, Inc."\n')
    assert words.expand("%VENDOR% and %vendor%") == "Red Hat, Inc. and Red Hat, Inc."


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("%%SystemRoot%%\\x", "%SystemRoot%\\x"),
        ("100%", "100%"),
        ("100 %% of %a%", "100 % of A"),
        ("%unknown%", "%unknown%"),
        ("%12%\\x.sys", "%12%\\x.sys"),
        ("%a%%a%", "AA"),
        ("%chain%", "A"),
        ("%percent%", "50%"),
    ],
)
def test_percent_signs(text, expanded):
    """Two percent signs are one, and what is no token stays as it is."""
    words = strings('[Strings]\na="A"\nchain="%a%"\npercent="50%%"\n')
    assert expanded == words.expand(text)


def test_undefined_tokens_are_collected():
    """Unknown tokens are reported, folder numbers are none."""
    words = strings("[Strings]\n")
    words.expand("%one% %12% %two% %one%")
    assert list(words.undefined) == ["%one%", "%two%"]


def test_neutral_words_come_first_then_english():
    """A translation helps only where the neutral section has no word; English is preferred."""
    words = strings(
        "[Strings.0407]\na=Gerät\nb=Netz\nc=nur deutsch\n[Strings.0409]\na=device\nb=net\n"
        "[Strings]\na=Device\n"
    )
    assert (
        words.expand("%a%"),
        words.expand("%b%"),
        words.expand("%c%"),
    ) == ("Device", "net", "nur deutsch")
    assert words.languages == (0x407, 0x409)


def test_a_token_that_stands_for_itself_ends():
    """A loop is followed to the permitted depth and then left as it is."""
    words = strings('[Strings]\na="x%b%"\nb="y%a%"\n')
    assert words.expand("%a%") == "xy" * (DEPTH // 2) + "%a%"


def test_a_chain_within_the_depth_is_followed():
    """As many steps as are permitted lead to the word."""
    chain = "\n".join(f'a{n}="%a{n + 1}%"' for n in range(DEPTH - 1))
    words = strings(f'[Strings]\n{chain}\na{DEPTH - 1}="end"\n')
    assert words.expand("%a0%") == "end"


@pytest.mark.parametrize(
    "text",
    [
        '[Strings]\na="%b%%b%"\n'
        + "\n".join(
            f'{x}="{"%" + y + "%" + "%" + y + "%"}"'
            for x, y in [("b", "c"), ("c", "d"), ("d", "e")]
        )
        + f'\ne="{"z" * 6000}"\n',
        f'[Strings]\na="{"z" * 70_000}"\n',
    ],
    ids=["doubling", "long"],
)
def test_words_without_measure_are_refused(text):
    """A word may not become longer than 64 KiB, by itself or by doubling."""
    with pytest.raises(FormatError, match="without limit"):
        strings(text).expand("%a%")


def test_many_long_words_are_refused_together():
    """The sum for one INF is limited too; the same words again cost nothing."""
    words = strings(f'[Strings]\na="{"z" * 60_000}"\n')
    for _ in range(5000):
        words.expand("%a%")
    for number in range(MAX_TOTAL // 60_000 - 1):
        words.expand(f"%a%{number}")
    with pytest.raises(FormatError, match="without limit"):
        words.expand("%a%end")
