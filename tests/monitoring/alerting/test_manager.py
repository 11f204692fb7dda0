"""AlertManager: what a program sends is told to its callbacks, kept as a file, and sent; the same once a minute."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.alerting.alert import Alert, AlertType
from monitoring.alerting.alert_files import KEPT, LOOK_EVERY, AlertFiles
from monitoring.alerting.letter import Post
from monitoring.alerting.manager import AlertManager
from monitoring.alerting.own_post import OwnPost
from tests.faulty_server import FaultyServer, ok, status
from tests.monitoring.alerting.posts import DOWN, SENT, Receiver, begun
from utils.clock import ManualClock

PAGE = Path(__file__).parents[3] / "docs" / "alerts.md"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def manager(tmp_path: Path, clock: ManualClock) -> Iterator[AlertManager]:
    with AlertManager(tmp_path / "alerts", clock=clock) as made:
        yield made


def test_an_alert_is_told_to_every_callback(manager: AlertManager) -> None:
    """One that raises stops neither the others nor the program; one that was removed hears nothing."""
    heard: list[str] = []

    def broken(alert: Alert) -> None:
        raise RuntimeError("not today")

    manager.on_alert(broken)
    gone = manager.on_alert(lambda alert: heard.append("gone"))
    manager.on_alert(lambda alert: heard.append(alert.title))
    manager.remove(gone)
    sent = manager.send(level="ERROR", title="Import failed", message="no file", source="importer")

    assert sent is not None
    assert (sent.level, sent.source) == ("error", "importer")
    assert heard == ["Import failed"]


def test_the_same_alert_is_told_once_a_minute(manager: AlertManager, clock: ManualClock) -> None:
    """Another title, level or source is another alert."""

    def send(title: str = "Down", level: str = "critical", source: str = "a") -> bool:
        return manager.send(level=level, title=title, source=source) is not None

    assert [send(), send(), send(source="b"), send(level="error"), send(title="Up")] == [True, False, True, True, True]
    clock.advance(59.0)
    assert not send()
    clock.advance(1.0)
    assert send()


def test_the_last_500_are_remembered(clock: ManualClock) -> None:
    """In memory, in order; also where no folder keeps any."""
    manager = AlertManager(clock=clock)
    for number in range(KEPT + 20):
        manager.send(level="info", title=f"number {number}")

    assert len(manager.recent()) == KEPT
    assert [one.title for one in manager.recent(2)] == [f"number {KEPT + 18}", f"number {KEPT + 19}"]
    assert manager.recent(0) == []


def test_each_alert_is_a_file_and_a_line_of_the_index(manager: AlertManager, tmp_path: Path) -> None:
    """Named after its second and its type; two of one second are two files. For the owner alone."""
    for title in ("first", "second"):
        manager.send(level="WARNING", title=title, type=AlertType.SERVER_SLOW)
    folder = tmp_path / "alerts"
    names = sorted(path.name for path in folder.glob("*.json"))
    index = AlertFiles(folder).index()

    assert names == ["alert_1767225600_server_slow.json", "alert_1767225600_server_slow_2.json"]
    assert [(line["title"], line["file"], line["level"]) for line in index] == [
        ("first", names[0], "warning"),
        ("second", names[1], "warning"),
    ]
    assert json.loads((folder / names[0]).read_text())["type"] == "server_slow"
    assert (folder.stat().st_mode & 0o777, (folder / names[0]).stat().st_mode & 0o777) == (0o700, 0o600)


def test_an_editor_finds_each_alert_as_a_problem(manager: AlertManager, tmp_path: Path) -> None:
    """By the matcher that the documentation gives: how grave, which file, what."""
    manager.send(level="critical", title='Disk "/data" is full\\')
    (line,) = (tmp_path / "alerts" / "index.jsonl").read_text().splitlines()
    (task,) = re.findall(r"```json\n(.*?)\n```", PAGE.read_text(), re.DOTALL)
    found = re.match(json.loads(task)["tasks"][0]["problemMatcher"]["pattern"]["regexp"], line)

    assert found is not None
    assert found.groups() == ("error", "alert_1767225600_notice.json", 'Disk \\"/data\\" is full\\\\')


def test_the_newest_500_files_are_kept(tmp_path: Path) -> None:
    """An alert that is written twice is there once; a line that was cut off ruins no other."""
    files = AlertFiles(tmp_path)
    for number in range(KEPT + KEPT // 10 + LOOK_EVERY):
        time = f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z"
        alert = Alert(str(number), time, "info", "notice", str(number))
        files.write(alert)
        files.write(alert)
    assert KEPT <= len(files.index()) <= KEPT + KEPT // 10
    assert len(list(tmp_path.glob("alert_*.json"))) == len(files.index())

    with (tmp_path / "index.jsonl").open("a") as file:
        file.write('{"problem":"err')
    files.write(Alert("last", "2026-01-02T00:00:00Z", "info", "notice", "last"))
    assert files.index()[-1]["id"] == "last"


def test_a_storm_of_one_second_does_not_read_what_it_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is looked for once, though all have the same name but for a number; one told again stays one."""
    looked: list[Path] = []
    read = Path.read_bytes

    def noted(path: Path) -> bytes:
        looked.append(path)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", noted)
    files = AlertFiles(tmp_path)
    alerts = [Alert(f"a{n}", "2026-01-01T00:00:00Z", "error", "x" * 400, f"t{n}", "", "") for n in range(20)]
    paths = [files.write(one) for one in alerts]
    assert len(set(paths)) == 20
    assert len([one for one in looked if one.name.startswith("alert_")]) == 20
    assert [files.write(alerts[3]), AlertFiles(tmp_path).write(alerts[4])] == paths[3:5]
    assert len(files.index()) == 20


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path, clock: ManualClock) -> None:
    """The callbacks are told all the same."""
    (tmp_path / "alerts").write_text("a file, and no folder")
    with AlertManager(tmp_path / "alerts", clock=clock) as manager:
        assert manager.send(level="error", title="Down") is not None
        assert [one.title for one in manager.recent()] == ["Down"]


