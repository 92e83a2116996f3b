"""Bad input: a clear error in the right code, and the server goes on."""

import os
import pathlib
import shutil
import struct

import adbc_driver_manager
import lance
import numpy as np
import pyarrow as pa
import pyarrow.flight as flight
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
STATUS = adbc_driver_manager.AdbcStatusCode


def refused(server, sql, parameters=None):
    """The error of a statement, as ADBC shows it, while the server still answers."""
    with server.adbc() as conn, conn.cursor() as cur:
        with pytest.raises(adbc_driver_manager.Error) as caught:
            cur.execute(sql, parameters)
            cur.fetchall()
    assert server.query("SELECT 1 AS one").to_pylist() == [{"one": 1}]
    return caught.value


@pytest.mark.parametrize("sql, code, says", [
    ("SELEC 1", STATUS.INVALID_ARGUMENT, "LINE 1"),
    ("SELECT * FROM train WHERE", STATUS.INVALID_ARGUMENT, "LINE 1"),
    ("SELECT capton FROM train", STATUS.INVALID_ARGUMENT, "caption"),
    ("SELECT * FROM trian", STATUS.NOT_FOUND, "train"),
    ("SELECT * FROM train FOR VERSION AS OF 999", STATUS.NOT_FOUND, "999"),
    ("SELECT * FROM train FOR VERSION AS OF 'no-such-tag'", STATUS.NOT_FOUND, "no-such-tag"),
    ("SELECT key + caption FROM train", STATUS.INVALID_ARGUMENT, ""),
    ("SELECT 1 / (key - key) FROM train", STATUS.INVALID_ARGUMENT, "division by zero"),
    ("SELECT key FROM train ORDER BY img_emb <-> [1, 2, 3] LIMIT 1", STATUS.INVALID_ARGUMENT, "768"),
    ("SELECT nosuch(key) FROM train", STATUS.INVALID_ARGUMENT, "nosuch"),
    ("INSERT INTO train VALUES (1)", STATUS.NOT_IMPLEMENTED, "not supported"),
    ("SELECT count(*) FROM train t WHERE width > (SELECT avg(width) FROM train u WHERE u.status = t.status)", STATUS.NOT_IMPLEMENTED, "correlated"),
    ("WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r", STATUS.NOT_IMPLEMENTED, "not supported"),
    ("SELECT key FROM train WHERE match(caption, 'cat')", STATUS.NOT_IMPLEMENTED, "full text"),
    ("SELECT sum(key) OVER (ORDER BY key) FROM train", STATUS.NOT_IMPLEMENTED, "not supported"),
    ("SET lance.nosuch = 1", STATUS.INVALID_ARGUMENT, "lance."),
    ("SELECT 1; SELECT 2", STATUS.INVALID_ARGUMENT, ""),
    # ADBC has no status for RESOURCE_EXHAUSTED: its message names the gRPC code.
    ("SELECT " + "(" * 10_000 + "1" + ")" * 10_000, STATUS.INTERNAL, "150 levels"),
])
def test_statement(sample, sql, code, says):
    e = refused(sample, sql)
    assert e.status_code == code, e
    assert says in str(e)


@pytest.mark.parametrize("vector, says", [
    ([1.0, 2.0, 3.0], "768"),
    ([float("nan")] * 768, "NaN"),
    ([float("inf")] + [0.0] * 767, "inf"),
    ("not a vector", ""),
])
def test_vector_parameter(sample, vector, says):
    e = refused(sample, "SELECT key FROM train ORDER BY img_emb <-> ? LIMIT 3", (vector,))
    assert e.status_code == STATUS.INVALID_ARGUMENT and says.lower() in str(e).lower()


@pytest.mark.parametrize("sql", [
    "SELECT key FROM train WHERE caption LIKE 'a%' AND nosuch = 1",
    "SELECT 'a%d %s %!v(MISSING) 100%' FROM nosuch",
    "SELECT key % 2 FROM train WHERE",
])
def test_percent_signs_in_errors(sample, sql):
    """The ADBC driver takes an error's text for a format; other clients do not."""
    shown = str(refused(sample, sql))
    with pytest.raises(pa.ArrowException) as caught:
        sample.flight().get_flight_info(flight.FlightDescriptor.for_command(sql.encode()))
    plain = str(caught.value)
    assert "NOVERB" not in shown and (r"%!v(MISSING)" in plain) == ("％!v(MISSING)" in shown)
    line = next(line for line in plain.splitlines() if line.startswith("LINE 1: "))
    assert line == "LINE 1: " + sql and line.replace("%", "％") in shown


def limit(what):
    """What LIMITS.md says that a client gets, of the row that begins with what."""
    line = next(line for line in (ROOT / "docs" / "LIMITS.md").read_text().splitlines() if line.startswith(f"| {what}"))
    return line.split("|")[2].strip().strip("`")


