"""What every face does when a broker misbehaves."""

import threading
from typing import Any

import pytest

from flux.client import BadReply, NoBroker, OtherError, OutcomeUnknown
from flux.client.calls import produce
from flux.errors import NotLeader, ShuttingDown, Throttled
from flux.wire.produce import Produced
from flux.wire.session import Pong
from tests.integration.client.faces import World
from tests.integration.client.scripted import Caller, Script, ScriptedBroker

PRODUCED = b"partition=0 offset=7 hw=7"


def test_an_unknown_code_is_handed_on(world: World, scripted: ScriptedBroker) -> None:
    """And one that is known has its class, and says whether to try again."""

    def script(caller: Caller) -> None:
        caller.welcome()
        caller.refuse(caller.request()[0], "TOO_WARM", "open a window")
        caller.refuse(caller.request()[0], "THROTTLED", "later")
        caller.until_it_hangs_up()

    scripted.plays(script)
    face = world.face(scripted.address)
    with pytest.raises(OtherError) as raised:
        face.ping()
    assert (raised.value.code, str(raised.value), raised.value.retriable) == ("TOO_WARM", "open a window", False)
    with pytest.raises(Throttled) as throttled:
        face.ping()
    assert throttled.value.retriable
    face.close()


def test_an_unreadable_answer_costs_its_own_call_only(world: World, scripted: ScriptedBroker) -> None:
    """The connection is in step all the same; it does not matter in what pieces an answer comes."""

    def script(caller: Caller) -> None:
        caller.welcome()
        caller.answer(caller.request()[0], b"partition=zero")
        for byte in b"V1|%b|OK|pong=true\r\n" % caller.request()[0]:
            caller.say(bytes([byte]))
        caller.until_it_hangs_up()

    scripted.plays(script)
    face = world.face(scripted.address)
    with pytest.raises(BadReply):
        face.produce("t", "k", "v")
    assert face.ping() == Pong()
    face.close()


def _dies(caller: Caller) -> None:
    caller.reset()


def _closes(caller: Caller) -> None:
    pass


def _answers_in_part(caller: Caller) -> None:
    caller.say(b"V1|2|OK|partition=0 off")


def _answers_another(caller: Caller) -> None:
    caller.answer(b"77", PRODUCED)
    caller.until_it_hangs_up()


def _speaks_another_language(caller: Caller) -> None:
    caller.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    caller.until_it_hangs_up()


@pytest.mark.parametrize(
    "ending",
    [_dies, _closes, _answers_in_part, _answers_another, _speaks_another_language],
    ids=lambda each: each.__name__,
)
def test_a_request_that_may_have_been_executed_is_never_repeated(
    world: World, scripted: ScriptedBroker, ending: Script
) -> None:
    """Its outcome is unknown, and that is said; the next call gets a new connection, and is the first on it."""
    seen: list[bytes] = []

    def first(caller: Caller) -> None:
        caller.welcome()
        seen.append(caller.request()[2])
        ending(caller)

    def second(caller: Caller) -> None:
        caller.welcome()
        correlation_id, _, arguments = caller.request()
        seen.append(arguments)
        caller.answer(correlation_id, PRODUCED)
        caller.until_it_hangs_up()

    scripted.plays(first, second)
    face = world.face(scripted.address)
    with pytest.raises(OutcomeUnknown) as raised:
        face.produce("t", "k", "once")
    assert (raised.value.code, raised.value.retriable) == ("OUTCOME_UNKNOWN", False)
    assert face.produce("t", "k", "next") == Produced(0, 7, 7)
    assert seen == [b"t k:once acks=1", b"t k:next acks=1"]
    face.close()


def test_a_broker_that_does_not_welcome_is_passed_over(world: World, scripted: ScriptedBroker) -> None:
    """Whether it hangs up, refuses, says something else, or nothing at all; the call goes to the one that does."""

    def hangs_up(caller: Caller) -> None:
        caller.request()

    def refuses(caller: Caller) -> None:
        caller.refuse(b"0", "THROTTLED", "there are 10000 connections")
        caller.until_it_hangs_up()

    def says_nothing(caller: Caller) -> None:
        caller.until_it_hangs_up()

    def welcomes(caller: Caller) -> None:
        caller.welcome()
        caller.answer(caller.request()[0], b"pong=true")
        caller.until_it_hangs_up()

    scripted.plays(hangs_up, refuses, _speaks_another_language, says_nothing, welcomes)
    face = world.face(scripted.address, connect_timeout_s=0.5)
    for reason in ("closed", "THROTTLED: there are 10000 connections", "speaks V1", "no answer within 0.5 s"):
        with pytest.raises(NoBroker) as raised:
            face.ping()
        assert reason.lower() in str(raised.value).lower()
    assert face.ping() == Pong()
    face.close()


