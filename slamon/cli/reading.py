"""What commands read before they begin: settings and agreements, with their faults in words; and how far they have read."""

import difflib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, NoReturn, get_args

from slamon.cli.ending import FAILED, NOT_COMPARED, USAGE, fail

if TYPE_CHECKING:
    from slamon.agreement_files import AgreementsInUse, Finding, Loaded
    from slamon.settings import Settings


def settings_of(config: Path) -> "Settings":
    import yaml
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from slamon.settings import read_settings

    try:
        return read_settings(config)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, fault['loc']))}: {_settings_fault(fault)}" for fault in error.errors()]
        fail("\n       ".join([f"{config} (with SLAMON_… variables) cannot be used:", *lines]), USAGE)
    except (SettingsError, yaml.YAMLError, ValueError) as error:
        fail(f"{config}: {error}", USAGE)


def _settings_fault(fault: Any) -> str:
    """What is wrong with a setting, and what is allowed there."""
    if fault["type"] != "extra_forbidden":
        return str(fault["msg"]).removeprefix("Value error, ")
    from slamon.settings import Settings

    section: Any = Settings
    for name in fault["loc"][:-1]:
        section = _within(section, name)
    known = sorted(section.model_fields)
    close = difflib.get_close_matches(str(fault["loc"][-1]), known, 1)
    meant = f"did you mean {close[0]}? " if close else ""
    return f"there is no such setting; {meant}Allowed: {', '.join(known)}"


def _within(section: Any, name: str | int) -> Any:
    """What is called so in a section, in sections by name, or in a list of sections."""
    inner = section.model_fields[name].annotation if hasattr(section, "model_fields") else section
    if inner is section or isinstance(inner, UnionType):  # an optional section
        return next(one for one in get_args(inner) if hasattr(one, "model_fields"))
    return inner


def loaded_from(paths: tuple[Path, ...]) -> "Loaded":
    from slamon.agreement_files import load

    loaded = load(paths)
    if loaded.faults:
        tell_faults(loaded.faults)
    if not loaded.agreements:
        fail(f"no agreements in {', '.join(map(str, paths))}", USAGE)
    return loaded


def both_loaded(old: Path, new: Path) -> "tuple[Loaded, Loaded]":
    """Two states that are to be compared."""
    from slamon.agreement_files import load

    states = load([old]), load([new])
    faults = [fault for state in states for fault in state.faults]
    if faults:
        tell_faults(faults, NOT_COMPARED)
    return states


def tell_faults(faults: "Iterable[Finding]", code: int = FAILED) -> NoReturn:
    tell(faults)
    fail("the agreements have faults: mend them first", code)


def tell(findings: "Iterable[Finding]") -> None:
    from rich.console import Console

    from slamon.agreement_files import rendered

    console = Console(stderr=True, soft_wrap=True, highlight=False)
    for finding in findings:
        console.print(rendered(finding))
        console.print()


def agreements_in_use(settings: "Settings") -> "AgreementsInUse":
    from slamon.agreement_files import AgreementsInUse, AgreementsRefused

    try:
        return AgreementsInUse(
            settings.agreements, keep_days=settings.facts.keep, receivers=settings.notifier.receivers
        )
    except AgreementsRefused as refused:
        tell_faults(refused.faults)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}; see `agreements` in the settings", USAGE)
    except ValueError as error:
        fail(str(error), USAGE)


@contextmanager
def progress_of(events: Path, what: str) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, that is told how many bytes more were read."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    with Progress(
        TextColumn(what),
        BarColumn(),
        TaskProgressColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ) as progress:
        bar = progress.add_task(what, total=events.stat().st_size)
        yield lambda count: progress.advance(bar, count)
