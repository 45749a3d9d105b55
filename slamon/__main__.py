"""`python -m slamon` is the command `slamon`."""

from slamon.cli import main

main(prog_name="slamon")
