"""Servers for the tests: the real binary, on a port of its own choosing, as a user would start it.

LANCEFLIGHT_BIN names the binary (make test sets it); LANCEFLIGHT_FIXTURES the tables that pylance wrote,
by default ../shared/laion/fixtures beside the project.
"""

import json
import os
import re
import signal
import subprocess
import threading
from pathlib import Path

import adbc_driver_flightsql.dbapi as flightsql
import pyarrow.flight as flight
import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = os.environ.get("LANCEFLIGHT_BIN", str(ROOT / "bin" / "lanceflight"))
FIXTURES = Path(os.environ.get("LANCEFLIGHT_FIXTURES", ROOT.parent / "shared" / "laion" / "fixtures"))


class Server:
    """A running server; output is everything it printed when it was ready."""

    def __init__(self, *args, env=None):
        self.process = subprocess.Popen(
            [BIN, "serve", "--addr", "127.0.0.1:0", *map(str, args)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})},
        )
        first = self.process.stdout.readline()
        found = re.search(r"ready on (grpc(?:\+tls)?://\S+)", first)
        if not found:
            self.process.kill()
            raise RuntimeError(f"no ready line: {first!r} {self.process.stderr.read()}")
        self.url = found.group(1)
        self.ready = first
        self.output = first
        self._lines = []
        self._snippets = threading.Event()
        threading.Thread(target=self._collect, daemon=True).start()
        self.errors = []
        threading.Thread(target=self._drain_errors, daemon=True).start()

    def _collect(self):
        for line in self.process.stdout:
            self._lines.append(line)
            if "DBeaver" in line:
                # The last snippet: its one line follows.
                self._lines.append(self.process.stdout.readline())
                self._snippets.set()

    def _drain_errors(self):
        for line in self.process.stderr:
            self.errors.append(line)

    def snippets(self):
        """Title -> text of the snippets that were printed."""
        assert self._snippets.wait(10)
        out, title = {}, None
        for line in self._lines:
            if line.startswith("# "):
                title = line[2:].strip()
                out[title] = ""
            elif title and line.strip():
                out[title] += line[4:]
        return out

    def adbc(self, **kwargs):
        return flightsql.connect(self.url, **kwargs)

    def flight(self):
        return flight.connect(self.url)

    def query(self, sql, parameters=None):
        """The result of one statement as an Arrow table, through the stock ADBC driver."""
        with self.adbc() as conn, conn.cursor() as cur:
            cur.execute(sql, parameters)
            return cur.fetch_arrow_table()

    def memory_mib(self):
        """The server's own memory: resident pages that belong to no file."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("no RssAnon")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@pytest.fixture(scope="session")
def start():
    """Start servers that live as long as the session."""
    running = []

    def begin(*args, **kwargs):
        server = Server(*args, **kwargs)
        running.append(server)
        return server

    yield begin
    for server in running:
        server.stop()


@pytest.fixture(scope="session")
def sample(start):
    """The embedded sample, as `lanceflight serve` without arguments."""
    return start()


@pytest.fixture(scope="session")
def fixtures_dir():
    if not FIXTURES.is_dir():
        message = f"the tables written by pylance are not at {FIXTURES}; set LANCEFLIGHT_FIXTURES"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return FIXTURES


@pytest.fixture(scope="session")
def fixtures(start, fixtures_dir):
    """One server over the whole directory of fixtures."""
    return start(fixtures_dir)


def expected(name):
    return json.loads((FIXTURES / f"{name}.expected.json").read_text())
