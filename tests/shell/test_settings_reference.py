"""The reference of settings: it says what there is, also of shapes that no setting has yet."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel, Field, SecretStr, ValidationError

from slamon.settings import Settings

ROOT = Path(__file__).parents[2]


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "settings_reference", ROOT / "deploy" / "settings_reference.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = _loaded()


def settings_below(model: type[BaseModel], *above: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every setting that is no section, by where it stands, with its field."""
    for key, field in model.model_fields.items():
        found = reference.nested(field)
        if not found.models:
            yield (*above, key), field
        for one in found.models:
            yield from settings_below(one, *above, key, *found.inner)


EVERY = list(settings_below(Settings))


def test_the_page_is_as_the_settings_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main(["--check"]) == 0, capsys.readouterr().out


def test_a_page_that_is_behind_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "settings.md"
    old.write_text(reference.PAGE.read_text(encoding="utf-8").replace("seconds", "minutes"), encoding="utf-8")
    monkeypatch.setattr(reference, "PAGE", old)
    assert reference.main(["--check"]) == 1
    assert "run `python deploy/settings_reference.py`" in capsys.readouterr().out
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0


@pytest.mark.parametrize(("place", "field"), EVERY, ids=[".".join(place) for place, _ in EVERY])
def test_every_setting_is_described(place: tuple[str, ...], field: Any) -> None:
    assert field.description, f"{'.'.join(place)} has no description"


def another(value: Any, annotation: Any) -> str:
    """As the environment has it."""
    if get_origin(annotation) is Literal:
        return str(next(word for word in get_args(annotation) if word != value))
    if isinstance(value, bool):
        return str(not value).lower()
    if isinstance(value, int | float):
        return str(value + 1)
    return f"other-{value}"


def test_the_variables_that_the_page_names_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    page = reference.PAGE.read_text(encoding="utf-8")
    for name in [name for name in os.environ if name.startswith("SLAMON_")]:
        monkeypatch.delenv(name)
    tried = 0
    for keys, field in EVERY:
        before = field.default
        if not isinstance(before, str | int | float):
            continue  # none, or what is written as JSON
        variable = reference.Place(keys).variable
        if f"| `{'.'.join(keys)}`<br>`{variable}` |" not in page:
            continue  # below a list, or in a section that stands in several places
        with monkeypatch.context() as environment:
            environment.setenv(variable, another(before, field.annotation))
            try:
                read: Any = Settings()
            except ValidationError:
                continue  # its section wants more, and so it was read
        for key in keys:
            read = getattr(read, key)
        assert read != before, variable
        tried += 1
    assert tried > 30


class _Mail(BaseModel):
    """By mail."""

    kind: Literal["mail"]
    to: tuple[str, ...] = Field(description="Addresses.")


class _Phone(BaseModel):
    """By phone."""

    kind: Literal["phone"]
    pin: SecretStr = Field(description="Of the exchange.")


class _Hours(BaseModel):
    """When."""

    first: int = Field(8, ge=0, le=24, description="Hour | of the day.")


class _Whole(BaseModel):
    people: dict[str, Annotated[_Mail | _Phone, Field(discriminator="kind")]] = Field({}, description="Whom.")
    shifts: list[_Hours] = Field([], description="One after the other.")
    night: _Hours | None = Field(None, description="Between them.")
    words: dict[Literal["a", "b"], int] | None = Field(None, description="Counts.")


def test_lists_names_and_kinds_of_sections_are_told() -> None:
    page = reference.page(_Whole)
    assert [line for line in page.splitlines() if line.startswith("#")] == [
        "# Settings",
        "## `people.NAME` with `kind: mail`",
        "## `people.NAME` with `kind: phone`",
        "## Sections that stand in several places",
        "### `shifts`",
    ]
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    mail = "[`people.NAME` with `kind: mail`](#peoplename-with-kind-mail)"
    phone = "[`people.NAME` with `kind: phone`](#peoplename-with-kind-phone)"
    assert rows == [
        f"| `people`<br>`SLAMON_PEOPLE` | section by name | `{{}}` | Whom. See {mail}, {phone}. |",
        "| `shifts`<br>`SLAMON_SHIFTS` | list of sections | `[]` | One after the other. See [`shifts`](#shifts). |",
        "| `night` | section |  | Between them. See [`shifts`](#shifts). |",
        "| `words`<br>`SLAMON_WORDS` | number by `a` or `b` |  | Counts. |",
        "| `people.NAME.kind` | `mail` | *required* |  |",
        "| `people.NAME.to` | list of texts | *required* | Addresses. |",
        "| `people.NAME.kind` | `phone` | *required* |  |",
        "| `people.NAME.pin` | **secret** | *required* | Of the exchange. |",
        "| `first` | number, at least 0, at most 24 | `8` | Hour \\| of the day. |",
    ]
