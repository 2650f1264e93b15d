"""SIGTERM does what Ctrl-C does, wherever a program does not wait for it itself."""

import os
import signal
import threading
from contextlib import suppress
from types import FrameType

_LINE = b"quasar: stops, as SIGTERM says\n"


def sigterm_interrupts() -> None:
    """From now on what is open closes in order, and no program ends by the signal."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_number: int, frame: FrameType | None) -> None:
    with suppress(OSError):  # nobody may listen any more
        os.write(2, _LINE)
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):  # a shell's background jobs ignore Ctrl-C
        raise KeyboardInterrupt
    handler(signal.SIGINT, frame)
