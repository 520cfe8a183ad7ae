"""Spark masks as the machine itself does, row for row; skipped by name where Java or PySpark is missing."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from masking import Masker
from masking.batch import Job
from masking.batch import run as run_here
from masking.batch.rows import Settings
from masking.core.errors import ConfigurationError, MaskingError

if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
    pytest.skip("Spark needs Java, and there is none", allow_module_level=True)
pytest.importorskip("pyspark", reason="Spark needs pyspark")

import pyarrow as pa
from pyarrow import parquet

from masking.batch import spark as here
from masking.cli.batch import command

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("spark"),
    # Of PySpark's own.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

KEY = b"a key of spark's, secret"
DATA = Path(__file__).parents[1] / "benchmarks" / "data"
ROWS = [
    {"id": f"c-{number}", "messages": [{"role": "user", "content": text}, {"role": "assistant", "content": None}]}
    for number, text in enumerate(
        ["电话13800138000", "mail ann@example.com", "nothing", "card 4111 1111 1111 1111, 13800138000", ""] * 8
    )
]


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    made = here.session("local[2]")
    made.sparkContext.setLogLevel("OFF")
    yield made
    made.stop()


@pytest.fixture
def settings() -> Settings:
    return Settings(("UserInfo",), names="off", key=KEY)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "chats.parquet"
    parquet.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=7)
    return path


def _masked_here(inputs: Path, output: Path, settings: Settings) -> Path:
    run_here(Job((str(inputs),), output, settings, workers=1))
    return output / inputs.name


def _lines(folder: Path) -> list[bytes]:
    parts = sorted(folder.glob("part-*"))
    return [line for part in parts for line in part.read_bytes().splitlines()]


def test_parquet_is_masked_row_for_row_as_here(spark: Any, settings: Settings, table: Path, tmp_path: Path) -> None:
    expected = parquet.read_table(_masked_here(table, tmp_path / "here", settings)).to_pylist()

    counts = here.run(spark, (str(table),), str(tmp_path / "there"), settings)

    got = parquet.read_table(tmp_path / "there").to_pylist()
    assert sorted(got, key=lambda row: int(row["id"][2:])) == expected
    assert expected != ROWS
    assert counts["rows"] == len(ROWS)
    assert counts["masked"] == sum(new != old for new, old in zip(expected, ROWS, strict=True))
    assert counts["PHONE_NUMBER"] == 16


@pytest.mark.parametrize("file", ["zh_own_prompts.jsonl", "en_own_prompts.jsonl", "secrets.jsonl"])
def test_lines_are_masked_byte_for_byte_as_here(spark: Any, settings: Settings, file: str, tmp_path: Path) -> None:
    expected = _masked_here(DATA / file, tmp_path / "here", settings)

    here.run(spark, (str(DATA / file),), str(tmp_path / "there"), settings)

    assert _lines(tmp_path / "there") == expected.read_bytes().splitlines()


def test_names_are_found_as_here(spark: Any, userinfo: Masker, tmp_path: Path) -> None:
    texts = [json.loads(line)["text"] for line in (DATA / "zh_own_prompts.jsonl").read_text("utf-8").splitlines()[:40]]
    lines = [json.dumps({"text": text}, ensure_ascii=False) for text in texts]
    (tmp_path / "a.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    settings = Settings(("UserInfo",), key=KEY)

    here.run(spark, (str(tmp_path / "a.jsonl"),), str(tmp_path / "there"), settings)

    expected = _masked_here(tmp_path / "a.jsonl", tmp_path / "here", settings)
    assert b"<PERSON_" in expected.read_bytes()
    assert _lines(tmp_path / "there") == expected.read_bytes().splitlines()


def test_partitions_do_not_change_what_a_value_becomes(spark: Any, settings: Settings, table: Path) -> None:
    frame = spark.read.parquet(str(table))
    whole, cut = (
        sorted(map(str, here.mask_frame(one, settings, shape="any").toPandas().to_dict("records")))
        for one in (frame.coalesce(1), frame.repartition(5))
    )

    assert whole == cut


def test_the_frame_keeps_its_schema(spark: Any, settings: Settings) -> None:
    frame = spark.createDataFrame(
        [(1, "13800138000", ["ann@example.com", None], {"k": "13800138000"}, None)],
        "id long, text string, list array<string>, map map<string, string>, at timestamp",
    )

    masked = here.mask_frame(frame, settings)

    assert masked.schema == frame.schema
    [row] = masked.collect()
    assert (row["id"], row["at"]) == (1, None)
    assert row["text"] == row["map"]["k"]
    assert row["list"][1] is None
    assert "13800138000" not in str(row)


def test_the_key_is_in_no_plan_and_in_no_closure(
    spark: Any, settings: Settings, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyspark.serializers import CloudPickleSerializer

    sent: list[bytes] = []
    dumps = CloudPickleSerializer.dumps

    def watched(self: Any, what: Any) -> bytes:
        made: bytes = dumps(self, what)
        sent.append(made)
        return made

    monkeypatch.setattr(CloudPickleSerializer, "dumps", watched)
    masked = here.mask_frame(spark.read.parquet(str(table)), settings)
    assert masked.count() == len(ROWS)

    assert any(b"_Work" in one for one in sent)
    plan = masked._jdf.queryExecution().toString() + str(spark.sparkContext.getConf().getAll())
    for form in (KEY, KEY.hex().encode(), repr(KEY).encode()):
        assert not any(form in one for one in sent)
        assert form.decode() not in plan


def test_executors_take_the_key_from_a_file_of_theirs(
    spark: Any, settings: Settings, table: Path, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_bytes(KEY)
    frame = spark.read.parquet(str(table))

    from_file = here.mask_frame(frame, settings, key_from=key, shape="any").collect()
    assert from_file == here.mask_frame(frame, settings, shape="any").collect()

    other = Settings(("UserInfo",), names="off", key=b"another key than in the file")
    with pytest.raises(Exception, match="another key than the driver"):
        here.mask_frame(frame, other, key_from=key).collect()


def test_a_row_that_cannot_be_masked_fails_the_run_and_shows_no_value(
    spark: Any, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_text('{"t": "13800138000"}\n{"t": "13800138000"\n', "utf-8")

    with pytest.raises(MaskingError) as error:
        here.run(spark, (str(tmp_path / "a.jsonl"),), str(tmp_path / "out"), settings)

    assert "row 1" in str(error.value)
    assert "13800138000" not in str(error.value)


@pytest.mark.parametrize(
    ("inputs", "change", "told"),
    [
        (("a.csv",), {}, "--format"),
        (("a.jsonl", "b.parquet"), {}, "--format"),
        (("nowhere.jsonl",), {}, "cannot read"),
        (("a.parquet",), {"vault": "sqlite:x"}, "vault"),
    ],
)
def test_what_spark_does_not_do_is_refused(
    spark: Any, table: Path, tmp_path: Path, inputs: tuple[str, ...], change: dict[str, Any], told: str
) -> None:
    if change:
        inputs = (str(table),)
    with pytest.raises(ConfigurationError, match=told):
        here.run(spark, inputs, str(tmp_path / "out"), Settings(("UserInfo",), names="off", key=KEY, **change))


def test_the_command_runs_it(spark: Any, table: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(KEY)
    arguments = [str(table), "-o", str(tmp_path / "out"), "--engine", "spark", "--master", "local[2]", "--names", "off"]

    result = CliRunner().invoke(command, [*arguments, "--key-file", str(key), "--json"])

    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["totals"]["rows"] == len(ROWS)
    assert told["totals"]["findings"]["PHONE_NUMBER"] == 16
    assert parquet.read_table(tmp_path / "out").num_rows == len(ROWS)
    again = CliRunner().invoke(command, [*arguments, "--key-file", str(key)])
    assert isinstance(again.exception, ConfigurationError)
    assert "cannot write" in str(again.exception)
