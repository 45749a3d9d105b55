"""The commands about who is told: a sample to receivers."""

import sys
from pathlib import Path

import click

from slamon.cli.ending import USAGE, fail, finish
from slamon.cli.options import config_option
from slamon.cli.reading import agreements_in_use, settings_of


@click.group(name="notify")
def group() -> None:
    """Whom slamon tells of alerts."""


@group.command(name="test", short_help="Send a sample to receivers, and say what each answered.")
@config_option
@click.option(
    "--receiver", "receivers", multiple=True, metavar="NAME", help="Only this one; may be repeated."
)
@click.option("--customer", metavar="ID", help="Those whom the routes name for alerts of this customer …")
@click.option("--severity", type=click.Choice(["critical", "warning", "info"]), help="… of this severity …")
@click.option("--alertname", metavar="NAME", help="… of this name, such as SlaTicketBreached.")
@click.option("--dry-run", is_flag=True, help="Send nothing: say who would get it, and show what.")
def notify_test(
    config: Path,
    *,
    receivers: tuple[str, ...],
    customer: str | None,
    severity: str | None,
    alertname: str | None,
    dry_run: bool,
) -> None:
    """Send a sample of an alert, as it fires and then as it ends, and say what each receiver answered.

    Without options it goes to every receiver of the settings. It says that it is a test.
    """
    from slamon import notify
    from slamon.domain.agreement import AlertName, Severity

    settings = settings_of(config)
    names = [one.value for one in AlertName]
    if alertname is not None and alertname not in names:
        fail(f"there is no alert {alertname}; there are {', '.join(names)}", USAGE)
    if not settings.notifier.receivers:
        fail(f"{config} names no receivers: see notifier.receivers", USAGE)
    asked = notify.Asked(
        receivers,
        customer,
        Severity(severity) if severity else None,
        AlertName(alertname) if alertname else None,
    )
    agreements = agreements_in_use(settings).agreements if settings.agreements else ()
    try:
        if dry_run:
            sys.exit(notify.dry_run(settings, asked, agreements, sys.stdout))
    except ValueError as error:
        fail(str(error), USAGE)
    sys.exit(finish(lambda: notify.send(settings, asked, agreements, sys.stdout)))
