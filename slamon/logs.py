"""What the process logs, and how: one event name and its fields a line, JSON on a pipe, colours on a terminal.

Lines of libraries that use the standard `logging` take the same way, as the event `library_log`. No line may hold a
secret: fields whose names speak of one are blanked, so are passwords inside addresses, and tracebacks come without the
values of variables.
"""

import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from slamon import clock
from slamon.settings import LogSettings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECRET_NAME = re.compile(r"password|passwd|secret|token|credential|authorization|api_?key", re.IGNORECASE)
_PASSWORD_IN_ADDRESS = re.compile(r"(?<=://)[^/\s@]*:[^/\s@]*(?=@)")
_AUTHORIZATION = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]+")
_BLANK = "***"


def set_up(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Log to `stream`, by default standard error: standard output is for what a command answers."""
    out = stream if stream is not None else sys.stderr
    colours = settings.format == "console" or (settings.format == "auto" and out.isatty())
    first: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _stamp,
    ]
    last: list[Processor] = [_blank_secrets, _console(out) if colours else _json]
    if not colours:
        last.insert(0, structlog.processors.format_exc_info)
        last.insert(2, _order)
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    structlog.configure(
        processors=[*first, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*first, _of_library],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # What libraries call info is about themselves; it is there when somebody asks for everything.
    root.setLevel(level if level == logging.DEBUG else max(level, logging.WARNING))
    logging.captureWarnings(capture=True)
