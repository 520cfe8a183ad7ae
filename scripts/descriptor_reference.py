"""Write the list of shipped descriptors in docs/reference/descriptors.md; with --check only say whether it is current.

The list is the whole exposure: whatever a descriptor calls opaque stands there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from reference_page import ReferencePage

PROVIDERS = Path(__file__).parents[1] / "providers"


def quoted(places: Iterable[Any]) -> str:
    """Paths one after the other, in code."""
    words = []
    for place in places:
        if isinstance(place, dict):
            whens = " and ".join(f"`{path}` is `{value}`" for path, value in place["when"].items())
            words.append(f"`{place['path']}` (where {whens})")
        else:
            words.append(f"`{place}`")
    return " ".join(words)


def routes(match: Any) -> str:
    """What a request is recognised by."""
    said = []
    for one in match if isinstance(match, list) else [match]:
        methods = one.get("method", "POST")
        words = [methods if isinstance(methods, str) else " or ".join(methods)]
        words += [f"`{one['path']}`"] if "path" in one else []
        for key, name in (("header", "header"), ("query", "query parameter"), ("body", "body")):
            words += [f"{name} `{what}` = `{str(value).lower() if value is True else value}`"
                      for what, value in one.get(key, {}).items()]  # fmt: skip
        said.append(" ".join(words))
    return "; ".join(said)


def section(raw: dict[str, Any]) -> str:
    """What the page says of one descriptor."""
    request, response, stream = raw.get("request", {}), raw.get("response", {}), raw.get("stream", {})
    query = request.get("query", {})
    query = query if isinstance(query, dict) else {"text": query}
    lanes = [
        f"`{lane['text']}`" + (f" ({lane['mode']})" if "mode" in lane else "")
        for lane in {(lane["text"], lane.get("mode")): lane for lane in stream.get("lanes", [])}.values()
    ]
    framing = stream.get("framing", "")
    lines = [
        ("Routes", routes(raw["match"]) + (f". Signed: `{raw['signed']}`" if "signed" in raw else "")),
        ("Opaque in the body", quoted(request.get("opaque", []))),
        ("Opaque in the query", quoted(query.get("opaque", []))),
        ("Text in the query", quoted(query.get("text", []) + query.get("json", []))),
        ("Text in headers", quoted(request.get("headers", []))),
        ("JSON in strings", quoted(request.get("json", []))),
        ("Base64 `data:` URLs stay", quoted(request.get("data_urls", []))),
        ("Numbers are refused", quoted(request.get("tokens", []))),
        ("Opaque in replies", quoted(response.get("opaque", []))),
        ("Opaque in events, too", quoted(stream.get("opaque", []))),
        ("Events", framing if isinstance(framing, str) else ", ".join(framing)),
        ("Lanes", " ".join(lanes)),
    ]
    table = "\n".join(f"| {name} | {said} |" for name, said in lines if said)
    return f"### `{raw['id']}`\n\n{raw['about']['en']}\n\n| | |\n| --- | --- |\n{table}\n"


def sections() -> Iterator[str]:
    """Every shipped descriptor, by its file's name."""
    for file in sorted(PROVIDERS.glob("*.yaml")):
        yield "\n" + section(yaml.safe_load(file.read_text("utf-8")))


PAGE = ReferencePage("descriptors.md", "descriptor_reference.py", sections)

if __name__ == "__main__":
    sys.exit(PAGE.main(sys.argv[1:]))
