"""How commands end when several things went wrong at once, and when somebody stops them."""

import pytest

from slamon.cli.ending import FAILED, INTERRUPTED, finish
from slamon.kafka.topics import Refused


async def fail(*failures: Exception) -> None:
    raise ExceptionGroup("tasks", [ExceptionGroup("source", failures)])


async def stop() -> None:
    raise KeyboardInterrupt


def test_what_is_refused_to_several_tasks_is_said_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        finish(lambda: fail(Refused("partition 3 is empty"), Refused("partition 5 is empty")))
    assert ended.value.code == FAILED
    assert capsys.readouterr().err == "error: partition 3 is empty\npartition 5 is empty\n"


def test_what_is_refused_to_many_tasks_is_not_said_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        finish(lambda: fail(*(Refused(f"partition {number} is empty") for number in range(64))))
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "error: partition 0 is empty"
    assert said[3:] == ["and 61 more of the kind"]


def test_a_defect_beside_refusals_is_not_hidden() -> None:
    with pytest.raises(ExceptionGroup):
        finish(lambda: fail(Refused("partition 3 is empty"), ZeroDivisionError("1/0")))


def test_who_stops_a_command_in_the_middle_is_told_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        finish(stop, interrupted="delete the new topics")
    assert ended.value.code == INTERRUPTED
    assert capsys.readouterr().err == "interrupted: delete the new topics\n"
