"""JSON in one field."""

import json
from typing import Any
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import BadRequest
from flux.wire.fields import Payload
from flux.wire.json_field import read_json, write_json

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


class JsonFieldTests(SynchronousTestCase):
    @given(st.dictionaries(st.text(), values, max_size=4))
    def test_what_is_written_is_read(self, value: dict[str, Any]) -> None:
        """Nothing of it breaks the line or the field, whatever the texts in it are."""
        field = write_json(value)
        self.assertEqual(set(field) & set(b' |[]{}",:=\r\n\t'), set())
        self.assertEqual(json.loads(unquote(field.decode())), value)
        self.assertEqual(read_json(Payload(b"a=1 json=" + field + b" later=1"), dict), value)

    def test_it_is_compact(self) -> None:
        """No blanks between the parts."""
        self.assertEqual(unquote(write_json({"a": [1, None], "b": True}).decode()), '{"a":[1,null],"b":true}')

    def test_anything_else_is_refused(self) -> None:
        """Missing, no JSON, another kind of value, badly encoded, or nested to exhaust whoever reads it."""
        for payload in (
            b"",
            b"json=",
            b"json={",
            b"json=%5B%5D",
            b"json=1",
            b"json=%7",
            b"json=%FF",
            b"json=" + b"%5B" * 100_000,
        ):
            with self.assertRaises(BadRequest) as caught:
                read_json(Payload(payload), dict)
            self.assertTrue(str(caught.exception).startswith("json: "))
            self.assertLess(len(str(caught.exception)), 400)