@pytest.mark.parametrize(
    ("level", "title"), [("fatal", "Down"), (None, "Down"), ("error", " ")], ids=["unknown level", "none", "no title"]
)
def test_what_is_no_alert_is_said(manager: AlertManager, level: str, title: str) -> None:
    """To the program that made the mistake."""
    with pytest.raises(ValueError, match=r"level|title"):
        manager.send(level=level, title=title)


def test_secrets_are_masked_before_anything_is_kept(tmp_path: Path, clock: ManualClock) -> None:
    """In title and message, in memory and in the files."""
    with AlertManager(tmp_path, clock=clock, redacted=lambda text: text.replace("hunter2", "***")) as manager:
        sent = manager.send(level="error", title="No login with hunter2", message="hunter2 was refused")

    assert sent is not None
    assert (sent.title, sent.message) == ("No login with ***", "*** was refused")
    assert not any("hunter2" in path.read_text() for path in tmp_path.iterdir() if path.is_file())


def test_a_program_without_an_installation_sends_through_its_channels(tmp_path: Path) -> None:
    """In the background; what a channel does not take is tried again."""
    with (
        FaultyServer([status(500), ok(b"")]) as server,
        AlertManager(
            tmp_path, {"hook": server.url.replace("http://", "json://") + "/alerts"}, app="Importer"
        ) as manager,
    ):
        manager.send(level="error", title="Import failed", message="no file", source="nightly")
        manager.close(within_s=20.0)
        bodies = [json.loads(request.body) for request in server.requests]

    assert [(body["title"], body["message"].split("\n")[0]) for body in bodies] == [("Import failed", "no file")] * 2
    assert len({request.headers["idempotency-key"] for request in server.requests}) == 1


def test_what_was_not_sent_is_sent_by_the_next_start(tmp_path: Path, clock: ManualClock) -> None:
    """From the folder; without one it is gone with the program."""
    down, up = Receiver(DOWN), Receiver(SENT)
    first = OwnPost(tmp_path, {"team": down}, clock=clock)
    first.put([begun("i1")])
    first.close(0.0)
    second = OwnPost(tmp_path, {"team": up}, clock=clock)
    second.outbox.hasten()
    second.close(5.0)

    assert (down.got, up.got) == ([], ["i1 down"])


def test_of_two_programs_with_one_folder_one_sends(tmp_path: Path, clock: ManualClock) -> None:
    """When it ends, the other does."""
    first, second = Receiver(), Receiver()
    ours, others = OwnPost(tmp_path, {"team": first}, clock=clock), OwnPost(tmp_path, {"team": second}, clock=clock)
    ours.put([begun("i1")])
    others.put([begun("i2")])
    ours.close()
    others.close()

    assert sorted(first.got + second.got) == ["i1 down", "i2 down"]


def test_an_installation_takes_the_messages_into_its_own_outbox(clock: ManualClock) -> None:
    """One for each channel."""
    taken: list[Post] = []
    manager = AlertManager(
        None, {"team": "json://a", "ops": "json://b"}, clock=clock, deliver=lambda _, p: taken.extend(p)
    )
    sent = manager.send(level="warning", title="Slow")

    assert sent is not None
    assert [(post.channel, post.thread, post.message.kind) for post in taken] == [
        ("team", sent.id, "notice"),
        ("ops", sent.id, "notice"),
    ]
