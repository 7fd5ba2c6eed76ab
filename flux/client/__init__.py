"""Talking to brokers: one core, three faces with the same names.

Read, from the ground up: :mod:`~flux.client.calls` (what can be asked), :mod:`~flux.client.exchange` (a call under way),
:mod:`~flux.client.conversation` (one connection), :mod:`~flux.client.addresses` and :mod:`~flux.client.backlog` (which broker, and
what waits), :mod:`~flux.client.core`, which decides everything and touches nothing. Then the faces, which do what it decides:
:mod:`~flux.client.client` (Twisted), :mod:`~flux.client.aio` (asyncio), :mod:`~flux.client.blocking` (standard library only).

Above them, producers and consumers: :mod:`~flux.client.options`, then the agents that decide, :mod:`~flux.client.outbox` and
:mod:`~flux.client.subscription` (of :mod:`~flux.client.membership` and :mod:`~flux.client.feed`), and one runtime a face, which
makes their calls.
Must not know how a broker works inside.

Names are imported when they are asked for: the blocking face must not cost anybody Twisted.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flux.client.aio import AsyncFluxClient
    from flux.client.aio_runtime import AsyncConsumer, AsyncProducer
    from flux.client.blocking import BlockingClient
    from flux.client.blocking_runtime import BlockingConsumer, BlockingProducer
    from flux.client.calls import Call, Page, Record
    from flux.client.client import FluxClient
    from flux.client.errors import BadReply, ClientClosed, NoBroker, NotSent, OtherError, OutcomeUnknown
    from flux.client.options import ConsumerOptions, ProducerOptions
    from flux.client.runtime import Consumer, Producer
    from flux.client.settings import ClientSettings

__all__ = [
    "AsyncConsumer",
    "AsyncFluxClient",
    "AsyncProducer",
    "BadReply",
    "BlockingClient",
    "BlockingConsumer",
    "BlockingProducer",
    "Call",
    "ClientClosed",
    "ClientSettings",
    "Consumer",
    "ConsumerOptions",
    "FluxClient",
    "NoBroker",
    "NotSent",
    "OtherError",
    "OutcomeUnknown",
    "Page",
    "Producer",
    "ProducerOptions",
    "Record",
]

_HOMES = {
    "AsyncConsumer": "aio_runtime",
    "AsyncFluxClient": "aio",
    "AsyncProducer": "aio_runtime",
    "BadReply": "errors",
    "BlockingClient": "blocking",
    "BlockingConsumer": "blocking_runtime",
    "BlockingProducer": "blocking_runtime",
    "Call": "calls",
    "ClientClosed": "errors",
    "ClientSettings": "settings",
    "Consumer": "runtime",
    "ConsumerOptions": "options",
    "FluxClient": "client",
    "NoBroker": "errors",
    "NotSent": "errors",
    "OtherError": "errors",
    "OutcomeUnknown": "errors",
    "Page": "calls",
    "Producer": "runtime",
    "ProducerOptions": "options",
    "Record": "calls",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
