"""Each stock Python client in its own idiom: ADBC, pandas, polars, raw pyarrow.flight."""

import base64

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.flight as flight
import pytest
import lance

from conftest import expected


@pytest.fixture(scope="module")
def oracle(fixtures_dir):
    return lance.dataset(str(fixtures_dir / "laion_v2_2.lance"))


CARD = '"NSFW" = 0 AND similarity > 0.3 AND width >= 512'


def test_dbapi_execute_and_fetch(fixtures, oracle):
    with fixtures.adbc() as conn, conn.cursor() as cur:
        cur.execute(f"SELECT key, caption, width FROM laion_v2_2 WHERE {CARD} ORDER BY key LIMIT 20")
        assert [c[0] for c in cur.description] == ["key", "caption", "width"]
        first = cur.fetchone()
        rest = cur.fetchall()
        assert cur.fetchone() is None
    want = oracle.to_table(columns=["key", "caption", "width"], filter=CARD.replace('"', "`")).sort_by("key").slice(0, 20)
    assert [tuple(r.values()) for r in want.to_pylist()] == [first, *rest]


def test_dbapi_parameters(fixtures):
    with fixtures.adbc() as conn, conn.cursor() as cur:
        cur.execute("SELECT key FROM laion_v2_2 WHERE key = ? OR caption = ?", (17, "no such caption"))
        assert cur.fetchall() == [(17,)]
        cur.execute("SELECT key FROM laion_v2_2 WHERE key BETWEEN $1 AND $2 ORDER BY key", (40, 43))
        assert cur.fetchall() == [(40,), (41,), (42,), (43,)]
        cur.execute("SELECT count(*) FROM laion_v2_2 WHERE similarity > ? AND width >= ?", (0.3, 512))
        assert cur.fetchone()[0] > 0
        cur.execute("SELECT key FROM laion_v2_2 WHERE key = ?", (None,))
        assert cur.fetchall() == []


def test_dbapi_several_rows_of_parameters_are_several_executions(fixtures):
    with fixtures.adbc() as conn, conn.cursor() as cur:
        cur.execute("SELECT key FROM laion_v2_2 WHERE key = ?", pa.record_batch({"0": pa.array([5, 3, 4])}))
        assert cur.fetchall() == [(5,), (3,), (4,)]


@pytest.mark.parametrize("bind", ["list of doubles", "float32 fixed_size_list", "text", "little-endian bytes"])
def test_vector_parameter(fixtures, oracle, bind):
    q = oracle.to_table(columns=["img_emb"], filter="key = 454").column(0)[0].values.to_numpy()
    value = {
        "list of doubles": lambda: pa.array([q.astype("f8").tolist()]),
        "float32 fixed_size_list": lambda: pa.FixedSizeListArray.from_arrays(pa.array(q), 768),
        "text": lambda: pa.array(["[" + ",".join(map(repr, q.tolist())) + "]"]),
        "little-endian bytes": lambda: pa.array([q.astype("<f4").tobytes()]),
    }[bind]()
    with fixtures.adbc() as conn, conn.cursor() as cur:
        cur.execute("SELECT key FROM laion_v2_2 ORDER BY img_emb <-> ? LIMIT 3", pa.record_batch([value], names=["0"]))
        assert cur.fetchone() == (454,)


@pytest.mark.parametrize("bind", ["list of lists of doubles", "list of fixed_size_list", "text", "little-endian bytes", "literal"])
def test_parameter_of_several_vectors(fixtures, bind):
    section = expected("vector_multivector_cosine")["multivector"][0]
    raw = b"".join(base64.b64decode(v) for v in section["query"])
    q = np.frombuffer(raw, "<f4").reshape(-1, 16)
    value = {
        "list of lists of doubles": lambda: pa.array([q.astype("f8").tolist()]),
        "list of fixed_size_list": lambda: pa.array([q.tolist()], pa.list_(pa.list_(pa.float32(), 16))),
        "text": lambda: pa.array([str(q.tolist())]),
        "little-endian bytes": lambda: pa.array([raw]),
        "literal": lambda: None,
    }[bind]()
    sql = "SELECT key, vecs <=> {} AS d FROM vector_multivector_cosine ORDER BY d LIMIT 10"
    with fixtures.adbc() as conn, conn.cursor() as cur:
        if value is None:
            cur.execute(sql.format(q.tolist()))
        else:
            assert cur.adbc_prepare(sql.format("?")).field(0).type == pa.list_(pa.list_(pa.float32(), 16))
            cur.execute(sql.format("?"), pa.record_batch([value], names=["0"]))
        got = cur.fetchall()
    assert [key for key, _ in got] == section["ann"]["keys"]
    assert np.allclose([d for _, d in got], section["ann"]["distances"], atol=1e-6)


