"""``python -m sre_bot``."""

from sre_bot.cli.main import main

main()
