"""An installation in trouble, for the pages about incidents and quality; made once, and copied for each test."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from api.client import Client
from dashboard.shell import process
from dashboard.source import Answer
from integrated_system import IntegratedSystem
from operations.alerting import deliver
from operations.run import run
from tests.dashboard.configuration import ACTOR, HARM
from tests.faulty_server import FaultyServer, as_json, status


@dataclass(frozen=True)
class Trouble:
    """Where it lies, and the server that its channel sends to."""

    config: Path
    state: Path
    server: FaultyServer

    def copied(self, config: Path, state_dir: Path) -> None:
        """Put a copy where a test has its own; its channel takes what it gets."""
        self.server.answer = lambda _: as_json({"ok": True})
        for file in self.config.parent.glob("*.*"):
            shutil.copy(file, config.parent)
        shutil.copytree(self.state, state_dir)


def made(folder: Path, server: FaultyServer) -> Trouble:
    """One dataset with rows in quarantine, one that is held, one that is down, one of a name that means harm.

    The chat took no message, for good: there are dead letters. Nobody answers at the other channel.
    """
    server.answer = lambda _: status(404)
    rules: list[dict[str, Any]] = [{"not_null": ["id"]}, {"range": {"column": "id", "max": 1880}}]
    warned = {"range": {"column": "id", "max": 1860, "severity": "warning", "id": "nearly"}}
    held = {"range": {"column": "id", "max": 17, "severity": "critical"}}
    down = {"kind": "simulated", "script": [{"after": "0s", "do": "down"}]}
    configuration = {
        "app": {"name": "page"},
        "defaults": {"dataset": {"deadline": "5m", "retry": {"attempts": 2, "initial": "1ms"}}},
        "datasets": [
            {"name": "orders", "collect": {"kind": "simulated", "rows": 2000}, "rules": [*rules, warned]},
            {"name": "held", "collect": {"kind": "simulated", "rows": 20}, "rules": [held]},
            {"name": "broken", "collect": down, "promise": {"max_age": "1h"}},
            {
                "name": "harmful",
                "collect": {"kind": "file", "path": f"{HARM}.csv"},
                "owner": HARM,
                "runbook": f"https://wiki.example.org/{HARM}",
            },
            {"name": "texts", "collect": {"kind": "file", "path": "texts.csv"}, "rules": [{"not_null": ["id"]}]},
        ],
        "alerts": {"channels": {"chat": f"{server.url.replace('http', 'json', 1)}chat", "away": "json://127.0.0.1:9/"}},
    }
    config, state = folder / "orchestrator.json", folder / "state"
    config.write_text(json.dumps(configuration))
    quoted = HARM.replace('"', '""')
    (folder / "texts.csv").write_text(f'id,name,{"<b>" * 30}\n1,a,b\n,"{quoted}",=1+1\n,{"x" * 5000},"\u202egnp"\n')
    with IntegratedSystem(config, state_dir=state, environ={}) as system:
        run(system, ACTOR)
        told(system)
    return Trouble(config, state, server)


def told(system: IntegratedSystem) -> None:
    """Until nothing is left but what waits for the channel at which nobody answers."""
    while True:
        deliver(system, within_s=0.5)
        if {one.channel for one in system.alert_outbox.undelivered()} <= {"away"}:
            return


def answer(client: Client, question: str, *args: Any, **kwargs: Any) -> Answer:
    """What the API gives, as a page has it."""
    return Answer(getattr(client.queries, question)(*args, **kwargs), None, None)


def page(app: AppTest, name: str, **query: str) -> AppTest:
    """A page as a link leads to it."""
    app._page_hash = calc_hash(name)
    for key, value in query.items():
        app.query_params[key] = value
    return app.run()


def texts(app: AppTest) -> str:
    """All that stands on it as plain text."""
    assert not app.exception
    return "\n".join(str(text.value) for text in app.text)


def marked_up(app: AppTest) -> str:
    """All that Streamlit reads as Markdown or HTML, with its signs."""
    own = [str(one.value) for kind in ("markdown", "subheader", "caption") for one in app.get(kind)]
    own += [str(one.label) for kind in ("button", "multiselect", "selectbox", "text_input") for one in app.get(kind)]
    own += [str(one.proto) for kind in ("page_link", "link_button", "expander", "html") for one in app.get(kind)]
    return "\n".join(own)


def keys(app: AppTest, start: str) -> list[str]:
    """The keys of buttons that begin so."""
    return [str(button.key) for button in app.button if str(button.key).startswith(start)]


def click(app: AppTest, start: str) -> AppTest:
    """Click the first button whose key begins so."""
    return app.button(key=keys(app, start)[0]).click().run()


def done(config: Path, state_dir: Path) -> list[Any]:
    """Wait for what was clicked; what the API answered."""
    actions = process(str(config), str(state_dir))[1]
    found = []
    for key in list(actions._done):
        deed = actions.deed(key, wait_s=120)
        assert deed is not None
        assert deed.state == "done", deed.trouble
        found.append(deed.document)
    return found