def test_time_runs_out_and_the_late_answer_is_dropped(world: World, scripted: ScriptedBroker) -> None:
    """The connection is kept: the next answer is the next call's."""
    late: list[bytes] = []

    def script(caller: Caller) -> None:
        caller.welcome()
        late.append(caller.request()[0])
        correlation_id, _, _ = caller.request()
        caller.answer(late[0], PRODUCED)
        caller.answer(correlation_id, b"pong=true")
        caller.until_it_hangs_up()

    scripted.plays(script)
    face = world.face(scripted.address)
    with pytest.raises(OutcomeUnknown) as raised:
        face.produce("t", "k", "v", timeout_s=0.2)
    assert "in time" in str(raised.value)
    assert face.ping() == Pong()
    face.close()


def test_a_connection_that_leads_nowhere_is_given_up(world: World) -> None:
    """A broker that accepted and then never says a word: the next call is for another one."""

    def silent(caller: Caller) -> None:
        caller.welcome()
        caller.until_it_hangs_up()

    def answers(caller: Caller) -> None:
        caller.welcome()
        caller.answer(caller.request()[0], b"pong=true")
        caller.until_it_hangs_up()

    with ScriptedBroker() as one, ScriptedBroker() as other:
        one.plays(silent)
        other.plays(answers)
        face = world.face(f"{one.address},{other.address}", timeout_s=0.3)
        unknown = 0
        while unknown < 5:
            try:
                assert face.ping(timeout_s=30 if unknown else None) == Pong()
                break
            except OutcomeUnknown:
                unknown += 1
        assert unknown in (1, 2)  # the second may have left before the silence was long enough
        face.close()


def test_a_call_is_taken_to_the_leader_that_is_named(world: World) -> None:
    """Once, with all that was waiting; later calls go there at once."""
    seen: list[bytes] = []

    def follower(caller: Caller) -> None:
        caller.welcome()
        for _ in range(2):
            correlation_id, _, _ = caller.request()
            caller.refuse(correlation_id, "NOT_LEADER", f"t-0 is led by broker 2, leader={leader.address}")
        caller.until_it_hangs_up()

    def leads(caller: Caller) -> None:
        caller.welcome()
        for _ in range(3):
            correlation_id, _, arguments = caller.request()
            seen.append(arguments)
            caller.answer(correlation_id, PRODUCED)
        caller.until_it_hangs_up()

    with ScriptedBroker() as broker, ScriptedBroker() as leader:
        broker.plays(follower)
        leader.plays(leads)
        face = world.face(broker.address)
        calls = [produce("t", "k", "1"), produce("t", "k", "2")]
        assert face.send_all(calls) == [Produced(0, 7, 7)] * 2
        assert face.produce("t", "k", "3") == Produced(0, 7, 7)
        assert seen == [b"t k:1 acks=1", b"t k:2 acks=1", b"t k:3 acks=1"]
        face.close()


@pytest.mark.parametrize(("code", "kind"), [("NOT_LEADER", NotLeader), ("SHUTTING_DOWN", ShuttingDown)])
def test_the_next_broker_is_asked_when_one_cannot(world: World, code: str, kind: type[Exception]) -> None:
    """And its word is the answer when all of them cannot."""

    def refuses(caller: Caller) -> None:
        caller.welcome()
        caller.refuse(caller.request()[0], code, "not here")

    def refuses_too(caller: Caller) -> None:
        caller.welcome()
        caller.refuse(caller.request()[0], code, "nor here")
        caller.until_it_hangs_up()

    with ScriptedBroker() as one, ScriptedBroker() as other:
        one.plays(refuses)
        other.plays(refuses_too)
        face = world.face(f"{one.address},{other.address}")
        with pytest.raises(kind, match="nor here"):
            face.ping()
        face.close()


def test_closing_never_lets_a_part_of_a_request_pass_for_the_whole(world: World, scripted: ScriptedBroker) -> None:
    """The last line before an orderly end counts, even without its newline: so what is half sent ends in a reset."""
    endings: list[type[BaseException]] = []

    def script(caller: Caller) -> None:
        caller.welcome()
        stuck.wait(30)
        try:
            caller.until_it_hangs_up()
        except ConnectionError as error:
            endings.append(type(error))

    stuck = threading.Event()
    scripted.plays(script)
    face = world.face(scripted.address)
    large: list[Any] = [produce("t", "k", "x" * 900_000, timeout_s=0.3) for _ in range(10)]
    outcomes = face.send_all(large)
    assert isinstance(outcomes[0], OutcomeUnknown)
    face.close()
    stuck.set()
    scripted.finish()
    assert endings == [ConnectionResetError]
