"""Reading a mapping key by key: what is not asked for is unknown, what is wrong is reported at its place.

A reader of one value is a function from its text that raises ValueError, with a message for the author; `RefusedError`
adds what to write instead. Reading goes on after a fault: what could not be read comes out as None or the default.
"""

import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from slamon.agreement_files.findings import Place, Report, closest, listed, quoted
from slamon.agreement_files.yaml_source import Entry, Listing, Mapping, Node, Scalar

T = TypeVar("T")
D = TypeVar("D")


class RefusedError(ValueError):
    """A value that cannot be taken, and what to write instead."""

    def __init__(self, message: str, help: str = "") -> None:  # noqa: A002 - the word of the finding's field
        super().__init__(message)
        self.help = help


class Pair(NamedTuple):
    """An entry whose key is the author's own word."""

    key: str
    key_at: Place
    node: Node


class Section:
    """One mapping of a document. An absent one has no keys and misses none."""

    def __init__(self, node: Mapping | None, at: Place, report: Report) -> None:
        self.at = at
        self.present = node is not None
        self._report = report
        self._entries: dict[str, Entry] = node.entries if node else {}
        self._asked: dict[str, bool] = {}  # key, whether to name it among the allowed ones
        self._missing: dict[str, str] = {}  # key, an example
        self._children: list[Section] = []

    def has(self, key: str) -> bool:
        return key in self._entries

    def key_place(self, key: str) -> Place:
        entry = self._entries.get(key)
        return self.at.below(key) if entry is None else entry.key_at

    def find(self, *path: str | int) -> Node | None:
        """What is written below: keys, and indices of lists."""
        node, rest = self._deepest(path)
        return None if rest else node

    def place(self, *path: str | int) -> Place:
        """Where a value stands; or, if it is not written, where it would belong."""
        node, rest = self._deepest(path)
        at = self.at if node is None else node.at
        if isinstance(node, Mapping) and isinstance(path[-1 - len(rest)], int):
            at = _by_name(node)
        for step in rest:
            at = at._replace(path=f"{at.path}[{step}]") if isinstance(step, int) else at.below(step)
        return at

    def _deepest(self, path: tuple[str | int, ...]) -> tuple[Node | None, tuple[str | int, ...]]:
        """The last node on the path that is written, and what of the path is not."""
        node: Node | None = None
        entries = self._entries
        items: tuple[Node, ...] = ()
        for index, step in enumerate(path):
            if isinstance(step, str) and step in entries:
                node = entries[step].value
            elif isinstance(step, int) and step < len(items):
                node = items[step]
            else:
                return node, path[index:]
            entries = node.entries if isinstance(node, Mapping) else {}
            items = node.items if isinstance(node, Listing) else ()
        return node, ()

    def required(self, key: str, read: Callable[[str], T], example: str) -> T | None:
        """`example`: what stands after `key:` in the help, if the key is missing."""
        node = self._wanted(key, example)
        return None if node is None else self._value(key, node, read, example)

    def optional(self, key: str, read: Callable[[str], T], default: D, example: str = "") -> T | D:
        node = self._ask(key)
        if node is None:
            return default
        value = self._value(key, node, read, example)
        return default if value is None else value

    def each(
        self,
        key: str,
        read: Callable[[str], T],
        *,
        example: str,
        empty: str | None = None,
        required: bool = False,
    ) -> tuple[T, ...] | None:
        """The values of a list, where a single one stands for a list of one. None: not written, or wrong.

        `empty`: what is wrong with an empty list; None if nothing is.
        """
        node = self._wanted(key, example) if required else self._ask(key)
        if node is None:
            return None
        return self._values(key, node, read, example, empty)

    def written(self, key: str) -> list[Scalar]:
        """The single values under a key, as they are written."""
        entry = self._entries.get(key)
        if entry is None:
            return []
        nodes = entry.value.items if isinstance(entry.value, Listing) else (entry.value,)
        return [node for node in nodes if isinstance(node, Scalar)]

    def nothing_like(self, *keys: str) -> bool:
        """Neither one of the keys nor what looks like a misspelt one, which is reported anyway."""
        return not any(closest(written, keys) for written in self._entries)

    def child(self, key: str, example: str, *, required: bool = False) -> "Section":
        node = self._wanted(key, example) if required else self._ask(key)
        section = self._section(key, node, example)
        self._children.append(section)
        return section

    def children(self, key: str, example: str, *, required: bool = False) -> "list[Section]":
        """The entries of a list of mappings; `example` is one of them."""
        node = self._wanted(key, f"[{example}]") if required else self._ask(key)
        if node is None:
            return []
        if not isinstance(node, Listing):
            if not (isinstance(node, Scalar) and node.refused):
                self._report.fault(
                    node.at, f"{quoted(key)} is a list", f"begin each of its entries with `- `: `- {example}`"
                )
            return []
        if not node.items:
            self._report.fault(self._entries[key].key_at, f"{quoted(key)} is empty", f"write `- {example}`")
        sections = [self._section(f"{key}[{index}]", item, example) for index, item in enumerate(node.items)]
        self._children += sections
        return sections

    def pairs(self) -> list[Pair]:
        """All entries of a mapping whose keys are free."""
        self._asked |= dict.fromkeys(self._entries, True)
        return [Pair(key, entry.key_at, entry.value) for key, entry in self._entries.items()]

    def value(self, pair: Pair, read: Callable[[str], T], example: str) -> T | None:
        return self._value(pair.key, pair.node, read, example)

    def values(
        self, pair: Pair, read: Callable[[str], T], example: str, *, commas: bool = False
    ) -> tuple[T, ...] | None:
        """As `each`; an empty list is a fault. `commas`: they may stand in a single value."""
        empty = "an empty list means nothing"
        return self._values(pair.key, pair.node, read, example, empty, commas=commas)

    def not_built(self, key: str, help: str) -> None:  # noqa: A002 - the word of the finding's field
        """What is promised for a later release is refused, never ignored."""
        self._asked[key] = False
        if key in self._entries:
            self._report.fault(self._entries[key].key_at, f"{quoted(key)} is not built yet", help)

    def misplaced(self, key: str, message: str, help: str) -> None:  # noqa: A002 - the word of the finding's field
        """A key that has its meaning elsewhere."""
        self._asked.setdefault(key, False)
        if key in self._entries:
            self._report.fault(self._entries[key].key_at, message, help)

    def skip(self, *keys: str) -> None:
        """Keys that are allowed but will not be read, because something before them is wrong."""
        self._asked |= dict.fromkeys(keys, True)

    def close(self) -> None:
        """After all reading: what is missing, and what nobody asked for."""
        for child in self._children:
            child.close()
        allowed = [key for key, named in self._asked.items() if named]
        for key, entry in self._entries.items():
            if key not in self._asked:
                self._refuse_unknown(key, entry, allowed)
        for key, example in self._missing.items():
            self._report.fault(self.at.below(key), f"{quoted(key)} is missing", f"add `{key}: {example}`")

    def _refuse_unknown(self, key: str, entry: Entry, allowed: list[str]) -> None:
        unblanked = re.match(r"([\w-]+):(?=\S)", key)
        meant = closest(
            unblanked[1] if unblanked else key, (one for one in allowed if one not in self._entries)
        )
        if meant is not None:
            self._missing.pop(meant, None)  # one slip, one fault
        if unblanked:
            advice = f"write a blank after the `:` of {quoted(unblanked[1] + ':')}"
        elif meant is None and isinstance(entry.value, Scalar) and not entry.value.text:
            advice = (
                "if it belongs to the value before: a list stands in brackets, text with a comma in quotes"
            )
        else:
            advice = f"allowed here: {listed(allowed)}"
        question = f": did you mean {quoted(meant)}?" if meant and not unblanked else ""
        self._report.fault(entry.key_at, f"unknown key {quoted(key)}{question}", advice)

    def _ask(self, key: str) -> Node | None:
        self._asked[key] = True
        entry = self._entries.get(key)
        return None if entry is None else entry.value

    def _wanted(self, key: str, example: str) -> Node | None:
        node = self._ask(key)
        if node is None and self.present:
            self._missing[key] = example
        return node

    def _value(self, key: str, node: Node, read: Callable[[str], T], example: str) -> T | None:
        help_with = f"write `{key}: {example}`" if example else ""
        if not isinstance(node, Scalar):
            kind = "a list" if isinstance(node, Listing) else "a mapping"
            self._report.fault(node.at, f"{quoted(key)} is one value, not {kind}", help_with)
            return None
        decimals = self._cut_off_decimals(key, node)
        if decimals is not None:
            self._asked[decimals] = False
            written = f"{node.text},{decimals}"
            self._report.fault(
                node.at,
                f"{quoted(written)} has a decimal comma",
                f"write {quoted(written.replace(',', '.'))}",
            )
            return None
        return self._text(key, node, read, help_with)

    def _cut_off_decimals(self, key: str, node: Scalar) -> str | None:
        """In `{target: 99,9%}` the comma separates: `9%` is a key of its own."""
        keys = list(self._entries)
        after = keys[keys.index(key) + 1] if key in keys[:-1] else ""
        value = self._entries[after].value if after else None
        cut_off = isinstance(value, Scalar) and not value.text and re.fullmatch("[0-9]+%?", after)
        return after if cut_off and node.text.isdecimal() else None

    def _values(
        self,
        key: str,
        node: Node,
        read: Callable[[str], T],
        example: str,
        empty: str | None,
        *,
        commas: bool = False,
    ) -> tuple[T, ...] | None:
        help_with = f"write `{key}: {example}`"
        if isinstance(node, Mapping):
            self._report.fault(node.at, f"{quoted(key)} is a list of values, not a mapping", help_with)
            return None
        if isinstance(node, Scalar):
            if "," in node.text and not commas:
                words = ", ".join(word.strip() for word in node.text.split(","))
                self._report.fault(node.at, "several values stand in brackets", f"write `{key}: [{words}]`")
                return None
            value = self._text(key, node, read, help_with)
            return None if value is None else (value,)
        if not node.items and empty is not None:
            self._report.fault(node.at, f"{quoted(key)} is empty: {empty}", help_with)
            return None
        return self._items(key, node.items, read, help_with)

    def _items(
        self, key: str, items: tuple[Node, ...], read: Callable[[str], T], help_with: str
    ) -> tuple[T, ...] | None:
        values: list[T] = []
        for item in items:
            if not isinstance(item, Scalar):
                self._report.fault(item.at, f"the entries of {quoted(key)} are single values", help_with)
                continue
            value = self._text(key, item, read, help_with)
            if value is not None and value in values:
                self._report.fault(item.at, f"{quoted(item.text)} is named twice", "remove one of the two")
            elif value is not None:
                values.append(value)
        return tuple(values) if len(values) == len(items) else None

    def _text(self, key: str, node: Scalar, read: Callable[[str], T], help_with: str) -> T | None:
        if node.refused:
            return None
        if not node.text:
            self._report.fault(node.at, f"{quoted(key)} is empty", help_with or "remove the line")
            return None
        try:
            return read(node.text)
        except RefusedError as refused:
            self._report.fault(node.at, str(refused), refused.help)
        except ValueError as refused:
            message = _in_backticks(str(refused))
            meant = re.search(r"did you mean (`[^`]*`)\?", message)
            if meant:
                help_with = f"write {meant[1]}"
            self._report.fault(node.at, message, "" if "write" in message else help_with)
        return None

    def _section(self, name: str, node: Node | None, example: str) -> "Section":
        if isinstance(node, Mapping):
            return Section(node, node.at, self._report)
        if node is None or (isinstance(node, Scalar) and node.refused):
            return Section(None, self.at.below(name), self._report)
        if isinstance(node, Scalar) and not node.text:
            fault = f"{quoted(name)} is empty"
        else:
            fault = (
                f"{quoted(name)} is a mapping, not {'a list' if isinstance(node, Listing) else 'one value'}"
            )
        written = f"- {example}" if name.endswith("]") else f"{name}: {example}"
        self._report.fault(node.at, fault, f"write `{written}`")
        return Section(None, node.at, self._report)


def _by_name(entry: Mapping) -> Place:
    """An entry of a list, shown by its name or what it is about, rather than by its first character."""
    found = entry.entries.get("name") or entry.entries.get("objective")
    return found.value.at._replace(path=entry.at.path) if found else entry.at


def _in_backticks(message: str) -> str:
    """The domain quotes in "…", findings in backticks."""
    return re.sub(r'"([^"`]*)"', r"`\1`", message)
