"""Large uploads over tus 1.0, which resume after a lost connection or a restart.

https://tus.io/protocols/resumable-upload (core 1.0.0; creation, creation-with-upload,
termination, expiration). Bytes are written once, straight to their place in the data folder.
"""

import base64
import binascii
from collections.abc import Callable
from pathlib import Path

from flask import Blueprint, Flask, Response, current_app, make_response, request, url_for
from flask_login import current_user  # type: ignore[import-untyped]

from netboot.errors import DiskFault, InvalidInput, NotFound, OperatorFault, explained
from netboot.operations.jobs import JobView
from netboot.site import Site
from web.guard.access import Role, requires
from web.guard.request_safety import UPLOAD_LIMIT
from web.uploads.upload_folder import Batch, Busy, Shelf, Upload, WrongOffset

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,expiration"
CONTENT_TYPE = "application/offset+octet-stream"

uploads = Blueprint("uploads", __name__, url_prefix="/uploads")


def shelf() -> Shelf:
    found: Shelf = current_app.extensions["netboot_shelf"]
    return found


def handed_in(batch: str, ask: Callable[[Path], JobView]) -> JobView:
    """Queue a job about the one file of a batch. Raises InvalidInput, and what `ask` raises."""
    return _handed_in(shelf().file(batch, owner=current_user.id), lambda upload: ask(upload.path))


def all_handed_in(batch: str, ask: Callable[[Path, str], JobView]) -> JobView:
    """Queue a job about all files of a batch, which `ask` gets with their label.

    Raises InvalidInput, and what `ask` raises.
    """
    found = shelf().batch(batch, owner=current_user.id)
    return _handed_in(found, lambda upload: ask(upload.path, upload.label))


def _handed_in(upload: Batch, ask: Callable[[Batch], JobView]) -> JobView:
    try:
        job = ask(upload)
    except InvalidInput:  # the same bytes would be refused again: do not keep them
        shelf().forget(upload)
        raise
    shelf().hand_over(upload, job.id)
    return job


def parse_metadata(header: str) -> dict[str, str]:
    """`Upload-Metadata`: comma-separated pairs of a key and a value in base64."""
    metadata = {}
    for pair in header.split(","):
        key, _, value = pair.strip().partition(" ")
        if not key:
            continue
        try:
            metadata[key] = base64.b64decode(value, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            raise InvalidInput(f"Upload-Metadata: the value of {key[:40]!r} is not valid") from None
    return metadata


def _number(header: str) -> int:
    text = request.headers.get(header, "")
    if not text.isdecimal() or len(text) > 15:
        raise InvalidInput(f"the header {header} must be a number")
    return int(text)


def _answer(status: int, **headers: str | int) -> Response:
    response = make_response("", status)
    response.headers["Tus-Resumable"] = VERSION
    for name, value in headers.items():
        response.headers[name.replace("_", "-")] = str(value)
    return response


def _described(upload: Upload, status: int) -> Response:
    return _answer(
        status,
        Upload_Offset=upload.offset,
        Upload_Length=upload.length,
        Upload_Expires=upload.expires_http,
    )


@uploads.before_request
def _check_version() -> Response | None:
    if request.method != "OPTIONS" and request.headers.get("Tus-Resumable") != VERSION:
        return _answer(412, Tus_Version=VERSION)
    return None


@uploads.errorhandler(OperatorFault)
def _refused(fault: OperatorFault) -> Response:
    """Clients show the body as it is, so it is plain text."""
    known = {Busy: 423, WrongOffset: 409, NotFound: 404, DiskFault: 507}
    status = known.get(type(fault), 400)
    response = _answer(status, Content_Type="text/plain; charset=utf-8")
    response.set_data(explained(fault))
    return response


@uploads.route("/", methods=["OPTIONS"], endpoint="options")
@requires(Role.OPERATOR)
def options() -> Response:
    """The protocol version and extensions of this server."""
    return _answer(204, Tus_Version=VERSION, Tus_Extension=EXTENSIONS, Tus_Max_Size=UPLOAD_LIMIT)


@uploads.post("/")
@requires(Role.OPERATOR)
def create() -> Response:
    """Begin an upload; the request may contain the first bytes."""
    length = _number("Upload-Length")
    if length > UPLOAD_LIMIT:
        return _answer(413)
    metadata = parse_metadata(request.headers.get("Upload-Metadata", ""))
    upload = shelf().create(
        owner=current_user.id,
        length=length,
        name=metadata.get("filename", ""),
        batch=metadata.get("batch", ""),
        relative_path=metadata.get("path", ""),
    )
    if request.content_type == CONTENT_TYPE:
        try:
            upload = shelf().append(upload, 0, request.stream)
        except DiskFault:  # nobody learns the address to continue at
            shelf().discard(upload)
            raise
    response = _described(upload, 201)
    response.headers["Location"] = url_for("uploads.head", upload_id=upload.id)
    return response


@uploads.route("/<upload_id>", methods=["HEAD"], provide_automatic_options=False)
@requires(Role.OPERATOR)
def head(upload_id: str) -> Response:
    """The progress of an upload."""
    return _described(shelf().find(upload_id, owner=current_user.id), 200)


@uploads.patch("/<upload_id>")
@requires(Role.OPERATOR)
def patch(upload_id: str) -> Response:
    """Append bytes at the current offset."""
    if request.content_type != CONTENT_TYPE:
        return _answer(415)
    upload = shelf().find(upload_id, owner=current_user.id)
    return _described(shelf().append(upload, _number("Upload-Offset"), request.stream), 204)


@uploads.delete("/<upload_id>")
@requires(Role.OPERATOR)
def terminate(upload_id: str) -> Response:
    """Cancel an upload."""
    shelf().discard(shelf().find(upload_id, owner=current_user.id))
    return _answer(204)


def init_uploads(app: Flask, site: Site) -> None:
    app.extensions["netboot_shelf"] = Shelf(site)
    app.register_blueprint(uploads)
