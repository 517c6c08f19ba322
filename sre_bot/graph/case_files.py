"""Big values of a case, kept as content-addressed artifacts and read back as what they were.

A node reads and writes those of the workflow that it runs for, and has no way to name another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from langgraph.config import get_config

from sre_bot.domain.cluster import Value
from sre_bot.persistence.artifacts import Artifacts

V = TypeVar("V", bound=Value)


@dataclass(frozen=True, slots=True)
class CaseFiles:
    """Typed access to the artifacts of the workflow whose node runs."""

    artifacts: Artifacts

    async def save(self, value: Value | Sequence[Value]) -> str:
        """Store a value, or several of one kind, and return the digest."""
        if isinstance(value, Value):
            return await self.artifacts.put_json(_running(), value.model_dump(mode="json"))
        return await self.artifacts.put_json(_running(), [one.model_dump(mode="json") for one in value])

    async def load(self, digest: str, kind: type[V]) -> V:
        """The value under a digest. Raises ``pydantic.ValidationError`` when it is of another kind."""
        return kind.model_validate(await self.artifacts.get_json(_running(), digest))

    async def load_all(self, digest: str, kind: type[V]) -> tuple[V, ...]:
        """The values under a digest."""
        return tuple(kind.model_validate(one) for one in await self.artifacts.get_json(_running(), digest))

    async def load_if(self, digest: str | None, kind: type[V]) -> V | None:
        """The value under a digest, None where the case has none."""
        return await self.load(digest, kind) if digest else None


def _running() -> str:
    """The workflow whose node runs now; its thread bears its id."""
    return str(get_config()["configurable"]["thread_id"])  # pyright: ignore[reportTypedDictNotRequiredAccess]
