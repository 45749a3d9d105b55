"""Why a number is what it is: the facts and clauses that lead to it, from the derivation that gave it."""
