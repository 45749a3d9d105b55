"""Advice on credits: what a missed objective costs, and whether the figures do what they look like."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import pairwise

from slamon.agreement_files.findings import quoted
from slamon.agreement_files.hints import Document, Hint, Path, judged_window, target_of
from slamon.agreement_files.wording import days, share
from slamon.domain.agreement import (
    Bands,
    Linear,
    Objective,
    PerMiss,
    Remedies,
    RequestsObjective,
)


def no_remedy(document: Document) -> Iterator[Hint]:
    agreement = document.agreement
    if agreement.remedies is None:
        yield Hint(
            "no-remedy",
            ("remedies",),
            "nothing follows from a missed objective",
            f"add `remedies: {{credits: [{{objective: {agreement.objectives[0].name}, …}}]}}`",
        )
        return
    named = {term.objective for term in agreement.remedies.credits}
    for index, objective in enumerate(agreement.objectives):
        if objective.name not in named:
            yield Hint(
                "no-remedy",
                ("objectives", index),
                f"nothing follows if {quoted(objective.name)} is missed",
                f"add `{{objective: {objective.name}, …}}` to `remedies.credits`",
            )


def credit_terms(document: Document) -> Iterator[Hint]:
    remedies = document.agreement.remedies
    if remedies is None:
        return
    by_name = {objective.name: objective for objective in document.agreement.objectives}
    yield from _caps(remedies, by_name)
    for index, term in enumerate(remedies.credits):
        objective = by_name.get(term.objective)
        if objective is None:
            continue
        if isinstance(term.by, Bands):
            yield from _bands(("remedies", "credits", index, "bands"), term.by, objective)
        judged = judged_window(objective)
        if judged.rolling is not None:
            yield Hint(
                "rolling-window-with-credits",
                ("remedies", "credits", index, "objective"),
                f"{quoted(objective.name)} is judged over the last {days(judged.rolling)} at the end of each "
                f"{document.agreement.reporting.unit.value}",
                f"write `timeWindow: {{calendar: {document.agreement.reporting.unit.value}}}` in {quoted(objective.name)}",
            )


def _caps(remedies: Remedies, by_name: Mapping[str, Objective | RequestsObjective]) -> Iterator[Hint]:
    if remedies.cap is not None:
        return
    together = Fraction(0)
    for index, term in enumerate(remedies.credits):
        most = term.cap
        if most is None and isinstance(term.by, PerMiss):
            yield Hint(
                "credits-uncapped",
                ("remedies", "credits", index),
                f"{quoted(term.objective)} costs {share(term.by.credit)} for each miss, however many there are",
                "add `cap: 15%` here, or `cap: 100%` to `remedies`",
            )
        elif most is None and isinstance(term.by, Bands):
            most = max(band.credit for band in term.by.bands)
        elif most is None and isinstance(term.by, Linear) and term.objective in by_name:
            most = term.by.percent_per_point * target_of(by_name[term.objective])  # at a ratio of zero
        together += most or 0
    if together > 1:
        yield Hint(
            "credits-uncapped",
            ("remedies",),
            f"together the credits can reach {share(together)} of the fee",
            "add `cap: 100%` to `remedies`",
        )


def _bands(path: Path, bands: Bands, objective: Objective | RequestsObjective) -> Iterator[Hint]:
    target = target_of(objective)
    ordered = sorted(enumerate(bands.bands), key=lambda found: -found[1].below)
    above = [found for found in ordered if found[1].below > target]
    for index, band in above:
        yield Hint(
            "band-above-target",
            (*path, index, "below"),
            f"between {share(target)} and {share(band.below)} the objective is met, and this band gives nothing",
            f"write `below: {share(target)}`",
        )
    index, first = ordered[0]
    if first.below < target:
        yield Hint(
            "band-gap",
            (*path, index, "below"),
            f"from {share(first.below)} to below {share(target)} the objective is missed, and costs nothing",
            f"add `{{below: {share(target)}, credit: …}}`, or write `below: {share(target)}` here",
        )
    for (_, higher), (index, lower) in pairwise(ordered):
        if lower.below == higher.below:
            yield Hint(
                "band-overlap",
                (*path, index, "below"),
                f"two bands are below {share(lower.below)}: which of them counts?",
                "remove one of the two",
            )
        elif lower.credit <= higher.credit:
            yield Hint(
                "band-overlap",
                (*path, index, "credit"),
                f"below {share(lower.below)} the credit is {share(lower.credit)}, but above it "
                f"{share(higher.credit)} already",
                f"write more than {share(higher.credit)}, or remove the band",
            )
