"""What may name an entry of a directory."""


def single_component(name: str) -> str:
    """*name*, if it stays inside the directory it is used in.

    :raises ValueError: it is empty, ``.``, ``..`` or holds a slash or a NUL.
    """
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise ValueError(f"{name!r} is not a single path component")
    return name
