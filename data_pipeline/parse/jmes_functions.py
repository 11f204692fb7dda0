"""What `records` can ask beside JMESPath's own functions: `keyed(object)` and `explode(rows, 'key')`."""

from typing import Any

from jmespath.functions import Functions, signature

from data_pipeline.parse.json_shapes import exploded, keyed


class RowFunctions(Functions):  # type: ignore[misc]  # jmespath comes without types
    """JMESPath loses the key of an object and the row around a list; these two keep them."""

    @signature({"types": ["object", "null"]})  # type: ignore[untyped-decorator]
    def _func_keyed(self, found: Any) -> Any:
        return None if found is None else keyed(found)

    @signature({"types": ["array", "object", "null"]}, {"types": ["string"]})  # type: ignore[untyped-decorator]
    def _func_explode(self, found: Any, path: str) -> Any:
        return None if found is None else exploded(found, path)
