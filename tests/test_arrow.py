"""Arrow batches are masked row by row, and keep their schema, metadata and whatever was not masked."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking import Masker
from masking.core.document import Document
from masking.core.errors import ConfigurationError, UnmaskableError
from masking.core.path import parse

pa = pytest.importorskip("pyarrow")

from masking.batch.arrow import rows_of, with_rows  # noqa: E402 - needs pyarrow

KEY = b"sixteen bytes or more"
PHONE, MAIL = "13800138000", "ann@example.com"
texts = st.sampled_from(["", "harmless", f"电话{PHONE}", MAIL, f"{MAIL}, {PHONE}", "短"])

CHAT = pa.list_(pa.struct([("role", pa.string()), ("content", pa.large_string()), ("at", pa.timestamp("ns"))]))
COLUMNS: dict[str, tuple[Any, Any]] = {
    "string": (pa.string(), texts),
    "large_string": (pa.large_string(), texts),
    "string_view": (pa.string_view(), texts),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), texts),
    "list": (pa.list_(pa.string()), st.lists(st.none() | texts, max_size=3)),
    "large_list": (pa.large_list(pa.string_view()), st.lists(st.none() | texts, max_size=3)),
    "fixed": (pa.list_(pa.string(), 2), st.lists(st.none() | texts, min_size=2, max_size=2)),
    "list_view": (pa.list_view(pa.string()), st.lists(texts, max_size=3)),
    "struct": (
        pa.struct([("a", pa.string()), ("b", pa.bool_())]),
        st.fixed_dictionaries({"a": st.none() | texts, "b": st.booleans()}),
    ),
    "chat": (
        CHAT,
        st.lists(
            st.none()
            | st.fixed_dictionaries({"role": st.just("user"), "content": st.none() | texts, "at": st.integers(0, 9)}),
            max_size=3,
        ),
    ),
    "map": (
        pa.map_(pa.string(), pa.string()),
        st.dictionaries(st.sampled_from("kl"), texts, max_size=2).map(lambda one: list(one.items())),
    ),
    "deep": (
        pa.list_(pa.struct([("parts", pa.list_(pa.struct([("text", pa.string())])))])),
        st.lists(
            st.fixed_dictionaries({"parts": st.none() | st.lists(st.fixed_dictionaries({"text": texts}), max_size=2)}),
            max_size=2,
        ),
    ),
    "binary": (pa.binary(), texts.map(str.encode)),
    "int": (pa.int32(), st.integers(0, 999)),
    "float": (pa.float64(), st.floats(0, 9)),
    "decimal": (pa.decimal128(9, 0), st.integers(0, 999)),
    "date": (pa.date32(), st.dates()),
    "bool": (pa.bool_(), st.booleans()),
}


@st.composite
def batches(draw: st.DrawFn) -> Any:
    chosen = draw(st.lists(st.sampled_from(list(COLUMNS)), min_size=1, max_size=4, unique=True))
    rows = draw(st.integers(0, 6))
    fields, columns = [], []
    for name in chosen:
        kind, values = COLUMNS[name]
        column = draw(st.lists(st.none() | values, min_size=rows, max_size=rows))
        plain = kind.value_type if pa.types.is_dictionary(kind) else kind
        array = pa.array(column, type=plain)
        columns.append(array.cast(kind) if plain is not kind else array)
        fields.append(pa.field(name, kind, metadata={"about": name}))
    batch = pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields, metadata={"written": "by us"}))
    start = draw(st.integers(0, rows))
    return batch.slice(start, draw(st.integers(0, rows - start)))


@pytest.fixture(scope="module")
def keyed() -> Masker:
    return Masker("UserInfo", names="off", key=KEY)


def _reference(masker: Masker, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows masked one by one as plain data, maps as objects and bytes as text in between."""
    made = []
    for row in copy.deepcopy(rows):
        for name in row:
            if name == "binary" and row[name] is not None:
                row[name] = row[name].decode()
            if name == "map" and row[name] is not None:
                row[name] = dict(row[name])
        with masker.session() as session:
            Document().mask(row, session.mask)
        for name in row:
            if name == "binary" and row[name] is not None:
                row[name] = row[name].encode()
            if name == "map" and row[name] is not None:
                row[name] = list(row[name].items())
        made.append(row)
    return made


