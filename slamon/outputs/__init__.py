"""What leaves the process: notifications, metrics, probes."""
