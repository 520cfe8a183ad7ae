"""Arrow record batches as plain rows, and rows back as batches of the same schema.

`rows_of` and `with_rows` are the two ways; `mask_batch` is what masks in between, here and for Parquet and Spark.
Nested columns keep their types: structs, lists (also large, fixed-size and views), maps, dictionaries, string views.
What holds no text (times, booleans) is not in the rows, and whatever did not change leaves as the same array, without a
copy. A slice is copied all the same: its buffers hold what stands beside it, and Arrow's streaming format writes up to
63 bytes of that as padding.

Format: https://arrow.apache.org/docs/format/Columnar.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, MutableMapping, Sequence
from itertools import chain
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from masking.batch.rows import Bad, Layout, Outcome, Rows, Settings
from masking.core.errors import ConfigurationError, UnmaskableError
from masking.core.path import Path, dig, spell
from masking.masker import Masker

__all__ = ["map_batches", "mask_batch", "rows_of", "with_rows"]

Frame = TypeVar("Frame", pa.RecordBatch, pa.Table)
Row = dict[str, Any]

_NOTHING = object()  # stands for a column or field that is not in the rows


def map_batches(
    masker: Masker,
    batch: Frame,
    *,
    text: Iterable[str] = (),
    opaque: Iterable[str] = (),
    entries: MutableMapping[str, str] | None = None,
) -> Frame:
    """The batch or table with its texts masked: as many rows, the same schema, metadata included.

    Every string is text, unless `opaque` names its path (`model`, `messages[*].role`); with `text`, only what these
    paths name. A row is a conversation of its own: what one of its texts tells is found in all of them. `entries`
    takes up the table of all rows, placeholder to value, of a masker with a key.

    Raises UnmaskableError, naming the column or row, for what cannot be made safe: a column of numbers in which one
    would be masked, a map's key that would be, bytes that are no UTF-8. ConfigurationError for `entries` without a key,
    and ValueError for what is no path.
    """
    if entries is not None and not masker.is_keyed:
        raise ConfigurationError("entries are taken up only with a key: without one <PERSON_1> is many people")
    settings = Settings((), text=tuple(text), opaque=tuple(opaque), vault="" if entries is None else "entries")
    rows = Rows(settings, masker)
    given = batch.to_batches() if isinstance(batch, pa.Table) else [batch]
    made = []
    for one in given:
        outcome = Outcome()
        made.append(mask_batch(rows, one, Layout("parquet"), outcome))
        for bad in outcome.bad:
            raise UnmaskableError(bad.why, where=f"row {bad.row}")
        for kept in outcome.kept.values():
            if entries is not None:
                entries.update(kept)
    return pa.Table.from_batches(made, schema=batch.schema) if isinstance(batch, pa.Table) else made[0]


def mask_batch(rows: Rows, batch: pa.RecordBatch, layout: Layout, outcome: Outcome) -> pa.RecordBatch:
    """The batch masked by `rows`; rows that cannot be are left out and told of in `outcome`, with their numbers.

    Raises UnmaskableError for a column that cannot be masked.
    """
    walks = rows.walks_of(layout)
    batch = _own(batch, walks.opaque)
    docs = rows_of(batch, walks.opaque, walks.columns)
    place = walks.conversation
    conversations: list[Any] = [None] * len(docs)
    if place and place[0] in batch.schema.names:
        found = batch.column(place[0]).to_pylist()
        conversations = [dig(one, place[1:]) if len(place) > 1 else one for one in found]
    opened: list[tuple[int, list[str], str | None]] = []
    left_out: set[int] = set()
    changed = False

    def bad(number: int, error: Exception) -> None:
        why = error.what if isinstance(error, UnmaskableError) else f"internal error ({type(error).__name__})"
        outcome.bad.append(Bad(outcome.rows + number, 0, 0, why))
        left_out.add(number)

    for number, doc in enumerate(docs):
        try:
            texts = walks.texts(doc)
        except Exception as error:  # noqa: BLE001 - whatever it is, the row does not leave, and no value is told
            bad(number, error)
        else:
            conversation = conversations[number]
            opened.append((number, texts, None if conversation is None else str(conversation)))
    given = [(texts, conversation) for _, texts, conversation in opened]
    for (number, old, _), new in zip(opened, rows.texts(given, outcome), strict=True):
        if new is not None:
            try:
                walks.put(docs[number], old, new)
                outcome.masked += 1
                changed = True
            except Exception as error:  # noqa: BLE001
                bad(number, error)
    outcome.rows += batch.num_rows
    if left_out:
        staying = [number for number in range(batch.num_rows) if number not in left_out]
        columns = [_picked(column, staying) for column in batch.columns]
        batch, docs = pa.RecordBatch.from_arrays(columns, schema=batch.schema), [docs[number] for number in staying]
    if not changed and not any(map(_may_hold_more, batch.schema.types)):
        return batch
    return with_rows(batch, docs, walks.opaque)


def rows_of(
    batch: pa.RecordBatch, opaque: Iterable[Path] = (), columns: Collection[str | None] | None = None
) -> list[Row]:
    """The rows as plain data, without what is opaque, what holds no text or number, and columns but `columns`.

    A map of strings is an object; another one a list of objects with `key` and `value`. Raises UnmaskableError for
    columns that have one name, and for what cannot be read as text.
    """
    _check_names(batch.schema.names, ())
    hidden = frozenset(opaque)
    found = [
        (name, values)
        for name, array in zip(batch.schema.names, batch.columns, strict=True)
        if (columns is None or name in columns) and (values := _read(array, (name,), hidden)) is not None
    ]
    names = [name for name, _ in found]
    if not found:
        return [{} for _ in range(batch.num_rows)]
    return [dict(zip(names, row, strict=True)) for row in zip(*(values for _, values in found), strict=True)]


def with_rows(batch: pa.RecordBatch, rows: Sequence[Row], opaque: Iterable[Path] = ()) -> pa.RecordBatch:
    """The batch with the texts of `rows`, which came from `rows_of` of it; schema and metadata stay.

    Raises UnmaskableError where a column of numbers would have to hold text.
    """
    hidden = frozenset(opaque)
    columns = [
        _written(array, [row.get(name, _NOTHING) for row in rows], (name,), hidden)
        for name, array in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _own(batch: pa.RecordBatch, opaque: Iterable[Path]) -> pa.RecordBatch:
    """The batch with columns whose buffers hold nothing but what its rows show, views and dictionaries excepted."""
    hidden = frozenset(opaque)
    columns = [
        pa.concat_arrays([array]) if (name,) not in hidden and _is_part(array) else array
        for name, array in zip(batch.schema.names, batch.columns, strict=True)
    ]
    if all(new is old for new, old in zip(columns, batch.columns, strict=True)):
        return batch
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _is_part(array: pa.Array) -> bool:
    """Whether an array's buffers hold more than it shows, as those of a slice do, and what a null still covers."""
    kind = array.type
    if array.offset:
        return True
    if isinstance(kind, pa.BaseExtensionType):
        return _is_part(array.storage)
    if kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_binary(kind) or kinds.is_large_binary(kind):
        data = array.buffers()[2]
        return bool(data is not None and data.size != (pc.sum(pc.binary_length(array)).as_py() or 0))
    if kinds.is_struct(kind):
        return any(_is_part(array.field(number)) for number in range(kind.num_fields))
    if kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_map(kind):
        return len(array.values) != sum(size or 0 for size in _sizes(array)) or _is_part(array.values)
    return False


