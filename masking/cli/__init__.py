"""The command `masking`: 0 done, 1 a check failed, 2 could not run."""

from __future__ import annotations

import sys

import click

from masking import MaskingError, __version__
from masking.cli.group import Commands
from masking.core.reader import COMPILED

__all__ = ["main"]

_COMMANDS = {
    "demo": "Mask a short bilingual conversation, stream it back, show what happened.",
    "chat": "Talk to a model, masked on the way out and restored on the way back.",
    "mask": "Mask text from files or standard input.",
    "scan": "Show what a category finds in files or standard input.",
    "batch": "Mask files of conversation logs into a folder, resumable, on all cores.",
    "restore": "Put the values back into an answer.",
    "rules": "List, show, check and explain categories and their rules.",
    "serve": "Mask between any client and any language model, at one port.",
    "policy": "Prove what categories mask, and see what changes when they are edited.",
    "models": "Install, list, verify and remove the models that find names.",
    "audit": "Verify the audit log of a gateway.",
    "vault": "Make keys; rotate, purge and empty the vault of a gateway.",
}


@click.command(
    cls=Commands,
    package=__name__,
    about=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 a check failed, 2 could not run.",
)
@click.version_option(
    __version__,
    prog_name="masking",
    message=f"%(prog)s, version %(version)s, streams {'compiled' if COMPILED else 'in Python'}",
)
def _group() -> None:
    """Mask personal data on its way to a language model, and restore it in the answer.

    \b
    Begin with:
      masking models install        the models that find names (once, 42 MB)
      masking demo                  see the whole chain at work, offline
      echo "电话13800138000" | masking mask
    """


def main() -> None:
    """Run the command line; errors of this package end in one line on standard error and exit code 2."""
    try:
        # Out of standalone mode click returns the exit code of a command that ended with one.
        code = _group.main(standalone_mode=False)
        if isinstance(code, int):
            sys.exit(code)
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except MaskingError as error:
        click.echo(f"masking: {error}", err=True)
        sys.exit(2)
    except BrokenPipeError:
        # The reader went away (`masking mask big.txt | head`); what it read was whole.
        sys.stderr.close()
        sys.exit(0)
