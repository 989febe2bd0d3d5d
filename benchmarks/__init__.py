"""The benchmarks behind `qiangdan bench`, each beside its peer in the same run."""
