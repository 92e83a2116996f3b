package parse

import "strings"

// Which words mean what. Three sets, from PostgreSQL's, less what a column of this product is
// likely to be called:
//
//	reserved       never a name unless quoted, or after AS or a dot
//	notAliases     not an alias of an expression without AS either
//	notTableAlias  not an alias of a table without AS either
//
// Every other keyword (key, user, version, timestamp, column, check, values, …) is a name wherever
// a name may stand.

func set(list string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(list) {
		m[w] = true
	}
	return m
}

var reserved = set(`ALL AND ANY ARRAY AS ASC ASYMMETRIC BETWEEN CASE CAST COLLATE CREATE CROSS
	CURRENT_CATALOG CURRENT_DATE CURRENT_ROLE CURRENT_SCHEMA CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER
	DEFAULT DESC DISTINCT ELSE END EXCEPT FALSE FETCH FOR FROM FULL GROUP HAVING ILIKE IN INNER
	INTERSECT INTO IS JOIN LATERAL LEFT LIKE LIMIT LOCALTIME LOCALTIMESTAMP NATURAL NOT NULL OFFSET ON
	OR ORDER QUALIFY RIGHT SELECT SESSION_USER SIMILAR SOME SYMMETRIC TABLE TABLESAMPLE THEN TRUE UNION USING
	WHEN WHERE WINDOW WITH`)

// notAliases could go on with the expression or the query.
var notAliases = set(`AT ESCAPE EXCLUDE FILTER ISNULL NOTNULL OVER OVERLAPS WITHIN GLOB REGEXP RLIKE DIV XOR`)

// notTableAlias could go on with the FROM clause. SEMI, ANTI, ASOF, VERSION … are told apart by
// what follows them (see tableAlias).
var notTableAlias = set(`OUTER PIVOT UNPIVOT`)

// words holds every keyword that the parser looks at, so that upper need not allocate for it.
var words = func() map[string]string {
	m := map[string]string{}
	for _, s := range []map[string]bool{reserved, notAliases, notTableAlias, set(`ANALYZE ANTI APPLY BOTH BY COLUMNS CURRENT
		DATE DESCRIBE EXISTS EXPLAIN EXTRACT FIRST FOLLOWING FORMAT GROUPS INTERVAL JSON KEY LAST LEADING MATERIALIZED
		NEXT NULLS OF ONLY OVERLAY PARTITION PERCENT PLACING POSITION PRECEDING RANGE RECURSIVE REPEATABLE RESET ROW ROWS
		SEMI SET SHOW SUBSTRING SYSTEM_TIME SYSTEM_VERSION TABLES TIME TIMESTAMP TO TRAILING TRIM TRY_CAST UNBOUNDED
		UNKNOWN USE VALUES VERBOSE VERSION VERSIONS ZONE COUNT SUM AVG MIN MAX COALESCE NULLIF
		DOUBLE REAL FLOAT BIGINT INTEGER SMALLINT TINYINT VARCHAR TEXT BOOLEAN DECIMAL BLOB`)} {
		for w := range s {
			m[w] = w
		}
	}
	return m
}()
