"""The line protocol as text and back: no Twisted, no socket, no clock.

Read :mod:`~flux.wire.v1` (frames, and what a request, a reply and a run are), then the grammar of arguments:
:mod:`~flux.wire.encoding` (bytes as text), :mod:`~flux.wire.values` (one word), :mod:`~flux.wire.fields` (a request's words, a
reply's fields), :mod:`~flux.wire.json_field` (a field that is JSON). Then a module or a few a command family: request and reply
classes that encode and decode in both directions, so that server and clients share them. Must not know who listens: nothing here
raises anything but :class:`~flux.errors.FluxError`.
"""