def test_what_flight_sql_has_and_this_server_has_not(sample):
    with sample.adbc() as conn, conn.cursor() as cur:
        with pytest.raises(adbc_driver_manager.Error) as caught:
            cur.execute(b"a Substrait plan").fetchall()
        assert limit("Substrait plans") in str(caught.value) and caught.value.status_code == STATUS.NOT_IMPLEMENTED
    for mode in ("create", "append", "replace", "create_append"):
        with sample.adbc() as conn, conn.cursor() as cur, pytest.raises(adbc_driver_manager.Error) as caught:
            cur.adbc_ingest("x", pa.table({"a": [1]}), mode=mode)
        assert limit("bulk ingestion") in str(caught.value) and caught.value.status_code == STATUS.NOT_IMPLEMENTED
    with pytest.raises(adbc_driver_manager.Error) as caught:
        sample.adbc(autocommit=False, conn_kwargs={"adbc.connection.autocommit": "false"})
    assert "not implemented" not in str(caught.value)
    client = sample.flight()
    for action, says in (("BeginTransaction", ""), ("BeginSavepoint", ""), ("nosuch", "nosuch")):
        with pytest.raises(NotImplementedError, match=f"not supported: .*{says}"):
            list(client.do_action(flight.Action(action, b"")))
    with pytest.raises(NotImplementedError) as caught:
        writer, reader = client.do_exchange(flight.FlightDescriptor.for_command(b"x"))
        with writer:
            writer.done_writing()
            reader.read_all()
    assert limit("`DoExchange`") in str(caught.value)


def test_wrong_number_of_parameters(sample):
    e = refused(sample, "SELECT key FROM train WHERE key = ?", (1, 2))
    assert e.status_code in (STATUS.INVALID_ARGUMENT, STATUS.INVALID_STATE)


@pytest.mark.parametrize("ticket", [b"", b"nonsense", b"\x00" * 100])
def test_ticket_that_is_none(sample, ticket):
    with pytest.raises(pa.ArrowInvalid):
        sample.flight().do_get(flight.Ticket(ticket)).read_all()


def test_forged_ticket(sample):
    client = sample.flight()
    info = client.get_flight_info(flight.FlightDescriptor.for_command(b"SELECT key FROM train WHERE key = 1"))
    ticket = bytearray(info.endpoints[0].ticket.ticket)
    at = ticket.index(b"key = 1")
    ticket[at + 6] = ord("2")
    with pytest.raises(flight.FlightUnauthorizedError, match="signature"):
        client.do_get(flight.Ticket(bytes(ticket))).read_all()
    assert client.do_get(info.endpoints[0].ticket).read_all().num_rows == 1


def prepared_handle(handle):
    from test_clients import varint
    command = b"\x0a" + varint(len(handle)) + handle
    url = b"type.googleapis.com/arrow.flight.protocol.sql.CommandPreparedStatementQuery"
    return b"\x0a" + varint(len(url)) + url + b"\x12" + varint(len(command)) + command


def test_unknown_prepared_handle(sample):
    with pytest.raises(Exception, match="unknown prepared statement"):
        sample.flight().get_flight_info(flight.FlightDescriptor.for_command(prepared_handle(b"no such handle")))


# ---- damaged tables -------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.lance"
    rng = np.random.default_rng(7)
    n = 600
    v = pa.FixedSizeListArray.from_arrays(pa.array(rng.random(n * 16, dtype="f4")), 16)
    lance.write_dataset(pa.table({"key": pa.array(range(n)), "s": pa.array([f"row {i}" * 3 for i in range(n)]), "v": v}), str(path))
    ds = lance.dataset(str(path))
    ds.create_index("v", "IVF_PQ", num_partitions=2, num_sub_vectors=4)
    lance.dataset(str(path)).delete("key % 7 = 3")
    return path


def only(path, pattern):
    [found] = path.glob(pattern)
    return found


def newest(path):
    return sorted((path / "_versions").glob("*.manifest"))[0]  # names count down


