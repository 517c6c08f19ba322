"""The diagram: one module per sub-state, one node per detailed state."""
