"""`masking serve`: the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from masking import ConfigurationError, MaskingError

if TYPE_CHECKING:
    from masking.gateway.server import Server
    from masking.gateway.settings import Settings

__all__ = ["command"]

_POINT = (
    (("openai",), "openai", 'OpenAI(base_url="{url}/v1")'),
    (("compatible",), "openai, Model Studio", 'OpenAI(base_url="{url}/compatible-mode/v1")'),
    (("anthropic",), "anthropic", 'Anthropic(base_url="{url}")'),
    (("dashscope",), "dashscope", 'dashscope.base_http_api_url = "{url}/api/v1"'),
    (("dms", "rdsai"), "DMS, RDS AI", 'Config(endpoint="{place}", protocol="{scheme}", region_id="cn-hangzhou", …)'),
    (("gemini",), "google-genai", 'genai.Client(http_options={{"base_url": "{url}"}}, …)'),
    (("ollama",), "ollama", 'ollama.Client(host="{url}")'),
)


@click.command("serve")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--host", default=None, metavar="ADDRESS", help="Where to listen, instead of what FILE says.")
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="The port; 0 takes a free one.")
@click.option("--names", type=click.Choice(["on", "off"]), default=None, help="off: without the models for names.")
@click.option(
    "--log", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="The form of the program's log, on standard error.",
)  # fmt: skip
@click.option(
    "--check", is_flag=True, help="Say what is wrong with FILE, and do not serve. Exit code 1 if anything is."
)
@click.option("--json", "as_json", is_flag=True, help="With --check: one JSON object.")
def command(
    file: Path | None, host: str | None, port: int | None, names: str | None, log: str, *, check: bool, as_json: bool
) -> None:
    """Put the mask between any client and any language model, at one port.

    FILE is the configuration (YAML). Without one every API is answered by the echo model, which quotes what it was
    sent, so that all of it can be tried offline, at 127.0.0.1:8000.

    SIGTERM lets open streams end; SIGHUP reads the rules and FILE again.

    \b
    Examples:
      masking serve
      masking serve gateway.yaml
      masking serve --check gateway.yaml
    """
    if as_json and not check:
        raise click.UsageError("--json goes with --check")
    if check:
        _check(file, {"host": host, "port": port, "names": names}, as_json=as_json)
        return
    server = _server(file, {"host": host, "port": port, "names": names})
    from masking.gateway.logs import configure

    configure("INFO", "json" if log == "json" else "text")
    _tell(server)
    server.run()


def _settings(file: Path | None, given: dict[str, Any]) -> Settings:
    """The configuration, with what the options say instead. Raises ConfigurationError."""
    try:
        from masking.gateway.settings import Settings
        from masking.gateway.settingsfile import read_settings
    except ImportError as error:
        raise _missing(error) from None
    settings = read_settings(file) if file is not None else Settings()
    listen = {name: given[name] for name in ("host", "port") if given[name] is not None}
    changed = settings.model_dump(exclude_unset=True)
    if listen:
        changed["listen"] = {**changed.get("listen", {}), **listen}
    if given["names"] is not None:
        changed["names"] = given["names"]
    try:
        return Settings.model_validate(changed)
    except ValueError:
        raise ConfigurationError("--host: beyond this machine only with clients in FILE, or open: true") from None


def _server(file: Path | None, given: dict[str, Any]) -> Server:
    try:
        from masking.gateway.app import Gateway
        from masking.gateway.server import Server
        from masking.gateway.settingsfile import Source
    except ImportError as error:
        raise _missing(error) from None
    source = Source(file, lambda: _settings(file, given)) if file is not None else None
    return Server(gateway=Gateway(_settings(file, given), source=source))


def _missing(error: ImportError) -> ConfigurationError:
    return ConfigurationError(f"the gateway needs {error.name}: pip install 'masking-pipeline[gateway]'")


def _check(file: Path | None, given: dict[str, Any], *, as_json: bool) -> None:
    problems: list[str] = []
    try:
        from masking.gateway.app import Gateway

        Gateway(_settings(file, given)).check()
    except ImportError as error:
        raise _missing(error) from None
    except MaskingError as error:
        problems = str(error).splitlines()
    if as_json:
        click.echo(orjson.dumps({"ok": not problems, "problems": problems}))
    elif problems:
        click.echo("\n".join(problems), err=True)
    else:
        click.echo(f"{file or 'the configuration without a file'}: in order")
    if problems:
        raise click.exceptions.Exit(1)


def _tell(server: Server) -> None:
    """Where it listens, and how each SDK is pointed at it."""
    settings = server.settings
    served = settings.served()
    click.echo(f"masking by {settings.category} at {server.url}")
    scheme, _, place = server.url.partition("://")
    rows = [row for row in _POINT if any(name in served for name in row[0])]
    width = max((len(name) for _, name, _ in rows), default=0)
    for _, name, how in rows:
        click.echo(f"  {name:{width}}  {how.format(url=server.url, place=place, scheme=scheme)}")
    if any(route.upstream == "echo" for route in served.values()):
        click.echo("  the echo model answers; name upstreams in a file: see docs/how-to/gateway.md")
