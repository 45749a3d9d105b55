"""The commands. Each parses its options, calls what does the work, and turns what a user can mend into one or two lines.

Each imports what it needs only when it is called: `slamon check` does not wait for the client of Kafka.
"""

import logging

import click

from slamon import __version__
from slamon.cli import agreements, changes, dead_letters, doctor, judging, kafka, notify, running


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="slamon")
def main() -> None:
    """Knows at every moment whether service-level agreements are kept, and says so before they are broken."""
    # What libraries mutter on the way to a success is for the daemon's log; commands say how it ended.
    logging.getLogger().addHandler(logging.NullHandler())


COMMANDS: tuple[click.Command, ...] = (
    running.run,
    running.demo,
    agreements.check,
    changes.group,
    agreements.import_group,
    agreements.schema_command,
    judging.replay,
    judging.explain,
    kafka.topics_group,
    kafka.publish_command,
    dead_letters.group,
    notify.group,
    kafka.repartition_command,
    doctor.doctor,
)
for command in COMMANDS:
    main.add_command(command)
