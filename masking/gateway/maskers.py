"""The maskers of the categories in use: made once, made anew when rules are loaded again."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from masking.core.errors import UnmaskableError
from masking.core.rule import ModelSource
from masking.files import Mark, category_names, reading
from masking.gateway.refusal import Refused
from masking.gateway.settings import Settings
from masking.masker import Masker
from masking.shadow import Shadow, ShadowFile

__all__ = ["Maskers"]

_PATHS = 4_096  # that are remembered


class Maskers:
    """Immutable but for what it has made already; shared between threads.

    Making one reads rules and may load models, so ask for one that was not asked for before in a thread.
    """

    def __init__(self, settings: Settings) -> None:
        """Makes those that the configuration names. Raises what Masker raises."""
        self._settings = settings
        self._key = settings.placeholder_key.read().encode() if settings.placeholder_key else None
        self._lock = Lock()
        self._made: dict[str, Masker] = {}
        self.files: dict[Path, Mark] = {}
        """What was read of the user's own, as it was then."""
        self._slow: set[str] = set()
        self._safe_paths: set[tuple[str, str]] = set()
        self.allowed = frozenset(settings.categories or category_names()) | {settings.category}
        own = [route.category for route in settings.routes.values()]
        own += [client.category for client in settings.clients]
        for name in dict.fromkeys([settings.category, *filter(None, own), *settings.categories]):
            self.named(name)
        self.descriptors = self.named(settings.category).descriptors

    def ready(self, name: str) -> Masker | None:
        """The masker of a category, if it is made already."""
        return self._made.get(name)

    def named(self, name: str) -> Masker:
        """The masker of a category. Raises what Masker raises."""
        with self._lock:
            made = self._made.get(name)
            if made is None:
                settings = self._settings
                with reading() as files:
                    shadow = _shadow(settings) if name == settings.category else None
                    made = Masker(
                        name, names=settings.names, providers=settings.providers, key=self._key, shadow=shadow
                    )
                self.files = {**files, **self.files}
                _warm(made)
                if shadow is not None:
                    shadow.report = ShadowFile(settings.shadow.report or "")
                if any(isinstance(rule.source, ModelSource) for rule in made.category.rules):
                    self._slow.add(name)
                self._made[name] = made
            return made

    def uses_models(self, masker: Masker) -> bool:
        """Whether masking takes a model, and so milliseconds rather than microseconds."""
        return masker.category.name in self._slow

    def versions(self) -> dict[str, str]:
        """The categories in use and their versions."""
        with self._lock:
            return {masker.category.name: masker.category.version for masker in self._made.values()}

    def check_path(self, masker: Masker, path: str) -> None:
        """Raises UnmaskableError for a path that holds what the category masks: there it cannot be replaced."""
        known = (masker.category.name, path)
        if known in self._safe_paths:
            return
        if masker.scan(path):
            raise UnmaskableError("holds what the category masks; send it in the body", where="request path")
        if len(self._safe_paths) < _PATHS:
            self._safe_paths.add(known)

    def check(self, name: str, allowed: frozenset[str]) -> str:
        """The name, if it may be chosen. Raises Refused."""
        if name not in (allowed or self.allowed):
            raise Refused(400, "InvalidParameter", "no such masking category here, or not for this client")
        return name


def _shadow(settings: Settings) -> Shadow | None:
    """The candidate that reads along, which reports nothing yet."""
    return Shadow(settings.shadow.category) if settings.shadow.category else None


def _warm(masker: Masker) -> None:
    """Load models and compile what is compiled when it is first needed: not while a stream waits."""
    with masker.session() as session:
        stream = session.stream_object()
        stream.feed(session.mask("Ann Lee, 13800138000, ann@example.com, 你好，我是张三。"))
        stream.flush()
        session.restore('{"a": 1}', json=True)
