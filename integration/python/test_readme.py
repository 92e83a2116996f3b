"""The queries that README shows, as README shows them, on the table that `serve` shows without arguments."""

import re

from conftest import ROOT


def test_every_query_of_the_readme(sample):
    blocks = re.findall(r"```sql\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    statements = [s for block in blocks for s in block.split(";") if s.strip()]
    assert len(statements) >= 6
    for sql in statements:
        table = sample.query(sql)
        assert table.num_rows > 0, sql
        if "LIMIT 10" in sql and "EXPLAIN" not in sql:
            assert table.num_rows == 10, sql
