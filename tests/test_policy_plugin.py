"""Suites collect as tests of pytest: one item per case, through the entry point that the package declares."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
SUITE = """\
suite: Try
about: {en: Try}
category: UserInfo
names: off
cases:
- {id: good, text: "打13800138000吧", must_mask: ["13800138000"]}
- {id: bad, text: "单号 2138001380001", must_mask: ["2138001380001"]}
- {id: open, text: "单号 2138001380001", must_mask: ["2138001380001"], known_gap: no rule for it}
- {id: shut, text: "打13800138000吧", must_mask: ["13800138000"], known_gap: once}
labelled:
- {file: rows.jsonl, recall: 1}
"""


def collected(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def test_a_folder_of_suites_runs_as_tests(tmp_path: Path) -> None:
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "try.yaml").write_text(SUITE, "utf-8")
    (policies / "rows.jsonl").write_text('{"text": "13800138000", "spans": [[0, 11, "PHONE_NUMBER"]]}\n', "utf-8")
    (policies / "other.yaml").write_text("category: Mine\n", "utf-8")

    ran = collected(tmp_path, "policies/", "-v")

    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "policies/try.yaml::good PASSED" in ran.stdout
    assert "policies/try.yaml::bad FAILED" in ran.stdout
    assert "policies/try.yaml::open XFAIL" in ran.stdout
    assert "policies/try.yaml::shut XPASS" in ran.stdout
    assert "policies/try.yaml::rows PASSED" in ran.stdout
    assert "must be masked, and nothing is found" in ran.stdout
    assert "Traceback" not in ran.stdout


def test_a_wrong_suite_is_an_error_of_collection(tmp_path: Path) -> None:
    (tmp_path / "try.yaml").write_text(SUITE.replace("must_mask", "must_maks"), "utf-8")

    ran = collected(tmp_path, ".")

    assert ran.returncode == 2
    assert "must_maks: no such key; did you mean must_mask?" in ran.stdout


def test_the_package_declares_the_plugin() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    assert project["entry-points"]["pytest11"] == {"masking": "masking.policy.plugin"}


def test_the_plugin_reads_no_rules_before_it_meets_a_suite() -> None:
    code = "import sys, masking.policy.plugin; print(*sorted(m for m in sys.modules if m.startswith('masking.policy')))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)

    assert ran.stdout.split() == ["masking.policy", "masking.policy.plugin"]
