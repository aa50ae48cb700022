"""Pictures that are nothing but their headers."""


def jpeg(width: int, height: int, *, before: bytes = b"") -> bytes:
    """The start of a baseline JPEG of this size, as far as a reader of headers goes."""
    app = b"\xff\xe0" + (16).to_bytes(2) + b"JFIF\0\1\1\0\0\1\0\1\0\0"
    frame = b"\xff\xc0" + (11).to_bytes(2) + b"\x08" + height.to_bytes(2) + width.to_bytes(2)
    return b"\xff\xd8" + app + before + frame + b"\1\1\x11\0" + b"\xff\xd9"
