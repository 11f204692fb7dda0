"""`record`: a provider's answers on tape, without its secrets; played back, the dataset is delivered from them."""

import json
from pathlib import Path

import pytest

from data_pipeline.collect.cassette import Cassette
from extensions.cassette_server import CassetteServer, Fault
from tests import faulty_server as fault
from tests.faulty_server import FaultyServer, pages_by_link
from tests.integration.installation import ROOT, Installation

PAGES = pages_by_link([b'[{"id": 1}, {"id": 2}]', b'[{"id": 3}]'])


def configure(installation: Installation, host: str) -> None:
    installation.configure(
        {
            "name": "orders",
            "provider": "shop",
            "collect": {
                "kind": "http",
                "url": "/v1/orders",
                "params": {"api_key": "${API_KEY}"},
                "paginate": {"kind": "link_header"},
            },
            "key": ["id"],
            "rules": [{"unique": "id"}],
        },
        {"name": "local", "collect": {"kind": "simulated"}},
        providers={"shop": {"base_url": host, "auth": {"kind": "bearer", "token": "${TOKEN}"}}},
    )


SECRETS = {"API_KEY": "k-5ecret", "TOKEN": "t-5ecret"}


def recorded(installation: Installation) -> Path:
    """A cassette of two pages; the dataset stays configured for the provider, which is gone."""
    with FaultyServer(PAGES) as server:
        configure(installation, f"http://{server.host}")
        path = installation.folder / "orders.json"
        done = installation.cli("record", "orders", "--output", str(path), "--json", env=SECRETS)
        assert done.code == 0, done.err
        assert done.json == {"dataset": "orders", "path": str(path), "exchanges": 2, "failed": None}
    return path


def test_what_was_recorded_is_delivered_when_it_is_played(installation: Installation) -> None:
    """Both pages, over real HTTP; an outage on the way is a matter of retries."""
    path = recorded(installation)

    with CassetteServer(path, faults=[Fault(at=2, status=503)]) as server:
        configure(installation, server.url)
        done = installation.cli("run", "orders", "--json", env=SECRETS)

    (orders,) = done.json["datasets"]
    assert (orders["status"], orders["rows"], orders["attempts"]) == ("succeeded", 3, 2)


def test_no_secret_is_on_the_cassette_and_nothing_was_stored(installation: Installation) -> None:
    """Neither key nor token; and no run, no version, no event."""
    text = recorded(installation).read_text()

    assert "5ecret" not in text
    assert json.loads(text)["exchanges"][0]["request"]["query"] == [["api_key", "***"]]
    events = installation.cli("events", "--json", env=SECRETS)
    assert [line for line in events.out.splitlines() if "orders" in line] == []


def test_a_failing_provider_is_recorded_too(installation: Installation) -> None:
    """With what it said; the command tells that the collection did not come to its end."""
    with FaultyServer(fault.status(403, b"not for you")) as server:
        configure(installation, f"http://{server.host}")
        path = installation.folder / "orders.json"
        done = installation.cli("record", "orders", "--output", str(path), env=SECRETS)

    assert done.code == 0
    assert "did not come to its end" in done.out + done.err
    (exchange,) = Cassette.read(path).exchanges
    assert (exchange.status, exchange.body) == (403, b"not for you")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("local",), 1, "only answers over HTTP"),
        (("order",), 2, "did you mean `orders`?"),
        (("orders", "--output", "no/such/folder/x.json"), 1, "no/such/folder/x.json: No such file or directory"),
    ],
    ids=["not HTTP", "unknown dataset", "no such folder"],
)
def test_what_cannot_be_recorded_is_told(
    installation: Installation, arguments: tuple[str, ...], code: int, words: str
) -> None:
    """In a line, with what to do."""
    with FaultyServer(PAGES) as server:
        configure(installation, f"http://{server.host}")
        done = installation.cli("record", *arguments, env=SECRETS)

    assert done.code == code
    assert words in done.err
    assert "Traceback" not in done.err


def test_the_example_of_the_page_runs(tmp_path: Path) -> None:
    """docs/testing.md, as a reader would type it in."""
    import re
    import subprocess
    import sys

    page = (ROOT / "docs" / "testing.md").read_text()
    (configuration,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (example,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "orchestrator.yaml").write_text(configuration)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_orders.py").write_text(example)
    with FaultyServer(pages_by_link([b'[{"id": 1}]', b'[{"id": 2}]'])) as server:
        command = [sys.executable, str(ROOT / "integrated_system.py"), "record", "orders"]
        command += ["--output", "tests/orders.json", "--state-dir", "recording"]
        address = {"SHOP_URL": f"http://{server.host}", "PATH": "/usr/bin:/bin"}
        subprocess.run(command, cwd=tmp_path, env=address, check=True, capture_output=True)

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_orders.py"]
    where = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=where, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
