"""Nanoseconds a record of the wire's hot paths: 256 lines of 100-byte values, as one chunk brings them.

Run from the project's root: ``python -m bench.micro_wire``. Prints the best of many rounds, interleaved; asserts nothing. Compare
ratios on a quiet machine, not digits.
"""

import time
import timeit
from collections.abc import Callable
from functools import partial

from flux.wire.encoding import Encoding
from flux.wire.fetch import Consumed
from flux.wire.produce import ProducedRun, ProduceRun
from flux.wire.v1 import cut

RECORDS = 256
ROUNDS = 200
CALLS = 3  # a turn: shorter than the scheduler's


def measure(cases: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Best nanoseconds a record, by case."""
    best = dict.fromkeys(cases, float("inf"))
    for _ in range(ROUNDS):
        for name, case in cases.items():
            best[name] = min(
                best[name], timeit.timeit(case, timer=time.process_time, number=CALLS) / CALLS / RECORDS * 1e9
            )
    return best


def main() -> None:
    """Measure and print."""
    value = b"x" * 100
    json = b'{"id":17,"who":"user-42","what":"created","items":["a","b","c"],"note":"%b"}' % (b"y" * 24)
    sums = b"a=1 b=2 " + b"z" * 92
    cases: dict[str, Callable[[], object]] = {}

    def arguments(template: bytes) -> list[bytes]:
        return [template % (b"k%d" % (number % 50)) for number in range(RECORDS)]

    def lines(template: bytes) -> list[bytes]:
        return [b"V1|%d|PRODUCE|%b" % (1000 + number, text) for number, text in enumerate(arguments(template))]

    for name, template in {
        "no options": b"orders %%b:%b" % value,
        "acks=1": b"orders %%b:%b acks=1" % value,
        "acks=1, JSON": b"orders %%b:%b acks=1" % json,
        "acks=1, '=' inside": b"orders %%b:%b acks=1" % sums,
        "acks=1 ts=": b"orders %%b:%b acks=1 ts=1700000000000" % value,
    }.items():
        chunk, texts = lines(template), arguments(template)
        cases[f"cut                  {name}"] = partial(cut, chunk)
        cases[f"decode_run           {name}"] = partial(ProduceRun.decode_run, texts)
    two = [
        b"%b k%d:%b acks=1" % (b"orders" if number % 2 else b"paid", number % 50, value) for number in range(RECORDS)
    ]
    cases["decode_run           two topics in turn"] = partial(ProduceRun.decode_run, two)

    correlation_ids = [b"%d" % (1000 + number) for number in range(RECORDS)]
    produced = ProducedRun(
        [(number % 3, 100255 + number % 3) for number in range(RECORDS)],
        [100000 + number for number in range(RECORDS)],
    )
    cases["ProducedRun.lines"] = partial(produced.lines, correlation_ids)

    offsets = list(range(1000000, 1000000 + RECORDS))
    for name, stored, enc in (
        ("nothing to escape", value, None),
        ("JSON", json, None),
        ("LF inside", value[:50] + b"\n" + value[51:], None),
        ("enc=b64", value, Encoding.B64),
        ("enc=pct, JSON", json, Encoding.PCT),
    ):
        values = [b"%d%b" % (number % 10, stored[1:]) for number in range(RECORDS)]
        consumed = Consumed(offsets, values, 2000000, 1000256, 0, enc)
        cases[f"Consumed.encode      {name}"] = consumed.encode

    for name, nanoseconds in sorted(measure(cases).items()):
        print(f"{name:45} {nanoseconds:7.0f} ns a record")


if __name__ == "__main__":
    main()
