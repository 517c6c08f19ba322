"""Running, resuming and recovering workflows."""
