package flightsrv

import (
	"cmp"
	"maps"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"

	"lanceflight/sqlplan/expr"
)

// Bits of the bitmask answers; the constants of FlightSql.proto are bit numbers.
const (
	groupByUnrelated   = 1 << 0
	grammarCore        = 1 << 1
	ansi92Entry        = 1 << 0
	noTransactions     = 0 // SqlSupportedTransaction NONE
	fullOuterJoins     = 1 << 2
	subqueriesCompared = 1 << 0
	subqueriesInExists = 1 << 1
	subqueriesInIns    = 1 << 2
	unionAndUnionAll   = 1<<0 | 1<<1
)

// sqlInfo is what GetSqlInfo answers, by code. The Go type decides the union member, and the JDBC driver
// casts without looking: SQL_MAX_* and the default isolation are int64, bit masks int32. A code that it
// reads and we leave out is a NullPointerException there, so all of the 500s are here.
func sqlInfo(version string) map[uint32]any {
	info := map[flightsql.SqlInfo]any{
		flightsql.SqlInfoFlightSqlServerName:                        "lanceflight",
		flightsql.SqlInfoFlightSqlServerVersion:                     version,
		flightsql.SqlInfoFlightSqlServerArrowVersion:                arrow.PkgVersion,
		flightsql.SqlInfoFlightSqlServerReadOnly:                    true,
		flightsql.SqlInfoFlightSqlServerSql:                         true,
		flightsql.SqlInfoFlightSqlServerSubstrait:                   false,
		flightsql.SqlInfoFlightSqlServerSubstraitMinVersion:         "",
		flightsql.SqlInfoFlightSqlServerSubstraitMaxVersion:         "",
		flightsql.SqlInfoFlightSqlServerTransaction:                 int32(noTransactions),
		flightsql.SqlInfoFlightSqlServerCancel:                      true,
		flightsql.SqlInfoFlightSqlServerBulkIngestion:               false,
		flightsql.SqlInfoFlightSqlServerIngestTransactionsSupported: false,
		flightsql.SqlInfoFlightSqlServerStatementTimeout:            int32(3_600_000), // idle prepared handles, ms
		flightsql.SqlInfoFlightSqlServerTransactionTimeout:          int32(0),

		flightsql.SqlInfoDDLCatalog:              false,
		flightsql.SqlInfoDDLSchema:               false,
		flightsql.SqlInfoDDLTable:                false,
		flightsql.SqlInfoIdentifierCase:          int32(1), // case-insensitive
		flightsql.SqlInfoIdentifierQuoteChar:     `"`,
		flightsql.SqlInfoQuotedIdentifierCase:    int32(0), // as written
		flightsql.SqlInfoAllTablesAreASelectable: true,
		flightsql.SqlInfoNullOrdering:            int32(0), // NULLs sort high

		flightsql.SqlInfoKeywords: []string{
			"EXCLUDE", "EXPLAIN", "ILIKE", "LIMIT", "OFFSET", "QUALIFY", "SHOW", "TABLESAMPLE", "VERSION",
		},
		flightsql.SqlInfoSearchStringEscape:                     `\`,
		flightsql.SqlInfoExtraNameChars:                         "@$",
		flightsql.SqlInfoSupportsColumnAliasing:                 true,
		flightsql.SqlInfoNullPlusNullIsNull:                     true,
		flightsql.SqlInfoSupportsConvert:                        conversions(),
		flightsql.SqlInfoSupportsTableCorrelationNames:          true,
		flightsql.SqlInfoSupportsDifferentTableCorrelationNames: false,
		flightsql.SqlInfoSupportsExpressionsInOrderBy:           true,
		flightsql.SqlInfoSupportsOrderByUnrelated:               true,
		flightsql.SqlInfoSupportedGroupBy:                       int32(groupByUnrelated),
		flightsql.SqlInfoSupportsLikeEscapeClause:               true,
		flightsql.SqlInfoSupportsNonNullableColumns:             true,
		flightsql.SqlInfoSupportedGrammar:                       int32(grammarCore),
		flightsql.SqlInfoANSI92SupportedLevel:                   int32(ansi92Entry),
		flightsql.SqlInfoSupportsIntegrityEnhancementFacility:   false,
		flightsql.SqlInfoOuterJoinsSupportLevel:                 int32(fullOuterJoins),
		flightsql.SqlInfoSchemaTerm:                             "schema",
		flightsql.SqlInfoProcedureTerm:                          "procedure",
		flightsql.SqlInfoCatalogTerm:                            "catalog",
		flightsql.SqlInfoCatalogAtStart:                         true,
		// Bit 0: names may be qualified in DML, which for GUIs means in SELECT.
		flightsql.SqlInfoSchemasSupportedActions:       int32(1),
		flightsql.SqlInfoCatalogsSupportedActions:      int32(1),
		flightsql.SqlInfoSupportedPositionedCommands:   int32(0),
		flightsql.SqlInfoSelectForUpdateSupported:      false,
		flightsql.SqlInfoStoredProceduresSupported:     false,
		flightsql.SqlInfoSupportedSubqueries:           int32(subqueriesCompared | subqueriesInExists | subqueriesInIns),
		flightsql.SqlInfoCorrelatedSubqueriesSupported: false,
		flightsql.SqlInfoSupportedUnions:               int32(unionAndUnionAll),

		flightsql.SqlInfoDefaultTransactionIsolation:                         int64(0), // none; the driver casts to long
		flightsql.SqlInfoTransactionsSupported:                               false,
		flightsql.SqlInfoSupportedTransactionsIsolationlevels:                int32(1), // bit 0: none
		flightsql.SqlInfoDataDefinitionCausesTransactionCommit:               false,
		flightsql.SqlInfoDataDefinitionsInTransactionsIgnored:                false,
		flightsql.SqlInfoSupportedResultSetTypes:                             int32(1 << 1), // forward only
		flightsql.SqlInfoSupportedConcurrenciesForResultSetUnspecified:       int32(0),
		flightsql.SqlInfoSupportedConcurrenciesForResultSetForwardOnly:       int32(1 << 1), // read only
		flightsql.SqlInfoSupportedConcurrenciesForResultSetScrollSensitive:   int32(0),
		flightsql.SqlInfoSupportedConcurrenciesForResultSetScrollInsensitive: int32(0),
		flightsql.SqlInfoBatchUpdatesSupported:                               false,
		flightsql.SqlInfoSavePointsSupported:                                 false,
		flightsql.SqlInfoNamedParametersSupported:                            false,
		flightsql.SqlInfoLocatorsUpdateCopy:                                  false,
		flightsql.SqlInfoStoredFunctionsUsingCallSyntaxSupported:             false,
		flightsql.SqlInfoMaxRowSizeIncludesBlobs:                             true,
		flightsql.SqlInfoMaxStatementLen:                                     int64(1 << 20),
	}
	// 0 says that there is no limit, or that it is not known.
	for _, code := range []flightsql.SqlInfo{
		flightsql.SqlInfoMaxBinaryLiteralLen, flightsql.SqlInfoMaxCharLiteralLen, flightsql.SqlInfoMaxColumnNameLen,
		flightsql.SqlInfoMaxColumnsInGroupBy, flightsql.SqlInfoMaxColumnsInIndex, flightsql.SqlInfoMaxColumnsInOrderBy,
		flightsql.SqlInfoMaxColumnsInSelect, flightsql.SqlInfoMaxColumnsInTable, flightsql.SqlInfoMaxConnections,
		flightsql.SqlInfoMaxCursorNameLen, flightsql.SqlInfoMaxIndexLen, flightsql.SqlInfoDBSchemaNameLen,
		flightsql.SqlInfoMaxProcedureNameLen, flightsql.SqlInfoMaxCatalogNameLen, flightsql.SqlInfoMaxRowSize,
		flightsql.SqlInfoMaxStatements, flightsql.SqlInfoMaxTableNameLen, flightsql.SqlInfoMaxTablesInSelect,
		flightsql.SqlInfoMaxUsernameLen,
	} {
		info[code] = int64(0)
	}
	for category, code := range map[string]flightsql.SqlInfo{
		"numeric": flightsql.SqlInfoNumericFunctions, "string": flightsql.SqlInfoStringFunctions,
		"system": flightsql.SqlInfoSystemFunctions, "datetime": flightsql.SqlInfoDateTimeFunctions,
	} {
		info[code] = functionsOf(category)
	}
	out := make(map[uint32]any, len(info))
	for code, v := range info {
		out[uint32(code)] = v
	}
	return out
}

// inFirstProtocol tells the codes of the SqlInfo enumeration as it was when the first JDBC driver was
// released (Arrow 10), without those that came later. A reply to a client that names no code holds only
// these. The JDBC driver asks that way, and puts each code into a map whose keys are the constants of the
// enumeration that it was built with. A code that it does not know has no constant, which ends the reading
// there, and each getter of DatabaseMetaData that needs a later code fails. Drivers up to 16.1 do not know
// the codes 10 and 11. Later codes go to those who ask for them.
func inFirstProtocol(code uint32) bool {
	return code <= uint32(flightsql.SqlInfoFlightSqlServerCancel) ||
		code == uint32(flightsql.SqlInfoFlightSqlServerStatementTimeout) ||
		code == uint32(flightsql.SqlInfoFlightSqlServerTransactionTimeout) ||
		code >= uint32(flightsql.SqlInfoDDLCatalog) && code <= uint32(flightsql.SqlInfoStoredFunctionsUsingCallSyntaxSupported)
}

// functionsOf lists the functions of a JDBC category. Vector functions count as numeric, so that GUIs
// colour and complete them; what has no category of its own is a system function.
func functionsOf(category string) []string {
	names := []string{}
	for _, f := range expr.FunctionNames() {
		c := f.Category
		switch c {
		case "numeric", "string", "datetime":
		case "vector":
			c = "numeric"
		default:
			c = "system"
		}
		if c == category {
			names = append(names, f.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// conversions says which SQL types CAST turns into which: numbers and text into each other, text and
// binary, dates and times.
func conversions() map[int32][]int32 {
	numbers := []int32{
		int32(flightsql.SqlConvertTinyInt), int32(flightsql.SqlConvertSmallInt), int32(flightsql.SqlConvertInteger),
		int32(flightsql.SqlConvertBigInt), int32(flightsql.SqlConvertReal), int32(flightsql.SqlConvertFloat),
		int32(flightsql.SqlConvertDecimal),
	}
	text := []int32{int32(flightsql.SqlConvertVarchar)}
	times := []int32{int32(flightsql.SqlConvertDate), int32(flightsql.SqlConvertTimestamp)}
	out := map[int32][]int32{}
	for _, n := range numbers {
		out[n] = slices.Concat(numbers, text)
	}
	for _, d := range times {
		out[d] = slices.Concat(times, text)
	}
	out[text[0]] = slices.Concat(numbers, text, times)
	return out
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
