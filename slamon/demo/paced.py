"""The daemon of the demo: the same as `slamon run`, by a clock that first stands still and then runs faster.

It stands at an origin until a line on standard input says since when, by the wall clock, it runs: so that the month so
far is read before the first minute of the demo passes.
"""

import asyncio
import sys
import threading
from pathlib import Path

from slamon import clock, daemon, logs
from slamon.agreement_files import AgreementsInUse
from slamon.clock import Pace
from slamon.domain.intervals import FOREVER
from slamon.settings import read_settings


def main(config: str, origin: str, speed: str) -> None:
    """`origin` and `speed` as in `clock.Pace`."""
    clock.set_pace(Pace(FOREVER, int(origin), int(speed)))
    threading.Thread(target=_wait_for_word, args=(int(origin), int(speed)), daemon=True).start()
    settings = read_settings(Path(config))
    logs.set_up(settings.log)
    in_use = AgreementsInUse(
        settings.agreements, keep_days=settings.facts.keep, receivers=settings.notifier.receivers
    )
    asyncio.run(daemon.run(settings, in_use, pace=int(speed)))


def _wait_for_word(origin: int, speed: int) -> None:
    since = sys.stdin.readline().strip()
    if since:
        clock.set_pace(Pace(int(since), origin, speed))


if __name__ == "__main__":
    main(*sys.argv[1:])
