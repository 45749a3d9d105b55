"""Writes the reference of slamon's settings, docs/settings.md, from what `slamon.settings` says of them.

A section of settings is a section of the page, with a line for each setting. One that is used in several places is told once, at
the end. What is below a list, or below names that people choose, has no variable in the environment.

    python deploy/settings_reference.py [--check]
"""
# ruff: noqa: INP001, T201 - a script, not a package; it prints

import argparse
import json
import re
import sys
import types
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, HttpUrl, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from slamon.settings import Seconds, Settings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"
HEAD = """\
# Settings

Written by `deploy/settings_reference.py` from `slamon/settings.py`. `slamon run --config FILE` and every command with
`--config` read them from a YAML file; `slamon schema settings` prints their JSON Schema, for editors. Unknown keys are refused.
What customers were promised is not here: that stands in [agreements](agreements.md).

- A variable of the environment wins over the file. Its name stands below the setting's; what is no single value is written as
  JSON: `SLAMON_AGREEMENTS='["/etc/slamon/agreements"]'`.
- Paths in the file are relative to its folder.
- A **secret** is shown nowhere: no log, no error and no page has it. Better than here it stands in a file of its own, which
  the setting beside it with `_file` in its name points to.
- `default` is what holds when nothing is said; *required*: something has to be said, once the section is there.
"""
TABLE = "| setting | value | default | meaning |\n|---|---|---|---|\n"
WORDS: Mapping[Any, str] = {
    str: "text",
    int: "number",
    float: "number",
    bool: "`true` or `false`",
    Path: "path",
    HttpUrl: "address",
    SecretStr: "**secret**",
}
DEEPEST = 4  # level of a heading
LIMITS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}

Model = type[BaseModel]


class Place(NamedTuple):
    """Where a setting stands: the keys above it, `[]` for entries of a list and `NAME` for names that people choose."""

    keys: tuple[str, ...]

    def below(self, *keys: str) -> "Place":
        return Place((*self.keys, *keys))

    def __str__(self) -> str:
        return ".".join(self.keys).replace(".[]", "[]")

    @property
    def variable(self) -> str | None:
        """None: it has none."""
        if not {"[]", "NAME"}.isdisjoint(self.keys):
            return None
        return "SLAMON_" + "__".join(self.keys).upper()


class Nested(NamedTuple):
    """Sections below a setting: one, or the kinds there may be. `inner`: the keys between."""

    inner: tuple[str, ...]
    models: tuple[Model, ...]


def main(arguments: list[str]) -> int:
    """Write the page, or with --check say whether it is as it would be written (1: it is not)."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if the page is out of date"
    )
    check: bool = parser.parse_args(arguments).check
    text = page(Settings)
    if not check:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    same = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text
    if not same:
        print(f"{PAGE.name} is not what the settings say: run `python deploy/settings_reference.py`")
    return int(not same)


def page(root: Model) -> str:
    shared = shared_below(root)
    parts = [HEAD, *_section(root, Place(()), shared, level=1)]
    if shared:
        parts.append("\n## Sections that stand in several places\n")
        for model, name in shared.items():
            parts += _section(model, Place((name,)), shared, level=3, alone=True)
    return "".join(parts)


# Sections -------------------------------------------------------------------------------------------------------------


def shared_below(root: Model) -> dict[Model, str]:
    """The sections that more than one setting has, by the name of the first."""
    names: dict[Model, str] = {}
    uses: Counter[Model] = Counter()
    waiting = [root]
    while waiting:
        for key, field in waiting.pop(0).model_fields.items():
            for model in nested(field).models:
                uses[model] += 1
                if model not in names:
                    names[model] = _key(key, field)
                    waiting.append(model)
    return {model: name for model, name in names.items() if uses[model] > 1}


def _section(
    model: Model,
    place: Place,
    shared: Mapping[Model, str],
    level: int,
    *,
    alone: bool = False,
    kind: str = "",
) -> Iterator[str]:
    """The settings of a model, then the sections below it. `alone`: told for all the places it stands in."""
    if place.keys:
        yield f"\n{'#' * level} `{place}`{kind}\n"
    if place.keys and model.__doc__:
        yield f"\n{_one_line(model.__doc__)}\n"
    yield "\n" + TABLE + "".join(_row(one) for one in settings_of(model, place, shared, alone=alone))
    for key, field in model.model_fields.items():
        found = nested(field)
        below = place.below(_key(key, field), *found.inner)
        for one in found.models:
            if one not in shared:
                told = _kind(one, found.models)
                yield from _section(one, below, shared, min(level + 1, DEEPEST), kind=told)


class Setting(NamedTuple):
    """A line of a table."""

    place: Place
    variable: str | None
    value: str
    default: str
    meaning: str


def settings_of(
    model: Model, place: Place, shared: Mapping[Model, str], *, alone: bool = False
) -> Iterator[Setting]:
    for key, field in model.model_fields.items():
        below = place.below(_key(key, field))
        found = nested(field)
        told = field.description or " ".join(
            _one_line(one.__doc__) for one in found.models if one.__doc__ and not found.models[1:]
        )
        titles = [
            f"`{shared[one] if one in shared else below.below(*found.inner)}`{_kind(one, found.models)}"
            for one in found.models
        ]
        links = ", ".join(f"[{title}](#{_anchor(title)})" for title in titles)
        yield Setting(
            Place(below.keys[1:]) if alone else below,
            None if alone or (found.models and not found.inner) else below.variable,
            value_of(field) if not found.models or found.inner else "section",
            _default(field),
            " ".join(filter(None, (_without_unit(told, field), f"See {links}." if links else ""))),
        )


def _row(setting: Setting) -> str:
    name = f"`{setting.place}`" + (f"<br>`{setting.variable}`" if setting.variable else "")
    cells = (name, setting.value, setting.default, setting.meaning)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _kind(model: Model, kinds: Sequence[Model]) -> str:
    """Of several kinds of a section, what tells this one: the words of the field by which they differ."""
    if len(kinds) == 1:
        return ""
    tags = [
        key
        for key in model.model_fields
        if all(get_origin(_annotation(one, key)) is Literal for one in kinds)
        and len({_annotation(one, key) for one in kinds}) == len(kinds)
    ]
    if not tags:
        raise SystemExit(f"nothing tells {model.__name__} from the others that may stand in its place")
    return f" with `{tags[0]}: {get_args(_annotation(model, tags[0]))[0]}`"


def _annotation(model: Model, key: str) -> Any:
    return model.model_fields[key].annotation if key in model.model_fields else None


def _key(key: str, field: FieldInfo) -> str:
    return field.alias or key


def _anchor(title: str) -> str:
    """As code hosts make it of a heading."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


