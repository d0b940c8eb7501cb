"""Several leaves: where they fork, who made them, what to do."""
