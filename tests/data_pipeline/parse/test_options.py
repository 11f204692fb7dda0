"""Wrong options are refused when the configuration is read, in words."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from data_pipeline.parse.data_time import parse_data_time
from data_pipeline.parse.options import ColumnOptions, ParseOptions


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"format": "exel"}, "Input should be"),
        ({"footer_rows": -2}, "greater than or equal"),
        ({"melt": {"id": ["a"], "name": "v", "value": "v"}}, "`v` twice"),
        ({"melt": {"id": ["a"], "name": "a"}}, "`a` twice"),
        ({"melt": {"id": ["a"], "valeu": "v"}}, "Extra inputs"),
        ({"drop_where": "x = "}, "unexpected end"),
        ({"drop_where": "x + 1"}, "true or false"),
        ({"delimitr": ";"}, "Extra inputs"),
        ({"delimiter": ";;"}, "one ASCII character"),
        ({"encoding": "utf-88"}, "unknown encoding"),
        ({"encoding": "base64"}, "unknown encoding"),
        ({"decimal": ",", "thousands": ","}, "both"),
        ({"records": "a["}, "not a JMESPath expression"),
        ({"skip_rows": -1}, "greater than or equal"),
    ],
    ids=str,
)
def test_wrong_parse_options_are_refused_in_words(options, words):
    """Each mistake names what is wrong; nothing is silently ignored."""
    with pytest.raises(ValidationError, match=words):
        ParseOptions.model_validate(options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"type": "money"}, "Input should be"),
        ({"type": "date", "format": "yyyy"}, "no directive"),
        ({"type": "float", "format": "excel"}, "format needs"),
        ({"type": "float", "format": "%Y"}, "format needs"),
        ({"type": "string", "scale": 10}, "scale needs"),
        ({"type": "integer", "scale": 0.5}, "must be whole"),
    ],
    ids=str,
)
def test_wrong_column_options_are_refused_in_words(options, words):
    """Each mistake names what is wrong."""
    with pytest.raises(ValidationError, match=words):
        ColumnOptions.model_validate(options)


def test_a_type_alone_is_a_whole_column_declaration():
    """`mag: float` is short for `mag: {type: float}`."""
    assert ColumnOptions.model_validate("float").type == "float"


def test_defaults_may_be_spelled_out():
    """A configuration that spells out the contract's defaults stays valid."""
    options = ParseOptions.model_validate({"footer_rows": 0, "stop_at_blank": False, "attributes": True})

    assert options == ParseOptions()


@pytest.mark.parametrize("text", ["$", "$.a[", "filename rates.csv"])
def test_a_wrong_data_time_is_refused(text):
    """A path that is no path and a file name without directives are mistakes."""
    with pytest.raises(ValueError, match=r"names the whole|JMESPath|no directive"):
        parse_data_time(text)


def test_reading_options_imports_no_arrow():
    """A configuration check must stay quick."""
    code = "import sys, data_pipeline.parse.options, data_pipeline.parse.data_time; print('pyarrow' in sys.modules)"

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "False"


def test_parsing_csv_json_and_parquet_never_imports_pandas():
    """pandas costs a second that a small run does not have."""
    code = """
import sys
from tests.data_pipeline.parse.reading import PAYLOADS, read
read((PAYLOADS / "alltypes_tiny_pages.parquet").read_bytes())
read((PAYLOADS / "rba_fx_daily.csv").read_bytes(), parse_options={"skip_rows": 10}, columns={"FXRUSD": "decimal"})
read((PAYLOADS / "tcmb_fx_march_2026.json").read_bytes(), parse_options={"records": "items"})
print("pandas" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "False"
