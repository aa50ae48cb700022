"""Pages are made one after the other: each at full speed, instead of all of them slowly.

Python runs one thread at a time. A page that shares that with nine others gives way at each of
its statements, and waits to come back: measured with ten administrators, pages took ten times as
long as their work, and used twice the processor. So whoever asks for a page takes a turn; it lasts
milliseconds.

Law: a turn is a courtesy, never a lock. Whoever has waited for `PATIENCE` goes on without, so a
page that hangs delays the others and stops nobody. What waits for somebody else (another program,
another server, an upload) takes no turn at all.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from flask import Flask, Response, current_app, g, request

PATIENCE = 0.5
"""Seconds to wait for one's turn."""

View = TypeVar("View", bound=Callable[..., object])


class Turns:
    """Whose turn it is in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Wait for a turn; False where it did not come in time, and one goes on without."""
        return self._lock.acquire(timeout=PATIENCE)

    def give_back(self) -> None:
        """Let the next one go on."""
        self._lock.release()

    @contextmanager
    def one(self) -> Iterator[None]:
        """A turn for what is made beside requests."""
        taken = self.take()
        try:
            yield
        finally:
            if taken:
                self.give_back()


def out_of_turn(view: View) -> View:
    """Mark a view that waits for others: it must not be waited for."""
    view.out_of_turn = True  # type: ignore[attr-defined]
    return view


def _take() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    # What is sent to us comes as slowly as its sender likes.
    if request.method in {"GET", "HEAD"} and not getattr(view, "out_of_turn", False):
        turns: Turns = current_app.extensions["netboot_turns"]
        g.turn = turns if turns.take() else None


def _give_back(response: Response) -> Response:
    """As soon as the page is made; sending it takes as long as its reader likes."""
    _end()
    return response


def _end(_fault: BaseException | None = None) -> None:
    turns: Turns | None = g.pop("turn", None)
    if turns is not None:
        turns.give_back()


def init_turns(app: Flask) -> None:
    """Have the application's pages made in turns. Before all else that answers requests."""
    app.extensions["netboot_turns"] = Turns()
    app.before_request(_take)
    app.after_request(_give_back)
    app.teardown_request(_end)