@pytest.mark.parametrize("what", ["data", "manifest", "deletion", "index", "missing data"])
def test_damaged_file(start, table, what):
    target = {
        "data": lambda: only(table, "data/*.lance"),
        "missing data": lambda: only(table, "data/*.lance"),
        "manifest": lambda: newest(table),
        "deletion": lambda: only(table, "_deletions/*"),
        "index": lambda: only(table, "_indices/*/auxiliary.idx"),
    }[what]()
    good = table.parent / "good.lance"
    shutil.copytree(table, good)
    if what == "missing data":
        target.unlink()
    else:
        raw = target.read_bytes()
        target.write_bytes(raw[: len(raw) // 2])  # truncated
    server = start(table.parent)
    sql = {
        "index": "SELECT key FROM t ORDER BY l2_distance(v, [" + ",".join(["0.5"] * 16) + "], '') LIMIT 3",
    }.get(what, "SELECT * FROM t")
    with server.adbc() as conn, conn.cursor() as cur:
        if what == "index":
            # A damaged index must not hide rows: the search answers exactly, from the vectors.
            cur.execute(sql)
            got = [r[0] for r in cur.fetchall()]
            assert got == [r["key"] for r in server.query(sql.replace("FROM t ", "FROM good ").replace("'')", "'use_index=false')")).to_pylist()]
            # Who asks for the index is told that it is damaged, and where.
            for asked in (sql.replace("'')", "'use_index=true')"), sql):
                if asked == sql:
                    cur.execute("SET lance.use_index = true")
                with pytest.raises(adbc_driver_manager.Error, match="use_index=true was asked for, but index v_idx cannot be used") as caught:
                    cur.execute(asked)
                    cur.fetchall()
                assert target.name in str(caught.value)
            cur.execute("RESET lance.use_index")
            cur.execute(sql)
            assert [r[0] for r in cur.fetchall()] == got
        else:
            with pytest.raises(adbc_driver_manager.Error) as caught:
                cur.execute(sql)
                cur.fetchall()
            assert caught.value.status_code != STATUS.INTERNAL or "corrupt" in str(caught.value)
            assert target.name in str(caught.value) or "corrupt" in str(caught.value)
    assert server.query("SELECT count(*) AS n FROM good").to_pylist() == [{"n": 514}]


def test_file_truncated_under_a_running_server(start, table):
    server = start(table)
    assert server.query("SELECT * FROM t").num_rows == 514
    target = only(table, "data/*.lance")
    with open(target, "r+b") as f:
        f.truncate(100)
    with pytest.raises(adbc_driver_manager.Error):
        server.query("SELECT * FROM t")
    assert server.query("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_unknown_storage_versions_say_so(start, table):
    """A data file says its storage version in its footer: major and minor, then the magic."""
    target = only(table, "data/*.lance")
    with open(target, "r+b") as f:
        f.seek(-8, os.SEEK_END)
        assert f.read(8)[4:] == b"LANC"
        f.seek(-6, os.SEEK_END)
        f.write(struct.pack("<H", 9))
    e = refused(start(table), "SELECT * FROM t")
    assert e.status_code == STATUS.NOT_IMPLEMENTED and "2.9" in str(e) and "not supported: " in str(e)


# ---- query vectors --------------------------------------------------------------------------------


def test_bad_query_vectors(start, table):
    server = start(table)
    rng = np.random.default_rng(3)
    good = rng.random(16).tolist()
    sql = "SELECT key FROM t ORDER BY v <-> ? LIMIT ?"
    with server.adbc() as conn, conn.cursor() as cur:

        def search(vector, k, type=pa.list_(pa.float32())):
            batch = pa.record_batch([pa.array([vector], type), pa.array([k], pa.int64())], ["0", "1"])
            cur.execute(sql, batch)
            return [r[0] for r in cur.fetchall()]

        want = search(good, 5)
        assert len(want) == 5
        assert search(good, 5, pa.list_(pa.float64())) == want
        assert search(good, 5, pa.list_(pa.float32(), 16)) == want
        assert len(search([i % 3 for i in range(16)], 5, pa.list_(pa.int64()))) == 5
        for k in (10_000, 2**31, 2**63 - 1):
            assert len(search(good, k)) == 514
        assert search(good, 0) == []
        for vector, k, type in [
            (good[1:], 5, pa.list_(pa.float32())),
            (good + [1.0], 5, pa.list_(pa.float64())),
            ([], 5, pa.list_(pa.float64())),
            (None, 5, pa.list_(pa.float64())),
            ([float("nan")] + good[1:], 5, pa.list_(pa.float32())),
            ([float("inf")] + good[1:], 5, pa.list_(pa.float64())),
            ([1e300] + good[1:], 5, pa.list_(pa.float64())),
            ([None] + good[1:], 5, pa.list_(pa.float64())),
            (["cat"] * 16, 5, pa.list_(pa.string())),
            (7, 5, pa.int64()),
            (good, -1, pa.list_(pa.float32())),
        ]:
            with pytest.raises(adbc_driver_manager.Error) as caught:
                search(vector, k, type)
            assert caught.value.status_code == STATUS.INVALID_ARGUMENT, (vector, k, str(caught.value))
        zeros = "[" + ",".join(["0"] * 16) + "]"
        cur.execute(f"SELECT key FROM t ORDER BY v <=> {zeros} LIMIT 5")
        assert cur.fetchall() == []  # no row is at any angle to it
        assert search(good, 5) == want
