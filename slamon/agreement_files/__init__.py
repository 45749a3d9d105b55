"""Agreements and calendars from YAML: typed, checked, and every fault with file, line and path."""

from slamon.agreement_files.findings import Advice, Fault, Finding, rendered
from slamon.agreement_files.in_use import AgreementsInUse, AgreementsRefused
from slamon.agreement_files.loading import Loaded, load

__all__ = [
    "Advice",
    "AgreementsInUse",
    "AgreementsRefused",
    "Fault",
    "Finding",
    "Loaded",
    "load",
    "rendered",
]
