"""`masking batch --engine spark`: the same masking, on Apache Spark."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import orjson

from masking.batch.rows import Settings
from masking.cli.table import print_table
from masking.core.errors import ConfigurationError

__all__ = ["go", "spark_options"]

F = TypeVar("F", bound=Callable[..., Any])


def spark_options(command: F) -> F:
    """`--engine`, `--master` and `--key-from`."""
    command = click.option(
        "--key-from",
        default="broadcast",
        show_default=True,
        metavar="WHERE",
        help="Where Spark's executors have the key from: broadcast, environment (MASKING_KEY), or a file of theirs.",
    )(command)
    command = click.option(
        "--master", default="", metavar="URL", help="Of Spark: local[4], spark://…, yarn; that of spark-submit without."
    )(command)
    return click.option(
        "--engine",
        type=click.Choice(["local", "spark"]),
        default="local",
        show_default=True,
        help="spark: Parquet, JSONL and text on Apache Spark; inputs and DIR are addresses that it reaches.",
    )(command)


def go(
    inputs: tuple[str, ...],
    output: str,
    settings: Settings,
    *,
    format_: str,
    shape: str,
    master: str,
    key_from: str,
    as_json: bool,
) -> None:
    """Run it, and say what came out. Raises what `masking.batch.spark.run` raises."""
    try:
        from masking.batch import spark
    except ImportError:
        raise ConfigurationError("Spark is not installed: pip install 'masking-pipeline[spark]'") from None
    where: spark.KeyFrom = "broadcast"
    if key_from != "broadcast":
        where = "environment" if key_from == "environment" else Path(key_from)
    started = time.monotonic()
    counts = spark.run(spark.session(master), inputs, output, settings, format_=format_, shape=shape, key_from=where)
    rows, masked = counts.pop("rows", 0), counts.pop("masked", 0)
    if as_json:
        totals = {"rows": rows, "masked": masked, "findings": dict(counts.most_common())}
        told = {"engine": "spark", "totals": totals, "seconds": round(time.monotonic() - started, 3)}
        click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE), nl=False)
        return
    if counts:
        print_table(("entity", "found"), [(entity, f"{count:,}") for entity, count in sorted(counts.items())])
    click.echo(f"{rows:,} rows, {masked:,} of them changed; in {output}")
