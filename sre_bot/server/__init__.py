"""People and machines over HTTP."""
