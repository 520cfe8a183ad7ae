"""`masking policy studio`: the page for people who own rules, on this machine only."""

from __future__ import annotations

import socket
import webbrowser
from importlib.util import find_spec
from pathlib import Path
from secrets import token_urlsafe

import click

from masking import ConfigurationError

__all__ = ["command"]

_HOST = "127.0.0.1"


@click.command("studio")
@click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0: any free port.")
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
def command(folder: Path | None, port: int, *, opens: bool) -> None:
    """Try categories, run suites and compare versions on a page in the browser.

    The page is served to this machine only (127.0.0.1), and only to who has the link that is printed. FOLDER holds your
    own categories and suites; cases are written there and nowhere else. Without it nothing is written at all.

    \b
    Examples:
      masking policy studio
      masking policy studio ./policies --open
    """
    missing = [name for name in ("starlette", "uvicorn", "jinja2", "python_multipart") if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f'the studio needs {", ".join(missing)}; install it with: pip install "masking-pipeline[studio]"'
        )
    import uvicorn

    from masking.policy.studio import app

    key = token_urlsafe(24)
    try:
        listening = socket.create_server((_HOST, port))
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on port {port}: {error.strerror}; choose another with --port, or --port 0"
        ) from None
    with listening:
        link = f"http://{_HOST}:{listening.getsockname()[1]}/?key={key}"
        click.echo(f"masking policy studio: {link}")
        click.echo("Only this machine can open it, with this link. Stop it with Ctrl+C.")
        if opens:
            webbrowser.open(link)
        config = uvicorn.Config(
            app(folder, key=key),
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        uvicorn.Server(config).run(sockets=[listening])
