"""Arrow's extension types: UUID is a type of SQL, and the names of all others come through."""

import uuid

import lance
import numpy as np
import pyarrow as pa
import pyarrow.flight as flight
import pytest
from lance.arrow import bfloat16_array

N = 60
IDS = [uuid.UUID(int=i * 7919 + 12345678901234567890) for i in range(N)]
VALUES = [None if i % 10 == 3 else IDS[i * 37 % 30] for i in range(N)]


def uuids(values):
    return pa.array([None if v is None else v.bytes for v in values], pa.binary(16)).cast(pa.uuid())


@pytest.fixture(scope="module")
def server(start, tmp_path_factory):
    root = tmp_path_factory.mktemp("extensions")
    table = pa.table({
        "id": range(N), "u": uuids(VALUES), "t": [None if v is None else str(v).upper() for v in VALUES],
        "b": pa.array([None if v is None else v.bytes for v in VALUES], pa.binary(16)),
        "s": pa.StructArray.from_arrays([uuids(VALUES), pa.array(range(N))], names=["u", "n"]),
        "l": pa.ListArray.from_arrays(pa.array(range(N + 1)), uuids([v or IDS[0] for v in VALUES])),
    })
    lance.write_dataset(table, root / "plain.lance")
    for kind in ("BTREE", "BITMAP", "ZONEMAP"):
        lance.write_dataset(table, root / f"{kind.lower()}.lance").create_scalar_index("u", kind)
    for name, column in extensions().items():
        lance.write_dataset(column, root / f"x_{name}.lance")
    server = start(root)
    server.root = root
    return server


def extensions():
    """A table for each extension type, with a row number."""
    columns = {
        "json": pa.array([f'{{"a":{i}}}' for i in range(N)], pa.json_()),
        "bool8": pa.ExtensionArray.from_storage(pa.bool8(), pa.array([i % 2 for i in range(N)], pa.int8())),
        "tensor": pa.FixedShapeTensorArray.from_numpy_ndarray(np.arange(N * 6, dtype=np.float32).reshape(N, 2, 3)),
        "opaque": pa.ExtensionArray.from_storage(pa.opaque(pa.int64(), "money", "PG"), pa.array(range(N), pa.int64())),
        "bfloat16": bfloat16_array([float(i) for i in range(N)]),
        "uuid": uuids(IDS),
    }
    tables = {name: pa.table({"id": range(N), "x": column}) for name, column in columns.items()}
    for name, t, metadata in (
        ("geoarrow", pa.binary(), {"ARROW:extension:name": "geoarrow.wkb", "ARROW:extension:metadata": '{"crs":"EPSG:4326"}'}),
        ("unknown", pa.int32(), {"ARROW:extension:name": "my.own", "ARROW:extension:metadata": "x"}),
        ("user", pa.string(), {"unit": "cm"}),
    ):
        value = {"geoarrow": b"x", "unknown": 1, "user": "s"}[name]
        schema = pa.schema([pa.field("id", pa.int64()), pa.field("x", t, metadata=metadata)])
        tables[name] = pa.table([pa.array(range(N)), pa.array([value] * N, t)], schema=schema)
    return tables


def own(field):
    """The field without what Flight SQL adds."""
    return field.with_metadata({k: v for k, v in (field.metadata or {}).items() if not k.startswith(b"ARROW:FLIGHT:SQL:")})


@pytest.mark.parametrize("name", list(extensions()))
def test_extension_types_come_through(server, name):
    want = lance.dataset(server.root / f"x_{name}.lance").to_table()
    schema = pa.schema([own(f) for f in want.schema])
    client = server.flight()
    for sql in (f"SELECT * FROM x_{name} ORDER BY id", f"SELECT y.x, y.id FROM (SELECT id, x FROM x_{name}) y ORDER BY id",
                f"SELECT a.id, a.x FROM x_{name} a JOIN x_{name} b USING (id) ORDER BY id",
                f"WITH c AS (SELECT * FROM x_{name}) SELECT id, x FROM c WHERE id >= 0 ORDER BY id LIMIT 1000"):
        info = client.get_flight_info(flight.FlightDescriptor.for_command(sql.encode()))
        got = client.do_get(info.endpoints[0].ticket).read_all().select(["id", "x"])
        assert pa.schema([own(f) for f in got.schema]).equals(schema, check_metadata=True), sql
        assert pa.schema([own(info.schema.field(c)) for c in ("id", "x")]).equals(schema, check_metadata=True), sql
        assert got.equals(want), sql
    # What is computed is no more of the type.
    info = client.get_flight_info(flight.FlightDescriptor.for_command(f"SELECT count(x) AS x FROM x_{name}".encode()))
    assert b"ARROW:extension:name" not in info.schema.field("x").metadata


