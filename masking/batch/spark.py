"""The same masking on Apache Spark: `mask_frame` for a DataFrame, `run` for files.

Each Python worker process of an executor makes one masker and keeps it for its life; batches of Arrow go through it
where they lie, by `mapInArrow`, and nothing comes to the driver but counts and a sample of fifty rows. What a row
becomes does not depend on who masks it: the function is that of `masking batch`.

The key is in no plan, closure, configuration or log: executors read it from a file or an environment variable of
theirs, or it reaches them as a broadcast. All know its fingerprint, and refuse another key.

API: https://spark.apache.org/docs/latest/api/python/reference/pyspark.sql/api/pyspark.sql.DataFrame.mapInArrow.html
"""

from __future__ import annotations

import dataclasses
import os
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pyarrow as pa
from pyspark.accumulators import AccumulatorParam

from masking.batch.arrow import mask_batch
from masking.batch.cut import Block
from masking.batch.identity import KEY_VARIABLE, category_digest, key_digest, read_key
from masking.batch.parquet import holds_json
from masking.batch.row import read
from masking.batch.rows import Layout, Outcome, Rows, Settings
from masking.batch.shape import recognised, shape_of
from masking.core.errors import ConfigurationError, MaskingError, UnmaskableError
from masking.masker import Masker

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["Counts", "KeyFrom", "counts", "mask_frame", "run", "session"]

KeyFrom = Literal["broadcast", "environment"] | Path
"""Where executors have the key from: the driver, MASKING_KEY in their own environment, or a file of theirs."""

FORMATS = ("parquet", "jsonl", "text")
"""What `run` reads and writes."""

_SUFFIXES = {".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl", ".txt": "text", ".log": "text"}

_LOOK = 50  # rows that tell a shape
_AS_BYTES = "value"

_ready: dict[tuple[Settings, str, str], Rows] = {}
"""The maskers of this process, by settings without the key, and the fingerprints of key and category."""


class _Sum(AccumulatorParam):  # type: ignore[misc]  # pyspark is not typed here
    def zero(self, value: Counter[str]) -> Counter[str]:
        return Counter()

    def addInPlace(self, value1: Counter[str], value2: Counter[str]) -> Counter[str]:  # noqa: N802 - Spark's name
        value1.update(value2)
        return value1


Counts: TypeAlias = Any
"""An Accumulator of a Counter: `rows`, `masked` (rows that changed), and the findings by entity."""


def counts(spark: SparkSession) -> Counts:
    """Counts for `mask_frame`; exact when every task ran once, and too high by what Spark ran again."""
    return spark.sparkContext.accumulator(Counter(), _Sum())


@dataclass(frozen=True, slots=True)
class _Secret:
    """How a worker comes by the key; holds no key itself, for it travels in the plan."""

    fingerprint: str
    broadcast: Any = None
    path: str = ""

    def key(self) -> bytes:
        """Raises ConfigurationError where it is missing or another."""
        if self.broadcast is not None:
            key: bytes = self.broadcast.value
        else:
            key = read_key(Path(self.path) if self.path else None)
        if not key:
            raise ConfigurationError(f"an executor has no key: {KEY_VARIABLE} is not set in its environment")
        if key_digest(key) != self.fingerprint:
            raise ConfigurationError(
                f"an executor has another key than the driver (its fingerprint is {key_digest(key)}, not "
                f"{self.fingerprint}): placeholders would not be the same everywhere"
            )
        return key


