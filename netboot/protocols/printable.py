r"""Text from outside, made safe for a log line, a page and a terminal."""


def printable(data: bytes) -> str:
    r"""Printable ASCII as it is, any other byte as `\xNN`."""
    text = data.decode("ascii", errors="backslashreplace")
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)


def printable_text(text: str, longest: int) -> str:
    """At most `longest` printable characters; lone surrogates and controls are left out."""
    return "".join(letter for letter in text[: 2 * longest] if letter.isprintable())[:longest]
