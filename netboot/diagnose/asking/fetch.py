"""Fetches what a machine would fetch: TFTP with tftpy, HTTP with httpx, neither of them ours."""

import hashlib
import io
import logging
import time
from dataclasses import dataclass
from typing import Final

import httpx
import tftpy  # type: ignore[import-untyped]

LARGEST: Final = 64 * 1024 * 1024  # a boot program is never so large
_RETRIES: Final = 2

logging.getLogger("tftpy").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came, or why nothing did.

    `trouble` is one of "", `missing`, `refused`, `silent`, `unreachable`, `broken`; `words` is
    what the server or the system said. `size` is what the server says the whole file has.
    `whole_digest` and `seconds` are of a file that was read to its end without being kept.
    """

    name: str
    data: bytes = b""
    trouble: str = ""
    words: str = ""
    size: int = -1
    whole_digest: str = ""
    seconds: float = 0.0

    @property
    def digest(self) -> str:
        return digest_of(self.data)

    @property
    def rate(self) -> float:
        """Bytes a second of a file that was read to its end."""
        return self.size / self.seconds if self.seconds > 0 else 0.0


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class _TooMuch(Exception): ...


class _Sink(io.BytesIO):
    def write(self, data: bytes) -> int:  # type: ignore[override]
        if self.tell() + len(data) > LARGEST:
            raise _TooMuch
        return super().write(data)


def by_tftp(server: str, name: str, *, port: int = 69, seconds: float = 3.0) -> Fetched:
    """A whole file by TFTP; each wait is `seconds` long, and there are three."""
    sink = _Sink()
    client = tftpy.TftpClient(server, port, options={"blksize": 1456, "tsize": 0})
    try:
        client.download(name, sink, timeout=seconds, retries=_RETRIES)
    except tftpy.TftpFileNotFoundError as error:
        return Fetched(name, trouble="missing", words=str(error))
    except tftpy.TftpTimeout as error:
        trouble = "broken" if sink.tell() else "silent"
        return Fetched(name, trouble=trouble, words=str(error))
    except tftpy.TftpException as error:
        return Fetched(name, trouble="refused", words=str(error))
    except (OSError, _TooMuch) as error:
        return Fetched(name, trouble="unreachable", words=str(error) or type(error).__name__)
    data = sink.getvalue()
    return Fetched(name, data, size=len(data))


def by_http(url: str, *, head: int = 0, whole: bool = False, seconds: float = 5.0) -> Fetched:
    """A file by HTTP: all of it, its first `head` bytes, or (`whole`) only its digest and size."""
    headers = {"User-Agent": "UefiHttpBoot/1.0"}
    if head and not whole:
        headers["Range"] = f"bytes=0-{head - 1}"
    try:
        with httpx.stream("GET", url, headers=headers, timeout=seconds, trust_env=False) as answer:
            if answer.status_code >= 300:
                return _http_refusal(url, answer)
            if whole:
                return _read_whole(url, answer)
            return _read_head(url, answer, head or LARGEST)
    except httpx.TimeoutException as error:
        return Fetched(url, trouble="silent", words=str(error))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Fetched(url, trouble="unreachable", words=str(error))


def _read_head(url: str, answer: httpx.Response, limit: int) -> Fetched:
    data = b""
    for chunk in answer.iter_raw():
        data += chunk
        if len(data) >= limit:
            break
    return Fetched(url, data[:limit], size=_whole_size(answer))


def _read_whole(url: str, answer: httpx.Response) -> Fetched:
    """Whatever its size: nothing is kept but a running digest."""
    began, size, digest = time.monotonic(), 0, hashlib.sha256()
    for chunk in answer.iter_raw(1 << 20):
        digest.update(chunk)
        size += len(chunk)
    return Fetched(
        url,
        size=size,
        whole_digest="sha256:" + digest.hexdigest(),
        seconds=time.monotonic() - began,
    )


def _http_refusal(url: str, answer: httpx.Response) -> Fetched:
    words = f"HTTP {answer.status_code} {answer.reason_phrase}"
    if answer.status_code < 400:
        # Firmware follows no redirection, tinkerbell/smee#229.
        return Fetched(url, trouble="refused", words=f"{words}: firmware follows no redirection")
    return Fetched(url, trouble="missing" if answer.status_code == 404 else "refused", words=words)


def _whole_size(answer: httpx.Response) -> int:
    whole = answer.headers.get("content-range", "").rpartition("/")[2]
    said = whole or answer.headers.get("content-length", "")
    return int(said) if said.isdigit() else -1
