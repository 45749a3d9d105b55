"""The daemon of the demo: the same as `slamon run`, by a clock that runs faster."""

import asyncio
import sys
from pathlib import Path

from slamon import clock, daemon, logs
from slamon.clock import Pace
from slamon.settings import read_settings


def main(config: str, since: str, origin: str, speed: str) -> None:
    """`since`, `origin` and `speed` as in `clock.Pace`."""
    clock.set_pace(Pace(int(since), int(origin), int(speed)))
    settings = read_settings(Path(config))
    logs.set_up(settings.log)
    asyncio.run(daemon.run(settings, daemon.agreements_of(settings), pace=int(speed)))


if __name__ == "__main__":
    main(*sys.argv[1:])
