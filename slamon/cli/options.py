"""What users type, as commands take it: files, instants, dates, periods, durations; and the options that several have."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from slamon.explain.period_notation import Asked


class InstantType(click.ParamType[int]):
    """An instant as in events."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from slamon.codec import LATEST_EVENT, InstantError, parse_instant

        if isinstance(value, int):
            return value
        try:
            at = parse_instant(value)
        except InstantError as error:
            self.fail(str(error), param, ctx)
        if at > LATEST_EVENT:
            self.fail(f"{value!r} is after the year 2100: nothing can be judged then", param, ctx)
        return at


class DayType(click.ParamType[date]):
    """A date as in agreements."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        from slamon.agreement_files.notations import day
        from slamon.agreement_files.sections import RefusedError

        try:
            return value if isinstance(value, date) else day(value)
        except RefusedError as refused:
            self.fail(f"{refused}; {refused.help}", param, ctx)


class PeriodType(click.ParamType["Asked"]):
    """A calendar period: 2026-11, 2026-W48, 2026-Q4, 2026, or a date inside it."""

    name = "period"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> "Asked":
        from slamon.explain.period_notation import Asked, parse_period

        if isinstance(value, Asked):
            return value
        try:
            return parse_period(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class SpanType(click.ParamType[float]):
    """A duration in seconds: `90`, `60s`, `5m`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        units = {"s": 1, "m": 60, "h": 3600}
        number, unit = (value[:-1], value[-1]) if value[-1:] in units else (value, "s")
        if not number.isdecimal() or int(number) == 0:
            self.fail(f"{value!r} is no duration; write 90, 60s, 5m or 1h", param, ctx)
        return float(int(number) * units[unit])


class WhenType(click.ParamType[int]):
    """An instant as in events, or how long ago: `90s`, `30m`, `2h`, `7d`."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from slamon import clock
        from slamon.domain.events import DAY, HOUR, MINUTE, SECOND

        units = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
        if isinstance(value, str) and value[-1:] in units and value[:-1].isdecimal():
            return clock.wall() - int(value[:-1]) * units[value[-1]]
        try:
            return InstantType().convert(value, param, ctx)
        except click.BadParameter as refused:
            self.fail(f"{refused.message}; or how long ago, like 30m, 2h, 7d", param, ctx)


class Notation(click.ParamType[str]):
    """Text that an agreement file would take."""

    def __init__(self, name: str) -> None:
        """`name`: of a reader in slamon.agreement_files.notations."""
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from slamon.agreement_files import notations
        from slamon.agreement_files.sections import RefusedError

        try:
            getattr(notations, self.name)(value)
        except RefusedError as error:
            self.fail("; ".join(filter(None, (str(error), error.help))), param, ctx)
        return str(value)


PATHS = click.Path(exists=True, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
config_option = click.option(
    "--config",
    "config",
    type=FILE,
    required=True,
    help="YAML file of settings; SLAMON_… variables win over it.",
)


agreements_option = click.option(
    "--agreements",
    type=PATHS,
    multiple=True,
    required=True,
    help="File or folder of agreements; may be repeated.",
)
events_option = click.option(
    "--events",
    type=FILE,
    required=True,
    help="Events, one JSON object a line, in the order of their arrival.",
)
