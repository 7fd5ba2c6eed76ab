"""The fixture and the mixin, under everything that runs tests."""

from pathlib import Path

import pytest

from tests.integration.pytest_plugin.project import Project

ALL_KINDS = """
import threading

import pytest
import pytest_twisted

from flux.client import AsyncFluxClient, BlockingClient, FluxClient
from flux.errors import GenerationMismatch
from flux.embedded.trial import FluxBrokerMixin
from twisted.trial.unittest import SynchronousTestCase


def test_plain(flux_broker):
    with BlockingClient(flux_broker.bootstrap) as client:
        client.produce("orders", "user1", "created")
    assert [record.value for record in flux_broker.records("orders")] == [b"created"]


@pytest.mark.asyncio
async def test_asyncio(flux_broker):
    flux_broker.topic("orders")
    async with AsyncFluxClient(flux_broker.bootstrap) as client:
        joined = await client.join("readers", "orders", "one")
        flux_broker.advance(11)
        with pytest.raises(GenerationMismatch):
            await client.heartbeat("readers", "orders", "one", joined.generation)
        await client.produce("orders", None, "created")
    assert [record.value for record in flux_broker.records("orders")] == [b"created"]


@pytest_twisted.ensureDeferred
async def test_twisted(flux_broker):
    from twisted.internet import reactor

    assert reactor.running
    flux_broker.topic("orders")
    async with FluxClient(reactor, flux_broker.bootstrap) as client:
        joined = await client.join("readers", "orders", "one")
        flux_broker.advance(11)
        with pytest.raises(GenerationMismatch):
            await client.heartbeat("readers", "orders", "one", joined.generation)
        await client.produce("orders", None, "created")
    flux_broker.restart()
    async with FluxClient(reactor, flux_broker.bootstrap) as client:
        assert [record.value for record in await client.consume("orders", 0, 0)] == [b"created"]


@pytest_twisted.inlineCallbacks
def test_twisted_with_yield(flux_broker):
    from twisted.internet import reactor

    client = FluxClient(reactor, flux_broker.bootstrap)
    yield client.produce("orders", None, "created")
    yield client.close()
    assert len(flux_broker.records("orders")) == 1


class WithTrial(FluxBrokerMixin, SynchronousTestCase):
    def test_trial(self):
        self.flux_broker.produce("orders", "created")
        self.assertEqual(len(self.flux_broker.records("orders")), 1)
"""

PLAIN = """
import os
import threading

import pytest


def test_here(flux_broker):
    assert any("flux-broker" in thread.name for thread in threading.enumerate())


@pytest.mark.flux_broker(mode="process")
def test_in_a_process(flux_broker):
    assert not any("flux-broker" in thread.name for thread in threading.enumerate())
    flux_broker.produce("orders", "a")


@pytest.mark.flux_broker(num_partitions=7)
class TestSettings:
    def test_they_hold(self, flux_broker):
        flux_broker.produce("orders", "a")
        assert flux_broker.client.admin_describe_topic("orders").partitions == 7

    @pytest.mark.flux_broker(num_partitions=2)
    def test_the_nearest_mark_counts(self, flux_broker):
        flux_broker.produce("orders", "a")
        assert flux_broker.client.admin_describe_topic("orders").partitions == 2


def test_two(flux_broker, flux_broker_factory):
    other = flux_broker_factory(num_partitions=1)
    flux_broker.produce("orders", "a")
    other.produce("orders", "b")
    assert [record.value for record in other.records("orders")] == [b"b"]
"""

WHERE = """
import threading


def test_where(flux_broker):
    flux_broker.produce("orders", "a")
    here = any("flux-broker" in thread.name for thread in threading.enumerate())
    print("in a thread" if here else "in a process")
"""

BAD = """
import pytest


@pytest.mark.flux_broker(num_partition=1)
def test_setting(flux_broker):
    pass


@pytest.mark.flux_broker(mode="cloud")
def test_mode(flux_broker):
    pass


@pytest.mark.flux_broker(alert_webhook_url="http://127.0.0.1:1/", alert_webhook_retries=0)
def test_that_fails(flux_broker):
    flux_broker.topic("orders", replication_factor=2)
    flux_broker.client.replica_fetch("orders", 0, 1, -1)
    flux_broker.advance(11)
    flux_broker.advance(11)
    assert False, "so that the log is shown"
"""

