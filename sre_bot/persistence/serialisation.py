"""How values are read back from a checkpoint: strictly, and with a name for what cannot be read."""

from typing import Any

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from sre_bot.domain.errors import UndecodableState


class StrictSerializer(JsonPlusSerializer):
    """Reads JSON-plain values and LangGraph's own types, nothing else."""

    def __init__(self) -> None:
        super().__init__(allowed_msgpack_modules=None)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """One value. Raises ``UndecodableState`` on bytes that this serializer has not written."""
        try:
            return super().loads_typed(data)
        except (ValueError, TypeError, LookupError, NotImplementedError) as error:
            size = f"{len(data[1] or b'')} bytes of type {data[0]!r}"
            raise UndecodableState(f"a value of the saved state, {size}, cannot be decoded: {error}") from error
