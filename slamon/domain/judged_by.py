"""A digest of all that verdicts follow from besides facts: what was judged by the same comes out the same.

That is the terms of a customer, the code that judges by them, and the packages that know zones and holidays. It says too
much rather than too little: where it differs, all is judged anew.
"""

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from importlib.resources import files

from slamon.domain.agreement import Agreement
from slamon.domain.terms_digest import terms_digest

_BYTES = 8  # one stands in the record of every decided ticket


def judged_by(agreements: Iterable[Agreement]) -> bytes:
    """The same in every process for the same agreements, in this order, if it judges as this one does."""
    terms = [(one.name, one.start, one.end, terms_digest(one)) for one in agreements]
    return hashlib.sha256(_judge() + repr(terms).encode()).digest()[:_BYTES]


@cache
def _judge() -> bytes:
    digest = hashlib.sha256()
    for package in ("tzdata", "holidays"):
        digest.update(f"{package}={version(package)}\n".encode())
    for module in sorted(files("slamon.domain").iterdir(), key=lambda one: one.name):
        if module.is_file():
            digest.update(module.read_bytes())
    return digest.digest()
