"""What an agreement means: no I/O, no clock, whole microseconds and fractions."""
