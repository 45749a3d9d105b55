"""What one receiver has been told of one partition and not yet seen end: small enough to stand beside its offset.

Written as the metadata of a committed offset, of which a broker takes 4,096 bytes. An alert is known there by 48 bits of
a hash of its id, and by the episode if that is not the first. When not all fit, the newest stand there, and a star says
that there are more: then the end of an alert that does not stand there is told all the same, for an end too many is better
than an incident that stays open. The star stays for good; a plus says that what fired at the beginning is still being told.
"""

import base64
import hashlib
from collections.abc import Iterator

ROOM = 4000  # bytes; a broker's default limit is 4,096
_MORE, _BEGINNING = "*", "+"


class Told:
    def __init__(self, text: str = "") -> None:
        """`text`: as `written`; what is not understood is taken for nothing told."""
        self.beginning = _BEGINNING in text[:2]
        self.more = _MORE in text[:2]  # alerts were told that do not stand here
        self._episodes: dict[str, int] = dict(_entries(text.lstrip(_MORE + _BEGINNING)))  # the oldest first

    def __len__(self) -> int:
        return len(self._episodes)

    def written(self, room: int = ROOM) -> str:
        """At most so many bytes."""
        entries = [name if episode == 1 else f"{name}.{episode}" for name, episode in self._episodes.items()]
        while sum(map(len, entries)) + len(entries) + 2 > room and entries:
            # In one go: whoever has so many open has more soon.
            entries = entries[-(-len(entries) // 8) :]
            self.more = True
        signs = (_MORE if self.more else "") + (_BEGINNING if self.beginning else "")
        return signs + " ".join(entries)

    def episode(self, id_: str) -> int:
        """Of the alert that was told under this id; 0: none."""
        return self._episodes.get(_name(id_), 0)

    def add(self, id_: str, episode: int) -> None:
        name = _name(id_)
        self._episodes.pop(name, None)
        self._episodes[name] = episode

    def remove(self, id_: str) -> None:
        self._episodes.pop(_name(id_), None)


def _name(id_: str) -> str:
    digest = hashlib.blake2b(id_.encode(errors="surrogatepass"), digest_size=6).digest()
    return base64.urlsafe_b64encode(digest).decode()


def _entries(text: str) -> Iterator[tuple[str, int]]:
    for entry in text.split():
        name, _, episode = entry.partition(".")
        if episode.isdecimal() or not episode:
            yield name, int(episode or 1)
