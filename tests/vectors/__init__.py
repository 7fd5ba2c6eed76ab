"""What every client must agree on, as data: the Python and the TypeScript tests read the same files.

In them, text stands for its UTF-8 wherever bytes are meant; ``{"hex": …}`` are bytes, ``{"repeat": …, "times": …}`` is text or bytes
many times over, and ``{"int": …}`` is a number that a double would not hold.
"""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def load(name: str) -> Any:
    """The file *name*, with what stands for something else replaced by it."""
    return json.loads((HERE / name).read_text(encoding="utf-8"), object_hook=_meant)


def as_bytes(text: bytes | str) -> bytes:
    """As it travels."""
    return text.encode() if isinstance(text, str) else text


def _meant(value: dict[str, Any]) -> Any:
    match value:
        case {"hex": digits}:
            return bytes.fromhex(digits)
        case {"int": digits}:
            return int(digits)
        case {"repeat": text, "times": times}:
            return text * times
        case _:
            return value
