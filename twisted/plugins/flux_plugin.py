"""What twistd finds: ``twistd flux`` and ``twistd --reactor=uvloop``. Importing this must import no part of Flux."""

from twisted.application.reactors import Reactor
from twisted.application.service import ServiceMaker

flux = ServiceMaker("Flux", "flux.tap", "An event-streaming broker: partitioned, durable logs over TCP.", "flux")
uvloop = Reactor(
    "uvloop", "flux._uvloop", "asyncio's reactor on uvloop's event loop (pip install 'flux-broker[uvloop]')."
)
