SELECT a.key, b.key FROM train a JOIN train b ON a.key + 1 = b.key WHERE a.key < 5 ORDER BY 1;
SELECT count(*) FROM train a JOIN train b USING (key);
SELECT key, a.width, b.height FROM train a JOIN train b USING (key) WHERE key < 4 ORDER BY key;
SELECT * FROM (SELECT key, width FROM train) a JOIN (SELECT key, height FROM train) b USING (key) WHERE key < 4 ORDER BY key;
SELECT t.key, l.label FROM train t JOIN (VALUES (1, 'one'), (2, 'two'), (2, 'deux'), (99999, 'none')) AS l(key, label) ON t.key = l.key ORDER BY 1, 2;
SELECT l.key, t.status FROM (VALUES (1), (99999)) AS l(key) LEFT JOIN train t ON t.key = l.key ORDER BY 1;
SELECT l.k, t.key FROM (SELECT key FROM train WHERE key < 3) t RIGHT JOIN (VALUES (1), (99999)) AS l(k) ON t.key = l.k ORDER BY 1;
SELECT a.x, b.y FROM (VALUES (1), (2), (NULL)) AS a(x) FULL JOIN (VALUES (2), (3), (NULL)) AS b(y) ON a.x = b.y ORDER BY 1, 2;
SELECT x FROM (VALUES (1), (2)) AS a(x) FULL JOIN (VALUES (2), (3)) AS b(x) USING (x) ORDER BY 1;
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS a(x, n) NATURAL JOIN (VALUES (2, 'B'), (1, 'A')) AS b(x, m) ORDER BY 1;
SELECT count(*) FROM (SELECT 1 FROM train LIMIT 10) a CROSS JOIN (SELECT 2 FROM train LIMIT 7) b;
SELECT a.x, b.y FROM (VALUES (1), (2)) AS a(x), (VALUES (10), (20)) AS b(y) ORDER BY 1, 2;
SELECT a.key FROM train a, train b WHERE a.key = b.key AND b."NSFW" = 1 ORDER BY 1 LIMIT 5;
SELECT count(*) FROM train a JOIN train b ON a.width = b.width AND a.key < b.key WHERE a.width > 2000;
SELECT s.status, count(t.key) FROM (VALUES ('success'), ('failed_to_resize'), ('unknown')) AS s(status) LEFT JOIN train t ON t.status = s.status AND t.key < 500 GROUP BY 1 ORDER BY 1;
SELECT a.x FROM (VALUES (1), (2), (3)) AS a(x) LEFT JOIN (VALUES (2)) AS b(y) ON a.x = b.y WHERE b.y IS NULL ORDER BY 1;
SELECT a.x, b.y FROM (VALUES (1), (2), (3)) AS a(x) LEFT JOIN (VALUES (2), (3)) AS b(y) ON a.x = b.y AND a.x > 2 ORDER BY 1;
SELECT a.x, b.y FROM (VALUES (1), (2), (3)) AS a(x) LEFT JOIN (VALUES (2), (3)) AS b(y) ON a.x < b.y ORDER BY 1, 2;
SELECT a.x, b.y, c.z FROM (VALUES (1), (2)) AS a(x) JOIN (VALUES (1, 5), (2, 6)) AS b(x, y) ON a.x = b.x LEFT JOIN (VALUES (6, 'six')) AS c(y, z) ON b.y = c.y ORDER BY 1;
SELECT count(*) FROM history h JOIN train t ON h.md5 = t.md5;
SELECT count(*) FROM train WHERE key IN (SELECT key FROM history);
SELECT count(*) FROM train WHERE key NOT IN (SELECT key FROM history);
SELECT count(*) FROM train WHERE key NOT IN (SELECT key FROM history WHERE FALSE);
SELECT count(*) FROM train WHERE width NOT IN (SELECT width FROM train WHERE "NSFW" = 1);
SELECT count(*) FROM train WHERE width NOT IN (SELECT width FROM train WHERE "NSFW" = 1 AND width IS NOT NULL);
SELECT count(*) FROM train WHERE width IN (SELECT max(width) FROM train GROUP BY status) AND key < 1000;
SELECT count(*) FROM train WHERE status = 'success' AND width IN (SELECT width FROM train WHERE "NSFW" = 1 LIMIT 100000);
SELECT count(*) FROM train WHERE EXISTS (SELECT 1 FROM history WHERE key > 5);
SELECT count(*) FROM train WHERE NOT EXISTS (SELECT 1 FROM history WHERE key < 0);
SELECT count(*) FROM train t WHERE EXISTS (SELECT 1 FROM history h WHERE h.key = t.key AND h.width > 500);
SELECT count(*) FROM train t WHERE NOT EXISTS (SELECT * FROM history h WHERE h.key = t.key);
SELECT count(*) FROM train t WHERE EXISTS (SELECT 1 FROM train u WHERE u.width = t.width AND u.height = t.height AND u.key <> t.key);
SELECT count(*) FROM train t WHERE key IN (SELECT h.key FROM history h WHERE h.status = t.status);
SELECT count(*) FROM train t WHERE key IN (SELECT h.key FROM history h WHERE h.key IN (SELECT u.key FROM train u WHERE u.width > 1000));
SELECT EXISTS (SELECT 1 FROM train WHERE key = 5), EXISTS (SELECT 1 FROM train WHERE key = -5);
-- unordered
SELECT status FROM train EXCEPT SELECT 'success';
-- unordered
SELECT width FROM train WHERE key < 100 INTERSECT SELECT width FROM train WHERE key > 1500;
-- unordered
SELECT "NSFW" FROM train EXCEPT SELECT 0;
-- unordered
SELECT x FROM (VALUES (1), (1), (NULL), (2)) AS a(x) INTERSECT SELECT y FROM (VALUES (1), (NULL)) AS b(y);
SELECT count(*) FROM (SELECT width, height FROM train EXCEPT SELECT width, height FROM train WHERE "NSFW" = 1);
WITH t AS (SELECT key, width FROM train WHERE key < 10) SELECT a.key, b.width FROM t a JOIN t b ON a.key = b.key - 1 ORDER BY 1;
SELECT key FROM train SEMI JOIN history USING (key) ORDER BY key LIMIT 5;
SELECT count(*) FROM train ANTI JOIN history USING (key);
