"""Runs at the start of each process of an installation under test, when this folder leads its PYTHONPATH.

`PLANTED` names a module of `tests.planted` whose known bug is put in; `STORM_CLOCKS` names a file with the seconds by
which the clock of each process is wrong, by process name. Nothing of the product reads either.
"""

import importlib
import json
import os
import sys
from contextlib import suppress
from pathlib import Path


def main() -> None:
    """Put in what the environment asks for, where this is a process of the product."""
    if "--process-name" not in sys.orig_argv and "dispatch.cli" not in sys.orig_argv:
        return
    if planted := os.environ.get("PLANTED"):
        importlib.import_module(f"tests.planted.{planted}").plant()
    if file := os.environ.get("STORM_CLOCKS"):
        with suppress(FileNotFoundError, ValueError):
            wrong_by = json.loads(Path(file).read_text())
            name = sys.orig_argv[sys.orig_argv.index("--process-name") + 1]
            if name in wrong_by:
                importlib.import_module("tests.faults.clocks").set_wrong(wrong_by[name])


main()
