"""Copies of a function's arguments with every string masked."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from masking.core.descriptor import Descriptors
from masking.core.document import Document
from masking.core.errors import ConfigurationError, UnmaskableError
from masking.core.path import fields
from masking.core.session import Session
from masking.decorator import tea
from masking.decorator.copies import Copies

__all__ = ["Arguments"]

_NOT_TEXT = frozenset({"self", "cls", "model", "api_key", "app_id", "base_url"})


class Arguments:
    """How the arguments of one function are masked."""

    def __init__(
        self, function: Callable[..., Any], opaque: frozenset[str], shapes: Descriptors, *, strict: bool = True
    ) -> None:
        """With `strict`, `opaque` must name parameters of `function`. It also names fields of Tea models."""
        self._name = getattr(function, "__qualname__", type(function).__name__)
        self._opaque = opaque | _NOT_TEXT
        chat = shapes.named("openai.chat")
        self._document = chat.request if chat is not None else Document()
        try:
            self._signature: inspect.Signature | None = inspect.signature(function)
        except (TypeError, ValueError):  # some callables written in C have none
            self._signature = None
        if strict:
            self._check(opaque)

    def _check(self, opaque: frozenset[str]) -> None:
        if self._signature is None:
            return
        kinds = {name: parameter.kind for name, parameter in self._signature.parameters.items()}
        if inspect.Parameter.VAR_KEYWORD in kinds.values():
            return
        unknown = sorted(opaque - kinds.keys())
        if unknown:
            raise ConfigurationError(f"opaque names {', '.join(unknown)}, but {self._name} has no such parameter")

    def masked(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], session: Session
    ) -> tuple[list[Any], dict[str, Any]]:
        """Masked copies of the arguments. Raises UnmaskableError; a call that does not fit raises its own TypeError."""
        names = self._names(args, kwargs)
        return (
            [self._argument(name, value, session) for name, value in zip(names, args, strict=True)],
            {name: self._argument(name, value, session) for name, value in kwargs.items()},
        )

    def _names(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[str]:
        """The parameter that each positional argument goes to."""
        if self._signature is None:
            return [f"argument {number}" for number in range(1, len(args) + 1)]
        try:
            self._signature.bind(*args, **kwargs)
        except TypeError as error:
            # Said before anything is masked or sent, in the words that Python itself would use.
            raise TypeError(f"{self._name}() {error}") from None
        names: list[str] = []
        for name, parameter in self._signature.parameters.items():
            if parameter.kind is parameter.VAR_POSITIONAL:
                names += [name] * (len(args) - len(names))
            elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                names.append(name)
        return names[: len(args)]

    def _argument(self, name: str, value: Any, session: Session) -> Any:
        if name in self._opaque:
            return value
        where = f"{self._name}(), argument {name}"
        copies = Copies(where, session.mask)
        try:
            if tea.is_model(value):  # the request itself: its fields are what parameters are elsewhere
                return self._model(value, copies, session)
            box = {_key(name, value): copies.of(value)}
            self._document.mask(box, session.mask, session.is_word)
        except UnmaskableError as error:
            raise UnmaskableError(error.what, where=where) from None
        return copies.finished(next(iter(box.values())))

    def _model(self, model: Any, copies: Copies, session: Session) -> Any:
        kept = {name: value for name, value in vars(model).items() if name in self._opaque}
        bare = copy.copy(model)
        for name in kept:
            setattr(bare, name, None)
        made = copies.of(bare)
        self._document.mask(made, session.mask, session.is_word)
        made = copies.finished(made)
        for name, value in kept.items():
            setattr(made, name, value)
        return made


def _key(name: str, value: Any) -> str:
    """The name under which the descriptor knows an argument: a list of turns is `messages`, whatever it is called."""
    if isinstance(value, (list, tuple)) and value:
        views = [fields(turn) for turn in value]
        if all(view is not None and isinstance(view.get("role"), str) for view in views):
            return "messages"
    return name
