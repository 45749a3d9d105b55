"""The agreements in use, and whether their files still say the same."""

from collections.abc import Collection, Sequence
from pathlib import Path

from slamon.agreement_files.findings import Fault
from slamon.agreement_files.loading import fingerprint, load
from slamon.agreement_files.receivers import unknown_receivers
from slamon.domain.agreement import Agreement
from slamon.domain.events import DAY
from slamon.domain.forgetting import needed


class AgreementsRefused(Exception):  # noqa: N818 - reads as what it says
    """The agreement files have faults; there is nothing to judge by."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__(f"{len(faults)} faults in the agreements")
        self.faults = faults


class AgreementsInUse:
    """What files and directories said when they were last good to use."""

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        keep_days: int | None = None,
        receivers: Collection[str] | None = None,
    ) -> None:
        """`keep_days`: so long facts are kept; None: for ever. `receivers`: whom they may escalate to; None: anybody.

        Raises as `look` does.
        """
        self._paths = paths
        self._keep_days = keep_days
        self._receivers = receivers
        self._seen = b""  # of the files as they were last looked at, good or not
        self.agreements: tuple[Agreement, ...] = ()
        self.look()

    def look(self, *, anyway: bool = False) -> bool:
        """Whether the files were read: because they have changed, or `anyway`. If that fails, what was in use stays.

        Takes its time. Raises AgreementsRefused, OSError for a missing path, ValueError when there are no agreements, or
        when facts are not kept long enough to judge by them: once for each change, unless `anyway`.
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
        faults = loaded.faults
        if self._receivers is not None:
            faults = (*faults, *unknown_receivers(loaded.documents, self._receivers))
        if faults:
            raise AgreementsRefused(faults)
        if not loaded.agreements:
            raise ValueError(
                "there are no agreements to judge by: set `agreements` to files or directories that hold some"
            )
        self._check_keep(loaded.agreements)
        self.agreements = loaded.agreements
        return True

    def _check_keep(self, agreements: Sequence[Agreement]) -> None:
        most = max(agreements, key=needed)
        days = -(-needed(most) // DAY)
        if self._keep_days is not None and self._keep_days < days:
            raise ValueError(
                f"facts are kept for {self._keep_days} days, but agreement {most.name} of {most.customer} needs {days}: "
                f"its longest window, settleAfter and 35 days for corrections. Set facts.keep to {days} or more"
            )
