"""The command `masking`: what it prints, what it exits with, what it refuses."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from masking.files import category_names, recogniser_names

HEAD = 'category: Mine\nversion: "1"\nabout: {en: Mine, zh: 我的}\nrules:\n'
RULE = "  - {id: code, entity: CODE, pattern: 'X-\\d{4}', hits: [X-1234], misses: [X-1]}\n"


def run(
    *arguments: str, text: str = "", folder: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The installed command's own entry point, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", "from masking.cli import main; main()", *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONUTF8": "1", **environment},
    )


def test_mask_reads_standard_input_and_writes_standard_output() -> None:
    done = run("mask", "--names", "off", text="打13800138000或a@example.com\n")

    assert (done.returncode, done.stdout, done.stderr) == (0, "打<PHONE_NUMBER_1>或<EMAIL_ADDRESS_1>\n", "")


def test_mask_gives_json_without_values() -> None:
    done = run("mask", "--names", "off", "--json", text="打13800138000")
    line = json.loads(done.stdout)

    assert line["text"] == "打<PHONE_NUMBER_1>"
    assert [(one["start"], one["end"], one["entity"], one["rule"]) for one in line["findings"]] == [
        (1, 12, "PHONE_NUMBER", "cn.mobile")
    ]
    assert "13800138000" not in done.stdout


def test_a_session_file_restores_and_keeps_placeholders_over_runs(tmp_path: Path) -> None:
    kept = tmp_path / "letter.session"
    one = run("mask", "--names", "off", "-s", str(kept), text="13800138000")
    two = run("mask", "--names", "off", "-s", str(kept), text="13900139000 13800138000")
    back = run("restore", "-s", str(kept), text="call <phone_number_2>, then [PHONE_NUMBER_1]")

    assert (one.stdout, two.stdout) == ("<PHONE_NUMBER_1>", "<PHONE_NUMBER_2> <PHONE_NUMBER_1>")
    assert back.stdout == "call 13900139000, then 13800138000"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_restore_needs_no_model_even_for_names(tmp_path: Path) -> None:
    kept = tmp_path / "s.json"
    kept.write_text(json.dumps({"masking_session": 1, "entries": {"<PERSON_1>": "王芳"}}), "utf-8")

    done = run("restore", "-s", str(kept), text="你好<PERSON_1>", MASKING_MODELS=str(tmp_path / "none"))

    assert (done.returncode, done.stdout) == (0, "你好王芳")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["mask", "missing.txt"], "cannot read missing.txt: No such file", id="no such file"),
        pytest.param(["mask", "gbk.txt"], "gbk.txt is not UTF-8 (byte 0)", id="not UTF-8"),
        pytest.param(["mask", "-c", "Nothing"], "no category is called 'Nothing'", id="no such category"),
        pytest.param(
            ["mask", "-c", "./Broken.yaml"], "Broken.yaml:5: rule code: pattern: does not compile", id="a broken rule"
        ),
        pytest.param(["restore", "-s", "gbk.txt"], "is no session file", id="no session file"),
        pytest.param(["restore"], "Missing option '-s'", id="no option"),
        pytest.param(["rules", "show", "cn.nothing"], "no rule is called cn.nothing", id="no such rule"),
        pytest.param(["nothing"], "No such command", id="no such command"),
    ],
)
def test_what_cannot_run_says_why_in_a_line_and_exits_with_two(tmp_path: Path, arguments: list[str], says: str) -> None:
    (tmp_path / "gbk.txt").write_bytes("电话".encode("gbk"))
    (tmp_path / "Broken.yaml").write_text(HEAD + RULE.replace("X-\\d", "X-(\\d"), "utf-8")
    names = ["--names", "off"] if arguments[0] == "mask" else []

    done = run(*arguments, *names, folder=tmp_path)

    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_category_that_needs_a_missing_model_names_the_command(tmp_path: Path) -> None:
    done = run("mask", text="x", MASKING_MODELS=str(tmp_path))

    assert done.returncode == 2
    assert "masking models install zh latin" in done.stderr


def test_rules_list_names_every_category_as_table_and_as_json() -> None:
    table, lines = run("rules", "list"), run("rules", "list", "--json")

    assert [json.loads(line)["category"] for line in lines.stdout.splitlines()] == category_names()
    assert all(name in table.stdout for name in category_names())


def test_rules_list_names_the_shared_recognisers() -> None:
    done = run("rules", "list", "--recognisers")

    assert done.stdout.split() == recogniser_names()


def test_rules_show_tells_a_rule_with_its_examples() -> None:
    done = run("rules", "show", "cn.mobile")

    assert done.returncode == 0
    assert all(part in done.stdout for part in ("PHONE_NUMBER", "cn/mobile.yaml", "电话13800138000。"))


@pytest.mark.parametrize(
    ("rule", "code", "last"),
    [
        pytest.param(RULE, 0, "1 rules: 1 hold, 0 fail, 0 could not run", id="all hold"),
        pytest.param(RULE.replace("X-1234", "Y-1"), 1, "1 rules: 0 hold, 1 fail, 0 could not run", id="one fails"),
    ],
)
def test_rules_check_holds_rules_to_their_examples(tmp_path: Path, rule: str, code: int, last: str) -> None:
    (tmp_path / "Mine.yaml").write_text(HEAD + rule, "utf-8")

    done = run("rules", "check", "./Mine.yaml", folder=tmp_path)

    assert (done.returncode, done.stdout.splitlines()[-1]) == (code, last)


def test_models_list_says_what_is_installed(tmp_path: Path) -> None:
    done = run("models", "list", "--json", MASKING_MODELS=str(tmp_path))

    assert {json.loads(line)["model"]: json.loads(line)["installed"] for line in done.stdout.splitlines()} == {
        "zh": False,
        "latin": False,
    }


def test_demo_shows_the_whole_chain_and_nothing_personal_leaves(tmp_path: Path) -> None:
    done = run("demo", "--json", "--names", "off")
    shown = json.loads(done.stdout)

    assert done.returncode == 0
    for turn in shown["turns"]:
        for value in ("13800138000", "11010519491231002X", "wang.jianguo@example.com", "emily.carter@example.org"):
            assert value not in turn["left"]
            assert value not in "".join(turn["tokens"])
        assert turn["wrote"] in "".join(turn["read"])
    assert len(shown["turns"]) == 2


def test_demo_prints_what_was_written_what_left_and_what_is_read() -> None:
    done = run("demo", "--names", "off", COLUMNS="120")

    assert done.returncode == 0
    for part in ("you wrote", "left the machine", "token by token", "you read", "findings (without values)", "added"):
        assert part in done.stdout


def test_help_answers_without_loading_anything_heavy() -> None:
    code = "import sys; sys.argv = ['masking', '--help']\nfrom masking.cli import main\ntry:\n    main()\nexcept SystemExit: pass\nprint(sorted({'spacy', 'presidio_analyzer', 'numpy', 'httpx', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
    assert "Exit codes" in done.stdout
