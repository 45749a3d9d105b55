"""One event a line, on a pipe and on a terminal, and never a secret."""

import io
import logging
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from slamon import logs
from slamon.settings import LogSettings


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Logging is the process's own; other tests have theirs."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def on_a_pipe(level: str = "info") -> io.StringIO:
    pipe = io.StringIO()
    logs.set_up(LogSettings.model_validate({"level": level}), pipe)
    return pipe


def lines(pipe: io.StringIO) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in pipe.getvalue().split("\n") if line]


def test_a_line_on_a_pipe_is_json_with_time_level_and_event_first() -> None:
    pipe = on_a_pipe()
    structlog.get_logger().info("task_running", partition=3, restored=1200)
    [line] = pipe.getvalue().splitlines()
    assert re.fullmatch(
        r'{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","level":"info","event":"task_running","partition":3,"restored":1200}',
        line,
    )


def test_a_line_on_a_terminal_is_coloured() -> None:
    logs.set_up(LogSettings(), terminal := Terminal())
    structlog.get_logger().info("task_running", partition=3)
    assert "\x1b[" in terminal.getvalue()
    plain = re.sub(r"\x1b\[[\d;]*m", "", terminal.getvalue())
    assert "task_running" in plain
    assert "partition=3" in plain


@pytest.mark.parametrize(("form", "coloured"), [("json", False), ("console", True)])
def test_the_setting_wins_over_what_is_on_the_other_end(form: str, *, coloured: bool) -> None:
    for stream in (io.StringIO(), Terminal()):
        logs.set_up(LogSettings.model_validate({"format": form}), stream)
        structlog.get_logger().info("x")
        assert ("\x1b[" in stream.getvalue()) == coloured


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_only_lines_of_the_level_and_above_are_written(level: str, shown: list[str]) -> None:
    pipe = on_a_pipe(level)
    log = structlog.get_logger()
    for each in ("debug", "info", "warning", "error"):
        getattr(log, each)("event")
    assert [line["level"] for line in lines(pipe)] == shown


def test_lines_of_libraries_take_the_same_way() -> None:
    pipe = on_a_pipe()
    logging.getLogger("aiokafka.consumer").warning("Heartbeat failed for group %s", "slamon")
    [line] = lines(pipe)
    del line["time"]
    assert line == {
        "level": "warning",
        "event": "library_log",
        "logger": "aiokafka.consumer",
        "message": "Heartbeat failed for group slamon",
    }


def test_what_libraries_tell_about_themselves_is_for_debugging() -> None:
    quiet = on_a_pipe("info")
    logging.getLogger("aiokafka").info("Joined group")
    assert lines(quiet) == []
    loud = on_a_pipe("debug")
    logging.getLogger("aiokafka").info("Joined group")
    assert [line["message"] for line in lines(loud)] == ["Joined group"]


def test_levels_that_libraries_made_up_are_written_too() -> None:
    pipe = on_a_pipe("debug")
    for level in (11, 25, 99):
        logging.getLogger("library").log(level, "x")
    assert [line["level"] for line in lines(pipe)] == ["debug", "info", "critical"]


def test_warnings_of_python_are_lines_like_any_other() -> None:
    pipe = on_a_pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert "DeprecationWarning: old" in lines(pipe)[-1]["message"]


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_a_traceback_shows_no_variables(stream: type[io.StringIO]) -> None:
    logs.set_up(LogSettings(), out := stream())
    _fail("hunter2")
    assert "ZeroDivisionError" in out.getvalue()
    assert "hunter2" not in out.getvalue()


def _fail(password: str) -> None:
    credentials = [password]
    try:
        len(credentials) / 0
    except ZeroDivisionError:
        structlog.get_logger().exception("crashed")
        logging.getLogger("library").exception("crashed")


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
@pytest.mark.parametrize(
    "fields",
    [
        {"password": "hunter2"},
        {"sasl_plain_password": "hunter2"},
        {"headers": {"Authorization": "hunter2"}},
        {"settings": [{"basic_auth": {"api_key": "hunter2"}}]},
        {"url": "https://someone:hunter2@alertmanager:9093/x"},
        {"why": "GET https://:hunter2@host failed"},
        {"message": "sent Authorization: Bearer hunter2-abc.def"},
        {"message": "sent Basic hunter2hunter2=="},
        {"value": SecretStr("hunter2")},
        {"exc_info": ValueError("https://someone:hunter2@host")},
    ],
    ids=str,
)
def test_no_line_holds_a_secret(stream: type[io.StringIO], fields: dict[str, object]) -> None:
    logs.set_up(LogSettings(), out := stream())
    structlog.get_logger().info("event", **fields)
    assert "event" in out.getvalue()
    assert "hunter2" not in out.getvalue()


def test_fields_are_values_and_not_their_text() -> None:
    pipe = on_a_pipe()
    structlog.get_logger().info("e", a=1, b=1.5, c=None, d=True, e={"x": [1, "y"]}, f=Path("/etc"), g=2**70)
    [line] = lines(pipe)
    assert {name: line[name] for name in "abcdefg"} == {
        "a": 1,
        "b": 1.5,
        "c": None,
        "d": True,
        "e": {"x": [1, "y"]},
        "f": "/etc",
        "g": str(2**70),
    }


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters()), inner) | st.tuples(inner, inner)
    ),
    max_leaves=8,
)


@given(anything)
def test_every_line_is_written_and_is_one_line_whatever_is_in_it(value: object) -> None:
    pipe = on_a_pipe()
    structlog.get_logger().info("event", value=value)
    [line] = lines(pipe)
    assert line["event"] == "event"


def test_standard_output_is_left_to_answers(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(LogSettings(format="json"))
    structlog.get_logger().info("event")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert '"event":"event"' in captured.err
