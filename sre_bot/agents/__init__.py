"""The rules of each agent and, where a model is configured, the model's turn over the same evidence."""
