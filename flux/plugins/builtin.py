"""The command families, assignors and alert hooks that come with Flux, as the drop-in they would be if somebody else had written them."""

from flux.alerts.webhook import WebhookHook
from flux.commands.admin import AdminFamily
from flux.commands.fetch import FetchFamily
from flux.commands.group import GroupFamily
from flux.commands.produce import ProduceFamily
from flux.commands.replica import ReplicaFamily
from flux.commands.session import SessionFamily
from flux.group.assignors import Range, RoundRobin

session = SessionFamily()
produce = ProduceFamily()
fetch = FetchFamily()
group = GroupFamily()
replica = ReplicaFamily()
admin = AdminFamily()
round_robin = RoundRobin()
range_ = Range()
webhook = WebhookHook()
