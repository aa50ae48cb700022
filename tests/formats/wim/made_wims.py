"""WIMs of random resources, with header and table; made without wimlib, in no time."""

import hashlib
import random
import struct
from collections.abc import Sequence

from tests.formats.wim.headers import header, resource


def make_wim(sizes: Sequence[int], *, seed: int = 0, without: Sequence[int] = ()) -> bytes:
    """The resources of these sizes one after another, except those with the numbers `without`."""
    dice = random.Random(seed)
    body, table = b"", b""
    for number, size in enumerate(sizes):
        data = dice.randbytes(size)
        if number not in without:
            sha1 = hashlib.sha1(data, usedforsecurity=False).digest()
            table += resource(208 + len(body), size, size) + struct.pack("<HI20s", 1, 1, sha1)
            body += data
    at = 208 + len(body)
    xml = b"<WIM/>" * 10
    head = header(
        blob_table=resource(at, len(table), len(table), 0x2),
        xml=resource(at + len(table), len(xml), len(xml), 0x2),
    )
    return head + body + table + xml
