"""The outside world on loopback, served from one incident folder."""
