"""Keys and values, which may be any bytes, as text."""

import base64


def legible(data: bytes | None) -> str | None:
    """For the eye: bytes that are not UTF-8 are shown as numbers."""
    return None if data is None else data.decode(errors="backslashreplace")


def exact(name: str, data: bytes | None) -> dict[str, str | None]:
    """For JSON: under *name* if it is UTF-8, or nothing; else as base64, under ``<name>_base64`` instead."""
    try:
        return {name: None if data is None else data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(data or b"").decode()}
