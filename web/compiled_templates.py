"""Compiled templates, kept in the data folder: compiling all takes a second of each start."""

from contextlib import suppress
from pathlib import Path

from flask import Flask
from jinja2 import FileSystemBytecodeCache
from jinja2.bccache import Bucket


class CompiledTemplates(FileSystemBytecodeCache):
    """Jinja's own files, by the name and the source of a template, for this Python alone."""

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take a template that was kept; it is compiled again if the file is damaged."""
        try:
            super().load_bytecode(bucket)
        except Exception:  # noqa: BLE001  pickle raises anything for what a power cut left
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template. On a full disk it is compiled again at the next start."""
        with suppress(OSError):
            super().dump_bytecode(bucket)


def keep_compiled(app: Flask, folder: Path) -> None:
    """Let the app use the compiled templates in this folder, which is made if it can be."""
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
    app.jinja_env.bytecode_cache = CompiledTemplates(str(folder))