@dataclass(frozen=True, slots=True)
class _Work:
    """All that a worker is told."""

    settings: Settings  # without its key
    layout: Layout
    secret: _Secret
    category: str
    counts: Any = None

    def rows(self) -> Rows:
        """The masker of this process. Raises ConfigurationError where the executor's category is not the driver's."""
        at = (self.settings, self.secret.fingerprint, self.category)
        if at not in _ready:
            settings = dataclasses.replace(self.settings, key=self.secret.key())
            masker = settings.masker()
            if category_digest(masker.category) != self.category:
                raise ConfigurationError(
                    f"category {masker.category.name} has other rules on an executor than on the driver: install the "
                    "same version everywhere, and give a category of your own as a file that all of them can read"
                )
            _ready[at] = Rows(settings, masker)
        return _ready[at]

    def add(self, outcome: Outcome) -> None:
        if outcome.bad:
            raise UnmaskableError(outcome.bad[0].why, where=f"row {outcome.bad[0].row} of a batch")
        if self.counts is not None:
            self.counts.add(Counter(rows=outcome.rows, masked=outcome.masked) + outcome.findings)

    def frames(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Batches of columns, masked."""
        rows = self.rows()
        for batch in batches:
            outcome = Outcome()
            masked = mask_batch(rows, batch, self.layout, outcome)
            self.add(outcome)
            yield masked

    def lines(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Batches of one column, the bytes of a line, masked as `masking batch` masks the lines of a file."""
        rows = self.rows()
        for batch in batches:
            data = b"".join((one or b"") + b"\n" for one in batch.column(0).to_pylist())
            # Not at the start of a file, so that a byte order mark in some line is text.
            outcome = rows.mask(Block(data, 1, 1 + len(data), ""), self.layout)
            self.add(outcome)
            yield pa.RecordBatch.from_arrays(
                [pa.array(outcome.data.split(b"\n")[:-1], pa.binary())], batch.schema.names
            )


def mask_frame(
    frame: DataFrame,
    settings: Settings,
    *,
    key_from: KeyFrom = "broadcast",
    shape: str = "",
    counts: Counts | None = None,
) -> DataFrame:
    """The frame with its texts masked, as it is computed: the same rows, in the same partitions, and the same schema.

    `settings.key` is needed by the driver, for its fingerprint, and goes to the executors as `key_from` says. `shape`
    names the kind of rows; without it fifty of them are looked at. Raises ConfigurationError for settings that do not
    go together; a row that cannot be masked fails its task, with an UnmaskableError that shows no value.
    """
    columns: tuple[str, ...] = ()
    if shape:
        name = shape_of(shape).name
    else:
        sample = [row.asDict(recursive=True) for row in frame.limit(_LOOK).collect()]
        name = recognised(sample).name
        columns = tuple(one for one in frame.columns if holds_json([row[one] for row in sample]))
    work = _work(frame, settings, key_from, Layout("parquet", "", name, columns=columns), counts)

    def mask(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from work.frames(batches)

    return frame.mapInArrow(mask, frame.schema)


def _mask_lines(
    frame: DataFrame, settings: Settings, key_from: KeyFrom, layout: Layout, counts: Counts | None
) -> DataFrame:
    work = _work(frame, settings, key_from, layout, counts)

    def mask(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from work.lines(batches)

    return frame.mapInArrow(mask, frame.schema)


def _work(frame: DataFrame, settings: Settings, key_from: KeyFrom, layout: Layout, counts: Counts | None) -> _Work:
    if settings.vault:
        raise ConfigurationError(
            "a vault is kept by one process, not by all executors: run without --vault, or on one machine"
        )
    if not settings.key:
        raise ConfigurationError("placeholders that are the same on every executor need a key: set Settings.key")
    secret = _Secret(key_digest(settings.key), path=str(key_from) if isinstance(key_from, Path) else "")
    if key_from == "broadcast":
        secret = dataclasses.replace(secret, broadcast=frame.sparkSession.sparkContext.broadcast(settings.key))
    category = Masker(list(settings.categories), names=settings.names).category
    return _Work(dataclasses.replace(settings, key=b""), layout, secret, category_digest(category), counts)


def session(master: str = "") -> SparkSession:
    """A Spark session: the one at work, or a new one at `master`, for instance `local[4]` or `spark://host:7077`.

    Raises ConfigurationError where Spark does not start.
    """
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("masking batch")
    if master:
        builder = builder.master(master)
    if master.startswith("local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        for name, value in (
            ("spark.driver.bindAddress", "127.0.0.1"),
            ("spark.driver.host", "127.0.0.1"),
            ("spark.ui.enabled", "false"),
        ):
            builder = builder.config(name, value)
    try:
        return builder.getOrCreate()
    except (PySparkException, OSError, RuntimeError) as error:
        raise ConfigurationError(
            f"Spark does not start ({type(error).__name__}): it needs Java 17 or newer, and a master that answers"
        ) from None


def run(
    spark: SparkSession,
    inputs: tuple[str, ...],
    output: str,
    settings: Settings,
    *,
    format_: str = "",
    shape: str = "",
    key_from: KeyFrom = "broadcast",
) -> Counter[str]:
    """Files masked into a folder, both wherever Spark reaches: the counts.

    `inputs` are files, folders and globs of one format: `parquet`, `jsonl` or `text`, the latter two also compressed
    as Spark knows it by their suffix. Without `format_` their suffix says which. Lines are masked byte for byte as
    `masking batch` masks them. Raises ConfigurationError, among others for an output that exists already, and
    MaskingError for a row that cannot be masked.
    """
    format_ = format_ or _format_of(inputs)
    if not settings.key:
        settings = dataclasses.replace(settings, key=secrets.token_bytes(32))
    if format_ not in FORMATS:
        raise ConfigurationError(f"Spark masks {', '.join(FORMATS)}, not {format_}; --engine local does")
    made = counts(spark)
    if format_ == "parquet":
        frame = _read(lambda: spark.read.parquet(*inputs), inputs)
        _written(lambda: mask_frame(frame, settings, key_from=key_from, shape=shape, counts=made)
                 .write.parquet(output), output)  # fmt: skip
        return Counter(made.value)
    text = _read(lambda: spark.read.option("lineSep", "\n").text(list(inputs)), inputs)
    lines = text.selectExpr(f"cast({_AS_BYTES} as binary) as {_AS_BYTES}")
    layout = Layout("jsonl", "", shape or _shape_of_lines(lines)) if format_ == "jsonl" else Layout("text")
    masked = _mask_lines(lines, settings, key_from, layout, made)
    _written(lambda: masked.selectExpr(f"cast({_AS_BYTES} as string) as {_AS_BYTES}").write.text(output), output)
    return Counter(made.value)


def _format_of(inputs: tuple[str, ...]) -> str:
    found = {_SUFFIXES.get(Path(one.removesuffix(".gz").removesuffix(".zst")).suffix, "") for one in inputs}
    if len(found) != 1 or not (format_ := found.pop()):
        raise ConfigurationError(
            f"say what the inputs are: --format {' or --format '.join(FORMATS)}; Spark masks no other formats, "
            "--engine local does"
        )
    return format_


def _shape_of_lines(lines: DataFrame) -> str:
    rows = []
    for row in lines.limit(_LOOK).collect():
        try:
            rows.append(read(bytes(row[0]).strip()))
        except UnmaskableError:
            continue
    return recognised(rows).name


def _read(reading: Callable[[], DataFrame], inputs: tuple[str, ...]) -> DataFrame:
    from pyspark.errors import AnalysisException

    try:
        return reading()
    except AnalysisException as error:
        raise ConfigurationError(f"Spark cannot read {', '.join(inputs)}: {error.getCondition()}") from None


def _written(writing: Callable[[], None], output: str) -> None:
    """Run the job. What Spark says of a failure is long, and may quote a row: only what is ours is told."""
    from pyspark.errors import AnalysisException, PySparkException

    try:
        writing()
    except MaskingError:
        raise
    except AnalysisException as error:
        raise ConfigurationError(f"Spark cannot write to {output}: {error.getCondition()}") from None
    except PySparkException as error:
        raise MaskingError(f"Spark failed: {_ours(str(error))}") from None
    except Exception as error:  # noqa: BLE001 - py4j's, whatever the JVM has thrown
        raise MaskingError(f"Spark failed: {_ours(str(error))}") from None


def _ours(message: str) -> str:
    """The line of a traceback that names one of this package's errors; those show no value."""
    for line in reversed(message.splitlines()):
        if line.startswith("masking.core.errors."):
            return line.partition(": ")[2]
    return "see its log"