CASES = """
import unittest

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from flux.client import BlockingClient, FluxClient
from flux.embedded.trial import FluxBrokerMixin


class Synchronous(FluxBrokerMixin, SynchronousTestCase):
    flux_broker_settings = {"num_partitions": 2}

    def setUp(self):
        super().setUp()
        self.client = BlockingClient(self.flux_broker.bootstrap)
        self.addCleanup(self.client.close)

    def test_it(self):
        self.client.produce("orders", None, "a")
        self.assertEqual(self.client.admin_describe_topic("orders").partitions, 2)

    def test_it_is_another_one(self):
        self.assertEqual(list(self.client.admin_get_metadata().topics), [])


class Asynchronous(FluxBrokerMixin, TestCase):
    async def test_it(self):
        async with FluxClient(reactor, self.flux_broker.bootstrap) as client:
            await client.produce("orders", None, "a")
        self.flux_broker.kill()
        self.flux_broker.start()
        async with FluxClient(reactor, self.flux_broker.bootstrap) as client:
            await client.produce("orders", None, "b")
        self.assertEqual(len(self.flux_broker.records("orders")), 2)


class Standard(FluxBrokerMixin, unittest.TestCase):
    flux_broker_mode = "process"

    def test_it(self):
        self.flux_broker.produce("orders", "a")
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_all_kinds_of_tests_in_one_run(project: Project) -> None:
    """Plain ones, asyncio's, Twisted's under its greenlet, and trial's: no reactor but the broker's own is needed or touched."""
    project.write("test_all_kinds.py", ALL_KINDS)
    run = project.pytest(plugins=["asyncio", "twisted"])
    assert (run.status, run.counted("passed")) == (0, 5), run.output


def test_pytest_alone(project: Project) -> None:
    """Without any other plugin; markers say how a broker is run and set."""
    project.write("test_plain.py", PLAIN)
    run = project.pytest("--strict-markers")
    assert (run.status, run.counted("passed")) == (0, 5), run.output


def test_where_it_runs_is_an_option(project: Project) -> None:
    """Of the ini file; the command line is stronger."""
    project.write("test_where.py", WHERE)
    project.write("pytest.ini", "[pytest]\nflux_broker = process\n")
    assert "in a process" in project.pytest("-s").output
    assert "in a thread" in project.pytest("-s", "--flux-broker=thread").output
    project.write("pytest.ini", "[pytest]\nflux_broker = cloud\n")
    run = project.pytest()
    assert (run.status, "flux_broker = cloud: it must be thread or process" in run.output) == (4, True), run.output


def test_what_is_wrong_is_said(project: Project) -> None:
    """A setting that is none, and a mode; what the broker logged stands below a test that failed."""
    project.write("test_bad.py", BAD)
    run = project.pytest()
    assert (run.counted("failed"), run.counted("errors")) == (1, 2), run.output
    assert "there is no setting 'num_partition'; did you mean num_partitions?" in run.output
    assert "mode: 'cloud' is not known here; use thread or process" in run.output
    assert "Captured log" in run.output
    assert "the webhook does not take alerts" in run.output


def test_trial_and_unittest(project: Project) -> None:
    """With the mixin, on trial's reactor and without one."""
    project.write("cases.py", CASES)
    run = project.run("twisted.trial", "--temp-directory", str(project.temporary / "trial"), "cases")
    assert (run.status, "successes=4" in run.output) == (0, True), run.output
    run = project.run("unittest", "cases.Standard", "cases.Synchronous")
    assert (run.status, "Ran 3 tests" in run.output) == (0, True), run.output


def test_the_plugin_costs_nobody_anything(project: Project) -> None:
    """Who does not ask for a broker does not import one, nor Twisted."""
    project.write(
        "test_none.py",
        "import sys\n\n\ndef test_none():\n    assert not {'twisted', 'flux.broker'} & set(sys.modules)\n",
    )
    run = project.pytest()
    assert (run.status, run.counted("passed")) == (0, 1), run.output
