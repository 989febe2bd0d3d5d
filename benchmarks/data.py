"""Where the test data lies: files that nobody on the project wrote, which a user's machine has none of."""

import os
from pathlib import Path


def data_folder() -> Path:
    """Return the folder that `QIANGDAN_TEST_DATA` names, else the one beside a checkout; it may not exist."""
    return Path(os.environ.get("QIANGDAN_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