# Values ---------------------------------------------------------------------------------------------------------------


def nested(field: FieldInfo) -> Nested:
    return _nested(field.annotation)


def _nested(annotation: Any) -> Nested:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return Nested((), (annotation,))
    parts = _parts(annotation)
    origin = get_origin(annotation)
    if origin is Annotated:
        return _nested(parts[0])
    if origin in (Union, types.UnionType):
        found = [_nested(part) for part in parts]
        inner = next((one.inner for one in found if one.models), ())
        return Nested(inner, tuple(model for one in found for model in one.models))
    if origin in (tuple, list, dict) and parts:
        below = _nested(parts[-1])
        step = "NAME" if origin is dict else "[]"
        return Nested((step, *below.inner), below.models) if below.models else below
    return Nested((), ())


def _parts(annotation: Any) -> list[Any]:
    return [part for part in get_args(annotation) if part is not Ellipsis]


def value_of(field: FieldInfo) -> str:
    """In words: what may stand there."""
    if _is_seconds(field):
        return "seconds"
    limits = (
        f"{word} {limit:,}"
        for one in field.metadata
        for name, word in LIMITS.items()
        if (limit := getattr(one, name, None)) is not None
    )
    return ", ".join([_value(field.annotation), *limits])


def _is_seconds(field: FieldInfo) -> bool:
    return field.annotation is float and field.metadata == get_args(Seconds)[1].metadata


def _value(annotation: Any) -> str:
    if annotation in WORDS:
        return WORDS[annotation]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    parts = _parts(annotation)
    origin = get_origin(annotation)
    if origin is Annotated:
        return _value(parts[0])
    if origin is Literal:
        return _either(f"`{part}`" for part in parts)
    if origin in (Union, types.UnionType):
        return _either(dict.fromkeys(_value(part) for part in parts if part is not types.NoneType))
    if origin in (tuple, list):
        return f"list of {_plural(_value(parts[0]))}"
    if origin is dict:
        return f"{_value(parts[1])} by {'name' if parts[0] is str else _value(parts[0])}"
    raise SystemExit(f"settings_reference.py has no words for a setting of type {annotation}")


def _either(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _plural(word: str) -> str:
    return {"address": "addresses", "**secret**": "**secrets**"}.get(
        word, word if "`" in word else f"{word}s"
    )


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "*required*"
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined or value is None or isinstance(value, BaseModel):
        return ""
    if isinstance(value, SecretStr):
        raise SystemExit("a secret has no default")
    return f"`{_plain(value)}`"


def _plain(value: Any) -> str:
    """As it would be written in the file."""
    if isinstance(value, str | Path | HttpUrl):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(list(value) if isinstance(value, Sequence) else value)


def _without_unit(text: str, field: FieldInfo) -> str:
    """What the column before says already."""
    if not _is_seconds(field):
        return text
    plain = re.sub(r"^s ", "seconds ", text.removeprefix("s; "))
    return plain[:1].upper() + plain[1:]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
