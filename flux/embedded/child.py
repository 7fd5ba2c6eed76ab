"""The process of a :class:`~flux.embedded.process_host.ProcessHost`: a broker on a thread, told by lines on stdin what happens to it.

``python -m flux.embedded.child <JSON list: options, syncs, seconds ahead>``. A line is a JSON list, a method of
:class:`~flux.embedded.host.Host` and its arguments; so is the answer, the kind and text of what was raised, or else null. The first
answer is about the start. When stdin ends, whoever started it is gone, and so is the process.
"""

import json
import sys
from collections.abc import Callable
from typing import Any, TextIO

from twisted.logger import globalLogBeginner

from flux.embedded.thread_host import ThreadHost
from flux.loading import Options
from flux.logs import observer


def main(argument: str) -> None:
    """Serve until told otherwise."""
    options, syncs, ahead_s = json.loads(argument)
    globalLogBeginner.beginLoggingTo([observer(sys.stderr, "text", "warn")], redirectStandardIO=False)
    host = ThreadHost(Options(*options), syncs=syncs, ahead_s=ahead_s)
    answers, sys.stdout = sys.stdout, sys.stderr  # what a plugin prints is no answer
    started = _answer(answers, host.start)
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        _answer(answers, getattr(host, method), *arguments)
        started = started and method != "stop"
    if started:
        host.kill()


def _answer(answers: TextIO, call: Callable[..., None], *arguments: Any) -> bool:
    """Make *call* and say how it went; whether it did."""
    problem = None
    try:
        call(*arguments)
    except Exception as error:
        problem = [type(error).__name__, str(error)]
    print(json.dumps(problem), file=answers, flush=True)
    return problem is None


if __name__ == "__main__":
    main(sys.argv[1])
