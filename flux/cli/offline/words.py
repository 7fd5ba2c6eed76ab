"""Numbers in sentences."""


def counted(number: int, noun: str) -> str:
    """``1 record``, ``2 records``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def spanned(first: int, after: int) -> str:
    """Offsets from *first* to *after*, exclusive: ``offset 7``, ``offsets 7-9``; empty if there are none."""
    if after <= first:
        return ""
    return f"offset {first}" if after == first + 1 else f"offsets {first}-{after - 1}"
