"""A suite that uses a fresh broker in each test: how long it takes, and that nothing is left of it."""

import re
from pathlib import Path

from tests.integration.pytest_plugin.project import Project

TESTS = 40  # 200 of them take five times as long, and prove no more

SUITE = f'''
import gc
import os
import tempfile
import threading

import pytest

there_was = []


def what_there_is():
    """Threads, descriptors (so ports too), and temporary files but pytest's own."""
    gc.collect()
    descriptors = len(os.listdir("/proc/self/fd"))
    return [thread.name for thread in threading.enumerate()], descriptors, os.listdir(tempfile.gettempdir())


@pytest.mark.parametrize("number", range({TESTS} + 1))
def test_one_of_many(flux_broker, number):
    topic = flux_broker.topic("orders")
    assert flux_broker.records(topic) == []
    flux_broker.produce(topic, str(number))
    assert [record.value for record in flux_broker.records(topic)] == [str(number).encode()]
    if number % 10 == 1:
        flux_broker.kill()
    elif number % 10 == 2:
        flux_broker.restart()
    elif number % 10 == 3:
        flux_broker.stop()


@pytest.fixture(autouse=True)
def around(request):
    """Twisted keeps some descriptors for the whole process once it had a port: so one test comes before the count."""
    if len(there_was) < 2:
        there_was.append(what_there_is())
    yield


def test_nothing_is_left():
    assert what_there_is() == there_was[1]
'''


def test_nothing_is_left(tmp_path: Path) -> None:
    """No thread, no descriptor, no file; with two more event loops at hand."""
    project = Project(tmp_path)
    project.write("test_suite.py", SUITE)
    run = project.pytest("-q", plugins=["asyncio", "twisted"])
    assert (run.status, run.counted("passed")) == (0, TESTS + 2), run.output
    assert list(project.temporary.iterdir()) == []
    took = re.search(r"passed.* in (\S+)s", run.output)
    assert took is not None
    print(f"{TESTS} tests with a fresh broker each: {took.group(1)} s")
