"""The command families that come with Flux, as the drop-in they would be if somebody else had written them."""

from flux.commands.fetch import FetchFamily
from flux.commands.produce import ProduceFamily
from flux.commands.session import SessionFamily

session = SessionFamily()
produce = ProduceFamily()
fetch = FetchFamily()
