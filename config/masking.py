"""The configuration as it may be shown: complete with defaults, every secret masked."""

from typing import TYPE_CHECKING, Any

from config.errors import KeyPath
from config.providers import is_secret_place
from config.variables import MASK, without_user_part

if TYPE_CHECKING:
    from config.loading import Loaded

_BLOCKS = ("collect", "parse", "columns", "rules", "publish")


def masked(loaded: "Loaded") -> dict[str, Any]:
    """All sections as plain JSON data with durations and sizes as people write them.

    The blocks of a dataset that other code validates (`collect`, `parse`, `rules`, ...) are as written.
    """
    settings = loaded.settings
    shown: dict[str, Any] = settings.model_dump(mode="json", by_alias=True, exclude={"datasets"})
    shown["providers"] = {
        name: settings.provider(name).model_dump(mode="json", by_alias=True) for name in settings.providers
    }
    shown["datasets"] = []
    for dataset in settings.datasets:
        item = dataset.model_dump(mode="json", by_alias=True, exclude=set(_BLOCKS))
        empty: dict[str, Any] = {"parse": {}, "columns": {}, "rules": [], "publish": []}
        blocks = {key: dataset.written.get(key, empty.get(key)) for key in _BLOCKS}
        blocks["publish"] = [_quiet(sink) for sink in blocks["publish"] or ()]
        shown["datasets"].append({"name": item.pop("name"), **blocks, **item})
    result: dict[str, Any] = _masked(shown, (), loaded)
    return result


def _quiet(sink: Any) -> Any:
    """A sink as written; of a webhook's address, whose path is often the password, no more than the host."""
    if not isinstance(sink, dict) or sink.get("kind") != "webhook" or not isinstance(sink.get("url"), str):
        return sink
    scheme, separator, rest = sink["url"].partition("://")
    host, slash, path = rest.partition("/")
    return {**sink, "url": f"{scheme}{separator}{host}{slash}{MASK if path else ''}"}


def _masked(node: Any, path: KeyPath, loaded: "Loaded") -> Any:
    if isinstance(node, dict):
        return {key: _masked(value, (*path, str(key)), loaded) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [
            _masked(item, (*path, item["name"] if isinstance(item, dict) and "name" in item else place), loaded)
            for place, item in enumerate(node)
        ]
    if (
        isinstance(node, str)
        and node
        and (path[:2] == ("alerts", "channels") or path == ("alerts", "heartbeat", "url"))
    ):
        return f"{node.partition('://')[0]}://{MASK}"  # tokens may stand anywhere in it
    if path in loaded.known.masked:
        return loaded.known.masked[path]
    if node is None or isinstance(node, bool) or not path:
        return node
    if is_secret_place(path) and node != "":
        return MASK
    return loaded.known.redacted(without_user_part(node)) if isinstance(node, str) else node
