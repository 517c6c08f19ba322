"""The scripts that Redis runs for us, each in one piece: ``<name>.lua`` beside this file."""

from functools import cache
from importlib.resources import files


@cache
def lua(name: str) -> str:
    """The text of a script. Raises ``FileNotFoundError``."""
    return files(__name__).joinpath(f"{name}.lua").read_text(encoding="utf-8")
