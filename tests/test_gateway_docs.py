"""The gateway's pages are true: every curl example is masked and restored, every configuration loads."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_server import Watched, serving

from masking.gateway import Server
from masking.gateway.settingsfile import read_settings

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "how-to" / "gateway.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```bash\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FILES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def upstream() -> Watched:
    return Watched()


@pytest.fixture(scope="module")
def server(upstream: Watched) -> Iterator[Server]:
    with serving(upstream) as server:
        yield server


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("example", EXAMPLES, ids=[re.findall(r"8000(\S*?)['?\s]", one)[0] for one in EXAMPLES])
def test_a_curl_example(server: Server, upstream: Watched, example: str) -> None:
    upstream.seen.clear()
    command = example.replace("http://127.0.0.1:8000", server.url)
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    said = re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), done.stdout)

    if "/metrics" in example:
        assert "masking_findings_total" in said
        return
    if "TaskStop" in example:  # it carries no text
        assert json.loads(said)["Result"] == "success"
        return
    assert "<PHONE_NUMBER_1>" in upstream.text
    assert "13800138000" not in upstream.text
    assert "138" in said
    assert "error" not in said.lower()
    if not any(word in example for word in ('"stream": true', "SSE", "sse", "ChatMessages")):
        assert "13800138000" in said


def test_the_configuration_that_is_deployed_loads() -> None:
    settings = read_settings(ROOT / "deploy" / "gateway.yaml")

    assert settings.clients
    assert settings.vault.blocks


@pytest.mark.parametrize("text", FILES)
def test_a_configuration_loads(tmp_path: Path, text: str) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(text, "utf-8")

    assert read_settings(file).routes


def test_the_reference_names_every_key() -> None:
    script = ROOT / "scripts" / "gateway_reference.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")
