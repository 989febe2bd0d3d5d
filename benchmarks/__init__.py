"""Benchmarks, each beside its peer in the same run. `qiangdan bench` finds a module by its name and calls its `run`."""
