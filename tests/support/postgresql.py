"""A PostgreSQL server of the tests' own: in a temporary folder, on a Unix socket, for one run."""

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Self

BINARIES = "/usr/lib/postgresql/*/bin"


def find_binaries() -> Path | None:
    """Where the server's programs lie; Debian does not put them on the PATH."""
    found = sorted(Path("/").glob(BINARIES.lstrip("/") + "/initdb"))
    on_path = shutil.which("initdb")
    newest = found[-1] if found else Path(on_path).resolve() if on_path else None
    return newest.parent if newest and (newest.parent / "postgres").exists() else None


class PostgresServer:
    """A context manager. The server refuses to run as root, so root becomes nobody for it."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self.folder = Path(tempfile.mkdtemp(prefix="nb-pg-"))
        self._numbers = count(1)
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder.chmod(0o777)
        data = self.folder / "data"
        self._run("initdb", "-D", data, "-U", "netboot", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()
        return self

    def start(self) -> None:
        """Start the server, and wait until it takes connections."""
        settings = ["listen_addresses=", f"unix_socket_directories={self.folder}", "fsync=off"]
        words = [word for setting in settings for word in ("-c", setting)]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                self._command("postgres", "-D", self.folder / "data", *words),
                stdout=log, stderr=log, cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        self._wait()

    def stop(self) -> None:
        """As `pg_ctl -m fast stop`: all connections are cut."""
        assert self._server is not None
        self._server.send_signal(signal.SIGINT)
        self._server.wait(60)

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._server.wait(20)
            if self._server.poll() is None:
                self._server.kill()
                self._server.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str) -> str:
        """Where a database is, for SQLAlchemy."""
        return f"postgresql://netboot@/{database}?host={self.folder}"

    def fresh(self, template: str = "template1") -> str:
        """A new database, a copy of `template`; its name."""
        name = f"t{next(self._numbers)}"
        self._run("createdb", "-h", self.folder, "-U", "netboot", "-T", template, name)
        return name

    def _wait(self) -> None:
        """Until it takes connections: pg_isready asks again and again, each time for a while."""
        for _ in range(120):
            if self._run("pg_isready", "-h", self.folder, "-t", "5", check=False) == 0:
                return
            if self._server is not None and self._server.poll() is not None:
                break
            with suppress(subprocess.TimeoutExpired):
                self._server.wait(0.25)  # type: ignore[union-attr]
        raise AssertionError((self.folder / "log").read_text(errors="replace"))

    def _command(self, program: str, *words: object) -> list[str]:
        become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        argv = [str(self._binaries / program), *map(str, words)]
        return [*become, *argv] if os.geteuid() == 0 else argv

    def _run(self, program: str, *words: object, check: bool = True) -> int:
        done = subprocess.run(
            self._command(program, *words), cwd=self.folder, capture_output=True, text=True
        )
        if check and done.returncode:
            raise AssertionError(f"{program}: {done.stdout}{done.stderr}")
        return done.returncode
