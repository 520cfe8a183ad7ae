"""`masking mask`: text in, masked text out."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from masking.cli.options import category_options, masker_for, texts
from masking.files import read_session, write_session

__all__ = ["command"]


@click.command("mask")
@click.argument("paths", nargs=-1, metavar="[FILE]...")
@category_options
@click.option(
    "-s",
    "--session",
    "session_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep the values here, so that `masking restore` can put them back. Secret: it holds them in clear.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per input: text, findings (no values), counts.")
def command(
    paths: tuple[str, ...], categories: tuple[str, ...], names: str, session_file: Path | None, *, as_json: bool
) -> None:
    """Mask text from files, or from standard input, to standard output.

    The same value gets the same placeholder in all inputs, and in later runs with the same --session.

    \b
    Examples:
      echo "我的手机号是13800138000" | masking mask
      masking mask letter.txt --session letter.session > masked.txt
      masking mask --names off --json notes.txt
    """
    masker = masker_for(categories, names)
    with masker.session() as session:
        if session_file is not None and session_file.exists():
            session.load(read_session(session_file))
        for name, text in texts(paths):
            masked = session.masked(text)
            if session_file is not None:
                # Before the text is out: a masked text whose values are lost could never be restored.
                write_session(session_file, session.entries())
            if as_json:
                findings = [finding._asdict() for finding in masked.findings]
                line = {"input": name, "text": masked.text, "findings": findings}
                click.echo(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE), nl=False)
            else:
                click.echo(masked.text.encode(), nl=False)
