"""Compiled templates, kept in the data folder: compiling all takes a second of each start."""

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

_SUM = sha256().digest_size


class CompiledTemplates(BytecodeCache):
    """Jinja's bytecode for the name and source of a template, with a sum.

    Jinja unpickles what it reads, which for a file that a power cut left may end in any error.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take a template that was kept; it is compiled if there is none, or a damaged one."""
        try:
            kept = (self._folder / bucket.key).read_bytes()
        except OSError:
            return
        if sha256(kept[_SUM:]).digest() == kept[:_SUM]:
            bucket.bytecode_from_string(kept[_SUM:])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template. On a full disk it is compiled again at the next start."""
        compiled = bucket.bytecode_to_string()
        new = self._folder / f"{bucket.key}.{os.getpid()}"
        try:
            new.write_bytes(sha256(compiled).digest() + compiled)
            new.replace(self._folder / bucket.key)
        except OSError:
            with suppress(OSError):
                new.unlink(missing_ok=True)


def keep_compiled(app: Flask, folder: Path) -> None:
    """Let the app use the compiled templates in this folder, which is made if it can be."""
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
    app.jinja_env.bytecode_cache = CompiledTemplates(folder)
