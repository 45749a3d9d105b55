"""The texts of notifications, as data: a file with a title and a text for beginnings, and for ends.

- What stands for something is written `$name`, and a dollar `$$`; the names are those of `notices.WORDS`.
- A line of the text that names something about which the alert has nothing to say is left out. So one file does for
  every alert.
- A file that asks for a name that is not known, or is no such file, is refused at the start. What then still comes out
  without a title is told by the shipped text: no template loses an alert.
"""

from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from string import Template
from typing import Annotated, NamedTuple

import pydantic
import structlog
import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict

from slamon.outputs.notices import WORDS, Notice

log = structlog.get_logger()


class TemplateRefused(ValueError):  # noqa: N818 - reads as what it says
    """The text says which file, what is wrong with it, and what is allowed."""


def _known(text: str) -> str:
    template = Template(text)
    if not template.is_valid():
        raise ValueError("a dollar that stands for nothing is written $$")
    unknown = sorted(set(template.get_identifiers()) - WORDS.keys())
    if unknown:
        raise ValueError(f"${unknown[0]} stands for nothing; known are {', '.join(sorted(WORDS))}")
    return text


_Text = Annotated[str, AfterValidator(_known)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    title: _Text
    text: _Text = ""


class _Texts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    fired: _Part
    resolved: _Part


class Rendered(NamedTuple):
    title: str  # one line
    text: str


class Templates:
    """Of one receiver: those of the settings, and behind them the shipped ones of its kind."""

    def __init__(self, kind: str, own: Path | None, escape: Callable[[str], str] = str) -> None:
        """`escape`: makes a word harmless where it will stand. Raises TemplateRefused."""
        self._shipped = _read(f"the shipped template of {kind}", shipped(kind))
        self._own = None if own is None else _read(str(own), _contents(own))
        self._escape = escape

    def render(self, notice: Notice) -> Rendered:
        words = {name: self._escape(word) for name, word in notice.words.items()}
        if self._own is not None:
            rendered = _render(self._own, notice, words)
            if rendered.title:
                return rendered
            log.warning("template_without_title", alert=notice.alert.id, labels=notice.alert.labels)
        return _render(self._shipped, notice, words)


def shipped(kind: str) -> str:
    return resources.files("slamon.outputs").joinpath("texts", f"{kind}.yaml").read_text(encoding="utf-8")


def _contents(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateRefused(f"template {file}: {error}") from error


def _read(name: str, contents: str) -> _Texts:
    try:
        return _Texts.model_validate(yaml.safe_load(contents))
    except yaml.YAMLError as error:
        raise TemplateRefused(f"template {name}: {error}") from error
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise TemplateRefused(
            f"template {name}: {where}: {first['msg'].removeprefix('Value error, ')}"
        ) from error


def _render(texts: _Texts, notice: Notice, words: Mapping[str, str]) -> Rendered:
    part = texts.resolved if notice.resolved else texts.fired
    title = " ".join(Template(part.title).substitute(words).split())
    lines = [
        line
        for line in part.text.splitlines()
        if all(words[name] for name in Template(line).get_identifiers())
    ]
    return Rendered(title, "\n".join(Template(line).substitute(words) for line in lines).strip())
