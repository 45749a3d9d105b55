"""What must hold of the step for every history: no order, no duplicate, no restart and no batching changes a verdict."""
