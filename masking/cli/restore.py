"""`masking restore`: an answer with placeholders in, the answer with values out."""

from __future__ import annotations

from pathlib import Path

import click

from masking.cli.options import category_options, masker_for, texts
from masking.files import read_session

__all__ = ["command"]


@click.command("restore")
@click.argument("paths", nargs=-1, metavar="[FILE]...")
@click.option(
    "-s",
    "--session",
    "session_file",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="What `masking mask --session` wrote.",
)
@category_options
def command(paths: tuple[str, ...], session_file: Path, categories: tuple[str, ...], names: str) -> None:
    """Put the values of a session back into text from files, or from standard input.

    \b
    Example:
      masking mask letter.txt -s letter.session | your-model | masking restore -s letter.session
    """
    # Restoring needs the category's entities and none of its models.
    masker = masker_for(categories, "off")
    with masker.session() as session:
        for _, text in texts(paths):
            # After the input is in: in a pipe, `masking mask` may only now have written the file.
            session.load(read_session(session_file))
            click.echo(session.restore(text).encode("utf-8", "surrogatepass"), nl=False)
