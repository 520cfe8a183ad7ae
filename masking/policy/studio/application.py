"""The page as an ASGI application, for `masking policy studio` and for a gateway that mounts it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from masking.policy.studio.comparing import Comparing
from masking.policy.studio.covering import Covering
from masking.policy.studio.draft import Drafts
from masking.policy.studio.form import read_form
from masking.policy.studio.guard import Guard
from masking.policy.studio.screen import Screens
from masking.policy.studio.suiting import Suiting
from masking.policy.studio.trying import Trying
from masking.policy.studio.workbench import Benches

__all__ = ["app"]

_STATIC = Path(__file__).parent / "static"


def app(folder: str | Path | None = None, *, key: str | None = None) -> ASGIApp:
    """The studio: an ASGI application that can be mounted anywhere; its links follow `root_path`.

    `folder` holds the user's own categories and suites, and is the only place that anything is written to. `key` must
    be shown once, as `?key=…`, before anything is answered: without it every user of this machine may use the page.
    Requests that do not come from this machine are refused whatever the server is bound to.
    """
    where = None if folder is None else Path(folder)
    screens = Screens()
    drafts = Drafts()
    benches = Benches(where)
    trying = Trying(screens, drafts, benches, where)
    suiting = Suiting(screens, drafts, benches, where)
    comparing = Comparing(screens, drafts, benches)
    covering = Covering(screens, drafts, benches)

    async def forget(request: Request) -> Response:
        form = await read_form(request)
        if form.refused:
            return screens.refused(request, form.refused)
        drafts.forget(screens.owner(request))
        return RedirectResponse(screens.url(request, "/"), status_code=303)

    async def missing(request: Request, _: Exception) -> Response:
        return screens.refused(request, "missing", 404)

    async def failed(request: Request, _: Exception) -> Response:
        return screens.refused(request, "failed", 500)

    handlers: dict[Any, Any] = {404: missing, 405: missing, 500: failed}
    inner = Starlette(
        routes=[
            Route("/", trying.show, methods=["GET"]),
            Route("/", trying.change, methods=["POST"]),
            Route("/suites", suiting.show, methods=["GET"]),
            Route("/suites", suiting.run, methods=["POST"]),
            Route("/compare", comparing.show, methods=["GET"]),
            Route("/compare", comparing.compare, methods=["POST"]),
            Route("/coverage", covering.show, methods=["GET"]),
            Route("/coverage", covering.count, methods=["POST"]),
            Route("/forget", forget, methods=["POST"]),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ],
        exception_handlers=handlers,
    )

    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        why = scope["studio.refused"]
        # A foreign name in Host gets plain text: none of our links would lead anywhere.
        plain = why in ("host", "remote")
        response = PlainTextResponse(screens.say(request, why), 403) if plain else screens.refused(request, why)
        await response(scope, receive, send)

    return Guard(inner, refuse, key)
