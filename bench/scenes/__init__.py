"""What is measured. A scene is a generator of results; :data:`SCENES` has them by the name the command line knows.

Read :mod:`~bench.scenes.scene` first, which says what a scene is given and what it gives.
"""

from bench.scenes import consume, footprint, growth, latency, produce, reactors, sdk, start
from bench.scenes.scene import Scene

SCENES: dict[str, Scene] = {
    "produce": produce.produce,
    "consume": consume.consume,
    "latency": latency.latency,
    "partitions": growth.partitions,
    "connections": growth.connections,
    "records": growth.records,
    "groups": growth.groups,
    "offsets": growth.offsets,
    "start": start.start,
    "memory": footprint.memory,
    "idle": footprint.idle,
    "sdk": sdk.sdk,
    "reactors": reactors.reactors,
}
