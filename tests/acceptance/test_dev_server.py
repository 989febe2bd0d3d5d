"""`npm run dev`: pages from Vite, everything else from a running engine, whose check of the origin stays as it is."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from dispatch.web_build import good_node
from tests.acceptance.city import City
from tests.acceptance.sockets import Phone
from tests.fuzz.engine import free_port
from tests.processes import eventually

WEB = Path(__file__).parents[2] / "web"


@pytest.fixture
def dev_server(quick: City, tmp_path: Path) -> Iterator[str]:
    """The address of Vite's server in front of the engine."""
    node = good_node()
    if node is None or not (WEB / "node_modules" / "vite").is_dir():
        pytest.skip("the dev server needs node 20.19 or 22.12, and 'npm ci' in web: make web")
    port = free_port()
    log = tmp_path / "vite.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [node.folder / "node", "node_modules/vite/bin/vite.js", "--port", str(port), "--strictPort"],
            cwd=WEB,
            env={**os.environ, "QIANGDAN_DEV_ENGINE": quick.installation.url},
            stdout=out,
            stderr=out,
        )
    url = f"http://localhost:{port}"
    try:
        eventually(lambda: process.poll() is not None or _answers(url), within_s=60)
        assert process.poll() is None, log.read_text()
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/console", timeout=20, trust_env=False, verify=False).is_success
    except httpx.HTTPError:
        return False


async def test_pages_of_the_dev_server_speak_with_the_engine_and_those_of_others_do_not(
    quick: City, dev_server: str
) -> None:
    token = quick.tokens["dispatcher"]
    assert "<script" in httpx.get(f"{dev_server}/console", timeout=20, trust_env=False, verify=False).text
    async with httpx.AsyncClient(base_url=dev_server, trust_env=False, verify=False) as http:
        me = await http.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
        assert me.json()["city"] == quick.id
    crew = await quick.crew()
    async with await Phone.open(dev_server, quick.installation.asyncapi, token=crew.token, Origin=dev_server) as phone:
        assert (await phone.hello())["crew"] == crew.id
    for origin in ("https://evil.example", quick.installation.url, "null"):
        with pytest.raises(ConnectionClosed) as refused:
            async with connect(
                f"{dev_server.replace('http', 'ws', 1)}/ws/v1/console",
                additional_headers={"Authorization": f"Bearer {token}", "Origin": origin},
                proxy=None,
            ) as socket:
                await socket.send('{"type":"hello"}')
                await socket.recv()
        assert refused.value.rcvd is not None
        assert refused.value.rcvd.code == 4403, origin
