-- LATERAL in every place where PostgreSQL allows it: as a projection, as a plain join, and run row by row.

SELECT t.key, x.s FROM train t CROSS JOIN LATERAL (SELECT t.width + t.height AS s) x WHERE t.key < 10 ORDER BY t.key;
SELECT t.key, x.s FROM train t, LATERAL (SELECT t.width + t.height) x(s) WHERE t.key < 10 AND x.s > 1000 ORDER BY t.key;
SELECT t.key, x.s, y.d FROM train t, LATERAL (SELECT t.width + t.height AS s) x, LATERAL (SELECT x.s * 2 AS d, t.key) y WHERE t.key < 10 ORDER BY t.key;
SELECT t.key, x.s FROM train t JOIN LATERAL (SELECT t.width AS s WHERE t.width > 1000) x ON TRUE WHERE t.key < 60 ORDER BY t.key;
SELECT t.key, x.s FROM train t LEFT JOIN LATERAL (SELECT t.width AS s WHERE t.width > 1000) x ON TRUE WHERE t.key < 60 ORDER BY t.key;
SELECT t.key, x.s FROM train t LEFT JOIN LATERAL (SELECT coalesce(t.width, 1) AS s) x ON x.s > 1000 WHERE t.key < 60 ORDER BY t.key;
-- unordered
SELECT q.k, u.key FROM (VALUES (1), (5), (NULL), (5)) q(k) CROSS JOIN LATERAL (SELECT key FROM train WHERE key = q.k) u;
-- unordered
SELECT q.k, u.key FROM (VALUES (1), (5), (NULL), (-5)) q(k) LEFT JOIN LATERAL (SELECT key FROM train WHERE key = q.k) u ON TRUE;
-- unordered
SELECT q.k, u.one, u.key FROM (VALUES (1), (5), (NULL), (-5)) q(k) LEFT JOIN LATERAL (SELECT 1 AS one, key FROM train WHERE key = q.k) u ON TRUE;
-- unordered
SELECT q.k, u.twice, u.key FROM (VALUES (1), (5), (NULL), (-5)) q(k) LEFT JOIN LATERAL (SELECT q.k * 2 AS twice, key FROM train WHERE key = q.k) u ON TRUE;
SELECT q.k, u.key FROM (VALUES (1), (50), (-5), (NULL)) q(k) CROSS JOIN LATERAL (SELECT key FROM train WHERE key > q.k ORDER BY key LIMIT 3) u ORDER BY q.k, u.key;
SELECT q.k, u.key FROM (VALUES (1), (50), (1700), (NULL)) q(k) LEFT JOIN LATERAL (SELECT key FROM train WHERE key > q.k ORDER BY key LIMIT 3) u ON TRUE ORDER BY q.k, u.key;
SELECT q.k, u.key FROM (VALUES (1), (50), (1700)) q(k) LEFT JOIN LATERAL (SELECT key FROM train WHERE key > q.k ORDER BY key LIMIT 3 OFFSET 2) u ON u.key % 2 = 1 ORDER BY q.k, u.key;
-- duckdb: SELECT q.k, u.key FROM (VALUES (1), (50), (1700)) q(k) LEFT JOIN LATERAL (SELECT * FROM (SELECT key FROM train WHERE key > q.k ORDER BY key LIMIT 3) WHERE key > q.k + 1) u ON TRUE ORDER BY q.k, u.key
SELECT q.k, u.key FROM (VALUES (1), (50), (1700)) q(k) LEFT JOIN LATERAL (SELECT key FROM train WHERE key > q.k ORDER BY key LIMIT 3) u ON u.key > q.k + 1 ORDER BY q.k, u.key;
SELECT q.s, u.n, u.w FROM (SELECT DISTINCT status AS s FROM train) q CROSS JOIN LATERAL (SELECT count(*) AS n, max(width) AS w FROM train t WHERE t.status = q.s) u ORDER BY q.s;
SELECT q.s, u.n FROM (VALUES ('success'), ('nothing'), (NULL)) q(s) CROSS JOIN LATERAL (SELECT count(*) AS n FROM train t WHERE t.status = q.s) u ORDER BY q.s;
SELECT q.s, u.nsfw, u.n FROM (SELECT DISTINCT status AS s FROM train) q CROSS JOIN LATERAL (SELECT "NSFW" AS nsfw, count(*) AS n FROM train t WHERE t.status = q.s GROUP BY 1 HAVING count(*) > 2) u ORDER BY 1, 2;
SELECT q.s, u.s2 FROM (SELECT DISTINCT status AS s FROM train) q, LATERAL (SELECT DISTINCT status || q.s AS s2 FROM train t WHERE t.status <> q.s) u ORDER BY 1, 2;
WITH q AS (SELECT key AS k, caption FROM train WHERE key < 4) SELECT q.k, q.caption, u.key FROM q CROSS JOIN LATERAL (SELECT t.key FROM train t WHERE t.key <= q.k ORDER BY t.key DESC LIMIT 2) u ORDER BY 1, 3;
SELECT q.k, u.key, v.key FROM (VALUES (3), (7)) q(k) CROSS JOIN LATERAL (SELECT key FROM train WHERE key > q.k ORDER BY key LIMIT 2) u CROSS JOIN LATERAL (SELECT key FROM train WHERE key > u.key + q.k ORDER BY key LIMIT 2) v ORDER BY 1, 2, 3;
SELECT q.k, u.a, u.b FROM (VALUES (3), (7)) q(k) CROSS JOIN LATERAL (SELECT x.key AS a, y.key AS b FROM (SELECT key FROM train WHERE key > q.k ORDER BY key LIMIT 2) x CROSS JOIN LATERAL (SELECT key FROM train WHERE key > x.key + q.k ORDER BY key LIMIT 2) y) u ORDER BY 1, 2, 3;
SELECT q.k, u.key FROM (VALUES (3), (700)) q(k) CROSS JOIN LATERAL (SELECT key FROM train t WHERE t.key < q.k UNION ALL SELECT q.k + 10000) u WHERE u.key < 3 OR u.key > 9999 ORDER BY 1, 2;
SELECT q.k, u.n FROM (VALUES (3), (700)) q(k) CROSS JOIN LATERAL (SELECT count(*) AS n FROM (SELECT key FROM train t WHERE t.key < q.k EXCEPT SELECT key FROM train t WHERE t.key > q.k - 2)) u ORDER BY 1;
SELECT q.k, u.v FROM (VALUES (3), (700)) q(k) CROSS JOIN LATERAL (VALUES (q.k), (q.k + 1)) u(v) ORDER BY 1, 2;
SELECT q.k, u.key FROM (VALUES (3), (5)) q(k) JOIN LATERAL (SELECT key FROM train WHERE EXISTS (SELECT 1 FROM deleted d WHERE d.key = train.key AND d.key > q.k) ORDER BY key LIMIT 3) u ON u.key > q.k ORDER BY 1, 2;
SELECT q.k, u.key FROM (VALUES (3), (5)) q(k) JOIN LATERAL (SELECT key FROM train WHERE key IN (SELECT d.key FROM deleted d WHERE d.key > q.k) ORDER BY key LIMIT 3) u ON TRUE ORDER BY 1, 2;
SELECT q.k, u.key FROM (VALUES (3), (5)) q(k) JOIN LATERAL (SELECT key FROM train WHERE key > (SELECT max(d.key) FROM deleted d WHERE d.key < q.k * 20) ORDER BY key LIMIT 3) u ON TRUE ORDER BY 1, 2;
SELECT q.k, u.key FROM (VALUES (3), (5)) q(k) JOIN LATERAL (SELECT key FROM train WHERE key > (SELECT max(d.key) FROM deleted d) AND key > q.k ORDER BY key LIMIT 3) u ON TRUE ORDER BY 1, 2;
SELECT q.k, u.key FROM (VALUES (3), (5)) q(k) JOIN LATERAL (SELECT key FROM train WHERE key NOT IN (SELECT d.key FROM deleted d WHERE d.key < q.k * 20) ORDER BY key LIMIT 3) u ON TRUE ORDER BY 1, 2;
SELECT q.k, u.key FROM (VALUES (3), (5)) q(k) JOIN LATERAL (SELECT t.key FROM train t JOIN deleted d ON t.key = d.key + q.k ORDER BY t.key LIMIT 3) u ON TRUE ORDER BY 1, 2;
SELECT q.key, u.key FROM train q JOIN LATERAL (SELECT t.key FROM train t WHERE t.similarity < q.similarity ORDER BY t.similarity DESC, t.key LIMIT 1) u ON TRUE WHERE q.key BETWEEN 10 AND 20 ORDER BY 1;
SELECT count(*), sum(u.key) FROM train q JOIN LATERAL (SELECT t.key FROM train t WHERE t.key > q.key ORDER BY t.key LIMIT 2) u ON TRUE;
SELECT q.key FROM train q LEFT JOIN LATERAL (SELECT t.key, t.key + 1 AS w FROM deleted t WHERE t.key = q.key LIMIT 1) u ON TRUE WHERE u.key IS NULL AND q.key < 300 ORDER BY 1;
SELECT x.a, y.b FROM (SELECT 1 AS a) x JOIN (LATERAL (SELECT x.a + 1 AS b) y JOIN (SELECT 2 AS c) z ON y.b = z.c) ON TRUE;
SELECT q.k, u.key FROM (VALUES (1), (2)) q(k) CROSS JOIN LATERAL (SELECT key FROM train ORDER BY key LIMIT 2) u ORDER BY 1, 2;
-- unordered
SELECT k, u.t FROM (SELECT key AS k FROM train WHERE key < 3) q JOIN LATERAL (SELECT k + 1 AS t) u ON u.t > 1;
-- unordered
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) q(k, c) JOIN LATERAL (SELECT q.k AS k, q.c || 'x' AS d) u USING (k);
WITH a AS (SELECT 5 AS k) SELECT u.key FROM a, LATERAL (WITH w AS (SELECT key FROM train WHERE key > a.k ORDER BY key LIMIT 2) SELECT key FROM w) u ORDER BY 1;
SELECT s.key, s.struct_nested.b, u.x FROM types s, LATERAL (SELECT s.int64 / 3 + s.int32 AS x ORDER BY 1 LIMIT 1) u WHERE s.key < 30 ORDER BY 1;
SELECT s.key, u.* FROM types s, LATERAL (SELECT s.string, s.float64, s.decimal128_10_2, s.date32, s.timestamp_us, s.bool, s.binary, s.list_int32, s.list_string, s.dictionary_int32_string, s.large_string, s.uint64 ORDER BY 1 LIMIT 1) u WHERE s.key < 40 ORDER BY 1;
SELECT s.key, u.key FROM types s, LATERAL (SELECT t.key FROM types t WHERE t.dictionary_int32_string = s.dictionary_int32_string AND t.key > s.key ORDER BY t.key LIMIT 1) u WHERE s.key < 40 ORDER BY 1;
-- error: only INNER and LEFT joins allow that
SELECT * FROM (VALUES (1)) q(k) RIGHT JOIN LATERAL (SELECT q.k + 1) u ON TRUE;
-- error: only INNER and LEFT joins allow that
SELECT * FROM (VALUES (1)) q(k) FULL JOIN LATERAL (SELECT q.k + 1) u ON TRUE;
-- error: no table in FROM is called "q"
SELECT * FROM (VALUES (1)) q(k) CROSS JOIN (SELECT q.k + 1) u;
-- error: no table in FROM is called "u"
SELECT * FROM LATERAL (SELECT u.k) v, (VALUES (1)) u(k);
-- error: no column is called "nix" in q
SELECT * FROM (VALUES (1)) q(k) CROSS JOIN LATERAL (SELECT q.nix) u;
-- error: ambiguous
SELECT * FROM (VALUES (1)) q(k), (VALUES (1)) r(k) CROSS JOIN LATERAL (SELECT k) u;
