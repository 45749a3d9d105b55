"""slamon: service-level agreements, judged at every moment."""

__version__ = "0.1.0"