@settings(max_examples=150)
@given(batch=batches())
def test_rows_are_masked_as_plain_data_is_and_the_schema_stays(keyed: Masker, batch: Any) -> None:
    masked = keyed.map_batches(batch)

    masked.validate(full=True)
    assert masked.schema.equals(batch.schema, check_metadata=True)
    assert masked.to_pylist() == _reference(keyed, batch.to_pylist())


@settings(max_examples=100)
@given(batch=batches())
def test_rows_that_nobody_changed_are_the_same_arrays(batch: Any) -> None:
    again = with_rows(batch, rows_of(batch))

    assert again.schema.equals(batch.schema, check_metadata=True)
    for old, new in zip(batch.columns, again.columns, strict=True):
        if pa.types.is_dictionary(old.type) or "_view" in str(old.type):  # what no row names does not stay
            assert new.to_pylist() == old.to_pylist()
        else:
            assert _addresses(new) == _addresses(old)


@settings(max_examples=100)
@given(batch=batches())
def test_no_value_is_left_in_what_leaves(keyed: Masker, batch: Any) -> None:
    """Neither in a dictionary's entries that no row names, nor below a null."""
    masked = keyed.map_batches(batch)

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, masked.schema) as writer:
        writer.write_batch(masked)
    written = sink.getvalue().to_pybytes()
    assert PHONE.encode() not in written
    assert MAIL.encode() not in written


def test_values_of_views_below_a_null_list_are_left_behind(keyed: Masker) -> None:
    values = pa.array([f"{MAIL}, {PHONE}"], type=pa.string_view())
    column = pa.LargeListArray.from_arrays(pa.array([0, 1], pa.int64()), values, mask=pa.array([True]))
    masked = keyed.map_batches(pa.RecordBatch.from_arrays([column], ["hidden"]))

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, masked.schema) as writer:
        writer.write_batch(masked)
    assert masked.to_pylist() == [{"hidden": None}]
    assert PHONE.encode() not in sink.getvalue().to_pybytes()


def test_columns_without_a_finding_are_not_copied(keyed: Masker) -> None:
    batch = pa.RecordBatch.from_pydict({"id": [1, 2], "clean": ["a", "b"], "text": [MAIL, "c"], "at": [True, False]})

    masked = keyed.map_batches(batch)

    same = [_addresses(old) == _addresses(new) for old, new in zip(batch.columns, masked.columns, strict=True)]
    assert same == [True, True, False, True]
    assert keyed.map_batches(batch.select(["id", "clean"])).column(1).equals(batch.column(1))


def test_a_row_is_a_conversation_of_its_own(userinfo: Masker) -> None:
    masker = Masker("UserInfo", key=KEY)
    batch = pa.RecordBatch.from_pydict(
        {"first": ["My name is Ann Walker.", "hello"], "then": ["and Walker Inc said so", "and Walker Inc said so"]}
    )

    first, second = masker.map_batches(batch).to_pylist()

    assert "Walker" not in first["then"]
    assert second["then"] == "and Walker Inc said so"


def test_a_key_joins_rows_columns_and_batches(keyed: Masker) -> None:
    entries: dict[str, str] = {}
    batch = pa.RecordBatch.from_pydict({"a": [MAIL, "x"], "b": [f"to {MAIL}", MAIL]})

    rows = keyed.map_batches(batch, entries=entries).to_pylist()

    placeholder = rows[0]["a"]
    assert rows == [{"a": placeholder, "b": f"to {placeholder}"}, {"a": "x", "b": placeholder}]
    assert entries == {placeholder: MAIL}


def test_a_table_keeps_its_chunks_and_schema(keyed: Masker) -> None:
    table = pa.table({"a": pa.chunked_array([[MAIL], ["x", "y"]])}, metadata={"k": "v"})

    masked = keyed.map_batches(table)

    assert masked.schema.equals(table.schema, check_metadata=True)
    assert [len(chunk) for chunk in masked.column("a").chunks] == [1, 2]
    assert MAIL not in str(masked.to_pylist())
    assert keyed.map_batches(table.slice(0, 0)).num_rows == 0


