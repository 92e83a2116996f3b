SELECT 1;
SELECT 1 + 2 * 3, (1 + 2) * 3, -2, - -2, +5;
-- duckdb: SELECT 7 // 2, -7 // 2, 7 % 3, -7 % 3, 7.0 / 2
SELECT 7 / 2, -7 / 2, 7 % 3, -7 % 3, 7.0 / 2;
SELECT 'it''s', 'a' || 'b' || NULL, 'x' || 'y';
SELECT NULL IS NULL, 1 = NULL, NULL AND FALSE, NULL OR TRUE, NOT NULL;
SELECT TRUE AND NULL, FALSE OR NULL;
SELECT DATE '2024-02-29', TIMESTAMP '2024-02-29 12:34:56.789', X'00FF10';
SELECT CAST('42' AS INTEGER), CAST(3.7 AS INTEGER), CAST('1.5' AS DOUBLE), CAST(1 AS BOOLEAN), CAST('2024-01-31' AS DATE);
SELECT '42'::BIGINT + 1, TRY_CAST('x' AS INTEGER), TRY_CAST('7' AS INTEGER);
SELECT CAST(key AS VARCHAR), key::DOUBLE FROM train ORDER BY key LIMIT 3;
SELECT CASE WHEN 1 > 2 THEN 'a' WHEN NULL THEN 'b' ELSE 'c' END, CASE 3 WHEN 1 THEN 'one' WHEN 3 THEN 'three' END, CASE WHEN FALSE THEN 1 END;
SELECT key, width * height AS pixels FROM train WHERE width IS NOT NULL ORDER BY pixels DESC, key LIMIT 5 OFFSET 3;
SELECT key k, width w FROM train ORDER BY k DESC LIMIT 4;
SELECT t.key, t."NSFW" FROM train AS t ORDER BY t.key LIMIT 2;
SELECT * FROM (SELECT key, status FROM train WHERE status <> 'success' ORDER BY key LIMIT 5);
SELECT * FROM (SELECT key AS a, width AS b FROM train) AS x WHERE a < 5 ORDER BY a;
SELECT x.a + 1, b FROM (SELECT key, width FROM train) x(a, b) WHERE a BETWEEN 3 AND 6 ORDER BY 1;
SELECT * EXCLUDE (image, img_emb, exif) FROM train ORDER BY key LIMIT 2;
SELECT similarity, -similarity FROM train WHERE key = 2;
SELECT key, similarity * 100, width / 2.0 FROM train WHERE width IS NOT NULL ORDER BY key LIMIT 3;
SELECT (SELECT max(key) FROM train), (SELECT key FROM train WHERE key = -1);
SELECT key FROM train WHERE similarity = (SELECT max(similarity) FROM train) ORDER BY key;
SELECT count(*) FROM train WHERE similarity > (SELECT avg(similarity) FROM train);
SELECT key FROM train WHERE key > (SELECT max(key) FROM train WHERE "NSFW" = 1) ORDER BY key LIMIT 5;
WITH big AS (SELECT key, width FROM train WHERE width >= 2000) SELECT count(*), min(key), max(width) FROM big;
WITH a AS (SELECT key FROM train WHERE key < 3), b AS (SELECT key + 100 AS key FROM a) SELECT key FROM a UNION ALL SELECT key FROM b ORDER BY key;
WITH a(n) AS (SELECT key FROM train) SELECT max(n) FROM a;
SELECT key FROM train WHERE key < 3 UNION ALL SELECT key FROM train WHERE key < 2 ORDER BY 1;
-- unordered
SELECT status FROM train UNION SELECT 'other' UNION SELECT 'success';
SELECT 1 UNION ALL SELECT 2.5 UNION ALL SELECT NULL;
(SELECT key FROM train ORDER BY key LIMIT 2) UNION ALL (SELECT key FROM train ORDER BY key DESC LIMIT 2);
VALUES (1, 'x'), (2, NULL), (3, 'z');
SELECT a * 2, b FROM (VALUES (1, 'x'), (2, 'y')) AS t(a, b) WHERE b <> 'x';
SELECT column1 FROM (VALUES (3), (1), (2)) AS t(column1) ORDER BY column1;
SELECT count(*) FROM (SELECT key FROM train WHERE key > 100 LIMIT 50);
SELECT width AS w, w * 2 AS ww FROM train WHERE w > 2000 ORDER BY key LIMIT 3;
SELECT key AS "the key", "the key" + 1 AS next FROM train ORDER BY "the key" LIMIT 2;
SELECT coalesce(caption, 'none') FROM train WHERE caption IS NULL ORDER BY key LIMIT 3;
SELECT coalesce(NULL, NULL, 3), nullif(1, 1), nullif(1, 2), nullif('a', NULL);
SELECT greatest(1, 5, 3), least(1, 5, 3);
SELECT key, CASE WHEN width IS NULL THEN -1 ELSE width END FROM train WHERE status = 'failed_to_resize' ORDER BY key;
SELECT struct_nested.a, struct_nested.b, struct_nested.c.d FROM types ORDER BY key LIMIT 10;
SELECT list_int32, list_string FROM types ORDER BY key LIMIT 10;
SELECT key, dictionary_int32_string FROM types ORDER BY key LIMIT 10;
SELECT key FROM types WHERE dictionary_int32_string = (SELECT min(dictionary_int32_string) FROM types) ORDER BY key;
SELECT int8, uint8, int16, uint16, int32, uint32, int64, uint64 FROM types ORDER BY key LIMIT 12;
SELECT key, decimal128_10_2, decimal128_10_2 * 2, decimal128_10_2 + 1 FROM types WHERE abs(decimal128_10_2) < 1000 ORDER BY key LIMIT 10;
SELECT date32, timestamp_us, timestamp_ms, time64_us FROM types ORDER BY key LIMIT 6;
SELECT float32, float64 FROM types WHERE key < 20 ORDER BY key;
-- error: division by zero
SELECT 1 / 0;
-- error: overflow
SELECT 9223372036854775807 + 1;
-- error: cannot cast 'x'
SELECT CAST('x' AS INTEGER);
-- error: more than one row returned by a subquery
SELECT (SELECT key FROM train);
