"""The examples of README and docs, run as they are printed there, on the table that `serve` shows without arguments.

A fence of a code block says what is to become of it:

    ```sql               every statement runs on the embedded sample
    ```sql refused       every statement is an error
    ```sql other-table   every statement runs on a table that this file writes with pylance
    ```python            runs against the sample, on the port of the test's server
    ```python users      the same, on a server with the user ann, whose password is s3cret
    ```python tls        the same, over TLS, in a directory that holds the server's certificate as cert.pem
    ```console           commands behind a dollar sign, with all that they print, in a copy of the fixtures
    ```console damaged   the same, where the deletion files of branches.lance are missing

LIMITS.md has statements and errors in a table: each statement of it gives the error that stands beside it.
"""

import contextlib
import io
import re
import shutil
import subprocess
import sys

import bcrypt
import lance
import numpy as np
import pyarrow as pa
import pytest

from conftest import BIN, ROOT

FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.S | re.M)
DOCS = sorted((ROOT / "docs").glob("*.md"))
ADDRESS = "127.0.0.1:32010"  # as the docs print it


def blocks(path, language, mark):
    """The code blocks of a page with a language and a mark behind it, each with its line."""
    text = path.read_text()
    return [(text.count("\n", 0, m.start()) + 1, m[3]) for m in FENCE.finditer(text) if m[1] == language and m[2].strip() == mark]


def cases(pages, language, mark=""):
    return [pytest.param(body, id=f"{path.name}:{line}") for path in pages for line, body in blocks(path, language, mark)]


def statements(block):
    return [s.strip() for s in re.sub(r"--[^\n]*", "", block).split(";") if s.strip()]


def run_all(server, block):
    """Run a block on one connection, since SET holds for the statements behind it."""
    with server.adbc() as conn, conn.cursor() as cur:
        for sql in statements(block):
            cur.execute(sql)
            yield sql, cur.fetch_arrow_table()


def test_every_query_of_the_readme(sample):
    results = [r for _, block in blocks(ROOT / "README.md", "sql", "") for r in run_all(sample, block)]
    assert len(results) >= 5
    for sql, table in results:
        assert table.num_rows > 0, sql
        if "LIMIT 10" in sql and "EXPLAIN" not in sql:
            assert table.num_rows == 10, sql


def test_docs_have_examples():
    assert {"SQL.md", "VECTOR_SEARCH.md", "CONNECTING.md"} <= {p.name for p in DOCS if FENCE.search(p.read_text())}
    # A mark that nobody knows would leave its block out of the tests.
    for path in [ROOT / "README.md", *DOCS]:
        for m in FENCE.finditer(path.read_text()):
            known = {"sql": ("", "refused", "other-table"), "python": ("", "users", "tls"), "console": ("", "damaged")}
            assert m[2].strip() in known.get(m[1], ("",)), f"{path.name}: ```{m[1]}{m[2]}"


@pytest.mark.parametrize("block", cases(DOCS, "sql"))
def test_sql_runs(sample, block):
    assert list(run_all(sample, block))


@pytest.mark.parametrize("block", cases(DOCS, "sql", "refused"))
def test_sql_is_refused(sample, block):
    for sql in statements(block):
        with pytest.raises(Exception, match="InvalidArgument|Unimplemented|NotFound"):
            sample.query(sql)


@pytest.fixture(scope="module")
def other_tables(start, tmp_path_factory):
    """Tables of kinds that the sample does not have: pages has lists of vectors, hashes has vectors of bytes."""
    directory = tmp_path_factory.mktemp("docs")
    rng = np.random.default_rng(7)
    vectors = [rng.standard_normal((3, 4)).astype("f4").tolist() for _ in range(20)]
    lance.write_dataset(pa.table({
        "key": pa.array(range(20)),
        "tokens": pa.array(vectors, pa.list_(pa.list_(pa.float32(), 4))),
    }), str(directory / "pages.lance"))
    bits = pa.array(rng.integers(0, 256, 20 * 8, dtype="u1"))
    lance.write_dataset(pa.table({
        "key": pa.array(range(20)),
        "phash": pa.FixedSizeListArray.from_arrays(bits, 8),
    }), str(directory / "hashes.lance"))
    return start(directory)


