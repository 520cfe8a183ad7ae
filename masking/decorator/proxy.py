"""A stand-in for an SDK's client: every call through it is masked, and every answer restored.

    client = masker.wrap_client(alibabacloud_dms_enterprise20181101.client.Client(config))

It follows attributes (`client.chat.completions.create`), so whatever can be reached by name is behind the mask. Each
call has a session of its own. What a call gives back is restored as in `masking.decorator`; an object that is neither
text nor data nor a stream (a chat that remembers, a stream's context manager) becomes a stand-in, too, which keeps the
session of that call until it is left or thrown away. Another client (`with_options`) becomes a stand-in like the first.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from masking.core.descriptor import Descriptors
from masking.core.session import Session
from masking.decorator import keep, wrapped
from masking.decorator.answer import Answer
from masking.decorator.copies import is_data, is_data_class, is_plain, is_text

__all__ = ["OPAQUE", "proxy"]

OPAQUE = frozenset({"base_address", "memory_id", "runtime", "session_id", "timeout", "workspace"})
"""Parameters that stay as they are in every SDK, beside those of `masking.decorator`: addresses, ids that a service
gave out, and settings of the connection."""

# What httpx keeps its settings in: nothing is sent through them.
_SETTINGS = frozenset({"Cookies", "Headers", "Limits", "Timeout", "URL"})


def proxy(
    client: Any,
    new_session: Callable[[], Session],
    shapes: Descriptors,
    *,
    session: Session | None = None,
    opaque: Iterable[str] = (),
) -> Any:
    """A stand-in for `client`: an object, a class or a module. `opaque` names parameters, and fields of Tea models."""
    return _Proxy(client, _Way(client, new_session, shapes, frozenset(opaque) | OPAQUE, session))


class _Way:
    """How what is reached through one stand-in is masked; with `session`, all of it in that one."""

    def __init__(
        self,
        root: Any,
        new_session: Callable[[], Session],
        shapes: Descriptors,
        opaque: frozenset[str],
        session: Session | None,
        *,
        owned: bool = False,
    ) -> None:
        self.root = root
        self.session = session
        self._new_session = new_session
        self._shapes = shapes
        self._opaque = opaque
        self._owned = owned

    def within(self, session: Session) -> _Way:
        """The way of what a call gave back. A session that the caller gave stays the caller's."""
        if session is self.session:
            return self
        return _Way(self.root, self._new_session, self._shapes, self._opaque, session, owned=True)

    def finish(self) -> None:
        """Nothing more can come of what has this way."""
        if self._owned and self.session is not None:
            self.session.close()

    def method(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return wrapped(
            function,
            self._new_session,
            self._shapes,
            session=self.session,
            opaque=self._opaque,
            other=self.given_back,
        )

    def given_back(self, result: Any, session: Session) -> Any:
        """The stand-in of an object that a call gave back."""
        if inspect.isroutine(result):
            return self.within(session).method(result)
        root = self.root
        kind = root if isinstance(root, type) else type(root)
        if not isinstance(root, ModuleType) and isinstance(result, kind):
            if session is not self.session:
                session.close()
            return _Proxy(result, self)
        return _Proxy(result, self.within(session))

    def attribute(self, value: Any) -> Any:
        """What may be handed out of an attribute."""
        if isinstance(value, type):
            return value if _is_a_name(value) else _Proxy(value, self)
        if inspect.isroutine(value):
            return self.method(value)
        if is_text(value) or is_data(value):
            return value if self.session is None else self.answer(value, self.session)
        if value is None or _is_setting(value) or (is_plain(value) and not isinstance(value, ModuleType)):
            return value
        if self.session is not None and (hasattr(value, "__next__") or hasattr(value, "__anext__")):
            return self.answer(value, self.session)
        return _Proxy(value, self)

    def answer(self, value: Any, session: Session) -> Any:
        """`value` restored in a session that goes on."""
        way = self.within(session)
        return Answer(session, self._shapes, keep, way.given_back, way.attribute).restored(value)

    def entered(self, owner: _Proxy, target: Any, entered: Any) -> Any:
        if entered is target:
            return owner
        return self.attribute(entered) if self.session is None else self.answer(entered, self.session)


class _Proxy:
    """The stand-in. Its repr names the kind of what is behind it, and nothing that this holds."""

    __slots__ = ("__weakref__", "_masking_target", "_masking_way")

    def __init__(self, target: Any, way: _Way) -> None:
        object.__setattr__(self, "_masking_target", target)
        object.__setattr__(self, "_masking_way", way)

    def __repr__(self) -> str:
        target = self._masking_target
        named = target if isinstance(target, (type, ModuleType)) else type(target)
        module = getattr(named, "__module__", "")
        return f"<masked {module}{'.' if module else ''}{getattr(named, '__qualname__', named.__name__)}>"

    def __dir__(self) -> Iterable[str]:
        return dir(self._masking_target)

    def __copy__(self) -> _Proxy:
        return _Proxy(copy.copy(self._masking_target), self._masking_way)

    def __deepcopy__(self, memo: dict[int, Any]) -> _Proxy:
        return _Proxy(copy.deepcopy(self._masking_target, memo), self._masking_way)

    def __reduce_ex__(self, protocol: object) -> Any:
        raise TypeError("the stand-in of a client cannot be pickled: it may hold a session")

    def __getattr__(self, name: str) -> Any:
        return self._masking_way.attribute(getattr(self._masking_target, name))

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._masking_target, name, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        target = self._masking_target
        if isinstance(target, type):  # making a client sends nothing
            return self._masking_way.attribute(target(*args, **kwargs))
        return self._masking_way.method(target)(*args, **kwargs)

    def __iter__(self) -> Any:
        return iter(self._masking_way.attribute(iter(self._masking_target)))

    def __aiter__(self) -> Any:
        return aiter(self._masking_way.attribute(aiter(self._masking_target)))

    def __enter__(self) -> Any:
        target = self._masking_target
        return self._masking_way.entered(self, target, target.__enter__())

    def __exit__(self, *exc: Any) -> Any:
        try:
            return self._masking_target.__exit__(*exc)
        finally:
            self._masking_way.finish()

    async def __aenter__(self) -> Any:
        target = self._masking_target
        return self._masking_way.entered(self, target, await target.__aenter__())

    async def __aexit__(self, *exc: Any) -> Any:
        try:
            return await self._masking_target.__aexit__(*exc)
        finally:
            self._masking_way.finish()


def _is_a_name(kind: type) -> bool:
    """Whether a class is only named or filled in (an exception, an enumeration, a request), and sends nothing."""
    return issubclass(kind, BaseException) or is_data_class(kind)


def _is_setting(value: object) -> bool:
    kind = type(value)
    return kind.__name__ in _SETTINGS and kind.__module__.partition(".")[0] in ("httpx", "httpx2")