X = IDS[10]


@pytest.mark.parametrize("table", ["plain", "btree", "bitmap", "zonemap"])
@pytest.mark.parametrize("where, wanted", [
    (f"u = '{X}'", lambda v: v == X), (f"u <> '{X}'", lambda v: v != X), (f"NOT u = '{X}'", lambda v: v != X),
    (f"u = '{X}'::uuid", lambda v: v == X), (f"u = '{{{X.hex.upper()}}}'", lambda v: v == X),
    (f"u IN ('{X}', '{IDS[11]}')", lambda v: v in (X, IDS[11])), (f"u < '{IDS[20]}'", lambda v: v < IDS[20]),
    (f"u BETWEEN '{IDS[5]}' AND '{IDS[9]}'", lambda v: IDS[5] <= v <= IDS[9]), ("u = t", lambda v: True), ("u = b", lambda v: True),
    (f"u = '\\x{X.hex}'::bytea", lambda v: v == X), (f"s.u = '{X}'", lambda v: v == X), (f"s.u IS NOT NULL AND l[1] = '{X}'", lambda v: v == X),
    (f"u IS NOT NULL AND array_has(l, '{X}')", lambda v: v == X), (f"u IN (SELECT u FROM plain WHERE u >= '{X}')", lambda v: v >= X),
])
def test_uuid_conditions(server, table, where, wanted):
    got = server.query(f"SELECT id FROM {table} WHERE {where} ORDER BY id").column(0).to_pylist()
    assert got == [i for i, v in enumerate(VALUES) if v is not None and wanted(v)]


@pytest.mark.parametrize("value", [str(X), X.hex.upper(), X.bytes, pa.record_batch({"0": uuids([X])})], ids=["text", "digits", "bytes", "uuid"])
def test_uuid_parameters(server, value):
    with server.adbc() as conn, conn.cursor() as cur:
        cur.execute("SELECT id FROM btree WHERE u = ? ORDER BY id", value if isinstance(value, pa.RecordBatch) else (value,))
        assert [i for (i,) in cur.fetchall()] == [i for i, v in enumerate(VALUES) if v == X]


def test_uuid_values(server):
    known = [v for v in VALUES if v is not None]
    zero = uuid.UUID(int=0)
    for sql, want in (
        ("SELECT u FROM plain ORDER BY id", VALUES),
        ("SELECT DISTINCT u FROM plain ORDER BY u NULLS LAST", sorted(set(known)) + [None]),
        ("SELECT u FROM plain GROUP BY u HAVING count(*) > 100", []),
        ("SELECT min(u) FROM plain", [min(known)]), ("SELECT max(u) FROM plain", [max(known)]),
        ("SELECT count(DISTINCT u) FROM plain", [len(set(known))]),
        ("SELECT arg_max(u, id) FROM plain", [VALUES[-1]]), ("SELECT (list(u ))[1] FROM plain WHERE id = 0", [VALUES[0]]),
        (f"SELECT coalesce(u, '{zero}') FROM plain WHERE id = 3", [zero]), (f"SELECT greatest(u, '{X}') FROM plain WHERE id = 3", [X]),
        ("SELECT CASE WHEN id = 0 THEN u END FROM plain WHERE id = 0", [VALUES[0]]),
        ("SELECT a.u FROM plain a JOIN btree b USING (u) WHERE a.id = 0 LIMIT 1", [VALUES[0]]),
        ("SELECT u FROM plain WHERE id = 0 UNION SELECT u FROM btree WHERE id = 0", [VALUES[0]]),
        ("SELECT u::varchar FROM plain WHERE id = 0", [str(VALUES[0])]), ("SELECT u::blob FROM plain WHERE id = 0", [VALUES[0].bytes]),
        ("SELECT 'id ' || u FROM plain WHERE id = 0", [f"id {VALUES[0]}"]), ("SELECT TRY_CAST('x' AS UUID)", [None]),
        ("SELECT data_type FROM information_schema.columns WHERE table_name = 'plain' AND column_name = 'u'", ["UUID"]),
    ):
        assert server.query(sql).column(0).to_pylist() == want, sql
    with pytest.raises(Exception, match="cannot cast 'x' to UUID"):
        server.query("SELECT u = 'x' FROM plain")
