"""How a command ends: with an exit code, and with what a user can mend in one or two lines.

Exit codes: 0 fine, 1 findings or failed, 2 wrong usage, 130 Ctrl-C.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

import click

T = TypeVar("T")

FAILED, USAGE, INTERRUPTED = 1, 2, 130
NOT_COMPARED = 2  # of a command whose 1 says that something differs: as diff(1) has it, a pipeline must tell the two apart
TOLD = 3  # failures at once: when all partitions have lost something, nobody reads a line for each


def fail(message: str, code: int = FAILED) -> NoReturn:
    """End with `error: message` on standard error."""
    click.echo(f"{click.style('error', fg='red', bold=True)}: {message}", err=True)
    sys.exit(code)


def finish(work: Callable[[], Awaitable[T]], interrupted: str | None = None, *, failed: int = FAILED) -> T:
    """What the work comes to. `interrupted`: what is to be done if somebody stops it in the middle. `failed`: the code then."""
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
        fail(str(error), failed)
    except BaseExceptionGroup as failures:  # of several tasks, each for a reason of its own
        if not all(isinstance(error, mendable) for error in source.each(failures)):
            raise
        told = list(dict.fromkeys(str(error) for error in source.each(failures)))
        more = [f"and {len(told) - TOLD} more of the kind"] if len(told) > TOLD else []
        fail("\n".join(told[:TOLD] + more), failed)
    except KeyboardInterrupt:
        if interrupted is not None:
            click.echo(f"interrupted: {interrupted}", err=True)
        sys.exit(INTERRUPTED)
