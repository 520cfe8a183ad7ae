"""`@masker.wrap`: a function that calls a model, with its arguments masked and its answer restored.

Arguments: every string is masked, inside lists, dicts, dataclasses, pydantic objects and Tea models too, in copies;
the caller's own objects stay as they are. Numbers that the category finds become strings. Other numbers, booleans,
None, dates, functions and the parameters `self`, `cls`, `model`, `api_key`, `app_id` and `base_url` pass. Anything else
cannot be looked into and is refused, unless `opaque` names its parameter.

Answers: strings, dicts, lists, dataclasses, pydantic objects and Tea models (as the SDKs of openai, dashscope and
Alibaba Cloud reply with) come back restored; iterators and async iterators of them are restored as they flow, keep
their attributes, and close what they read from. Anything else is returned as it is. Exceptions pass unchanged.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing
from typing import Any, TypeVar, cast

from masking.core.descriptor import Descriptors
from masking.core.session import Session
from masking.decorator.answer import Answer, Events, aflow, flow
from masking.decorator.arguments import Arguments

__all__ = ["keep", "wrapped"]

F = TypeVar("F", bound=Callable[..., Any])


def wrapped(
    function: F,
    new_session: Callable[[], Session],
    shapes: Descriptors,
    *,
    session: Session | None = None,
    opaque: Iterable[str] = (),
    other: Callable[[Any, Session], Any] | None = None,
) -> F:
    """`function` between masking and restoring; each call in a session of its own, unless `session` is given.

    `shapes` are the descriptors whose shapes arguments and answers are recognised by. `other` takes an answer that is
    neither text nor data nor a stream, and its session. Without it such an answer is handed on as it is, and `opaque`
    must name parameters that `function` has: ConfigurationError. Calls raise UnmaskableError.
    """
    arguments = Arguments(function, frozenset(opaque), shapes, strict=other is None)
    # The session of a call; one that was given outlives it.
    opened = new_session if session is None else lambda: session
    finished = Session.close if session is None else keep

    called: Any = function  # so that the checks below do not narrow what the caller sees
    if inspect.isasyncgenfunction(called):

        async def async_generator(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            one = opened()
            try:
                masked, named = arguments.masked(args, kwargs, one)
                async with aclosing(aflow(called(*masked, **named), Events(one, shapes))) as restored:
                    async for event in restored:
                        yield event
            finally:
                finished(one)

        return _like(async_generator, function)

    if inspect.isgeneratorfunction(called):

        def generator(*args: Any, **kwargs: Any) -> Iterator[Any]:
            one = opened()
            try:
                masked, named = arguments.masked(args, kwargs, one)
                yield from flow(called(*masked, **named), Events(one, shapes))
            finally:
                finished(one)

        return _like(generator, function)

    if inspect.iscoroutinefunction(called):

        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            one = opened()
            try:
                masked, named = arguments.masked(args, kwargs, one)
                result = Answer(one, shapes, finished, other).restored(await called(*masked, **named))
            except BaseException:
                finished(one)
                raise
            return result

        return _like(coroutine, function)

    def plain(*args: Any, **kwargs: Any) -> Any:
        one = opened()
        try:
            masked, named = arguments.masked(args, kwargs, one)
            return Answer(one, shapes, finished, other).restored(called(*masked, **named))
        except BaseException:
            finished(one)
            raise

    return _like(plain, function)


def _like(made: Any, function: F) -> F:
    return cast("F", functools.update_wrapper(made, function))


def keep(session: Session) -> None:
    """What happens to a session that the caller owns when a call is over."""