@pytest.mark.parametrize("block", cases(DOCS, "sql", "other-table"))
def test_sql_runs_on_other_tables(other_tables, block):
    assert all(table.num_rows > 0 for _, table in run_all(other_tables, block))


def run_python(server, block):
    assert ADDRESS in block
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(block.replace(ADDRESS, server.url.split("://")[1]), "<docs>", "exec"), {})
    assert out.getvalue(), "the example prints nothing"


@pytest.mark.parametrize("block", cases(DOCS, "python"))
def test_python_runs(sample, block):
    run_python(sample, block)


@pytest.fixture(scope="module")
def users(tmp_path_factory):
    path = tmp_path_factory.mktemp("users") / "users"
    path.write_text(f"ann:{bcrypt.hashpw(b's3cret', bcrypt.gensalt(4)).decode()}\n")
    return path


@pytest.mark.parametrize("block", cases(DOCS, "python", "users"))
def test_python_runs_with_users(start, users, block):
    run_python(start("--auth", users), block)


@pytest.mark.parametrize("block", cases(DOCS, "python", "tls"))
def test_python_runs_over_tls(start, users, tmp_path, monkeypatch, block):
    subprocess.run([ROOT / "integration" / "need.sh", "openssl", "openssl"], check=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                   check=True, cwd=tmp_path, capture_output=True)
    server = start("--auth", users, "--tls-cert", tmp_path / "cert.pem", "--tls-key", tmp_path / "key.pem")
    monkeypatch.chdir(tmp_path)
    run_python(server, block)


def refusals():
    """The rows of LIMITS.md whose first cell is a statement, with the error in the second one."""
    for line in (ROOT / "docs" / "LIMITS.md").read_text().splitlines():
        cells = re.split(r"(?<!\\)\|", line)
        if len(cells) < 4:
            continue
        statement, error = (re.fullmatch(r"`(.+)`", c.strip()) for c in cells[1:3])
        if statement and error and re.match(r"[A-Z]+\b", statement[1]):
            yield pytest.param(statement[1].replace("\\|", "|"), error[1], id=statement[1][:40])


@pytest.mark.parametrize("sql, error", list(refusals()))
def test_limits_are_what_the_page_says(sample, sql, error):
    with pytest.raises(Exception, match=re.escape(error)):
        sample.query(sql)


def run_console(directory, block):
    """Each command of a block, with what the page says it prints."""
    for command, printed in re.findall(r"^\$ ([^\n]*)\n(.*?)(?=^\$ |\Z)", block, re.S | re.M):
        script = f'lanceflight() {{ "{BIN}" "$@"; }}; {command}'
        done = subprocess.run(["bash", "-c", script], cwd=directory, capture_output=True, text=True, timeout=60)
        assert done.stdout.rstrip("\n") == printed.rstrip("\n"), done.stderr


@pytest.fixture
def tables(fixtures_dir, tmp_path):
    for name in ("branches", "laion_v2_2", "types_v2_2"):
        shutil.copytree(fixtures_dir / f"{name}.lance", tmp_path / f"{name}.lance")
    return tmp_path


@pytest.mark.parametrize("block", cases(DOCS, "console"))
def test_commands_print_what_the_page_says(tables, block):
    run_console(tables, block)


@pytest.mark.parametrize("block", cases(DOCS, "console", "damaged"))
def test_commands_on_a_damaged_table(tables, block):
    shutil.rmtree(tables / "branches.lance" / "_deletions")
    run_console(tables, block)


def test_picture_of_the_benchmarks_shows_the_table():
    subprocess.run([sys.executable, ROOT / "bench" / "chart.py", "--check"], check=True)
