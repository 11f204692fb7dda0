"""All that an installation shows: every answer of its API, what stands on its pages, what is in a backup of it."""

import asyncio
import io
import re
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from api.app import create_app
from dashboard.shell import PAGES, process
from integrated_system import ROOT, IntegratedSystem
from tests.api.serving import client_of
from tests.integration.installation import Installation

__all__ = ["api_answers", "backup_members", "pages"]


def api_answers(system: IntegratedSystem, secret: str, names: Iterable[str]) -> dict[str, bytes]:
    """Head and body of every GET path, whose parameters are each of these names in turn.

    Args:
        secret: A token. It is also sent where it does not belong: into the address, and into what is no path.
    """

    async def whole() -> dict[str, bytes]:
        app = create_app(system)
        paths = [
            path for path, each in app.openapi()["paths"].items() if "get" in each and not path.endswith("/follow")
        ]
        found = {}
        async with client_of(app) as client:
            mine = {"Authorization": f"Bearer {secret}"}
            newest = [(await client.get(f"/api/v1/{what}?limit=1", headers=mine)).json() for what in ("runs", "events")]
            known = [*names, newest[0]["items"][0]["run_id"], str(newest[1]["items"][0]["seq"])]
            incidents = (await client.get("/api/v1/incidents", headers=mine)).json()["incidents"]
            known += [one["id"] for one in incidents[:1]]
            wanted = {re.sub(r"\{[^}]+\}", name, path) for path in paths for name in known}
            for path in sorted(wanted):
                answer = await client.get(path, headers=mine)
                head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
                found[f"GET {path}"] = f"{answer.status_code}\n{head}\n\n".encode() + answer.content
            for path in (f"/api/v1/status?auth_token={secret}", f"/api/v1/{secret}", f"/api/v1/events?type={secret}"):
                await client.get(path)  # what it answers its sender knows; nobody else is to
            for sent in (f"Bearer {secret}x", f"Basic {secret}"):
                refused = await client.get("/api/v1/status", headers={"Authorization": sent})
                found[f"refused {sent[:6]}"] = refused.content + str(refused.headers).encode()
        return found

    return asyncio.run(whole())


def pages(
    monkeypatch: pytest.MonkeyPatch, installation: Installation, secret: str, names: Iterable[str] = PAGES
) -> dict[str, bytes]:
    """What Streamlit sends to the browser of each page, for who came in with a token."""
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(installation.config))
    monkeypatch.setenv("ORCHESTRATOR_APP__STATE_DIR", str(installation.state))
    monkeypatch.setattr("streamlit.components.v2.manifest_scanner.scan_component_manifests", lambda *_: [])
    app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=120)
    app.session_state["secret"] = secret
    try:
        found = {}
        for name in names:
            app._page_hash = calc_hash(name if name != "overview" else "")
            app.run()
            assert not app.exception, name
            drawn = [element.proto for block in (app.main, app.sidebar) for element in block]
            found[f"page {name}"] = b"\n".join(proto.SerializeToString() for proto in drawn if proto is not None)
        return found
    finally:
        source, actions = process(str(installation.config), str(installation.state))
        actions.close()
        source.close()
        process.clear()


def backup_members(file: Path) -> dict[str, bytes]:
    """Name and content of all that a backup holds."""
    with tarfile.open(fileobj=io.BytesIO(file.read_bytes()), mode="r:gz") as tar:
        members = ((entry.name, tar.extractfile(entry)) for entry in tar)
        return {f"backup {name}": content.read() for name, content in members if content is not None}
