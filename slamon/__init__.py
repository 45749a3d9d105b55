"""slamon: service-level agreements, judged at every moment."""
