"""Results that are kept on disk, so that a campaign which was interrupted goes on where it stood."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from sre_bot.evals.examination import Order, Result


@dataclass(frozen=True, slots=True)
class Shelf:
    """One file for each result in ``folder``, named after all that it depends on.

    That is the incident's files, what was asked, and this program's own code: a result is never older than them.
    """

    folder: Path
    code: str

    @classmethod
    def at(cls, folder: Path) -> "Shelf":
        """The shelf in a folder, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder, digest_of(Path(str(files("sre_bot"))), ("*.py", "*.txt", "*.yaml")))

    def find(self, order: Order) -> Result | None:
        """The result of an order, None where it is not there or cannot be read."""
        try:
            return Result.model_validate_json(self._file(order).read_text())
        except (FileNotFoundError, ValidationError):
            return None

    def put(self, order: Order, result: Result) -> None:
        """Keep a result."""
        file = self._file(order)
        half = file.with_suffix(".half")
        half.write_text(result.model_dump_json(indent=1))
        half.replace(file)

    def _file(self, order: Order) -> Path:
        asked = (order.stage, order.fix_threshold, order.rename, order.shuffle, order.degrade, self.code)
        digest = hashlib.sha256(repr((str(order.folder), digest_of(order.folder, ("*",)), asked)).encode()).hexdigest()
        return self.folder / f"{order.folder.name}-{digest[:16]}.json"


def digest_of(folder: Path, patterns: tuple[str, ...]) -> str:
    """A digest of the names and contents of the files below a folder."""
    digest = hashlib.sha256()
    for file in sorted({file for pattern in patterns for file in folder.rglob(pattern) if file.is_file()}):
        digest.update(f"{file.relative_to(folder)}\0".encode(errors="surrogateescape"))
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
