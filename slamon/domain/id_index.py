"""Where an id was heard before, at some eleven bytes an id: a table of hashes that says where to look, not what is there.

An entry is eight bytes: half of them are of the id's hash, the other half are the number of a place. What is found by
its hash may be another id that has the same, so whoever asks looks there. An id that is not found was never added.

The table grows by linear hashing: whenever the buckets hold too much on average, the next one in turn is split by one
more bit of the hashes. So no single call ever has to move all that is there.
"""

import struct

LOAD = 32  # entries a bucket, on average: the more, the less memory, and the longer the search in it
_ENTRY = 8  # bytes
_HASH = 0xFFFF_FFFF
_pack = struct.Struct("<Ii").pack
_unpack = struct.Struct("<Ii").unpack_from


class IdIndex:
    """Ids, each with the number of a place: of 32 bits, signed."""

    __slots__ = ("_buckets", "_count", "_mask", "_most", "_split")

    def __init__(self) -> None:
        self._buckets = [bytearray()]
        self._count = 0
        self._most = LOAD  # entries before the next bucket is split
        self._mask = 0  # of the bits that tell apart the buckets that are not split yet in this turn
        self._split = 0  # the next one to be split

    def __len__(self) -> int:
        return self._count

    def claim(self, identity: str, place: int) -> list[int] | None:
        """None: the id is new, and has that place from now on. Else the places at which it may be; nothing is added."""
        found = hash(identity) & _HASH
        number = found & self._mask
        if number < self._split:
            number = found & (2 * self._mask + 1)
        bucket = self._buckets[number]
        entry = _pack(found, place)
        needle = entry[:4]
        at = bucket.find(needle)
        if at >= 0:
            places = []
            while at >= 0:
                if at % _ENTRY == 0:
                    places.append(_unpack(bucket, at)[1])
                at = bucket.find(needle, at + 1)
            if places:
                return places
        bucket += entry
        self._count += 1
        if self._count > self._most:
            self._split_next()
        return None

    def add(self, identity: str, place: int) -> None:
        """Though another id has the same hash."""
        found = hash(identity) & _HASH
        self._bucket(found).extend(_pack(found, place))
        self._count += 1

    def remove(self, identity: str, place: int) -> None:
        """Take back what was added."""
        found = hash(identity) & _HASH
        bucket = self._bucket(found)
        entry = _pack(found, place)
        at = bucket.index(entry)
        while at % _ENTRY:
            at = bucket.index(entry, at + 1)
        del bucket[at : at + _ENTRY]
        self._count -= 1

    def _bucket(self, found: int) -> bytearray:
        number = found & self._mask
        return self._buckets[number if number >= self._split else found & (2 * self._mask + 1)]

    def _split_next(self) -> None:
        bit = self._mask + 1
        old, at_bit = self._buckets[self._split], bit.bit_length() - 1
        byte, mask = at_bit // 8, 1 << at_bit % 8
        starts = range(0, len(old), _ENTRY)
        self._buckets[self._split] = bytearray().join(
            [old[at : at + _ENTRY] for at in starts if not old[at + byte] & mask]
        )
        self._buckets.append(
            bytearray().join([old[at : at + _ENTRY] for at in starts if old[at + byte] & mask])
        )
        self._most += LOAD
        self._split += 1
        if self._split == bit:
            self._mask, self._split = 2 * self._mask + 1, 0
