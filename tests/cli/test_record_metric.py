"""`record-metric` on the command line: what is printed, and the exit codes."""

import pytest

from tests.integration.installation import Installation


@pytest.fixture
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    made = Installation(tmp_path_factory.mktemp("record"))
    made.configure({"name": "fx", "collect": {"kind": "simulated", "rows": 3}})
    return made


def test_a_number_is_kept_and_stands_in_metrics(installation: Installation) -> None:
    """Negative ones too; in words and as JSON."""
    said = installation.cli("record-metric", "balance", "-12.5", "--unit", "EUR", "--tag", "shop=berlin")
    told = installation.cli("record-metric", "balance", "-13", "--tag", "shop=berlin", "--json")
    metrics = installation.cli("metrics")

    assert (said.code, said.out.splitlines()) == (0, ["balance = -12.5 EUR", "learning: 1 of 12 points"])
    assert (told.code, told.json["value"], told.json["tags"]) == (0, -13.0, {"shop": "berlin"})
    assert 'orchestrator_recorded_balance{shop="berlin"} -13' in metrics.out.splitlines()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["orders", "many"], "'many' is no number"),
        (["orders", "1", "--tag", "shop"], "--tag 'shop' has no `=`"),
        (["orders", "1", "--tag", "a=1", "--tag", "a=2"], "--tag 'a=2' is there twice"),
        (["or ders", "1"], "'or ders' is no name for a metric"),
        (["orders", "1", "--wrong"], "wrong"),
    ],
    ids=["value", "tag", "tag twice", "name", "option"],
)
def test_mistakes_are_told_in_words(installation: Installation, arguments: "list[str]", words: str) -> None:
    """With exit code 2, and nothing is kept."""
    told = installation.cli("record-metric", *arguments)

    assert told.code == 2
    assert words in told.err
