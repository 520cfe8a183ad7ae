"""`masking serve`: the gateway."""

from __future__ import annotations

import click

__all__ = ["command"]

_POINT = (
    ("openai", 'OpenAI(base_url="{url}/v1")'),
    ("openai, Model Studio", 'OpenAI(base_url="{url}/compatible-mode/v1")'),
    ("anthropic", 'Anthropic(base_url="{url}")'),
    ("dashscope", 'dashscope.base_http_api_url = "{url}/api/v1"'),
    ("DMS, RDS AI", 'Config(endpoint="{host}", protocol="http", region_id="cn-hangzhou", …)'),
    ("google-genai", 'genai.Client(http_options={{"base_url": "{url}"}}, …)'),
    ("ollama", 'ollama.Client(host="{url}")'),
)


@click.command("serve")
@click.option("--host", default=None, metavar="ADDRESS", help="Where to listen.  [default: 127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=None, help="The port; 0 takes a free one.  [default: 8000]"
)
def command(host: str | None, port: int | None) -> None:
    """Put the mask between any client and any language model, at one port.

    Without a file every route is answered by the echo model, which quotes what it was sent, so that all of it can be
    tried offline.

    \b
    Examples:
      masking serve
      masking serve --port 0
    """
    from masking.gateway.server import Server
    from masking.gateway.settings import Listen, Settings

    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    server = Server(Settings(listen=Listen.model_validate(given)))
    click.echo(f"masking {server.settings.category} at {server.url}")
    width = max(len(name) for name, _ in _POINT)
    place = server.url.partition("://")[2]
    for name, how in _POINT:
        click.echo(f"  {name:{width}}  {how.format(url=server.url, host=place)}")
    server.run()
