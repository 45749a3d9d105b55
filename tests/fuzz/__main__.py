"""`python -m tests.fuzz --records 10_000_000`: mutated records through codec and step, and where they all went.

It ends with the first record that makes anything raise, or with a table: each record in a counter, and how much memory the
process took in each tenth of the run. The same seed is the same run.
"""

import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.fuzz.campaign import ROUND, Count, all_agreements, rounds

TENTHS = 10


@click.command()
@click.option("--records", type=int, default=10_000_000, show_default=True, help="How many.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed is another run.")
@click.option("--processes", type=int, default=1, show_default=True, help="How many share the work.")
def main(*, records: int, seed: int, processes: int) -> None:
    """Feed mutated records to the codec and the step, and account for each."""
    console = Console(highlight=False)
    begun = time.perf_counter()
    total, peaks = Count(), []
    with (
        ProcessPoolExecutor(processes) as pool,
        Progress(console=console, disable=not sys.stdout.isatty()) as bar,
    ):
        shown = bar.add_task("records", total=records)
        # Seeds of their own; the first ones finish the tenths in which memory is looked at.
        share = -(-records // (processes * TENTHS))
        for tenth in range(TENTHS):
            works = [
                pool.submit(_work, f"{seed}.{tenth}.{one}", _of(records, share, tenth * processes + one))
                for one in range(processes)
            ]
            tenth_peak = 0
            for work in works:
                count, peak = work.result()
                total.add(count)
                tenth_peak = max(tenth_peak, peak)
                bar.update(shown, advance=count.records)
            peaks.append(tenth_peak)
    _tell(console, total, peaks, time.perf_counter() - begun)


def _of(records: int, share: int, number: int) -> int:
    return max(0, min(share, records - number * share))


def _work(seed: str, records: int) -> tuple[Count, int]:
    """What became of them, and the peak of this process so far in MiB."""
    total = Count()
    for count in rounds(all_agreements(), seed, records):
        total.add(count)
    return total, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _tell(console: Console, total: Count, peaks: list[int], seconds: float) -> None:
    table = Table("what", "records", box=None)
    table.columns[1].justify = "right"
    for name, counter in (("event", total.events), ("of those", total.taken), ("rejected", total.rejected)):
        for word, count in sorted(counter.items(), key=lambda item: -item[1]):
            table.add_row(f"{name} {word}", f"{count:,}")
    console.print(table)
    console.print(
        f"{total.records:,} records in {seconds:,.0f} s, each an event or rejected; {total.letters:,} dead letters, {total.tallied:,} more in tallies, "
        f"{total.alerts:,} alert transitions, {total.statements:,} statements in {total.commits:,} commits of "
        f"{total.changelog_bytes >> 20:,} MiB\n{total.successors:,} successors, one every {ROUND:,} records, restored from "
        f"what was written and in the same standing\npeak memory by tenths of the run, MiB: {', '.join(map(str, peaks))}"
    )


if __name__ == "__main__":
    main()
