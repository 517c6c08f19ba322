"""sre-bot: an autonomous SRE whose backbone is state management."""
