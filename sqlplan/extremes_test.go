package sqlplan_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan"
)

// TestExtremes has calls that PostgreSQL does not know, or not with these types. The answers are
// DuckDB's where it has one.
func TestExtremes(t *testing.T) {
	e := newEngineOver(t, t.TempDir(), sqlplan.Options{})
	const least, most = "-9223372036854775808", "9223372036854775807"
	for sql, want := range map[string]string{
		"right('abc', " + least + ")":                                                       "",
		"left('abc', " + least + ")":                                                        "",
		"right('abc', " + most + ")":                                                        "abc",
		"left('abc', " + most + ")":                                                         "abc",
		"substr('abc', " + least + ")":                                                      "abc",
		"substr('abc', 1, " + most + ")":                                                    "abc",
		"substr('abc', " + most + ", " + most + ")":                                         "",
		"lpad('abc', " + least + ")":                                                        "",
		"rpad('abc', " + least + ", 'x')":                                                   "",
		"lpad('abc', " + most + ", '')":                                                     "abc",
		"repeat('', " + most + ")":                                                          "",
		"repeat('a', " + least + ")":                                                        "",
		"split_part('a,b', ',', " + least + ")":                                             "",
		"split_part('a,b', ',', " + most + ")":                                              "",
		"overlay('abc' PLACING 'x' FROM " + most + ")":                                      "abcx",
		"[1, 2][" + least + ":" + most + "]":                                                "[1, 2]",
		"list_sum([9007199254740993, 1])":                                                   "9007199254740994",
		"list_sum([" + most + ", " + least + "])":                                           "-1",
		"list_avg([" + most + ", " + most + "])":                                            "9.223372036854776e+18",
		"list_avg([9007199254740993, 9007199254740995])":                                    "9.007199254740994e+15",
		"list_sum([0.1::DECIMAL(3,1), 0.2])":                                                "0.3",
		"list_sum([1.5, NULL])":                                                             "1.5",
		"coalesce(list_sum([NULL]), -1)":                                                    "-1",
		"list_append(NULL::INTEGER[], NULL)":                                                "[NULL]",
		"list_prepend(NULL, NULL::INTEGER[])":                                               "[NULL]",
		"list_position([1, NULL], NULL)":                                                    "2",
		"array_position([1, 2, 1], 1, 2)":                                                   "3",
		"array_length([[1, 2, 3], [4, 5, 6]], 2)":                                           "3",
		"array_length([NULL, [4, 5]], 2)":                                                   "2",
		"coalesce(array_length([[1], [2]], 3), -1)":                                         "-1",
		"cardinality([[1, 2, 3], NULL, [4, 5, 6]])":                                         "6",
		"regexp_extract_all('abc', 'b*')":                                                   "['', b, '', '']",
		"regexp_extract_all('abac', '(a)(b)?', 2)":                                          "[b, NULL]",
		"regexp_extract_all('aé', '')":                                                      "['', '', '']",
		"regexp_extract_all('xabx', '(?m)^|a')":                                             "['', a]",
		"regexp_extract_all('aab ab', '\\ba*')":                                             "[aa, '', a, '']",
		"regexp_extract_all('ab', 'a|\\B')":                                                 "[a, '']",
		"'xabcx' ~ '^abc$'":                                                                 "false",
		"'abc' ~ '^abc$'":                                                                   "true",
		"'xabcx' ~ '\\Aabc\\z'":                                                             "false",
		"'xabcx' ~ '(?i)ABC'":                                                               "true",
		"'a1' SIMILAR TO 'a\\d'":                                                            "true",
		"([5.6]::DOUBLE[1])[1] = 5.6::DOUBLE":                                               "true",
		"([5.6]::DOUBLE[])[1] = 5.6::DOUBLE":                                                "true",
		"['5.6']::DOUBLE[1]":                                                                "[5.6]",
		"[0.1, -2.5]::DECIMAL(20,15)[]":                                                     "[0.100000000000000, -2.500000000000000]",
		"[2.5, -0.5]::INTEGER[]":                                                            "[3, -1]",
		"date_trunc('hour', '2024-03-30 00:00:20+02')":                                      "2024-03-29 22:00:00+00",
		"extract(hour FROM '2024-03-30 00:30:00+02')":                                       "22",
		"date_bin(INTERVAL '1 hour', DATE '2024-02-29')":                                    "2024-02-29 00:00:00",
		"TIMESTAMP(9) '2024-01-01 00:00:00.123456789'":                                      "2024-01-01 00:00:00.123456789",
		"'2024-01-01 00:00:00.123456789'::TIMESTAMP(8)":                                     "2024-01-01 00:00:00.12345679",
		"('2024-01-01 00:00:00.0005'::TIMESTAMP_NS)::TIMESTAMP(3)":                          "2024-01-01 00:00:00.001",
		"strptime('2024-01-01 00:00:00.123456789', '%Y-%m-%d %H:%M:%S.%n')":                 "2024-01-01 00:00:00.123456789",
		"strftime(strptime('2024-01-01 00:00:00.000000789', '%Y-%m-%d %H:%M:%S.%n'), '%n')": "000000789",
		"make_date(-1, 2, 29)":                                                              "0001-02-29 BC",
		"~5":                                                                                "-6",
		"ln(5e-324)":                                                                        "-744.4400719213812",
		"log10(5e-324)":                                                                     "-323.3062153431158",
		"log2(5e-324)":                                                                      "-1074",
		"pg_typeof(-2147483648)":                                                            "INTEGER",
	} {
		rows, err := e.plainTexts("SELECT " + sql)
		if err != nil || rows[0][0] == nil || *rows[0][0] != want {
			t.Errorf("%s: got %v %v, want %s", sql, textOf(rows), err, want)
		}
	}
	for sql, want := range map[string]string{
		"rpad('a', " + most + ")":                          "256 MiB",
		"repeat('a', " + most + ")":                        "256 MiB",
		"list_sum([" + most + ", 1])":                      "does not fit BIGINT",
		"chr(" + most + ")":                                "there is no character",
		"make_date(0, 1, 1)":                               "there is no date",
		"date_bin(INTERVAL '1 month', DATE '2024-01-01')":  "have one length",
		"date_bin(INTERVAL '0 days', DATE '2024-01-01')":   "longer than nothing",
		"date_trunc('day', TIMESTAMP '2024-01-01', 'UTC')": "needs TIMESTAMP WITH TIME ZONE",
		"list_position([1], 1, NULL)":                      "must not be NULL",
		"current_timestamp(7)":                             "from 0 to 6",
	} {
		_, err := e.plainTexts("SELECT " + sql)
		require.ErrorContains(t, err, want, sql)
	}
}
