"""Fetches files as a machine does: TFTP with tftpy, HTTP with httpx, without our own code."""

import hashlib
import io
import logging
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin

import httpx
import tftpy  # type: ignore[import-untyped]

LARGEST: Final = 64 * 1024 * 1024  # a boot program is never so large
_RETRIES: Final = 2
_MOST_REDIRECTS: Final = 10

logging.getLogger("tftpy").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A fetched file, or why it could not be fetched.

    `trouble` is one of "", `missing`, `refused`, `silent`, `unreachable`, `broken`, `loops`;
    `words` is the server's or the system's message. `size` is the whole file's, as the server
    says. A file that was read completely but not kept has `whole_digest` and `seconds`.
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
        """Bytes a second of a file that was read completely."""
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
    """A whole file by TFTP; waits `seconds` for an answer, three times."""
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


def by_http(
    url: str,
    *,
    head: int = 0,
    whole: bool = False,
    seconds: float = 5.0,
    redirects: bool = False,
) -> Fetched:
    """A file by HTTP: the file, its first `head` bytes, or (`whole`) only its digest and size.

    `redirects`: follow them, as iPXE does (its http_redirect) and firmware does not.
    """
    passed = [url]
    while True:
        fetched, onward = _by_http(passed[-1], head, whole=whole, seconds=seconds)
        if not redirects or not onward:
            return fetched
        again = onward in passed
        passed.append(onward)
        if again or len(passed) > _MOST_REDIRECTS:
            return Fetched(url, trouble="loops", words=" → ".join(passed[-3:]))


def _by_http(url: str, head: int, *, whole: bool, seconds: float) -> tuple[Fetched, str]:
    """What one address answers, and where it redirects to, or ""."""
    headers = {"User-Agent": "UefiHttpBoot/1.0"}
    if head and not whole:
        headers["Range"] = f"bytes=0-{head - 1}"
    try:
        with httpx.stream("GET", url, headers=headers, timeout=seconds, trust_env=False) as answer:
            if answer.status_code >= 300:
                onward = answer.headers.get("location", "") if answer.has_redirect_location else ""
                return _http_refusal(url, answer), urljoin(url, onward) if onward else ""
            if whole:
                return _read_whole(url, answer), ""
            return _read_head(url, answer, head or LARGEST), ""
    except httpx.TimeoutException as error:
        return Fetched(url, trouble="silent", words=str(error)), ""
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Fetched(url, trouble="unreachable", words=str(error)), ""


def _read_head(url: str, answer: httpx.Response, limit: int) -> Fetched:
    data = b""
    for chunk in answer.iter_raw():
        data += chunk
        if len(data) >= limit:
            break
    whole = answer.headers.get("content-range", "").rpartition("/")[2]
    length = whole or answer.headers.get("content-length", "")
    return Fetched(url, data[:limit], size=int(length) if length.isdigit() else -1)


def _read_whole(url: str, answer: httpx.Response) -> Fetched:
    """Keeps only a running digest, whatever the size."""
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
        # Firmware does not follow redirects, tinkerbell/smee#229.
        return Fetched(url, trouble="refused", words=f"{words}: firmware does not follow redirects")
    return Fetched(url, trouble="missing" if answer.status_code == 404 else "refused", words=words)
