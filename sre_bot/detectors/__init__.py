"""Facts: pure functions from a cluster snapshot to findings."""
