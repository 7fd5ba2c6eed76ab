"""The command families and assignors that come with Flux, as the drop-in they would be if somebody else had written them."""

from flux.commands.fetch import FetchFamily
from flux.commands.group import GroupFamily
from flux.commands.produce import ProduceFamily
from flux.commands.session import SessionFamily
from flux.group.assignors import Range, RoundRobin

session = SessionFamily()
produce = ProduceFamily()
fetch = FetchFamily()
group = GroupFamily()
round_robin = RoundRobin()
range_ = Range()
