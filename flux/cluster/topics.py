"""Topics come, change and go."""

from collections.abc import Callable, Mapping
from functools import partial

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from flux.cluster import changes
from flux.cluster.image import Image, Topic
from flux.cluster.metadata import Metadata
from flux.cluster.settings import check_settings
from flux.config import ClusterConfig
from flux.errors import BadRequest, StorageError, Throttled, UnknownTopic
from flux.model import TOPIC_NAME, check_topic_name


class Topics:
    """The changes of topics, and who waits for them.

    A deleted topic leaves a tombstone in the image; whoever wants its name back, or to know that it is gone, waits until
    :meth:`removed` has been told that its files are.
    """

    def __init__(
        self, config: ClusterConfig, metadata: Metadata, new_id: Callable[[], str], now_ms: Callable[[], int]
    ) -> None:
        self._config = config
        self._metadata = metadata
        self._new_id = new_id
        self._now_ms = now_ms
        self._first_uses: dict[str, list[Deferred[Topic]]] = {}
        self._waiting: dict[str, list[Deferred[None]]] = {}  # topic id → who waits for its files to be gone
        self._gone: set[str] = set()  # topic ids without files, but with a tombstone
        self._stuck: dict[str, str] = {}  # topic id → why its files cannot be removed

    async def create(self, name: str, partitions: int, factor: int, config: Mapping[str, str]) -> Topic:
        """The topic, once it exists and is led. The same shape again is the same answer.

        :raises BadRequest: names what will not do. :raises TopicExists: another shape. :raises Throttled: there are too many.
        """
        if not TOPIC_NAME.match(name) or name in (".", ".."):  # a leading __ is for those inside
            raise BadRequest(f"topic: {name[:60]!r} is not a topic name; use 1 to 249 of A-Z a-z 0-9 . _ -")
        self._check_count(partitions)
        if not 1 <= factor <= changes.MAX_REPLICATION_FACTOR:
            raise BadRequest(f"replication factor: {factor} is not between 1 and {changes.MAX_REPLICATION_FACTOR}")
        checked = check_settings(config)
        await self._files_gone(name)
        for tombstone in list(self._metadata.image.tombstones.values()):
            if tombstone.topic == name:  # could not be stored before
                await self._clear(tombstone.topic_id)

        def created(image: Image) -> Image:
            if name not in image.topics and len(image.topics) >= self._config.max_topics:
                raise Throttled(f"topic: {name} would be one more than the {self._config.max_topics} allowed")
            me = self._config.broker_id
            return changes.create_topic(image, self._new_id(), name, partitions, factor, checked, me, self._now_ms())

        return (await self._metadata.change(created)).topics[name]

    async def create_on_first_use(self, name: str) -> Topic:
        """The topic, created with the defaults if it is missing; everybody who asks meanwhile shares the creation.

        :raises BadRequest: the name will not do. :raises UnknownTopic: auto-creation is off.
        """
        known = self._metadata.image.topics.get(name)
        if known is not None:
            return known
        check_topic_name(name)
        if not self._config.auto_create_topics:
            raise UnknownTopic(f"topic: {name} does not exist, and topics are not created on first use here")
        done: Deferred[Topic] = Deferred()
        sharing = self._first_uses.setdefault(name, [])
        sharing.append(done)
        if len(sharing) == 1:
            config = self._config
            created = Deferred.fromCoroutine(self.create(name, config.num_partitions, config.replication_factor, {}))
            created.addBoth(self._first_use_decided, name)
        return await done

    async def alter(self, name: str, config: Mapping[str, str], partitions: int | None) -> Image:
        """Settings over those it has, and more partitions. :raises BadRequest: names the setting, or the count it has."""
        checked = check_settings(config)
        if partitions is not None:
            self._check_count(partitions)

        def altered(image: Image) -> Image:
            image = changes.alter_config(image, name, checked)
            if partitions is None:
                return image
            return changes.grow_topic(image, name, partitions, self._config.broker_id, self._now_ms())

        return await self._metadata.change(altered)

    async def delete(self, name: str) -> Image:
        """The image that first lacked the topic, once its files are gone too. :raises UnknownTopic: there is none."""
        image = await self._metadata.change(partial(changes.delete_topic, name=name))
        await self._files_gone(name)
        return image

    def removed(self, topic_id: str, problem: str | None) -> Deferred[Image]:
        """The files of a deleted topic are gone; or *problem* says why they cannot be, until a restart tries again."""
        if problem is not None:
            self._stuck[topic_id] = problem
            cleared = succeed(self._metadata.image)
        else:
            self._gone.add(topic_id)
            cleared = self._clear(topic_id)

        def answer(result: Image | Failure) -> Image | Failure:
            for waiter in self._waiting.pop(topic_id, []):
                waiter.callback(None)
            return result

        return cleared.addBoth(answer)

    async def _files_gone(self, name: str) -> None:
        """Return when no files of a deleted topic *name* are left. :raises StorageError: they cannot be removed."""
        for tombstone in list(self._metadata.image.tombstones.values()):
            if tombstone.topic != name:
                continue
            if tombstone.topic_id not in self._gone and tombstone.topic_id not in self._stuck:
                waiter: Deferred[None] = Deferred()
                self._waiting.setdefault(tombstone.topic_id, []).append(waiter)
                await waiter
            if tombstone.topic_id in self._stuck:
                problem = self._stuck[tombstone.topic_id]
                raise StorageError(f"topic: {name} is deleted, its files are not: {problem}; a restart tries again")

    def _clear(self, topic_id: str) -> Deferred[Image]:
        """The tombstone goes, and with it what is remembered of it."""

        def cleared(image: Image) -> Image:
            self._gone.discard(topic_id)
            return image

        return self._metadata.change(partial(changes.remove_tombstone, topic_id=topic_id)).addCallback(cleared)

    def _first_use_decided(self, result: Topic | Failure, name: str) -> None:
        for waiter in self._first_uses.pop(name):
            if isinstance(result, Failure):
                waiter.errback(result)
            else:
                waiter.callback(result)

    def _check_count(self, partitions: int) -> None:
        if not 1 <= partitions <= self._config.max_partitions_per_topic:
            raise BadRequest(f"partitions: {partitions} is not between 1 and {self._config.max_partitions_per_topic}")
