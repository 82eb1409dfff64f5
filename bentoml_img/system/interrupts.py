"""Ctrl-C: what ends the work, and what it waits for."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ENDING = (signal.SIGTERM, signal.SIGHUP)  # a terminal that is closed sends the latter


def end_at_once_by_ctrl_c() -> None:
    """Let Ctrl-C end the process, without a traceback, until `end_as_by_ctrl_c` is called."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # or it is to be ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def end_as_by_ctrl_c() -> None:
    """Let Ctrl-C, SIGTERM, and a terminal that is closed, end the work by KeyboardInterrupt."""
    for number in (signal.SIGINT, *ENDING):
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup wants it ignored
            signal.signal(number, signal.default_int_handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Raise a Ctrl-C that comes within the block at its end: what it writes is whole."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals come to the main thread only
        return
    came: list[int] = []
    numbers = [
        number
        for number in (signal.SIGINT, *ENDING)
        if signal.getsignal(number) is signal.default_int_handler
    ]
    for number in numbers:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.default_int_handler)
    if came:
        raise KeyboardInterrupt
