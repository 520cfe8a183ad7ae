"""What a form sends, read within limits and kept in memory: nothing is spooled to a disk."""

from __future__ import annotations

import hmac
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

__all__ = ["LARGEST", "Form", "Upload", "read_form"]

LARGEST = 16 * 1024 * 1024
"""Bytes of a whole form, a corpus to compare included."""

_DRAINED = 512 * 1024 * 1024  # bytes
_FIELDS = 400


@dataclass(frozen=True, slots=True, repr=False)
class Upload:
    """A file that came with a form."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Form:
    """The fields of a form by name (the last of each), its files by name, and why it was refused, if it was."""

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, Upload] = field(default_factory=dict)
    refused: str = ""

    def __getitem__(self, name: str) -> str:
        return self.fields.get(name, "")


class _InMemory(MultiPartParser):
    spool_max_size = 2 * LARGEST


async def read_form(request: Request) -> Form:
    """The form of a POST; its `refused` is `size`, `form` (not readable) or `token` (not from this page)."""
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > LARGEST:
        await _drained(request)
        return Form(refused="size")
    try:
        form = await _read(request)
    except _TooLargeError:
        return Form(refused="size")
    except (MultiPartException, UnicodeDecodeError, ValueError):
        return Form(refused="form")
    token = str(request.scope.get("studio.token", ""))
    if not token or not hmac.compare_digest(form["token"].encode(), token.encode()):
        return Form(refused="token")
    return form


async def _read(request: Request) -> Form:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        body = b"".join([chunk async for chunk in _limited(request)])
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_FIELDS)
        return Form({name: _unix(value) for name, value in pairs})
    parser = _InMemory(
        request.headers, _limited(request), max_files=4, max_fields=_FIELDS, max_part_size=LARGEST
    )  # fmt: skip
    data = await parser.parse()
    try:
        fields: dict[str, str] = {}
        files: dict[str, Upload] = {}
        for name, value in data.multi_items():
            if isinstance(value, UploadFile):
                content = await value.read()
                if value.filename or content:
                    files[name] = Upload(value.filename or "", content)
            else:
                fields[name] = _unix(value)
        return Form(fields, files)
    finally:
        await data.close()


async def _limited(request: Request) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > LARGEST:
            raise _TooLargeError
        yield chunk


async def _drained(request: Request) -> None:
    """Read and drop what comes, within reason: a browser that is cut off while it sends shows no answer."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > _DRAINED:
            return


class _TooLargeError(Exception):
    """The body has more bytes than its header said, and too many."""


def _unix(value: str) -> str:
    """A textarea sends CRLF (HTML, "constructing the entry list"); files and offsets here count LF."""
    return value.replace("\r\n", "\n")
