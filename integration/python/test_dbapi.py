"""flightsql-dbapi, which binds each parameter as a dense union, and SQLAlchemy on top of it."""

from decimal import Decimal

import flightsql.flightsql_pb2 as pb
import flightsql.sqlalchemy  # registers the dialect
import pyarrow as pa
import pytest
import sqlalchemy
from flightsql import FlightSQLClient, connect
from flightsql.client import flight_descriptor


@pytest.fixture(scope="module")
def client(sample):
    host, port = sample.url.removeprefix("grpc://").split(":")
    client = FlightSQLClient(host=host, port=int(port), insecure=True)
    yield client
    client.close()


@pytest.fixture()
def cursor(client):
    with connect(client) as connection, connection.cursor() as cursor:
        yield cursor


@pytest.mark.parametrize("where, parameters", [
    ("key = ?", (17,)),
    ("key BETWEEN ? AND ?", (40, 43)),
    ("similarity > ? AND width >= ?", (0.3, 512)),
    ("caption LIKE ?", ("%cat%",)),
    ("(key < 5) = ?", (True,)),
    ("octet_length(image) > ? AND md5 <> ?", (100, "")),
    ("key = ? OR key = ? OR similarity > ?", ("3", 4, 0.4)),
])
def test_parameters(cursor, where, parameters):
    sql = f"SELECT key FROM train WHERE {where} ORDER BY key"
    literals = iter(parameters)
    text = "".join(repr(next(literals)) if c == "?" else c for c in sql)
    want = cursor.execute(text).fetchall()
    assert want
    assert cursor.execute(sql, parameters).fetchall() == want


def bound(client, sql, *columns):
    """The result of a statement to which columns of pyarrow are bound as they are."""
    with client.prepare(sql) as statement:
        record = pa.RecordBatch.from_arrays(list(columns), names=[f"p{i}" for i in range(len(columns))])
        info = statement.execute(record)
        return client.do_get(info.endpoints[0].ticket).read_all()


def dense(types, offsets, children, **kwargs):
    return pa.UnionArray.from_dense(pa.array(types, pa.int8()), pa.array(offsets, pa.int32()), children, **kwargs)


@pytest.mark.parametrize("column, keys", [
    (dense([0, 1, 0, 2, 0], [0, 0, 1, 0, 2], [pa.array([3, 4, None]), pa.array(["7"]), pa.array([9.0])]), [3, 7, 4, 9]),
    (dense([9, 4], [0, 0], [pa.array([3]), pa.array(["7"])], type_codes=[9, 4]), [3, 7]),
    (dense([0, 1], [1, 0], [pa.array(["0", "3"]).dictionary_encode(), pa.array([4], pa.uint8())]), [3, 4]),
    (pa.UnionArray.from_sparse(pa.array([0, 1, 1], pa.int8()), [pa.array([3, 0, 0]), pa.array(["x", "7", "8"])]), [3, 7, 8]),
    (pa.array([3, None, 4]).dictionary_encode(), [3, 4]),
    (pa.RunEndEncodedArray.from_arrays([2, 3], pa.array([3, 4])), [3, 3, 4]),
    (pa.array(["3", "4"], pa.string_view()), [3, 4]),
    (pa.array([3, 4], pa.float16()), [3, 4]),
    (pa.array([Decimal("3.00")], pa.decimal32(5, 2)), [3]),
    (pa.array([Decimal("3.00")], pa.decimal64(5, 2)), [3]),
    (pa.array([Decimal("3.00")], pa.decimal256(50, 2)), [3]),
], ids=["dense union", "type codes", "dictionary in a union", "sparse union", "dictionary", "run ends", "string view", "half float",
        "decimal32", "decimal64", "decimal256"])
def test_layouts_of_parameters(client, column, keys):
    assert bound(client, "SELECT key FROM train WHERE key = ?", column).column("key").to_pylist() == keys


@pytest.mark.parametrize("column", [
    pa.array([[0.1] * 768], pa.list_view(pa.float32())),
    pa.array([[0.1] * 768], pa.large_list_view(pa.float64())),
    dense([0], [0], [pa.array([[0.1] * 768])]),
], ids=["list view", "large list view", "dense union"])
def test_layouts_of_vectors(client, column):
    sql = "SELECT key FROM train ORDER BY l2_distance(img_emb, ?, 'use_index=false') LIMIT 3"
    want = bound(client, sql, pa.array([[0.1] * 768], pa.list_(pa.float32())))
    assert bound(client, sql, column).equals(want)


@pytest.mark.parametrize("column, text", [
    (pa.array([{"a": 1}]), "parameter $1: STRUCT(a BIGINT) cannot be cast to BIGINT"),
    (dense([0], [0], [pa.array(["x"])]), "parameter $1: cannot cast 'x' to BIGINT"),
    (pa.array([Decimal("9" * 60)], pa.decimal256(70, 2)), "not supported: the value 9999"),
    (pa.ListArray.from_arrays([0, 1], dense([0], [0], [pa.array([3])])), "parameter $1: "),
], ids=["struct", "text that is no number", "a decimal of 60 digits", "union in a list"])
def test_what_cannot_be_bound_is_an_error(client, column, text):
    with client.prepare("SELECT key FROM train WHERE key = ?") as statement:
        handle = statement.handle
        record = pa.RecordBatch.from_arrays([column], names=["p"])
        with pytest.raises((pa.ArrowInvalid, NotImplementedError)) as error:
            put(client, handle, record)
        assert text in str(error.value)


def put(client, handle, record):
    """Binds a record, and says what the server says: PreparedStatement.execute swallows the error."""
    descriptor = flight_descriptor(pb.CommandPreparedStatementQuery(prepared_statement_handle=handle))
    writer, _ = client.client.do_put(descriptor, record.schema)
    with writer:
        writer.write(record)


def test_sqlalchemy(sample):
    address = sample.url.removeprefix("grpc://")
    engine = sqlalchemy.create_engine(f"datafusion+flightsql://{address}?insecure=True&feature-sqlalchemy-prepared-statements=on")
    inspector = sqlalchemy.inspect(engine)
    assert sorted(inspector.get_schema_names()) == ["information_schema", "main"]
    assert inspector.get_table_names(schema="main") == ["train"]
    assert "tables" in inspector.get_table_names(schema="information_schema")
    columns = inspector.get_columns("train", schema="main")
    assert [c["name"] for c in columns][:4] == ["key", "image", "image_path", "caption"]
    # A name without a schema is the user's own table, and any case finds it.
    assert [c["name"] for c in inspector.get_columns("TRAIN")] == [c["name"] for c in columns]
    with engine.connect() as connection:
        rows = connection.execute(sqlalchemy.text("SELECT key FROM train WHERE key < :n ORDER BY key"), {"n": 3}).fetchall()
        assert rows == [(0,), (1,), (2,)]
        train = sqlalchemy.Table("train", sqlalchemy.MetaData(), autoload_with=engine)
        assert connection.execute(sqlalchemy.select(train.c.key).where(train.c.caption.like("%cat%"))).fetchall()
