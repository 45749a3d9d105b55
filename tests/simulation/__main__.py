"""`python -m tests.simulation`: many seeds, or one with all that happened."""

import sys
from collections import Counter

import click

from tests.simulation.loop import Hung, seconds_of_the_machine
from tests.simulation.run import Broken, Run


@click.command()
@click.option("--seed", type=int, default=0, show_default=True, help="The one to run, or the first of many.")
@click.option("--seeds", type=int, default=1, show_default=True, help="How many.")
@click.option("--trace", is_flag=True, help="Print what happened.")
def main(*, seed: int, seeds: int, trace: bool) -> None:
    """Run the task life cycle against a simulated broker; each seed is another story, the same one every time."""
    begun = seconds_of_the_machine()
    faults: Counter[str] = Counter()
    broken: list[int] = []
    steps, seconds = 0, 0.0
    for number in range(seed, seed + seeds):
        run = Run(number, trace=click.echo if trace else None)
        try:
            run.play()
        except (Broken, Hung) as error:
            broken.append(number)
            click.echo(f"seed {number}: {error}")
        faults.update(run.faults)
        steps += run.loop.steps
        seconds += run.loop.time()
    took = seconds_of_the_machine() - begun
    listed = ", ".join(f"{name} {count}" for name, count in sorted(faults.items()))
    click.echo(
        f"{seeds} seeds in {took:.1f} s of a core ({seeds / took * 60:.0f} a minute), {steps} steps in {seconds:.0f} s of their "
        f"own; faults: {listed}; {len(broken)} broken"
    )
    if broken:
        click.echo(f"again, with all that happened: python -m tests.simulation --trace --seed {broken[0]}")
        sys.exit(1)


if __name__ == "__main__":
    main()