def test_prepared_schemas(fixtures):
    with fixtures.adbc() as conn, conn.cursor() as cur:
        schema = cur.adbc_prepare("SELECT key, img_emb <-> ? AS d FROM laion_v2_2 WHERE key < ? ORDER BY d LIMIT ?")
        assert [f.type for f in schema] == [pa.list_(pa.float32(), 768), pa.int64(), pa.int64()]
        result = cur.adbc_execute_schema("SELECT key, image, caption, similarity, img_emb FROM laion_v2_2")
        assert [str(f.type) for f in result] == ["int64", "large_binary", "string", "double", "fixed_size_list<item: float>[768]"]


@pytest.mark.parametrize("refine, says", [(0, b"estimate"), (10, b"exact")])
def test_distances_say_whether_they_are_exact(fixtures, refine, says):
    sql = f"""SELECT /*+ refine_factor({refine}) */ key, vec <-> (SELECT vec FROM vector_ivf_pq_l2 WHERE key = 8) AS d
        FROM vector_ivf_pq_l2 ORDER BY d LIMIT 5"""
    marks = lambda schema: [(f.metadata or {}).get(b"lance:distance") for f in schema]
    with fixtures.adbc() as conn, conn.cursor() as cur:
        assert marks(cur.adbc_execute_schema(sql)) == [None, says]
        cur.execute(sql)
        assert marks(cur.fetch_arrow_table().schema) == [None, says]
        cur.execute(f"WITH near AS ({sql}) SELECT 1 - n.d AS similarity, n.key FROM near n JOIN near m ON n.key = m.key ORDER BY 1 DESC")
        assert marks(cur.fetch_arrow_table().schema) == [says, None]
    client = fixtures.flight()
    info = client.get_flight_info(flight.FlightDescriptor.for_command(statement_query(sql)))
    stream = client.do_get(info.endpoints[0].ticket)
    assert marks(info.schema) == marks(stream.schema) == [None, says]
    assert info.schema.equals(stream.schema, check_metadata=True)
    assert stream.read_all().num_rows == 5


def test_fetch_df_and_arrow(fixtures, oracle):
    with fixtures.adbc() as conn, conn.cursor() as cur:
        cur.execute("SELECT status, count(*) AS n, avg(similarity) AS s FROM laion_v2_2 GROUP BY status ORDER BY status")
        df = cur.fetch_df()
    want = oracle.to_table(columns=["status", "similarity"]).to_pandas().groupby("status").agg(n=("status", "size"), s=("similarity", "mean"))
    assert df["n"].tolist() == want["n"].tolist()
    np.testing.assert_allclose(df["s"], want["s"], rtol=1e-12)


def test_pandas_read_sql(fixtures, oracle):
    with fixtures.adbc() as conn:
        df = pd.read_sql(f"SELECT key, width, height FROM laion_v2_2 WHERE {CARD}", conn)
    want = oracle.to_table(columns=["key", "width", "height"], filter=CARD.replace('"', "`")).to_pandas()
    pd.testing.assert_frame_equal(df.astype("int64"), want.astype("int64"))


def test_polars_read_database(fixtures, oracle):
    with fixtures.adbc() as conn:
        df = pl.read_database("SELECT key, caption FROM laion_v2_2 WHERE caption ILIKE '%cat%'", conn)
    want = oracle.to_table(columns=["key", "caption"], filter="caption ILIKE '%cat%'")
    assert df.rows() == [tuple(r.values()) for r in want.to_pylist()]


def test_adbc_partitions_outlive_their_statement(fixtures):
    with fixtures.adbc() as conn:
        with conn.cursor() as cur:
            partitions, schema = cur.adbc_execute_partitions("SELECT key FROM laion_v2_2 WHERE key < 3")
        assert schema.names == ["key"]
        with conn.cursor() as cur:
            cur.adbc_read_partition(partitions[0])
            assert cur.fetchall() == [(0,), (1,), (2,)]


