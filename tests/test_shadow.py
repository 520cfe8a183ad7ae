"""Shadow mode: a candidate category reads along, tells where it differs without a value, and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import httpx
import orjson
import pytest
from version_pair import category

from masking import ConfigurationError, Masker, Shadow
from masking.core.difference import Difference, differences
from masking.core.finding import Finding
from masking.shadow import ShadowFile

ACTIVE = category("Active", "SAME S..", "GONE G..", "KIND K..", "DONE D..", "LONG L..")
CANDIDATE = category("Candidate", "SAME S..", "OTHER K..", "DONE D..", "LONG L..-.", "NEW N..", done="SHA256")
TEXT = "S11 G12 K13 D14 L15-6 N17"
MASKED = "<SAME_1> <GONE_1> <KIND_1> <DONE_1> <LONG_1>-6 N17"
EXPECTED = [
    ("vanishes", 4, 7, "GONE", ""),
    ("entity", 8, 11, "KIND", "OTHER"),
    ("operator", 12, 15, "DONE", "DONE"),
    ("extent", 16, 21, "LONG", "LONG"),
    ("appears", 22, 25, "", "NEW"),
]


@pytest.fixture
def categories(tmp_path: Path) -> tuple[Path, Path]:
    active, candidate = tmp_path / "Active.yaml", tmp_path / "Candidate.yaml"
    active.write_text(ACTIVE, "utf-8")
    candidate.write_text(CANDIDATE, "utf-8")
    return active, candidate


def told(found: Sequence[Difference]) -> list[tuple[str, int, int, str, str]]:
    return [(one.change, one.start, one.end, one.entity, one.other_entity) for one in found]


def test_every_kind_of_difference_is_told_and_what_leaves_is_the_active_categorys(
    categories: tuple[Path, Path],
) -> None:
    reports: list[Sequence[Difference]] = []
    shadow = Shadow(categories[1], reports.append)
    with Masker(categories[0], shadow=shadow).session() as session:
        masked = session.mask(TEXT)
        back = session.restore(masked)

    assert (masked, back) == (MASKED, TEXT)
    assert [told(one) for one in reports] == [EXPECTED]
    assert dict(shadow.counts) == {
        "texts": 1, "differing": 1, "vanishes": 1, "entity": 1, "operator": 1, "extent": 1, "appears": 1
    }  # fmt: skip
    assert "G12" not in repr(reports)


def test_a_text_that_comes_again_is_told_once(categories: tuple[Path, Path]) -> None:
    reports: list[Sequence[Difference]] = []
    masker = Masker(categories[0], shadow=Shadow(categories[1], reports.append))

    for _ in range(3):
        assert masker.mask(TEXT).text == MASKED
    masker.mask("S11 alone")

    assert len(reports) == 1


def test_through_the_decorator(categories: tuple[Path, Path]) -> None:
    reports: list[Sequence[Difference]] = []
    sent: list[str] = []

    @Masker(categories[0], shadow=Shadow(categories[1], reports.append)).wrap
    def ask(prompt: str) -> str:
        sent.append(prompt)
        return prompt

    assert ask(TEXT) == TEXT
    assert sent == [MASKED]
    assert [told(one) for one in reports] == [EXPECTED]


def test_through_the_transport(categories: tuple[Path, Path]) -> None:
    reports: list[Sequence[Difference]] = []
    sent: list[str] = []

    def model(request: httpx.Request) -> httpx.Response:
        sent.append(orjson.loads(request.read())["messages"][0]["content"])
        return httpx.Response(200, json={"choices": [{"message": {"role": "assistant", "content": sent[-1]}}]})

    masker = Masker(categories[0], shadow=Shadow(categories[1], reports.append))
    with masker.client(transport=httpx.MockTransport(model)) as client:
        answer = client.post(
            "https://api.openai.com/v1/chat/completions",
            json={"model": "m", "messages": [{"role": "user", "content": TEXT}]},
        )

    assert sent == [MASKED]
    assert answer.json()["choices"][0]["message"]["content"] == TEXT
    assert EXPECTED in [told(one) for one in reports]


def test_through_mask_many(categories: tuple[Path, Path]) -> None:
    reports: list[Sequence[Difference]] = []
    masker = Masker(categories[0], shadow=Shadow(categories[1], reports.append))

    assert [one.text for one in masker.mask_many([TEXT, "S11", TEXT])] == [MASKED, "<SAME_1>", MASKED]

    assert [told(one) for one in reports] == [EXPECTED]


def test_a_report_that_fails_stops_nothing(categories: tuple[Path, Path]) -> None:
    def fails(found: Sequence[Difference]) -> None:
        raise OSError(28, "No space left on device")

    shadow = Shadow(categories[1], fails)

    assert Masker(categories[0], shadow=shadow).mask(TEXT).text == MASKED
    assert shadow.counts["failed"] == 1


def test_a_candidate_that_does_not_exist_is_refused_at_once(categories: tuple[Path, Path]) -> None:
    with pytest.raises(ConfigurationError, match=r"No\.yaml"):
        Masker(categories[0], shadow=Shadow(categories[0].parent / "No.yaml"))


def test_a_file_of_differences_holds_lines_without_values(categories: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "differences.jsonl"
    masker = Masker(categories[0], shadow=Shadow(categories[1], ShadowFile(path)))
    masker.mask(TEXT)
    masker.mask("N88")

    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert [len(line["differences"]) for line in lines] == [5, 1]
    assert lines[1]["differences"] == [
        {"change": "appears", "start": 0, "end": 3, "other_entity": "NEW", "other_rule": "n"}
    ]
    with pytest.raises(ConfigurationError, match="cannot write the shadow report"):
        ShadowFile(tmp_path / "no" / "such" / "folder")


def finding(start: int, end: int, entity: str = "A") -> Finding:
    return Finding(start, end, entity, 1.0, entity.lower())


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([], [], []),
        ([finding(0, 2)], [finding(0, 2)], []),
        ([finding(0, 9)], [finding(0, 4), finding(5, 9)], ["extent", "appears"]),
        ([finding(0, 4), finding(5, 9)], [finding(0, 9)], ["extent", "vanishes"]),
        ([finding(0, 2), finding(8, 9)], [finding(4, 6)], ["vanishes", "appears", "vanishes"]),
        ([finding(0, 4, "A")], [finding(2, 6, "B")], ["entity"]),
    ],
)
def test_findings_are_paired_by_place(first: list[Finding], second: list[Finding], expected: list[str]) -> None:
    assert [one.change for one in differences(first, second)] == expected


def test_through_the_gateway_only_differences_of_real_requests_are_told(
    categories: tuple[Path, Path], tmp_path: Path
) -> None:
    from gateway_server import serving

    report = tmp_path / "shadow.jsonl"
    shadow = {"category": str(categories[1]), "report": str(report)}
    with serving(category=str(categories[0]), shadow=shadow) as server:
        answer = httpx.post(
            f"{server.url}/v1/chat/completions", json={"model": "m", "messages": [{"role": "user", "content": TEXT}]}
        )

    assert TEXT in answer.text
    lines = [orjson.loads(line)["differences"] for line in report.read_bytes().splitlines()]
    assert [[one["change"] for one in line] for line in lines] == [[change for change, *_ in EXPECTED]]
    assert b"G12" not in report.read_bytes()


def test_through_batch_by_every_worker(categories: tuple[Path, Path], tmp_path: Path) -> None:
    from click.testing import CliRunner

    from masking.cli.batch import command

    rows = tmp_path / "rows.jsonl"
    rows.write_text(f'{{"text": "{TEXT}"}}\n{{"text": "S11"}}\n{{"text": "N99"}}\n', "utf-8")
    report = tmp_path / "shadow.jsonl"
    arguments = [str(rows), "-o", str(tmp_path / "out"), "-c", str(categories[0]), "--names", "off", "-q"]

    lone = CliRunner().invoke(command, [*arguments, "--shadow", str(categories[1])], prog_name="masking batch")
    both = ["--shadow", str(categories[1]), "--shadow-report", str(report)]
    done = CliRunner().invoke(command, [*arguments, *both], prog_name="masking batch")

    assert lone.exit_code == 2
    assert done.exit_code == 0, done.output
    changes = [one["change"] for line in report.read_bytes().splitlines() for one in orjson.loads(line)["differences"]]
    assert changes == [*(change for change, *_ in EXPECTED), "appears"]
    masked = (tmp_path / "out" / "rows.jsonl").read_text("utf-8")
    assert "G12" not in masked
    assert "N99" in masked
