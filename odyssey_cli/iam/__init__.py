"""The proof that each role is allowed what it needs, and nothing else."""
