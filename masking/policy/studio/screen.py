"""What every page has: its templates, links, language, theme, and the page that says why something is refused."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from masking.policy.studio.family import family
from masking.policy.studio.messages import LANGUAGES, MESSAGES, language, translator
from masking.policy.studio.reason import translated

__all__ = ["PAGES", "Screens"]

PAGES = (("inspect", "/"), ("suites", "/suites"), ("compare", "/compare"), ("coverage", "/coverage"))
_THEMES = ("auto", "light", "dark")


class Screens:
    """Renders pages for requests."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("masking.policy.studio"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["family"] = family
        self._templates.filters["why"] = translated
        self._templates.filters["role"] = _role
        self._templates.filters["short"] = _short

    def owner(self, request: Request) -> str:
        """Who asks, as far as drafts are concerned: the holder of this token."""
        return str(request.scope["studio.token"])

    def lang(self, request: Request) -> str:
        """The page's language: what the link says, or else what the browser prefers."""
        said = request.query_params.get("lang", "")
        return said if said in LANGUAGES else language(request.headers.get("accept-language", ""))

    def say(self, request: Request, why: str) -> str:
        """Why a request is refused, in its language."""
        return translator(self.lang(request))(f"refused.{why}")

    def url(self, request: Request, path: str, **changes: str) -> str:
        """A link to a page of ours that keeps language and theme."""
        kept = {name: request.query_params[name] for name in ("lang", "theme") if name in request.query_params}
        query = urlencode({**kept, **changes})
        root = str(request.scope.get("root_path", ""))
        return f"{root}{path}?{query}" if query else f"{root}{path}"

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """A page; `values` are what its template wants besides what every page has."""
        lang = self.lang(request)
        theme = request.query_params.get("theme", "auto")
        root = str(request.scope.get("root_path", ""))
        path = str(request.scope["path"]).removeprefix(root) or "/"

        def url(path: str, **changes: str) -> str:
            return self.url(request, path, **changes)

        common = {
            "t": translator(lang),
            "lang": lang,
            "theme": theme if theme in _THEMES else "auto",
            "token": request.scope["studio.token"],
            "url": url,
            "static": lambda name: f"{root}/static/{name}",
            "here": path if path in {place for _, place in PAGES} else "/",
        }
        text = self._templates.get_template(template).render({**common, **values})
        return HTMLResponse(text, status)

    def refused(self, request: Request, why: str, status: int = 403) -> Response:
        """The page that says why nothing was done; `why` as `masking.policy.studio.guard` and `form` have it."""
        return self.page(request, "refused.html", {"size": 413, "form": 400}.get(why, status), why=why)


def _role(role: str, t: Any) -> str:
    return t(f"role.{role}") if f"role.{role}" in MESSAGES else role


def _short(file: str) -> str:
    """The end of a path: what tells it from others of one folder."""
    return file.replace("\\", "/").rpartition("/")[2]
