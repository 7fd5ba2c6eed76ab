"""What the commands do: families of handlers, bound to a broker's rooms through :class:`~flux.interfaces.IBroker`.

Read :mod:`~flux.commands.session` (the smallest), then :mod:`~flux.commands.produce` and :mod:`~flux.commands.fetch` (the two that
carry the load), then the others, one file a family. A handler takes a decoded request, or a whole run, and returns a reply or
raises a :class:`~flux.errors.FluxError`. Must not know the socket, the line, or how errors are written.
"""
