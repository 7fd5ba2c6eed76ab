"""The log of a process as lines on a stream: text for people, JSON for programs. ``flux serve`` uses it; twistd has its own."""

import json
from collections.abc import Callable
from typing import Any, TextIO

from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    eventAsText,
    formatEvent,
    formatTime,
)

LEVELS = tuple(level.name for level in LogLevel.iterconstants())
_TRACEBACK_LINE = "\n    "
# What a client sent may stand in a log line; it must not forge another line, nor speak to the terminal.
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) != "\n"} | {ord("\t"): "\t"}
_TAKEN = (
    "time",
    "level",
    "source",
    "message",
    "traceback",
)  # our own keys in a JSON line, which no field of an event may take
_LEGACY = (
    "isError",
    "system",
    "failure",
    "why",
    "format",
    "logLevel",
    "printed",
)  # what twisted.python.log adds to an event


def observer(stream: TextIO, format: str, level: str) -> ILogObserver:
    """Writes events of at least *level* (one of :data:`LEVELS`) to *stream*, a line each; *format* is a key of :data:`FORMATS`."""
    predicate = LogLevelFilterPredicate(defaultLogLevel=LogLevel.lookupByName(level))
    written: ILogObserver = FileLogObserver(stream, FORMATS[format])
    return FilteringLogObserver(written, [predicate])


def as_text(event: LogEvent) -> str | None:
    """``<time> [<source>#<level>] <message>``; a traceback follows, indented. None for an event without words."""
    text = eventAsText(event, includeTimestamp=False, includeSystem=False)
    if not text:
        return None
    message = text.translate(_CONTROL).rstrip("\n").replace("\n", _TRACEBACK_LINE)
    return f"{formatTime(event.get('log_time'))} [{_source(event)}#{_level(event)}] {message}\n"


def as_json(event: LogEvent) -> str | None:
    """One object: time (Unix seconds), level, source, message, the event's own fields, and traceback if there is one."""
    message = formatEvent(event)
    failure = event.get("log_failure")
    if not message and failure is None:
        return None
    line: dict[str, Any] = {
        "time": event.get("log_time"),
        "level": _level(event),
        "source": _source(event),
        "message": message,
    }
    if failure is not None:
        line["traceback"] = failure.getTraceback()
    for key, value in event.items():
        if not key.startswith("log_") and key not in _TAKEN + _LEGACY:
            line[key] = value if isinstance(value, str | int | float | bool | None) else str(value)
    return json.dumps(line) + "\n"


def _source(event: LogEvent) -> str:
    namespace = event.get("log_namespace", "-")
    return str(event.get("system", "-") if namespace == "log_legacy" else namespace)


def _level(event: LogEvent) -> str:
    level = event.get("log_level")
    return "-" if level is None else str(level.name)


FORMATS: dict[str, Callable[[LogEvent], str | None]] = {"text": as_text, "json": as_json}