@pytest.mark.parametrize(
    ("options", "masked"),
    [
        ({}, {"id", "role", "content", "note"}),
        ({"opaque": ["id"]}, {"role", "content", "note"}),
        ({"opaque": ["id", "messages[*].role"]}, {"content", "note"}),
        ({"opaque": ["messages"]}, {"id", "note"}),
        ({"text": ["messages[*].content"]}, {"content"}),
        ({"text": ["messages"]}, {"role", "content"}),
        ({"text": ["note", "id"]}, {"id", "note"}),
        ({"text": ["nowhere[*].x"]}, set()),
    ],
)
def test_paths_say_what_is_text(keyed: Masker, options: dict[str, list[str]], masked: set[str]) -> None:
    batch = pa.RecordBatch.from_pylist(
        [{"id": MAIL, "messages": [{"role": MAIL, "content": MAIL}, {"role": "x", "content": None}], "note": MAIL}]
    )

    row = keyed.map_batches(batch, **options).to_pylist()[0]

    message = row["messages"][0]
    seen = {"id": row["id"], "role": message["role"], "content": message["content"], "note": row["note"]}
    assert {name for name, value in seen.items() if value != MAIL} == masked


def test_dictionaries_keep_their_order_and_lose_what_no_row_names(keyed: Masker) -> None:
    kind = pa.dictionary(pa.int8(), pa.string(), ordered=True)
    entries = pa.array(["low", MAIL, "high", PHONE])
    array = pa.DictionaryArray.from_arrays(pa.array([2, 0, 1, None], pa.int8()), entries, ordered=True)

    masked = keyed.map_batches(pa.RecordBatch.from_arrays([array], schema=pa.schema([("a", kind)]))).column(0)

    assert masked.type == kind
    low, mail, high = masked.dictionary.to_pylist()
    assert (low, high) == ("low", "high")
    assert mail.startswith("<EMAIL_ADDRESS_")
    assert masked.to_pylist() == ["high", "low", mail, None]

    unseen = pa.DictionaryArray.from_arrays(pa.array([0], pa.int8()), entries, ordered=True)
    left = keyed.map_batches(pa.RecordBatch.from_arrays([unseen], schema=pa.schema([("a", kind)]))).column(0)
    assert left.dictionary.to_pylist() == ["low"]


def _batch(kind: Any, values: list[Any]) -> Any:
    return pa.RecordBatch.from_arrays([pa.array(values, type=kind)], names=["c"])


def _twice() -> Any:
    return pa.RecordBatch.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["c", "c"])


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: _batch(pa.int64(), [7, int(PHONE)]), "numbers only"),
        (lambda: _batch(pa.list_(pa.int64()), [[int(PHONE)]]), "column c[*]"),
        (lambda: _batch(pa.binary(), [b"\xff\xd8\xff"]), "no UTF-8"),
        (lambda: _batch(pa.map_(pa.string(), pa.string()), [[(MAIL, "x")]]), "key"),
        (lambda: _batch(pa.map_(pa.string(), pa.string()), [[("k", "x"), ("k", "y")]]), "twice"),
        (_twice, "called 'c'"),
        (lambda: _batch(pa.run_end_encoded(pa.int32(), pa.string()), ["a", "a"]), "cast it"),
    ],
)
def test_what_cannot_be_made_safe_is_refused_by_its_place(keyed: Masker, make: Callable[[], Any], told: str) -> None:
    with pytest.raises(UnmaskableError) as error:
        keyed.map_batches(make())
    assert told in str(error.value)
    assert PHONE not in str(error.value)
    assert MAIL not in str(error.value)


@pytest.mark.parametrize("kind", [pa.int64(), pa.binary(), pa.run_end_encoded(pa.int32(), pa.string())])
def test_what_is_opaque_is_not_looked_at(keyed: Masker, kind: Any) -> None:
    values = {pa.int64(): [int(PHONE)], pa.binary(): [b"\xff\xd8"]}.get(kind, [PHONE])
    batch = _batch(kind, values)

    assert keyed.map_batches(batch, opaque=["c"]).equals(batch)


def test_a_table_of_entries_needs_a_key(patterns: Masker) -> None:
    with pytest.raises(ConfigurationError, match="key"):
        patterns.map_batches(_batch(pa.string(), ["a"]), entries={})


def test_rows_leave_out_what_is_opaque_or_no_text() -> None:
    batch = pa.RecordBatch.from_pylist([{"id": "x", "m": [{"role": "u", "text": "t"}], "yes": True}])

    assert rows_of(batch, [parse("id"), parse("m[*].role")]) == [{"m": [{"text": "t"}]}]


def _addresses(array: Any) -> list[int]:
    return [buffer.address for buffer in array.buffers() if buffer is not None]
