"""Small ELF files made by hand, for tests: sections and nothing else."""

import struct


def module(**facts: str) -> bytes:
    """A 64-bit file with a .modinfo section, as a kernel module has one."""
    text = b"".join(f"{key}={value}".encode() + b"\0" for key, value in facts.items())
    names = b"\0.modinfo\0.shstrtab\0"
    at_text = 64
    at_names = at_text + len(text)
    at_table = at_names + len(names)
    header = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, at_table, 0, 64, 0, 0, 64, 3, 2)
    rows = [
        struct.pack("<IIQQQQIIQQ", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        struct.pack("<IIQQQQIIQQ", 1, 1, 2, 0, at_text, len(text), 0, 0, 1, 0),
        struct.pack("<IIQQQQIIQQ", 10, 3, 0, 0, at_names, len(names), 0, 0, 1, 0),
    ]
    return header + text + names + b"".join(rows)
