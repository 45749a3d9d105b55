"""What the process logs, and how: one event name and its fields a line, JSON on a pipe, colours on a terminal.

Lines of libraries that use the standard `logging` take the same way, as the event `library_log`. No line may hold a
secret: fields whose names speak of one are blanked, so are passwords inside addresses and authorization headers, and
tracebacks come without the values of variables. And no line may be lost for what is in it: what JSON cannot hold is
written as text.
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
_SECRET_IN_TEXT = re.compile(
    r"(?<=://)[^/\s@]*:[^/\s@]*(?=@)"  # user and password of an address
    r"|(?<=\bBearer )[\w.~+/=-]+|(?<=\bBasic )[\w+/=-]{6,}"  # an authorization header
)
_BLANK = "***"
_LARGE = 1 << 53  # beyond it, readers of JSON lose digits


def set_up(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Log to `stream`, by default standard error: standard output is for what a command answers."""
    out = stream if stream is not None else sys.stderr
    coloured = settings.format == "console" or (settings.format == "auto" and out.isatty())
    write: list[Processor] = [_console()] if coloured else [_in_order, _json]
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _stamp,
            structlog.processors.format_exc_info,  # text, and no variables; before secrets are blanked
            _blank_secrets,
            *write,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(out),
    )
    root = logging.getLogger()
    root.handlers[:] = [_LibraryHandler()]
    # What libraries call info is about themselves; it is there when somebody asks for everything.
    root.setLevel(level if level == logging.DEBUG else max(level, logging.WARNING))
    logging.captureWarnings(capture=True)


class _LibraryHandler(logging.Handler):
    """Hands the lines of libraries over."""

    def emit(self, record: logging.LogRecord) -> None:
        level = max(
            logging.DEBUG, min(logging.CRITICAL, record.levelno // 10 * 10)
        )  # libraries make up levels of their own
        structlog.get_logger().log(
            level,
            "library_log",
            logger=record.name,
            message=record.getMessage(),
            **({"exc_info": record.exc_info} if record.exc_info else {}),
        )


def _stamp(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    at = _EPOCH + timedelta(microseconds=clock.wall())
    line["time"] = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return line


def _blank_secrets(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    return {name: _blanked(name, value) for name, value in line.items()}


def _blanked(name: object, value: object) -> object:
    if isinstance(name, str) and _SECRET_NAME.search(name):
        return _BLANK
    if isinstance(value, Mapping):
        return {_text(inner): _blanked(inner, each) for inner, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_blanked(None, each) for each in value]
    if (
        value is None
        or isinstance(value, bool | float)
        or (isinstance(value, int) and -_LARGE < value < _LARGE)
    ):
        return value
    return _SECRET_IN_TEXT.sub(_BLANK, _text(value))


def _text(value: object) -> str:
    """Text that can be written whatever it holds, such as half of a surrogate pair."""
    return str(value).encode(errors="replace").decode()


def _in_order(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """What every line has comes first."""
    first = {name: line.pop(name) for name in ("time", "level", "event") if name in line}
    return first | dict(line)


def _json(_: WrappedLogger, __: str, line: EventDict) -> str:
    return orjson.dumps(line).decode()


def _console() -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=True,
        sort_keys=False,
        timestamp_key="time",
        exception_formatter=structlog.dev.plain_traceback,  # the pretty one shows the values of variables
    )
