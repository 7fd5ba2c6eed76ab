from collections.abc import Callable
from random import Random
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from flux.errors import GenerationMismatch
from flux.interfaces import Assignment
from tests.group.model import Model
from tests.group.scene import Scene

TOPICS = {"a": 1, "b": 3, "c": 8, "d": 40, "e": 101}
SESSIONS_S = (2.0, 5.0, 10.0)
MEMBERS = [f"m{number}" for number in range(200)]  # string order is not the order of numbers

topics = st.sampled_from(sorted(TOPICS))
members = st.sampled_from(MEMBERS)
assignors = st.sampled_from([None, None, "round_robin", "range"])


class Churn:
    """The real room and the model beside it; every step is made on both and compared."""

    def __init__(self) -> None:
        self.scene = Scene(group_snapshot_records=50, segment_bytes=1 << 20, held=False).start()
        for topic, partitions in TOPICS.items():
            self.scene.topics.create_topic(topic, partitions, 1, {})
        self.model = Model(dict(TOPICS))
        self.seen = dict.fromkeys(TOPICS, 1)

    def join(self, topic: str, member: str, assignor: str | None, session_s: float) -> None:
        self.model.join(topic, member, assignor, session_s)
        assignment = self.scene.join(member, "g", topic, assignor, round(session_s * 1000))
        expected = tuple(self.model.owned(topic)[member])
        assert assignment == Assignment(self.model.readings[topic].generation, expected)

    def member_asks(self, what: str, topic: str, member: str, behind: int, partition: int, offset: int) -> None:
        """SYNC, HEARTBEAT, LEAVE or COMMIT, of a member or of a stranger, with the generation in force or another."""
        groups, reading = self.scene.groups, self.model.readings[topic]
        generation = reading.generation - behind
        place = ("g", topic, member, generation)
        valid = behind == 0 and member in reading.sessions
        calls: dict[str, Callable[[], Deferred[Any]]] = {
            "sync": lambda: groups.sync(*place),
            "heartbeat": lambda: groups.heartbeat(*place),
            "leave": lambda: groups.leave(*place),
            "commit": lambda: groups.commit(*place, partition, offset),
        }
        asked = calls[what]()
        owner = valid and partition in self.model.owned(topic)[member]
        if not (owner if what == "commit" else valid):
            try:
                self.scene.done(asked)
            except GenerationMismatch:
                if valid:
                    reading.heard[member] = self.model.now  # a sign of life all the same
                return
            raise AssertionError(f"{what} {place} was not refused")
        answer = self.scene.done(asked)
        if what == "sync":
            assert answer == Assignment(generation, tuple(self.model.owned(topic)[member]))
        if what == "leave":
            self.model.leave(topic, member)
            return
        reading.heard[member] = self.model.now
        if what == "commit":
            reading.offsets[partition] = offset

    def wait(self, seconds: float) -> None:
        self.model.wait(seconds)
        self.scene.clock.advance(seconds)

    def grow(self, topic: str, partitions: int) -> None:
        self.model.grow(topic, partitions)
        self.scene.topics.create_topic(topic, self.model.topics[topic], 1, {})

    def restart(self, how: str) -> None:
        self.model.restart()
        {"kill": self.scene.kill, "cut": self.scene.cut, "clean": self.scene.restart}[how]()

    def check(self) -> None:
        """Every partition of each topic with members has one owner, a live member of the current generation, as defined."""
        groups = self.scene.done(self.scene.groups.groups())
        if not groups:
            return
        described = {one["topic"]: one for one in self.scene.done(self.scene.groups.describe("g"))["topics"]}
        for topic, reading in self.model.readings.items():
            if reading.generation == 1:
                assert topic not in described
                continue
            found = described[topic]
            assert found["generation"] == reading.generation >= self.seen[topic], (topic, found, reading)
            self.seen[topic] = reading.generation
            owned = {one["member"]: one["assigned"] for one in found["members"]}
            assert owned == self.model.owned(topic), (topic, owned)
            if owned:
                assert sorted(p for share in owned.values() for p in share) == list(range(self.model.topics[topic]))
            committed = {one["partition"]: one["committed"] for one in found["partitions"]}
            assert {p: o for p, o in committed.items() if o is not None} == reading.offsets, topic


