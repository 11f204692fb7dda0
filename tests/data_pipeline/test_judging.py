"""Which rules a batch is judged by."""

from config.datasets import DatasetSettings
from data_pipeline.judging import Rules


def test_a_declared_type_rule_takes_the_place_of_the_one_that_its_column_implies() -> None:
    """Two of one name were both counted: a `tolerance` was pasted in vain, and shares exceeded 100 %."""
    dataset = DatasetSettings.model_validate(
        {
            "name": "orders",
            "collect": {"kind": "file", "path": "orders.csv"},
            "columns": {"id": "integer", "amount": "decimal"},
            "rules": [{"type": {"column": "amount", "is": "decimal", "tolerance": 0.01}}, {"not_null": "id"}],
        }
    )
    rules = Rules.of(dataset).of_batch
    assert [(rule.id, rule.tolerance) for rule in rules] == [
        ("type(id)", 0.0),
        ("type(amount)", 0.01),
        ("not_null(id)", 0.0),
    ]
