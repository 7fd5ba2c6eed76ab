"""A JSON value in one field of a payload: percent-encoded, so that no blank, pipe or bracket of it stands on the line."""

import json
from typing import Any

from flux.errors import BadRequest
from flux.wire.encoding import percent_encoded, shown
from flux.wire.fields import Payload
from flux.wire.values import read_text

FIELD = "json"


def write_json(value: object) -> bytes:
    """*value* as the field holds it, compact."""
    return percent_encoded(json.dumps(value, separators=(",", ":")).encode())


def read_json(payload: Payload, kind: type) -> Any:
    """What the field holds. :raises BadRequest: it is missing, is no JSON, or is no *kind*."""
    text = payload.percent(FIELD)
    try:
        value = json.loads(read_text(FIELD, text))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, kind):
        raise BadRequest(f"{FIELD}: {shown(text)} is not what this command answers; is this a broker that speaks V1?")
    return value