def _may_hold_more(kind: pa.DataType) -> bool:
    """Whether arrays of a type carry what no row names: entries of a dictionary, buffers of views."""
    return "dictionary<" in str(kind) or "_view" in str(kind)


def _is_text(kind: pa.DataType) -> bool:
    return bool(kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        kinds.is_binary(kind)
        or kinds.is_large_binary(kind)
        or kinds.is_binary_view(kind)
        or kinds.is_fixed_size_binary(kind)
    )


def _is_number(kind: pa.DataType) -> bool:
    return bool(kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_decimal(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        kinds.is_list(kind)
        or kinds.is_large_list(kind)
        or kinds.is_fixed_size_list(kind)
        or kinds.is_list_view(kind)
        or kinds.is_large_list_view(kind)
    )


def _read(array: pa.Array, path: Path, hidden: frozenset[Path]) -> list[Any] | None:
    """What stands in each slot, or None for a column that holds neither texts nor numbers, or is opaque."""
    if path in hidden:
        return None
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return None if kind.extension_name == "arrow.uuid" else _read(array.storage, path, hidden)
    if _is_text(kind):
        return _texts(array, path)
    if _is_bytes(kind):
        return [None if one is None else _decoded(one, path) for one in array.to_pylist()]
    if kinds.is_decimal(kind):
        return [None if one is None else int(one) if kind.scale <= 0 else float(one) for one in array.to_pylist()]
    if _is_number(kind):
        return list(array.to_pylist())
    if kinds.is_dictionary(kind):
        return _read(array.cast(kind.value_type), path, hidden)
    if kinds.is_struct(kind):
        return _read_struct(array, path, hidden)
    if kinds.is_map(kind):
        return _read_map(array, path, hidden)
    if _is_list(kind):
        below = _read(array.flatten(), (*path, None), hidden)
        return None if below is None else _cut(below, _sizes(array))
    if kinds.is_union(kind) or kinds.is_run_end_encoded(kind):
        raise UnmaskableError(f"a column of type {kind} cannot be masked; cast it, or call it opaque", where=_at(path))
    return None  # times, booleans, nulls


def _texts(array: pa.Array, path: Path) -> list[str | None]:
    try:
        return list(array.to_pylist())
    except UnicodeDecodeError:
        raise UnmaskableError("a string is not UTF-8; mend the column, or call it opaque", where=_at(path)) from None


def _decoded(value: bytes, path: Path) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise UnmaskableError(
            "bytes that are no UTF-8 text cannot be masked; call the column opaque", where=_at(path)
        ) from None


def _read_struct(array: pa.StructArray, path: Path, hidden: frozenset[Path]) -> list[Any] | None:
    names = [field.name for field in array.type]
    _check_names(names, path)
    found = [
        (name, values)
        for number, name in enumerate(names)
        if (values := _read(array.field(number), (*path, name), hidden)) is not None
    ]
    if not found:
        return None
    inner = [name for name, _ in found]
    rows = zip(*(values for _, values in found), strict=True)
    valid = array.is_valid().to_pylist()
    return [dict(zip(inner, row, strict=True)) if is_ else None for is_, row in zip(valid, rows, strict=True)]


def _read_map(array: pa.MapArray, path: Path, hidden: frozenset[Path]) -> list[Any] | None:
    pairs = array.cast(pa.list_(pa.struct([("key", array.type.key_type), ("value", array.type.item_type)])))
    flat = pairs.flatten()
    keys = _read(flat.field(0), (*path, None), hidden) or [None] * len(flat)
    values = _read(flat.field(1), (*path, None), hidden) or [None] * len(flat)
    sizes = _sizes(array)
    if not _is_text(array.type.key_type):
        return _cut([{"key": key, "value": value} for key, value in zip(keys, values, strict=True)], sizes)
    made: list[Any] = []
    for pairs_of in _cut(list(zip(keys, values, strict=True)), sizes):
        made.append(None if pairs_of is None else dict(pairs_of))
        if pairs_of is not None and len(made[-1]) != len(pairs_of):
            raise UnmaskableError("a map has the same key twice: two readers would see two values", where=_at(path))
    return made


def _sizes(array: pa.Array) -> list[int | None]:
    """How many items each slot holds; None for a null."""
    kind = array.type
    if kinds.is_fixed_size_list(kind):
        return [kind.list_size if valid else None for valid in array.is_valid().to_pylist()]
    if kinds.is_map(kind):
        array = array.cast(pa.list_(pa.struct([("key", kind.key_type), ("value", kind.item_type)])))
    return list(array.value_lengths().to_pylist())


def _cut(flat: list[Any], sizes: Iterable[int | None]) -> list[Any]:
    """The items of all slots as one list for each slot."""
    made: list[Any] = []
    at = 0
    for size in sizes:
        made.append(None if size is None else flat[at : at + size])
        at += size or 0
    return made


def _written(array: pa.Array, values: list[Any], path: Path, hidden: frozenset[Path]) -> pa.Array:
    """The array with these values, or itself where they are its own or it is not in the rows."""
    kind = array.type
    if path in hidden or (values and values[0] is _NOTHING):
        return array
    if isinstance(kind, pa.BaseExtensionType):
        if kind.extension_name == "arrow.uuid":
            return array
        storage = _written(array.storage, values, path, hidden)
        return array if storage is array.storage else pa.ExtensionArray.from_storage(kind, storage)
    if kinds.is_dictionary(kind):
        return _written_dictionary(array, values, path, hidden)
    if _is_text(kind):
        # None for an empty one: below a null, where no reader sees it.
        same = all(new == old or (new is None and not old) for new, old in zip(values, array.to_pylist(), strict=True))
        return array if same and not _has_unseen(array) else pa.array(values, type=kind)
    if _is_bytes(kind):
        return _written_bytes(array, [None if one is None else one.encode() for one in values], path)
    if _is_number(kind):
        if any(type(one) is str for one in values):
            raise UnmaskableError(
                "a number that the category masks, in a column that holds numbers only; cast the column to string, or "
                "call it opaque",
                where=_at(path),
            )
        return array
    if kinds.is_struct(kind):
        return _written_struct(array, values, path, hidden)
    if kinds.is_map(kind):
        return _written_map(array, values, path, hidden)
    if _is_list(kind):
        return _written_list(array, values, path, hidden)
    return array


def _has_unseen(array: pa.Array) -> bool:
    """Whether its buffers may hold more than it shows: those of a view are shared with whatever it was cut from."""
    is_view = kinds.is_string_view(array.type) or kinds.is_binary_view(array.type)
    return bool(is_view and len(array.buffers()) > 2)


def _written_bytes(array: pa.Array, values: list[bytes | None], path: Path) -> pa.Array:
    if values == array.to_pylist() and not _has_unseen(array):
        return array
    if kinds.is_fixed_size_binary(array.type):
        raise UnmaskableError(
            "bytes of a fixed length hold what the category masks; cast the column to string, or call it opaque",
            where=_at(path),
        )
    return pa.array(values, type=array.type)


def _written_dictionary(array: pa.DictionaryArray, values: list[Any], path: Path, hidden: frozenset[Path]) -> pa.Array:
    """Every entry counts, also one that no row names: it leaves with the column."""
    kind = array.type
    plain = array.cast(kind.value_type)
    new = _written(plain, values, path, hidden)
    if new is plain and len(array.dictionary) == len(array.unique().drop_null()):
        return array
    # In the order of the entries that were: an ordered dictionary stays one.
    places: dict[Any, int] = {}
    for index, value in zip(array.indices.to_pylist(), new.to_pylist(), strict=True):
        if value is not None:
            places[value] = min(places.get(value, index), index)
    entries = sorted(places, key=places.__getitem__)
    numbers = {value: number for number, value in enumerate(entries)}
    indices = [None if value is None else numbers[value] for value in new.to_pylist()]
    try:
        made = pa.array(indices, type=kind.index_type)
    except (pa.ArrowInvalid, OverflowError):
        raise UnmaskableError(
            f"the masked values are too many for a dictionary with {kind.index_type} indices; cast the column first",
            where=_at(path),
        ) from None
    return pa.DictionaryArray.from_arrays(made, pa.array(entries, type=kind.value_type), ordered=kind.ordered)


def _written_struct(array: pa.StructArray, values: list[Any], path: Path, hidden: frozenset[Path]) -> pa.Array:
    children = []
    same = True
    for number, field in enumerate(array.type):
        old = array.field(number)
        # What stands below a null, which no reader sees, is dropped with the first change.
        inside = [None if one is None else one.get(field.name, _NOTHING) for one in values]
        new = old if any(one is _NOTHING for one in inside) else _written(old, inside, (*path, field.name), hidden)
        same = same and new is old
        children.append(new)
    if same:
        return array
    fields = [array.type.field(number) for number in range(array.type.num_fields)]
    mask = array.is_null() if array.null_count else None
    return pa.StructArray.from_arrays(children, fields=fields, mask=mask)


def _written_list(array: pa.Array, values: list[Any], path: Path, hidden: frozenset[Path]) -> pa.Array:
    kind = array.type
    seen = _without_unseen(array, values)
    old = seen.flatten()
    flat = list(chain.from_iterable(one for one in values if one is not None))
    new = _written(old, flat, (*path, None), hidden)
    if not flat and _may_hold_more(kind):  # all that there is stands below a null
        new = pa.array([], type=old.type)
    is_view = kinds.is_list_view(kind) or kinds.is_large_list_view(kind)  # which may leave items out
    return seen if new is old and not is_view else _list_of(kind, new, _sizes(seen))


def _without_unseen(array: pa.Array, values: list[Any]) -> pa.Array:
    """The lists or maps, null where a struct above them is: what they hold there no reader sees."""
    sizes = _sizes(array)
    if all(value is not None or not size for value, size in zip(values, sizes, strict=True)):
        return array
    return _picked(array, [None if value is None else at for at, value in enumerate(values)])


def _picked(array: pa.Array, places: Sequence[int | None]) -> pa.Array:
    """The items at some places; None is a null."""
    try:
        return array.take(pa.array(places, type=pa.int64()))
    except pa.ArrowNotImplementedError:  # string views
        nothing = pa.nulls(1, type=array.type)
        return pa.concat_arrays([array.slice(0, 0), *(nothing if at is None else array.slice(at, 1) for at in places)])


def _list_of(kind: pa.DataType, items: pa.Array, sizes: Sequence[int | None]) -> pa.Array:
    """A list array of a type, from the items of all slots that are not null and how many each holds."""
    offsets = [0]
    for size in sizes:
        offsets.append(offsets[-1] + (size or 0))
    mask = pa.array([size is None for size in sizes]) if None in sizes else None
    if kinds.is_fixed_size_list(kind):
        return _fixed_list_of(kind, items, sizes)
    if kinds.is_list_view(kind) or kinds.is_large_list_view(kind):
        maker = pa.ListViewArray if kinds.is_list_view(kind) else pa.LargeListViewArray
        wide = pa.int32() if kinds.is_list_view(kind) else pa.int64()
        lengths = pa.array([size or 0 for size in sizes], type=wide)
        return maker.from_arrays(pa.array(offsets[:-1], type=wide), lengths, items, type=kind, mask=mask)
    large = kinds.is_large_list(kind)
    maker = pa.LargeListArray if large else pa.ListArray
    wide = pa.int64() if large else pa.int32()
    return maker.from_arrays(pa.array(offsets, type=wide), items, type=kind, mask=mask)


def _fixed_list_of(kind: pa.FixedSizeListType, items: pa.Array, sizes: Sequence[int | None]) -> pa.Array:
    if None not in sizes:
        return pa.FixedSizeListArray.from_arrays(items, type=kind)
    # Below a null stand items too: nulls, which take nothing from anybody.
    at: list[int | None] = []
    following = 0
    for size in sizes:
        at += [None] * kind.list_size if size is None else range(following, following + size)
        following += size or 0
    mask = pa.array([size is None for size in sizes])
    return pa.FixedSizeListArray.from_arrays(_picked(items, at), type=kind, mask=mask)


def _written_map(array: pa.MapArray, values: list[Any], path: Path, hidden: frozenset[Path]) -> pa.Array:
    kind = array.type
    array = _without_unseen(array, values)
    flat = array.cast(pa.list_(pa.struct([("key", kind.key_type), ("value", kind.item_type)]))).flatten()
    keys, items = flat.field(0), flat.field(1)
    pairs: list[tuple[Any, Any]] = []
    for one in values:
        if isinstance(one, dict):
            pairs += one.items()
        elif one is not None:
            pairs += [(pair["key"], pair["value"]) for pair in one]
    new_keys = _written(keys, [key for key, _ in pairs], (*path, None), hidden)
    new_items = _written(items, [item for _, item in pairs], (*path, None), hidden)
    if new_keys is keys and new_items is items:
        return array
    offsets = [0]
    for size in _sizes(array):
        offsets.append(offsets[-1] + (size or 0))
    mask = array.is_null() if array.null_count else None
    return pa.MapArray.from_arrays(pa.array(offsets, type=pa.int32()), new_keys, new_items, type=kind, mask=mask)


def _check_names(names: Sequence[str], path: Path) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UnmaskableError(
            f"two fields are called {twice[0]!r}: two readers would see two values; rename one", where=_at(path)
        )


def _at(path: Path) -> str:
    return f"column {spell(path)}" if path else "the batch"
