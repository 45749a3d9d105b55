"""Agreements and calendars from YAML: typed, checked, and every fault with file, line and path."""

from slamon.agreement_files.comparison import Difference, Kind, compare
from slamon.agreement_files.findings import Advice, Fault, Finding, rendered
from slamon.agreement_files.in_use import AgreementsInUse, AgreementsRefused
from slamon.agreement_files.loading import Loaded, load
from slamon.agreement_files.receivers import unknown_receivers
from slamon.agreement_files.rules import RULES, Rule, Severity

__all__ = [
    "RULES",
    "Advice",
    "AgreementsInUse",
    "AgreementsRefused",
    "Difference",
    "Fault",
    "Finding",
    "Kind",
    "Loaded",
    "Rule",
    "Severity",
    "compare",
    "load",
    "rendered",
    "unknown_receivers",
]
