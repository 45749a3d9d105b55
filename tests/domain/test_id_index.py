"""Where ids may have been heard: none that was added is ever missed, and hashes alone decide nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slamon.domain import id_index
from slamon.domain.id_index import IdIndex

PLACES = st.integers(-(2**31), 2**31 - 1)
_ids = st.integers(0, 300).map(str)


@given(st.lists(st.tuples(_ids, PLACES, st.booleans()), max_size=400))
def test_an_id_has_the_place_at_which_it_was_added_until_it_is_removed(
    steps: list[tuple[str, int, bool]],
) -> None:
    index, known = IdIndex(), dict[str, int]()
    for identity, place, remove in steps:
        if identity in known:
            assert known[identity] in (index.claim(identity, place) or ())
            if remove:
                index.remove(identity, known.pop(identity))
        elif index.claim(identity, place) is None:  # else another id has the same hash
            known[identity] = place
        assert len(index) == len(known)


def test_ids_are_found_again_however_many_there_are() -> None:
    index = IdIndex()
    for number in range(20_000):
        if index.claim(f"e{number}", number) is not None:
            index.add(f"e{number}", number)
    assert all(number in (index.claim(f"e{number}", -1) or ()) for number in range(20_000))
    for number in range(0, 20_000, 2):
        index.remove(f"e{number}", number)
    assert len(index) == 10_000
    assert all(number in (index.claim(f"e{number}", -1) or ()) for number in range(1, 20_000, 2))


def test_ids_of_one_hash_are_told_apart_by_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(id_index, "hash", lambda _: 7, raising=False)
    index = IdIndex()
    assert index.claim("a", 1) is None
    assert index.claim("b", 7) == [1], "somebody has to look there"
    index.add("b", 7)
    assert index.claim("c", 3) == [1, 7]
    index.remove("a", 1)
    assert index.claim("a", 1) == [7]
