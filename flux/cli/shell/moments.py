"""Timestamps as people read and write them."""

import re
from datetime import UTC, datetime, timedelta

import click

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS = re.compile(r"[0-9]{1,18}\Z")


def moment(timestamp_ms: int) -> str:
    """Unix milliseconds as ``2026-11-27T08:05:15.123Z``; as they are where no calendar goes so far."""
    try:
        at = _EPOCH + timedelta(milliseconds=timestamp_ms)
    except OverflowError:
        return str(timestamp_ms)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def moment_ms(text: str) -> int:
    """The reverse: Unix milliseconds, given so or as ISO 8601 has it; UTC where no offset is said. :raises ValueError: it is neither."""
    if _MILLISECONDS.match(text):
        return int(text)
    at = datetime.fromisoformat(text)
    return ((at if at.tzinfo is not None else at.replace(tzinfo=UTC)) - _EPOCH) // timedelta(milliseconds=1)


def moment_option(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    """For ``callback=``: a time, as :func:`moment_ms` reads it."""
    try:
        return None if text is None else moment_ms(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no time; write 2026-11-27T08:05:15Z, or Unix milliseconds.") from error
