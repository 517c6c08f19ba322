"""Memory: everything that is written to Postgres or read from it. SQL lives here and nowhere else."""
