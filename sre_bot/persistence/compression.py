"""Values of a checkpoint in fewer bytes: large ones are compressed before they travel and are stored."""

import zlib
from typing import Any

from sre_bot.domain.errors import UndecodableState
from sre_bot.persistence.serialisation import StrictSerializer

WORTH_IT = 512
"""Bytes from which on a value is compressed."""

_MARK = "zlib:"
_FASTEST = 1
_THOROUGH = 6
_LARGE = 64 * 1024
"""Bytes from which on a value is compressed in a fifth of the time, and an eighth less."""


class CompactSerializer(StrictSerializer):
    """Compresses what is large, marks its type so, and reads values that were stored without."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """A value as its type and its bytes."""
        kind, data = super().dumps_typed(obj)
        if len(data) < WORTH_IT:
            return kind, data
        smaller = zlib.compress(data, _FASTEST if len(data) >= _LARGE else _THOROUGH)
        return (_MARK + kind, smaller) if len(smaller) < len(data) else (kind, data)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """One value. Raises ``UndecodableState`` on bytes that this serializer has not written."""
        kind, content = data
        if not kind.startswith(_MARK):
            return super().loads_typed(data)
        try:
            content = zlib.decompress(content)
        except zlib.error as error:
            raise UndecodableState(f"a value of the saved state, {len(content)} bytes of {kind!r}: {error}") from error
        return super().loads_typed((kind.removeprefix(_MARK), content))
