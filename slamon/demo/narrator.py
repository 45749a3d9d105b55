"""The invented world as a source of its own: it tells its events to somebody's Kafka, as their time comes.

    python -m slamon.demo.narrator SETTINGS BEGAN

`SETTINGS` is a file as of `slamon run`. The file `BEGAN` keeps when the world began: told again, after a stop, it is the
same world, and what it repeats counts once. Without that file it begins now, with a month that lies behind it.
"""

import asyncio
import signal
import sys
from pathlib import Path

from slamon import clock
from slamon.demo import world
from slamon.domain.events import SECOND
from slamon.kafka import clients, topics
from slamon.kafka.feed import feeding
from slamon.settings import KafkaSettings, read_settings

SEED = 1


def beginning(kept: Path) -> int:
    """The instant at which the world began, as the file has it or from now on will."""
    if not kept.exists():
        draft = kept.with_name(f"{kept.name}.draft")
        draft.write_text(f"{clock.now()}\n")
        draft.replace(kept)
    return int(kept.read_text())


async def tell(settings: KafkaSettings, start: int) -> None:
    """Raises topics.Refused, clients.Unreachable."""
    async with feeding(settings) as send:
        for event in world.events(SEED, start):
            if (rest := (event.time - clock.now()) / SECOND) > 0:
                await clock.wait(rest)
            await send(event)


def main(settings: str, began: str) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C does
    try:
        asyncio.run(tell(read_settings(Path(settings)).kafka, beginning(Path(began))))
    except (topics.Refused, clients.Unreachable) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