class ChurnMachine(RuleBasedStateMachine):
    """Joining, leaving, dying, coming back, growing topics, restarts: in whatever order finds a difference."""

    churn: Churn

    @initialize(crowd=st.integers(0, 200), seed=st.integers(0, 1000))
    def crowd_comes(self, crowd: int, seed: int) -> None:
        self.churn, random = Churn(), Random(seed)
        for member in random.sample(MEMBERS, crowd):
            self.churn.join(random.choice(sorted(TOPICS)), member, None, random.choice(SESSIONS_S))

    @rule(topic=topics, member=members, assignor=assignors, session_s=st.sampled_from(SESSIONS_S))
    def join(self, topic: str, member: str, assignor: str | None, session_s: float) -> None:
        self.churn.join(topic, member, assignor, session_s)

    @rule(
        what=st.sampled_from(["sync", "heartbeat", "leave", "commit"]),
        topic=topics,
        data=st.data(),
        behind=st.sampled_from([0, 0, 0, 1, -1]),
        partition=st.integers(0, 8),
        offset=st.integers(0, 99),
    )
    def member_asks(self, what: str, topic: str, data: st.DataObject, behind: int, partition: int, offset: int) -> None:
        known = sorted(self.churn.model.readings[topic].sessions)
        member = data.draw(st.sampled_from(known) if known else members)
        self.churn.member_asks(what, topic, member, behind, partition, offset)

    @rule(topic=topics, member=members, offset=st.integers(0, 99))
    def stranger_commits(self, topic: str, member: str, offset: int) -> None:
        self.churn.member_asks("commit", topic, member, 0, 0, offset)

    @rule(seconds=st.sampled_from([0.25, 1.0, 2.0, 5.0]))
    def wait(self, seconds: float) -> None:
        self.churn.wait(seconds)

    @rule(topic=topics, partitions=st.integers(1, 5))
    def topic_grows(self, topic: str, partitions: int) -> None:
        self.churn.grow(topic, partitions)

    @rule(how=st.sampled_from(["kill", "cut", "clean"]))
    def restart(self, how: str) -> None:
        self.churn.restart(how)

    @precondition(lambda self: hasattr(self, "churn"))
    @invariant()
    def agrees_with_the_model(self) -> None:
        self.churn.check()


class ChurnTests(SynchronousTestCase):
    def test_the_room_agrees_with_the_model(self) -> None:
        """Whatever Hypothesis thinks of."""
        run_state_machine_as_test(
            ChurnMachine,
            settings=settings(
                max_examples=12, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )

    def test_a_storm_of_two_hundred_members_over_five_topics(self) -> None:
        """A minute of virtual time, a score of things a second, and everything compared after every one of them."""
        churn, random = Churn(), Random(3)
        steps = 0
        while churn.model.now < 60:
            topic, member = random.choice(sorted(TOPICS)), random.choice(MEMBERS)
            known = sorted(churn.model.readings[topic].sessions) or MEMBERS
            what = random.random()
            if what < 0.45:
                assignor = random.choice(["range", "round_robin"]) if random.random() < 0.05 else None
                churn.join(topic, member, assignor, random.choice(SESSIONS_S))
            elif what < 0.9:
                asks = random.choices(["heartbeat", "sync", "commit", "leave"], [4, 2, 3, 1])[0]
                behind = random.choices([0, 1], [9, 1])[0]
                churn.member_asks(asks, topic, random.choice(known), behind, random.randrange(9), steps)
            elif what < 0.999:
                churn.wait(random.choice([0.25, 0.5, 1.0]))
            else:
                churn.restart(random.choice(["kill", "cut", "clean"]))
            churn.check()
            steps += 1
        generations = {topic: reading.generation for topic, reading in churn.model.readings.items()}
        self.assertGreater(min(generations.values()), 50)
        self.assertGreater(steps, 1000)