def test_whole_table_equals_pylance(fixtures, oracle):
    got = fixtures.query("SELECT * FROM laion_v2_2")
    assert got.equals(oracle.to_table().cast(got.schema))


# ---- raw pyarrow.flight ---------------------------------------------------------------------------


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def statement_query(sql):
    """A CommandStatementQuery in its Any, by hand, as clients without a Flight SQL library do."""
    text = sql.encode()
    command = b"\x0a" + varint(len(text)) + text
    url = b"type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"
    return b"\x0a" + varint(len(url)) + url + b"\x12" + varint(len(command)) + command


def test_pyarrow_flight_command(fixtures):
    client = fixtures.flight()
    info = client.get_flight_info(flight.FlightDescriptor.for_command(statement_query("SELECT key FROM laion_v2_2 WHERE key < 5")))
    assert info.schema.names == ["key"] and len(info.endpoints) == 1
    assert client.do_get(info.endpoints[0].ticket).read_all().column("key").to_pylist() == [0, 1, 2, 3, 4]
    # A ticket is stateless: it may be read again, and by another connection.
    assert fixtures.flight().do_get(info.endpoints[0].ticket).read_all().num_rows == 5


def test_pyarrow_flight_courtesies(fixtures):
    client = fixtures.flight()
    info = client.get_flight_info(flight.FlightDescriptor.for_command(b"SELECT count(*) AS n FROM laion_v2_1"))
    assert client.do_get(info.endpoints[0].ticket).read_all().to_pylist() == [{"n": 420}]
    info = client.get_flight_info(flight.FlightDescriptor.for_path("laion_v2_1"))
    assert client.do_get(info.endpoints[0].ticket).read_all().num_rows == 420
    assert client.get_schema(flight.FlightDescriptor.for_command(b"SELECT key FROM laion_v2_1")).schema.names == ["key"]
    listed = {f.descriptor.path[0] for f in client.list_flights()}
    assert b"laion_v2_1" in listed
    assert "SetSessionOptions" in {a.type for a in client.list_actions()}


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_compression_when_asked(fixtures, codec):
    client = fixtures.flight()
    options = flight.FlightCallOptions(headers=[(b"x-lance-compression", codec.encode())])
    sql = b"SELECT key, caption, url FROM laion_v2_2"
    info = client.get_flight_info(flight.FlightDescriptor.for_command(sql), options)
    got = client.do_get(info.endpoints[0].ticket, options).read_all()
    assert got.equals(fixtures.query(sql.decode()))


def test_batches_are_cut_by_bytes(fixtures):
    client = fixtures.flight()
    info = client.get_flight_info(flight.FlightDescriptor.for_command(b"SELECT * FROM laion_v2_2"))
    sizes = [chunk.data.nbytes for chunk in client.do_get(info.endpoints[0].ticket)]
    assert len(sizes) > 1 and max(sizes) <= 4 << 20


def test_session_settings_and_headers(fixtures):
    with fixtures.adbc() as conn, conn.cursor() as cur:
        cur.execute("SET lance.nprobes = 7")
        cur.execute("SHOW lance.nprobes")
        assert "7" in [str(v) for v in cur.fetchone()]
        assert conn.adbc_current_catalog == "lance" and conn.adbc_current_db_schema == "main"
        cur.execute("RESET lance.nprobes")
        cur.execute("SHOW lance.nprobes")
        assert "20" in [str(v) for v in cur.fetchone()]
    with fixtures.adbc(db_kwargs={"adbc.flight.sql.rpc.call_header.x-lance-nprobes": "3"}) as conn, conn.cursor() as cur:
        cur.execute("SHOW lance.nprobes")
        assert "3" in [str(v) for v in cur.fetchone()]


def test_explain(fixtures):
    rows = fixtures.query("EXPLAIN SELECT key FROM laion_v2_2 ORDER BY img_emb <-> (SELECT img_emb FROM laion_v2_2 WHERE key = 3) LIMIT 5").to_pylist()
    text = "\n".join(r["plan"] for r in rows)
    assert set(rows[0]) == {"plan_type", "plan"} and "img_emb_idx" in text and "ANN" in text
    rows = fixtures.query(f"EXPLAIN ANALYZE SELECT key FROM laion_v2_2 WHERE {CARD}").to_pylist()
    assert "LanceScan" in "\n".join(r["plan"] for r in rows)
