"""Images to start from."""

from flux.cluster import changes
from flux.cluster.image import BrokerState, Image, PartitionState, Topic
from flux.model import TopicPartition

TP = TopicPartition("orders", 0)


def brokers(*ids: int) -> Image:
    """An image of live brokers and nothing else."""
    return Image(1, 1, {}, {number: BrokerState(number, "host", 9092, 1, True) for number in ids})


def with_topic(image: Image, name: str = "orders", partitions: int = 1, factor: int = 1, **config: str) -> Image:
    """*image* with a topic led by broker 0 if it can be; keywords are its settings, with _ for the dot."""
    settings = {key.replace("_", "."): value for key, value in config.items()}
    return changes.create_topic(image, f"id-{name}", name, partitions, factor, settings, 0, 1000)


def state(image: Image, tp: TopicPartition = TP) -> PartitionState:
    """How *tp* stands."""
    return image.partition(*tp)


def led(image: Image, tp: TopicPartition = TP) -> tuple[int | None, int]:
    """Leader and leader epoch of *tp*."""
    return state(image, tp).leader, state(image, tp).leader_epoch


def topic(name: str = "orders", **fields: object) -> Topic:
    """A topic of one partition led by broker 0."""
    return Topic(name, f"id-{name}", (PartitionState(0, 0, (0,), (0,)),), 1, **fields)  # type: ignore[arg-type]  # any field
