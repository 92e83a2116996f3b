"""The binary itself: the ready line, the snippets as printed, stopping, TLS and users, bad paths, snapshots."""

import contextlib
import io
import re
import subprocess
import threading
import time

import bcrypt
import lance
import numpy as np
import pyarrow as pa
import pyarrow.flight as flight
import pytest

from conftest import BIN, Server


def test_ready_line(sample):
    assert re.match(r"lanceflight \S+ ready on grpc://127\.0\.0\.1:\d+ serving table train\n", sample.ready)


def run_python(text):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(text, "<snippet>", "exec"), {})
    return out.getvalue()


def test_python_snippets_work_as_printed(sample):
    texts = [t for title, t in sample.snippets().items() if title.startswith("Python")]
    assert len(texts) == 2
    for text in texts:
        shown = run_python(text)
        assert "key" in shown and "[5 rows x 17 columns]" in shown


def test_config_file_and_environment(tmp_path):
    (tmp_path / "good.yaml").write_text("statement-timeout: 1ns\n")
    (tmp_path / "bad.yaml").write_text("adr: 127.0.0.1:0\n")
    for args, env in ((["--config", tmp_path / "good.yaml"], {}), ([], {"LANCEFLIGHT_STATEMENT_TIMEOUT": "1ns"})):
        server = Server(*args, env=env)
        try:
            with pytest.raises(Exception, match="statement_timeout"):
                server.query("SELECT * FROM train")
        finally:
            server.stop()
    done = subprocess.run([BIN, "serve", "--config", tmp_path / "bad.yaml"], capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and '"adr"' in done.stderr


def test_sigterm_drains(start):
    server = Server()
    client = server.flight()
    info = client.get_flight_info(flight.FlightDescriptor.for_command(b"SELECT key FROM train"))
    reader = client.do_get(info.endpoints[0].ticket)
    assert reader.read_chunk().data.num_rows > 0
    del reader, client
    assert server.stop() == 0


@pytest.mark.parametrize("make, says", [
    (lambda d: d / "nothing.lance", "nothing.lance"),
    (lambda d: (d / "plain").write_text("x") and d / "plain", "plain"),
    (lambda d: (d / "empty.lance").mkdir() or d / "empty.lance", "empty.lance"),
])
def test_a_path_that_is_no_table(tmp_path, make, says):
    done = subprocess.run([BIN, "serve", "--addr", "127.0.0.1:0", str(make(tmp_path))], capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and says in done.stderr and "panic" not in done.stderr


def test_refuses_to_listen_beyond_loopback(tmp_path):
    done = subprocess.run([BIN, "serve", "--addr", "0.0.0.0:0"], capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and "--insecure" in done.stderr


def test_users(tmp_path):
    hashed = bcrypt.hashpw(b"s3cret", bcrypt.gensalt(4)).decode()
    (tmp_path / "users").write_text(f"# name:hash\nann:{hashed}\n")
    server = Server("--auth", tmp_path / "users")
    try:
        with pytest.raises(Exception, match="user name and password"):
            server.query("SELECT 1")
        client = server.flight()
        with pytest.raises(flight.FlightUnauthenticatedError, match="wrong user name or password"):
            client.authenticate_basic_token("ann", "wrong")
        header = client.authenticate_basic_token("ann", "s3cret")
        options = flight.FlightCallOptions(headers=[header])
        info = client.get_flight_info(flight.FlightDescriptor.for_command(b"SELECT count(*) AS n FROM train"), options)
        assert client.do_get(info.endpoints[0].ticket, options).read_all().to_pylist() == [{"n": 1000}]
        with pytest.raises(flight.FlightUnauthenticatedError):
            client.do_get(info.endpoints[0].ticket).read_all()  # the ticket alone opens nothing
        with server.adbc(db_kwargs={"username": "ann", "password": "s3cret"}) as conn, conn.cursor() as cur:
            cur.execute("SELECT count(*) FROM train")
            assert cur.fetchone() == (1000,)
    finally:
        server.stop()


def test_sql_command_prints_plans_whole(sample):
    sql = """SELECT key, caption, url FROM train WHERE width > 512 AND caption LIKE '%red%'
             ORDER BY img_emb <-> (SELECT img_emb FROM train WHERE key = 42) LIMIT 5"""
    # Both ask one server: what it has learnt from other statements is in its estimates.
    done = subprocess.run([BIN, "sql", "--connect", sample.url, "EXPLAIN " + sql], capture_output=True, text=True, timeout=60)
    rows = sample.query("EXPLAIN " + sql).to_pylist()
    assert len(rows) == 2 and all(row["plan"].count("\n") >= i for i, row in zip((2, 0), rows))
    assert done.stdout == "\n".join(f"{row['plan_type']}:\n{row['plan'].rstrip()}\n" for row in rows), done.stderr


def test_sql_command(sample):
    done = subprocess.run([BIN, "sql", "--format", "csv", "SELECT count(*) AS n FROM train"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "n\n1000\n"), done.stderr
    done = subprocess.run([BIN, "sql", "--connect", sample.url, "--format", "json", "SELECT key FROM train ORDER BY key LIMIT 2"],
                          capture_output=True, text=True, timeout=60)
    assert done.stdout == '{"key":0}\n{"key":1}\n', done.stderr
    done = subprocess.run([BIN, "sql", "SELECT nope FROM train"], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "nope" in done.stderr


# ---- snapshots ------------------------------------------------------------------------------------


def test_a_new_version_is_seen_by_the_next_statement(start, tmp_path):
    path = tmp_path / "t.lance"
    lance.write_dataset(pa.table({"key": pa.array(range(10))}), str(path))
    server = start(path)
    assert server.query("SELECT count(*) AS n FROM t").to_pylist() == [{"n": 10}]
    client = server.flight()
    pinned = client.get_flight_info(flight.FlightDescriptor.for_command(b"SELECT count(*) AS n FROM t")).endpoints[0].ticket
    lance.write_dataset(pa.table({"key": pa.array(range(5))}), str(path), mode="append")
    assert server.query("SELECT count(*) AS n FROM t").to_pylist() == [{"n": 15}]
    # The ticket was issued before the commit, and keeps the snapshot it was planned on.
    assert client.do_get(pinned).read_all().to_pylist() == [{"n": 10}]
    lance.dataset(str(path)).delete("key < 3")
    assert server.query("SELECT count(*) AS n, min(key) AS lo FROM t").to_pylist() == [{"n": 9, "lo": 3}]


def test_a_stream_under_way_keeps_its_snapshot(start, tmp_path):
    path = tmp_path / "wide.lance"
    rows = 40_000
    data = pa.table({"key": pa.array(range(rows)), "pad": pa.array([b"x" * 1000] * rows, pa.large_binary())})
    lance.write_dataset(data, str(path), max_rows_per_file=10_000)
    server = start(path)
    client = server.flight()
    info = client.get_flight_info(flight.FlightDescriptor.for_command(b"SELECT * FROM wide"))
    reader = client.do_get(info.endpoints[0].ticket)
    first = reader.read_chunk().data
    lance.dataset(str(path)).delete("key >= 5")
    keys = first.column("key").to_pylist() + [k for c in reader for k in c.data.column("key").to_pylist()]
    assert keys == list(range(rows))
    assert server.query("SELECT count(*) AS n FROM wide").to_pylist() == [{"n": 5}]


def test_a_table_that_appears_later_is_found(start, tmp_path):
    lance.write_dataset(pa.table({"a": [1]}), str(tmp_path / "one.lance"))
    server = start(tmp_path)
    lance.write_dataset(pa.table({"a": [1, 2]}), str(tmp_path / "two.lance"))
    assert server.query("SELECT count(*) AS n FROM two").to_pylist() == [{"n": 2}]


def test_a_dropped_stream_frees_its_memory(start, tmp_path):
    """Ten readers that each take one batch of a big table and go away leave nothing behind."""
    path = tmp_path / "big.lance"
    rng = np.random.default_rng(1)
    n = 60_000
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(rng.random(n * 256, dtype="f4")), 256)
    lance.write_dataset(pa.table({"key": pa.array(range(n)), "v": vectors, "w": vectors}), str(path), max_rows_per_file=15_000)
    server = start(path)
    for _ in range(10):
        client = server.flight()
        info = client.get_flight_info(flight.FlightDescriptor.for_command(b"SELECT * FROM big"))
        reader = client.do_get(info.endpoints[0].ticket)
        reader.read_chunk()
        reader.cancel()
        del reader
        client.close()
    client = server.flight()
    # The log of the server says when each stream ended; the statement below is answered while none runs.
    assert server.query("SELECT count(*) AS n FROM big").to_pylist() == [{"n": n}]
    del client


def unread(server, sql, seconds=1.5):
    """How many MiB the server's own memory (mapped files aside) grows by for a reader that stops reading."""
    server.query(sql.replace("SELECT", "SELECT count(*) FROM (SELECT") + ") WHERE key < 0")
    before = server.memory_mib()
    client = server.flight()
    info = client.get_flight_info(flight.FlightDescriptor.for_command(sql.encode()))
    reader = client.do_get(info.endpoints[0].ticket)
    reader.read_chunk()
    time.sleep(seconds)  # the server may run ahead as far as its bounds allow, not further
    grown = server.memory_mib() - before
    reader.cancel()
    return grown


def test_a_slow_reader_does_not_make_the_server_grow(start, tmp_path):
    path = tmp_path / "slow.lance"
    n = 400_000
    pad = np.random.default_rng(3).integers(0, 256, n * 1000, dtype="u1").tobytes()
    offsets = pa.array(np.arange(n + 1, dtype="i8") * 1000).buffers()[1]
    column = pa.LargeBinaryArray.from_buffers(pa.large_binary(), n, [None, offsets, pa.py_buffer(pad)])
    lance.write_dataset(pa.table({"key": pa.array(range(n)), "pad": column}), str(path), max_rows_per_file=100_000)
    assert unread(start(path), "SELECT key, pad FROM slow") < 128  # of 400 MB


def test_rows_that_grow_when_they_are_decoded_do_not_either(start, tmp_path):
    """A column of one value repeated takes a few bytes on disk and 400 MB in memory."""
    path = tmp_path / "same.lance"
    n = 400_000
    lance.write_dataset(pa.table({"key": pa.array(range(n)), "pad": pa.array([bytes(1000)] * n, pa.large_binary())}), str(path), max_rows_per_file=200_000)
    assert unread(start(path), "SELECT key, pad FROM same") < 128


def test_many_connections_at_once(sample):
    failures = []

    def work(i):
        try:
            for k in range(5):
                got = sample.query(f"SELECT key FROM train WHERE key >= {i} ORDER BY key LIMIT 3").num_rows
                assert got == 3
        except Exception as e:  # collected for the main thread
            failures.append(e)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(16)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failures
