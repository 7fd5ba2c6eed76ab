"""Everything is in setup.cfg, but for this: with ``FLUX_COMPILE=1`` in the environment the hot modules are compiled, by mypyc.

They are the same files, and stay importable as they are: a broker without a compiler is a slower one. See decision 0014.
"""

import os
import sys
from configparser import ConfigParser
from pathlib import Path

from setuptools import setup

# Those where a produce and a consume spend their time, and that need no class of somebody else's to be native.
COMPILED = [
    "flux/batch.py",
    "flux/commands/page.py",
    "flux/commands/produce.py",
    "flux/envelope.py",
    "flux/partitioner.py",
    "flux/records.py",
    "flux/replication/isr.py",
    "flux/replication/leadership.py",
    "flux/replication/visible.py",
    "flux/server/answer.py",
    "flux/server/dispatch.py",
    "flux/server/joint.py",
    "flux/server/pipeline.py",
    "flux/storage/index.py",
    "flux/storage/segment.py",
    "flux/storage/segments.py",
    "flux/varint.py",
    "flux/watermark.py",
    "flux/wire/encoding.py",
    "flux/wire/fetch.py",
    "flux/wire/fields.py",
    "flux/wire/produce.py",
    "flux/wire/produce_line.py",
    "flux/wire/v1.py",
    "flux/wire/values.py",
]


def _imported() -> list[str]:
    """What Flux imports, if it is there."""
    packaging = ConfigParser()
    packaging.read(Path(__file__).with_name("setup.cfg"), encoding="utf-8")
    return [
        *packaging["options"]["install_requires"].split(),
        *packaging["options.extras_require"]["compression"].split(),
    ]


# Beside the sources, in an editable install, compiled modules would hide every change that is made to them.
compiled = bool(os.environ.get("FLUX_COMPILE")) and "editable_wheel" not in sys.argv
# Then we are only asked what it takes to build, of which nothing may be there yet.
is_asked = bool({"egg_info", "dist_info"} & set(sys.argv))
extensions = []
if compiled and not is_asked:
    from mypyc.build import mypycify

    extensions = mypycify(COMPILED, group_name="flux")

setup(
    ext_modules=extensions,
    # mypy checks what mypyc compiles, so it has to know what is imported.
    setup_requires=["mypy[mypyc]>=1.15", "mypy-zope>=1.0.11", *_imported()] if compiled else [],
)
