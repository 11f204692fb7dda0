"""A silence as it is kept."""

from monitoring.alerting.silence import Matcher, Silence


def test_what_an_event_holds_besides_is_not_read() -> None:
    """The id of a request stands in each event that the request made; a later release may write more."""
    made = Silence("eb150d65", Matcher(dataset="fx_*"), "2026-11-22T01:35:52Z", "2026-11-22T03:35:52Z", by="me")

    assert Silence.from_json({**made.to_json(), "request_id": "01a200e5", "colour": "red"}) == made
