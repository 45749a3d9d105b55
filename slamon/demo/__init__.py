"""The whole thing on one machine: parts, processes, an invented world."""
