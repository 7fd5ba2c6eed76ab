"""The blocking client, shared by threads."""

import signal
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest

from flux.client import BlockingClient, ClientClosed, NoBroker, OutcomeUnknown
from flux.errors import FluxError
from flux.wire.produce import Produced
from flux.wire.session import Pong
from tests.integration.broker import BrokerProcess
from tests.integration.client.scripted import Caller, ScriptedBroker

THREADS = 16


def test_threads_share_a_connection_and_get_their_own_answers(broker: BrokerProcess) -> None:
    """While one of them polls; every record is there, each thread's in its order."""

    def produces(name: str) -> list[Produced]:
        return [client.produce("shared", name, f"{name} {number}") for number in range(100)]

    with BlockingClient(f"127.0.0.1:{broker.port}") as client, ThreadPoolExecutor(THREADS + 1) as pool:
        poll = pool.submit(client.consume, "shared-never", 0, 0, wait_ms=30_000)
        names = [f"thread {number}" for number in range(THREADS)]
        produced = dict(zip(names, pool.map(produces, names), strict=True))
        assert not poll.done()
        for name, each in produced.items():
            offsets = [record.offset for record in each]
            assert offsets == sorted(offsets)
            (record,) = client.consume("shared", each[-1].partition, offsets[-1], max_records=1)
            assert record.value == f"{name} 99".encode()
        assert len({(each.partition, each.offset) for some in produced.values() for each in some}) == 100 * THREADS
        client.produce("shared-never", "", "now", acks=1)  # an empty key is in partition 1: the poll goes on
        client.close()
        with pytest.raises(OutcomeUnknown):
            poll.result(30)


def test_closing_wakes_every_thread(scripted: ScriptedBroker) -> None:
    """Whoever sent gets an unknown outcome, whoever did not is told so, and two may close at once."""
    asked = threading.Semaphore(0)

    def script(caller: Caller) -> None:
        caller.welcome()
        for _ in range(THREADS):
            caller.request()
            asked.release()
        caller.until_it_hangs_up()

    scripted.plays(script)
    client = BlockingClient(scripted.address)
    with ThreadPoolExecutor(THREADS + 2) as pool:
        pings: list[Future[Pong]] = [pool.submit(client.ping) for _ in range(THREADS)]
        for _ in range(THREADS):
            assert asked.acquire(timeout=30)
        wait([pool.submit(client.close) for _ in range(2)], 30)
        for ping in pings:
            with pytest.raises(OutcomeUnknown):
                ping.result(30)
    with pytest.raises(ClientClosed):
        client.ping()


def test_an_interrupt_ends_the_call_and_not_the_client(broker: BrokerProcess) -> None:
    """Ctrl-C in a long poll; the thread that slept meanwhile goes on, and so does the one that was interrupted."""
    with BlockingClient(f"127.0.0.1:{broker.port}") as client, ThreadPoolExecutor(1) as pool:
        main, ready = threading.get_ident(), threading.Event()

        def interrupts() -> Pong:
            ready.wait(30)
            client.ping()  # the poll is under way by the time this is answered, or about to be
            signal.pthread_kill(main, signal.SIGINT)
            return client.ping()

        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            pong = pool.submit(interrupts)
            with pytest.raises(KeyboardInterrupt):
                ready.set()
                client.consume("interrupted", 0, 0, wait_ms=60_000)
        finally:
            signal.signal(signal.SIGINT, before)
        assert pong.result(30) == Pong()
        assert client.ping() == Pong()


def test_a_broker_that_ends_wakes_every_thread(scripted: ScriptedBroker) -> None:
    """Each with its own error; the next call finds out that nobody is there."""

    def script(caller: Caller) -> None:
        caller.welcome()
        for _ in range(THREADS):
            caller.request()
        caller.reset()

    scripted.plays(script)
    client = BlockingClient(scripted.address)
    with ThreadPoolExecutor(THREADS) as pool:
        pings = [pool.submit(client.ping) for _ in range(THREADS)]
        for ping in pings:
            with pytest.raises(FluxError) as raised:
                ping.result(30)
            assert raised.value.code == "OUTCOME_UNKNOWN"
    with pytest.raises(NoBroker):
        client.ping()
    client.close()
