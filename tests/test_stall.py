"""What a reader sees who does not wait for a server that pauses: the clock is the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from masking import Masker, Session
from masking.stall import say_unfinished

AFTER = 30.0  # seconds of the test's clock

Feed = Callable[[str], Awaitable[list[str]]]


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose time the test moves."""

    skipped = 0.0

    def time(self) -> float:
        return super().time() + self.skipped


class Server:
    """Sends the pieces that the test tells it to, and knows whether it was closed."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[str | BaseException | None] = asyncio.Queue()
        self.closed = False

    async def pieces(self) -> AsyncIterator[str]:
        try:
            while (piece := await self.sent.get()) is not None:
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            self.closed = True


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def passed(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Clock)
    loop.skipped += seconds
    await settled()


def shown(script: list[str | float | None], session: Session, *, after: float = AFTER) -> list[str]:
    """What was said after each step of a script: a piece, seconds that pass, or None for the end."""

    async def main() -> list[str]:
        server, said, steps = Server(), [], []

        async def read() -> None:
            async for piece in say_unfinished(session.stream_object(), server.pieces(), after=after):
                said.append(piece)  # noqa: PERF401 - each is looked at before the next

        reader = asyncio.create_task(read())
        for step in script:
            if isinstance(step, float):
                await passed(step)
            else:
                server.sent.put_nowait(step)
                await settled()
            steps.append("".join(said))
            said.clear()
        await reader
        assert server.closed
        return steps

    with asyncio.Runner(loop_factory=Clock) as runner:
        return runner.run(main())


@pytest.fixture
def session() -> Session:
    made = Masker("UserInfo", names="off").session()
    made.load({"<PHONE_NUMBER_1>": "13800138000"})
    return made


@pytest.mark.parametrize(
    ("script", "said"),
    [
        pytest.param(
            ["打 1390013", 29.0, "9000", "，吧", None],
            ["打 ", "", "", "<PHONE_NUMBER>，吧", ""],
            id="a shorter pause changes nothing",
        ),
        pytest.param(
            ["打 1390013", 31.0, "9000", "，吧", None],
            ["打 ", "1390013", "", "9000，吧", ""],
            id="a longer pause shows half a value: the risk in the name",
        ),
        pytest.param(
            ["call 1390013", 31.0, "13900139000 ", None],
            ["call ", "1390013", "<PHONE_NUMBER> ", ""],
            id="what comes afterwards is a text that begins",
        ),
        pytest.param(["你好", 31.0, "，大家", 31.0, None], ["你好", "", "，大家", "", ""], id="nothing waits"),
        pytest.param(["打12", 31.0, 31.0, "3吧", None], ["打", "12", "", "3吧", ""], id="said once"),
        pytest.param(
            ["<PHONE_NUM", 31.0, "BER_1>", None],
            ["", "", "13800138000", ""],
            id="a placeholder is never cut off",
        ),
        pytest.param(
            ["![](https://example.net/?q=", 31.0, "<PHONE_NUMBER_1>", 31.0, ") <PHONE_NUMBER_1>", None],
            ["![](https://example.net/?q=", "", "<PHONE_NUMBER_1>", "", ") 13800138000", ""],
            id="a pause does not open a link to values",
        ),
        pytest.param(
            ["see https://example.net/1390013", 31.0, "?q=<PHONE_NUMBER_1>", None],
            ["see https://example.net/", "", "1390013?q=<PHONE_NUMBER_1>", ""],
            id="what waits in a link waits on",
        ),
        pytest.param(["1390013", None], ["", "1390013"], id="the end says what waits"),
        pytest.param([None], [""], id="no piece at all"),
    ],
)
def test_what_waits_is_said_after_a_pause(script: list[str | float | None], said: list[str], session: Session) -> None:
    assert shown(script, session) == said


def test_without_a_pause_the_stream_says_what_it_says_alone(session: Session) -> None:
    text = "电话<PHONE_NUMBER_1>或13900139000，<a href='https://example.net/<PHONE_NUMBER_1>'> 4111 1111 1111 1111。"

    assert "".join(shown([*text, None], session)) == session.restore(text)


def test_a_pause_of_no_seconds_says_what_waits_at_once(session: Session) -> None:
    assert shown(["1390013", "9000 ", None], session, after=0.0) == ["1390013", "9000 ", ""]


def test_an_error_of_the_server_reaches_the_reader(session: Session) -> None:
    async def main() -> tuple[str, bool]:
        server = Server()
        server.sent.put_nowait("call 139")
        server.sent.put_nowait(ConnectionError("gone"))
        reader = say_unfinished(session.stream_object(), server.pieces(), after=AFTER)
        said = await anext(reader)
        with pytest.raises(ConnectionError, match="gone"):
            await anext(reader)
        return said, server.closed

    assert asyncio.run(main()) == ("call ", True)


@pytest.mark.parametrize("stop", ["close", "cancel"])
def test_a_reader_that_leaves_closes_the_server_and_leaves_no_task(stop: str, session: Session) -> None:
    async def main() -> tuple[bool, int]:
        server = Server()
        server.sent.put_nowait("call 139")
        said = say_unfinished(session.stream_object(), server.pieces(), after=AFTER)
        assert await anext(said) == "call "
        reader = asyncio.create_task(anext(said))
        await settled()
        if stop == "cancel":
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
        else:
            await passed(AFTER + 1)
            assert await reader == "139"
            await said.aclose()
        return server.closed, len(asyncio.all_tasks())

    with asyncio.Runner(loop_factory=Clock) as runner:
        assert runner.run(main()) == (True, 1)


def test_a_lane_of_json_and_a_time_before_now_are_refused(session: Session) -> None:
    async def first(*, json: bool, after: float) -> str:
        return await anext(
            say_unfinished(session.stream_object(json=json), Server().pieces(), after=after)  # type: ignore[arg-type]
        )

    with pytest.raises(TypeError, match="without json=True"):
        asyncio.run(first(json=True, after=1))
    with pytest.raises(ValueError, match="0 or more"):
        asyncio.run(first(json=False, after=-1))
    with pytest.raises(ValueError, match="0 or more"):
        asyncio.run(first(json=False, after=float("nan")))
