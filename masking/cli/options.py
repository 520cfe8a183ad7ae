"""Options and inputs that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from masking import ConfigurationError, Masker

__all__ = ["category_options", "masker_for", "texts"]

F = TypeVar("F", bound=Callable[..., Any])


def category_options(command: F) -> F:
    """`--category` (several) and `--names`."""
    command = click.option(
        "--names",
        type=click.Choice(["on", "off"]),
        default="on",
        show_default=True,
        help="off: do without the models that find names.",
    )(command)
    return click.option(
        "-c",
        "--category",
        "categories",
        multiple=True,
        default=("UserInfo",),
        show_default=True,
        metavar="NAME|PATH",
        help="A shipped category or a YAML file; may be given several times.",
    )(command)


def masker_for(categories: tuple[str, ...], names: str) -> Masker:
    """The masker that the options describe. Raises what Masker raises."""
    return Masker(list(categories), names="off" if names == "off" else "on")


def texts(paths: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """(name, text) of every path, or of standard input when there is none or for `-`.

    Raises ConfigurationError for what cannot be read or is not UTF-8.
    """
    for path in paths or ("-",):
        name = "standard input" if path == "-" else path
        try:
            data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
            yield name, data.decode("utf-8")
        except OSError as error:
            raise ConfigurationError(f"cannot read {name}: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise ConfigurationError(
                f"{name} is not UTF-8 (byte {error.start}); convert it first, for instance with iconv -t utf-8"
            ) from None
