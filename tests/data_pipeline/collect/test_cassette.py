"""Cassettes: what was recorded is played as it was, and holds no secret."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.collect.cassette import Cassette, CassetteError, Exchange, Player, Recorder

AT = datetime(2026, 3, 1, 7, 5, tzinfo=UTC)
HOME = "https://api.example.org"
BAD_BODY = json.dumps(
    {
        "cassette": 1,
        "dataset": "a",
        "home": "",
        "recorded_at": "",
        "exchanges": [{"request": {"method": "GET", "path": "/"}, "response": {"status": 200, "body_base64": "%%"}}],
    }
)


def taped(path: str, body: bytes, query: tuple[tuple[str, str], ...] = (), **headers: str) -> Exchange:
    return Exchange("GET", path, query, "", 200, headers, body)


@given(
    body=st.binary(max_size=200),
    query=st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=3),
    headers=st.dictionaries(st.sampled_from(["etag", "link", "x-a"]), st.text(max_size=9), max_size=3),
)
def test_a_cassette_reads_back_as_it_was_written(
    body: bytes, query: list[tuple[str, str]], headers: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Bodies of any bytes, queries of any text."""
    cassette = Cassette(
        "orders", HOME, AT.isoformat(), (Exchange("POST", "/x", tuple(query), "a=1", 404, headers, body),)
    )
    path = tmp_path_factory.mktemp("tape") / "orders.json"
    path.write_bytes(cassette.to_bytes())

    assert Cassette.read(path) == cassette


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "is no cassette"),
        ("[]", "is no cassette"),
        ('{"cassette": 9}', "another version"),
        ('{"cassette": 1, "exchanges": []}', "is no cassette"),
        (BAD_BODY, "is no cassette"),
    ],
)
def test_what_is_no_cassette_is_told(tmp_path: Path, text: str, words: str) -> None:
    """With the file's name."""
    path = tmp_path / "orders.json"
    path.write_text(text)

    with pytest.raises(CassetteError, match=words) as caught:
        Cassette.read(path)
    assert str(path) in str(caught.value)


def test_a_cassette_that_is_not_there_is_told(tmp_path: Path) -> None:
    """In the system's words."""
    with pytest.raises(CassetteError, match="No such file"):
        Cassette.read(tmp_path / "missing.json")


def test_no_secret_gets_on_the_tape() -> None:
    """Neither the user part of the address, nor a key in the query, nor a cookie, nor what the configuration knows."""
    recorder = Recorder(redacted=lambda text: text.replace("hunter2", "***"))
    recorder.take(
        "GET",
        "https://me:hunter2@api.example.org/v1/orders?api_key=abc123&X-Amz-Signature=f00&page=2&q=hunter2",
        b"who=hunter2",
        200,
        {"Set-Cookie": "session=s3cr3t", "ETag": '"1"', "Content-Encoding": "gzip", "X-Note": "for hunter2"},
        b'{"owner": "hunter2"}',
    )

    text = recorder.cassette("orders", AT).to_bytes().decode()

    assert not {"hunter2", "abc123", "f00", "s3cr3t", "gzip"} & set(text.replace('"', " ").replace(",", " ").split())
    assert "hunter2" not in text
    (exchange,) = json.loads(text)["exchanges"]
    assert exchange["request"]["query"] == [["api_key", "***"], ["X-Amz-Signature", "***"], ["page", "2"], ["q", "***"]]
    assert exchange["response"]["headers"] == {"etag": '"1"', "x-note": "for ***"}
    assert json.loads(text)["home"] == HOME


def test_the_same_request_is_answered_in_the_order_of_the_tape_and_then_by_the_last() -> None:
    """A provider that was polled three times is polled three times."""
    player = Player(Cassette("a", HOME, "", (taped("/x", b"1"), taped("/y", b"-"), taped("/x", b"2"))))

    answers = [player.answer("GET", "/x", "", here="http://h") for _ in range(3)]

    assert [answer.body for answer in answers if answer] == [b"1", b"2", b"2"]


def test_a_query_that_is_on_the_tape_gets_its_own_answer_and_a_moving_one_the_next() -> None:
    """Secrets on the tape are masked and match anything; a date that moves matches by path."""
    tape = (taped("/x", b"one", (("page", "1"), ("key", "***"))), taped("/x", b"two", (("page", "2"), ("key", "***"))))
    player = Player(Cassette("a", HOME, "", tape))

    assert player.answer("GET", "/x", "key=zzz&page=2", here="").body == b"two"  # type: ignore[union-attr]
    assert player.answer("GET", "/x", "since=2026-03-02", here="").body == b"one"  # type: ignore[union-attr]
    assert player.answer("GET", "/x", "since=2026-03-03", here="").body == b"two"  # type: ignore[union-attr]
    assert player.answer("GET", "/elsewhere", "", here="") is None


def test_links_point_to_where_it_plays() -> None:
    """In headers and bodies: the next page comes from the cassette, not from the provider."""
    link = f'<{HOME}/x?page=2>; rel="next"'
    player = Player(Cassette("a", HOME, "", (taped("/x", f'{{"next": "{HOME}/x"}}'.encode(), link=link),)))

    answer = player.answer("GET", "/x", "", here="http://127.0.0.1:1")

    assert answer is not None
    assert answer.body == b'{"next": "http://127.0.0.1:1/x"}'
    assert answer.headers["link"] == '<http://127.0.0.1:1/x?page=2>; rel="next"'
