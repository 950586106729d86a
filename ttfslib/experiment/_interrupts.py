"""Ctrl-C at a moment of the program's choosing."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def interrupts_held_back() -> Iterator[Callable[[], None]]:
    """Let Ctrl-C wait until the yielded function is called, or the context ends without an error.

    Inside compiled code or torch's backward pass an interrupt can come out as any other error.
    Who presses Ctrl-C twice does not wait. Where something else than Python's own handler listens,
    or signals cannot be caught (in threads), nothing is changed.
    """
    pressed = False

    def hold_back(number: int, frame: Any) -> None:
        nonlocal pressed
        if pressed:
            signal.default_int_handler(number, frame)
        pressed = True

    def let_in() -> None:
        if pressed:
            raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield let_in
        return
    try:
        signal.signal(signal.SIGINT, hold_back)
    except ValueError:  # not the main thread
        yield let_in
        return
    try:
        yield let_in
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    let_in()
