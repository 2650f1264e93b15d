"""structlog on stderr: for people on a terminal, JSON otherwise. Logs are not the audit record."""

import logging
import sys

import msgspec
import structlog


def set_up(*, quiet: bool = False) -> None:
    """Configure once, at the start of a long-running command."""
    level = logging.ERROR if quiet else logging.INFO
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer()
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer(serializer=_dump)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,  # the next command of this process has its own stderr
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")


def _dump(value: object, **_: object) -> str:
    return msgspec.json.encode(value).decode()
