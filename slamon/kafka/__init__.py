"""State that survives anything: the only package that imports aiokafka."""
