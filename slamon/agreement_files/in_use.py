"""The agreements in use, and whether their files still say the same."""

from collections.abc import Sequence
from pathlib import Path

from slamon.agreement_files.findings import Fault
from slamon.agreement_files.loading import fingerprint, load
from slamon.domain.agreement import Agreement


class AgreementsRefused(Exception):  # noqa: N818 - reads as what it says
    """The agreement files have faults; there is nothing to judge by."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__(f"{len(faults)} faults in the agreements")
        self.faults = faults


class AgreementsInUse:
    """What files and directories said when they were last good to use."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Raises as `look` does."""
        self._paths = paths
        self._seen = b""  # of the files as they were last looked at, good or not
        self.agreements: tuple[Agreement, ...] = ()
        self.look()

    def look(self, *, anyway: bool = False) -> bool:
        """Whether the files were read: because they have changed, or `anyway`. If that fails, what was in use stays.

        Takes its time. Raises AgreementsRefused, OSError for a missing path, ValueError when there are no agreements:
        once for each change, unless `anyway`.
        """
        seen = fingerprint(self._paths)
        if seen == self._seen and not anyway:
            return False
        while True:
            self._seen = seen
            loaded = load(self._paths)
            seen = fingerprint(self._paths)
            if seen == self._seen:
                break  # else they changed under the reader, who may have seen a mixture of old and new
        if loaded.faults:
            raise AgreementsRefused(loaded.faults)
        if not loaded.agreements:
            raise ValueError(
                "there are no agreements to judge by: set `agreements` to files or directories that hold some"
            )
        self.agreements = loaded.agreements
        return True
