"""What the cluster room promises: metadata that are stored before they are seen."""

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from flux.model import Role, TopicPartition


class IMetadataObserver(Interface):
    """Whoever acts on what exists."""

    def metadata_changed(image: Any) -> None:
        """*image* (:class:`flux.cluster.image.Image`) is stored and in force."""


class IMetadataStore(Interface):
    """Where the image is kept, by compare-and-set. A file today, etcd for several brokers."""

    def load() -> Any:
        """The image in force, an empty one if there never was any."""

    def commit(image: Any, expected_version: int) -> "Deferred[Any]":
        """Store *image* as the successor of *expected_version*; fire with it as stored. :raises StaleVersion: somebody was faster."""

    def commit_now(image: Any, expected_version: int) -> Any:
        """The same before returning, for the start."""


class IController(Interface):
    """What exists and who leads. Every change is stored before it is seen."""

    image: Any = Attribute("The flux.cluster.image.Image in force.")

    def create_topic(name: str, partitions: int, replication_factor: int, config: Mapping[str, str]) -> "Deferred[Any]":
        """Fire when the topic exists and is led. The same shape again: the same answer. :raises TopicExists: another shape."""

    def create_on_first_use(name: str) -> "Deferred[Any]":
        """The topic, created with the defaults if missing. :raises UnknownTopic: auto-creation is off. :raises BadRequest: the name."""

    def alter_topic(name: str, config: Mapping[str, str], partitions: int | None) -> "Deferred[Any]":
        """Settings over those it has, and more partitions. :raises BadRequest: names the setting, or the count it has."""

    def delete_topic(name: str) -> "Deferred[Any]":
        """Fire with the image that first lacked the topic, once its files are gone too. :raises UnknownTopic: there is none."""

    def topic_removed(topic_id: str, problem: str | None) -> "Deferred[Any]":
        """The files of a deleted topic are gone; or *problem* says why they cannot be, until a restart tries again."""

    def register_broker(broker_id: int, host: str, port: int, epoch: int | None) -> "Deferred[Any]":
        """A broker, which leads nothing new until it is heard. :raises BadRequest: a later incarnation is registered."""

    def broker_heartbeat(broker_id: int) -> "Deferred[Any]":
        """A sign of life; changes the image only if it was not known to be alive. :raises BadRequest: it is not registered."""

    def fence(broker_id: int) -> "Deferred[Any]":
        """Let a broker lead nothing until :meth:`unfence`. :raises BadRequest: it is not registered."""

    def unfence(broker_id: int) -> "Deferred[Any]":
        """Let a broker lead again. :raises BadRequest: it is not registered."""

    def reconcile_brokers(timeout_s: float) -> "Deferred[int]":
        """Fence whoever was silent for *timeout_s*, lift the fence of whoever was not; fire with the number of changes."""

    def set_leader(tp: TopicPartition, leader: int, isr: Sequence[int]) -> "Deferred[Any]":
        """An operator's word. :raises BadRequest: *leader* cannot lead, or *isr* does not fit."""

    def set_role(tp: TopicPartition, role: Role) -> "Deferred[Any]":
        """An operator's word about this broker: lead *tp*, or follow until told otherwise."""

    def elect_leaders(name: str) -> "Deferred[int]":
        """Let preferred replicas lead where they are in sync; fire with the number of changes."""

    def alter_isr(tp: TopicPartition, leader_epoch: int, isr: Sequence[int]) -> "Deferred[Any]":
        """The leader of *leader_epoch* says who is in sync. :raises NotLeader: another epoch began."""

    def history(tp: TopicPartition) -> Sequence[Any]:
        """The last leadership changes (:class:`flux.cluster.history.LeadershipChange`), oldest first."""

    def watch(observer: IMetadataObserver) -> None:
        """Tell *observer* the image now and after every change."""
