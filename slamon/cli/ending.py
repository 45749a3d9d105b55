"""How a command ends: with an exit code, and with what a user can mend in one or two lines.

Exit codes: 0 fine, 1 findings or failed, 2 wrong usage.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

import click

T = TypeVar("T")

FAILED, USAGE = 1, 2


def fail(message: str, code: int = FAILED) -> NoReturn:
    """End with `error: message` on standard error."""
    click.echo(f"{click.style('error', fg='red', bold=True)}: {message}", err=True)
    sys.exit(code)


def finish(work: Callable[[], Awaitable[T]]) -> T:
    from slamon.kafka import changelog, clients, publish, source, topics
    from slamon.outputs.http import AddressError

    # What a user or an operator can mend: the text of these says how.
    mendable = (
        clients.Unreachable,
        topics.Refused,
        source.Stopped,
        changelog.Unreadable,
        publish.NotEvents,
        AddressError,
        ValueError,
        OSError,
    )

    async def awaited() -> T:
        return await work()

    try:
        return asyncio.run(awaited())
    except mendable as error:
        fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
