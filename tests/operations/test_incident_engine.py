"""What the engine of incidents is told of an installation's datasets and providers."""

from pathlib import Path

from integrated_system import IntegratedSystem
from operations.incident_engine import DeclaredInSettings, incident_engine
from utils.events import NewEvent

CONFIGURATION = """
calendars:
  workdays: {weekdays: mon-fri}
providers:
  partner: {base_url: "https://api.partner.example/v2"}
  inside: {base_url: "http://10.0.0.7:8080"}
datasets:
  - {name: rates, collect: {kind: http, url: "https://data.ecb.example:8443/x"}}
  - {name: invoices, provider: partner, collect: {kind: http, url: /invoices}}
  - {name: stock, provider: inside, collect: {kind: http, url: /stock}}
  - {name: weather, collect: {kind: simulated}}
  - {name: local, collect: {kind: http, url: "http://localhost:9/x"}}
  - {name: sums, transform: "sums:sums", depends_on: [rates]}
  - {name: report, transform: "sums:sums", depends_on: [sums, weather]}
code: [.]
alerts:
  channels: {team: "json://localhost:9/hook"}
  hours: {office: {calendar: workdays, from: "09:00", to: "17:00", zone: Europe/Berlin}}
  rules:
    - {when: batch.held, severity: warning, hours: office}
"""


def system_in(folder: Path) -> IntegratedSystem:
    (folder / "sums.py").write_text("def sums(**tables):\n    return None\n")
    (folder / "orchestrator.yaml").write_text(CONFIGURATION)
    return IntegratedSystem(folder / "orchestrator.yaml", state_dir=folder / "state", environ={})


def test_providers_are_those_of_the_configuration_and_some_are_asked_over_the_internet(tmp_path: Path):
    """Not on loopback, not at a private address, not simulated."""
    with system_in(tmp_path) as system:
        declared = DeclaredInSettings(system)
        assert declared.provider_of("rates") == "data.ecb.example:8443"
        assert declared.provider_of("invoices") == "partner"
        assert declared.provider_of("nothing") is None
        assert declared.is_provider("partner")
        assert not declared.is_provider("rates")
        asked = {name: declared.needs_network(name) for name in ("data.ecb.example:8443", "partner", "inside")}
        assert asked == {"data.ecb.example:8443": True, "partner": True, "inside": False}
        assert not declared.needs_network("weather")
        assert not declared.needs_network("localhost:9")
        assert declared.host("partner") == "api.partner.example"


def test_what_a_dataset_is_made_of_is_followed_to_its_beginning(tmp_path: Path):
    """Nearest first."""
    with system_in(tmp_path) as system:
        declared = DeclaredInSettings(system)
        assert tuple(declared.upstream("report")) == ("sums", "weather", "rates")
        assert tuple(declared.upstream("rates")) == ()
        assert tuple(declared.upstream("nothing")) == ()


def test_the_engine_has_the_rules_hours_and_channels_of_the_configuration(tmp_path: Path):
    """A rule of its own in the place of the shipped one; and it works on the installation's log."""
    with system_in(tmp_path) as system:
        engine = incident_engine(system)
        setup = engine.look(lambda core: core.setup)
        assert setup.channels == ("team",)
        assert [rule.name for rule in setup.rules if rule.when == "batch.held"] == ["batch.held"]
        assert str(setup.hours["office"].zone) == "Europe/Berlin"
        assert not setup.hours["office"].calendar.always_open
        system.events.append([NewEvent("dataset.failed", "sums"), NewEvent("dataset.failed", "rates")])
        engine.step(hurry=True)
        engine.close()
        news = [event.data for event in system.events.read(type="incident.changed")]
        assert [one["notice"]["to"] for one in news if one["notice"]] == [["team"], ["team"]]
