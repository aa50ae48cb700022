"""Uploads over the API: a file in one request; larger files use tus at /uploads/."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import request
from flask_login import current_user  # type: ignore[import-untyped]
from pydantic import BaseModel, Field

from netboot.errors import InvalidInput
from web.api.subject import Order, Subject, Value
from web.guard.access import Role
from web.uploads.tus import shelf

uploads = Subject("uploads", "File uploads: `curl -T boot.wim`, or tus 1.0 at /uploads/.")


class UploadPath(BaseModel):
    """A file by its name on the client."""

    name: str = Field(min_length=1, max_length=255)


class FileUpload(Order):
    """A file that was uploaded before."""

    upload: str = Field(description="The batch of an upload (PUT /api/v1/uploads/{name} or tus).")


class Uploaded(Value):
    """A complete upload; pass `batch` to an import."""

    batch: str
    name: str
    size: int


@uploads.verb("PUT", "/<name>", needs=Role.OPERATOR, status=201)
def upload_file(path: UploadPath) -> Uploaded:
    """Upload a file in one request, with its content as the body."""
    length = request.content_length
    if length is None:
        raise InvalidInput(
            "the length of the file is missing", hint="Send a Content-Length header."
        )
    upload = shelf().create(owner=current_user.id, length=length, name=path.name)
    upload = shelf().append(upload, 0, request.stream)
    if upload.offset != upload.length:
        raise InvalidInput(
            f"only {upload.offset} of {upload.length} bytes were received",
            hint="Send the file again.",
        )
    return Uploaded(batch=upload.batch, name=upload.relative_path, size=upload.length)


@contextmanager
def uploaded_path(batch: str) -> Iterator[Path]:
    """The one file of a batch, for work that is done at once; the batch is deleted afterwards.

    Raises InvalidInput.
    """
    file = shelf().file(batch, owner=current_user.id)
    try:
        yield file.path
    finally:
        shelf().forget(file)
