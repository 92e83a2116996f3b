SELECT count(*), count(caption), count(width), count(DISTINCT status), count(DISTINCT "NSFW") FROM train;
SELECT sum(width), avg(width), min(width), max(width) FROM train;
SELECT sum(similarity), avg(similarity), min(similarity), max(similarity) FROM train;
SELECT min(caption), max(caption), min(url), max(status) FROM train;
SELECT sum(width) FROM train WHERE key < 0;
SELECT count(*), count(width), sum(width), avg(width), min(url) FROM train WHERE FALSE;
SELECT count(*) FILTER (WHERE width > 1000), sum(width) FILTER (WHERE "NSFW" = 1), count(*) FROM train;
SELECT sum(DISTINCT "NSFW"), avg(DISTINCT width), count(DISTINCT width) FROM train;
-- unordered
SELECT status, count(*) FROM train GROUP BY status;
SELECT status, count(*) AS n, avg(similarity), max(width) FROM train GROUP BY status ORDER BY n DESC;
SELECT "NSFW", COUNT(*) AS n, AVG(similarity) AS s, MAX(width) AS w FROM train GROUP BY "NSFW" ORDER BY n DESC;
SELECT "NSFW", status, count(*) FROM train GROUP BY 1, 2 ORDER BY 1, 2;
SELECT "NSFW", status, count(*) FROM train GROUP BY ALL ORDER BY 1 DESC, 2;
SELECT CASE WHEN width >= 1024 THEN 'large' WHEN width >= 512 THEN 'medium' ELSE 'small' END AS size, COUNT(*) AS n FROM train GROUP BY 1 ORDER BY 1;
SELECT CASE WHEN width >= 1024 THEN 'large' ELSE 'small' END AS size, COUNT(*) AS n FROM train GROUP BY size ORDER BY n;
-- duckdb: SELECT width // 500 AS bucket, count(*) FROM train WHERE width IS NOT NULL GROUP BY bucket ORDER BY bucket
SELECT width / 500 AS bucket, count(*) FROM train WHERE width IS NOT NULL GROUP BY bucket ORDER BY bucket;
SELECT status, count(*) FROM train GROUP BY status HAVING count(*) > 10 ORDER BY status;
SELECT status, count(*) AS n FROM train GROUP BY status HAVING n < 10;
SELECT status FROM train GROUP BY status HAVING min(key) > 0 ORDER BY status;
SELECT max(n) FROM (SELECT status, count(*) AS n FROM train GROUP BY status);
SELECT count(*) FROM (SELECT DISTINCT "NSFW", status FROM train);
SELECT DISTINCT status FROM train ORDER BY status;
SELECT DISTINCT status FROM train ORDER BY status DESC LIMIT 2;
SELECT DISTINCT "NSFW" FROM train ORDER BY 1;
SELECT DISTINCT "NSFW", width > 1000 FROM train ORDER BY 1, 2;
SELECT count(DISTINCT caption) FROM train;
SELECT DISTINCT ON (status) status, key FROM train ORDER BY status, key DESC;
SELECT status, sum(width) / count(width) > avg(width) - 1 FROM train GROUP BY status ORDER BY status;
SELECT sum(key) + 1, sum(key) * 2 FROM train;
SELECT count(*) AS n FROM train HAVING count(*) > 1;
SELECT count(*) AS n FROM train HAVING count(*) > 100000;
SELECT status, max(key) FROM train GROUP BY status ORDER BY max(key) DESC LIMIT 1;
SELECT key % 5, count(*), min(similarity) FROM train GROUP BY key % 5 ORDER BY key % 5;
SELECT width, height, count(*) AS n FROM train GROUP BY width, height HAVING count(*) > 8 ORDER BY n DESC, width, height;
SELECT min(int8), max(int8), min(uint8), max(uint8), sum(int16), sum(uint16), min(int32), max(uint32) FROM types;
SELECT count(int64_all_null), sum(int64_all_null), min(string_all_null) FROM types;
SELECT min(date32), max(date32), min(timestamp_us), max(timestamp_us) FROM types;
SELECT sum(decimal128_10_2), min(decimal128_10_2), max(decimal128_10_2) FROM types;
SELECT max(float64), min(float64) FROM types;
SELECT count(*), count(float64_all_nan), max(float64_all_nan) FROM types;
-- unordered
SELECT string_low_cardinality, count(*) FROM types GROUP BY string_low_cardinality;
-- unordered
SELECT dictionary_int32_string, count(*) FROM types GROUP BY 1;
-- unordered
SELECT bool, count(*) FROM types GROUP BY bool;
-- unordered
SELECT float64, count(*) FROM types GROUP BY float64 HAVING count(*) > 1;
SELECT count(DISTINCT int8), count(DISTINCT uint64), count(DISTINCT float32), count(DISTINCT string), count(DISTINCT "binary") FROM types;
SELECT bool_and(width > 0), bool_or(width > 2000) FROM train;
SELECT stddev(width), variance(similarity), stddev_pop(width), var_pop(similarity) FROM train;
SELECT avg(aspect_ratio), sum(width), count(*) FROM history;
SELECT sum(1), count(1), max(2), min('x') FROM train;
SELECT count(*) FROM train GROUP BY status ORDER BY 1;
SELECT 1 FROM train GROUP BY status;
SELECT min(key), max(key) FROM (SELECT key FROM train ORDER BY key LIMIT 100 OFFSET 50);
SELECT sum(a), sum(b) FROM (VALUES (1, 2.5), (NULL, 1.5), (3, NULL)) AS t(a, b);
