"""Write masking/httpx2.py from masking/httpx.py; with --check only say whether it is up to date.

The two libraries have one interface and two names, so the twin differs in its import and in what it says of itself.
"""

from __future__ import annotations

import sys
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "masking" / "httpx.py"
TWIN = SOURCE.with_name("httpx2.py")

_IMPORT = "import httpx\n"
_GUARDED = """try:
    import httpx2 as httpx
except ImportError as error:
    raise ImportError("masking.httpx2 needs httpx2: pip install 'masking-pipeline[httpx2]'") from error
"""
_NOTE = "`masking/httpx2.py` is generated from this file by `scripts/twin.py`."
_TWIN_NOTE = "Generated from `masking/httpx.py` by `scripts/twin.py`: change that file."


def twin(source: str) -> str:
    """The text of the twin; raises ValueError when the source lacks what is to be replaced."""
    for part in (_NOTE, _IMPORT):
        if source.count(part) != 1:
            raise ValueError(f"masking/httpx.py must hold this exactly once: {part!r}")
    text = source.replace(_NOTE, _TWIN_NOTE).replace(_IMPORT, _GUARDED)
    return text.replace("SDKs on HTTPX", "SDKs on HTTPX2").replace("masking.httpx.", "masking.httpx2.")


def main(arguments: list[str]) -> int:
    """Exit status: 0 when the twin is up to date or was written, 1 when --check finds that it is not."""
    wanted = twin(SOURCE.read_text("utf-8"))
    if "--check" in arguments:
        if TWIN.is_file() and TWIN.read_text("utf-8") == wanted:
            return 0
        print("masking/httpx2.py is not the twin of masking/httpx.py: run `python scripts/twin.py`")
        return 1
    TWIN.write_text(wanted, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
