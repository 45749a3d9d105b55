"""What `slamon dead-letters` says to who mistypes it; what it does needs a Kafka, see tests/end_to_end."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from slamon import clock
from slamon.cli import main
from slamon.cli.options import WhenType
from slamon.domain.events import DAY, HOUR, MINUTE, SECOND


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--reason", "not_jsn"], "--reason not_jsn: none of in_the_future, invalid, "),
        (["--since", "yesterday"], "'yesterday'"),
        (["--partition", "-1"], "-1 is not in the range x>=0"),
    ],
)
@pytest.mark.parametrize("command", ["list", "retry", "dismiss"])
def test_options_that_choose_nothing_are_refused(
    tmp_path: Path, command: str, options: list[str], said: str
) -> None:
    config = tmp_path / "slamon.yaml"
    config.write_text("kafka: {bootstrap_servers: 'localhost:9'}\n")
    result = CliRunner().invoke(main, ["dead-letters", command, "--config", str(config), *options])
    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.parametrize(
    ("typed", "ago"), [("90s", 90 * SECOND), ("30m", 30 * MINUTE), ("2h", 2 * HOUR), ("7d", 7 * DAY)]
)
def test_when_may_be_said_as_how_long_ago(typed: str, ago: int) -> None:
    before = clock.wall()
    at = WhenType().convert(typed, None, None)
    assert before - ago <= at <= clock.wall() - ago


def test_when_may_be_an_instant() -> None:
    assert WhenType().convert("1970-01-01T00:00:01Z", None, None) == SECOND
    with pytest.raises(click.BadParameter):
        WhenType().convert("2026-11-24", None, None)
