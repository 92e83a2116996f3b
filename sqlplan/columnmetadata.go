package sqlplan

import (
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/catalog"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// Keys of field metadata, as Flight SQL defines them (FlightSql.proto, "Column Metadata"). The values of IS
// keys are 1 and 0. The key REMARKS is not here: on a result it replaces the label of the column in JDBC.
const (
	flightSQLPrefix = "ARROW:FLIGHT:SQL:"
	extensionPrefix = "ARROW:extension:"

	catalogNameKey     = "ARROW:FLIGHT:SQL:CATALOG_NAME"
	schemaNameKey      = "ARROW:FLIGHT:SQL:SCHEMA_NAME"
	tableNameKey       = "ARROW:FLIGHT:SQL:TABLE_NAME"
	typeNameKey        = "ARROW:FLIGHT:SQL:TYPE_NAME"
	precisionKey       = "ARROW:FLIGHT:SQL:PRECISION"
	scaleKey           = "ARROW:FLIGHT:SQL:SCALE"
	isAutoIncrementKey = "ARROW:FLIGHT:SQL:IS_AUTO_INCREMENT"
	isCaseSensitiveKey = "ARROW:FLIGHT:SQL:IS_CASE_SENSITIVE"
	isReadOnlyKey      = "ARROW:FLIGHT:SQL:IS_READ_ONLY"
	isSearchableKey    = "ARROW:FLIGHT:SQL:IS_SEARCHABLE"
)

// columnMetadata is what clients read of a column of a result beside its Arrow type t: what the table's
// field says, such as the name of an extension type, and what Flight SQL defines. JDBC's
// ResultSetMetaData and getColumns have no other source for precision and scale, and Spark takes a decimal
// for DECIMAL(38,18) where they are zero. What comes from no table names none.
func columnMetadata(c plan.Col, t arrow.DataType) arrow.Metadata {
	keys, values := make([]string, 0, 10), make([]string, 0, 10)
	add := func(key, value string) { keys, values = append(keys, key), append(values, value) }
	for i, key := range c.Metadata.Keys() {
		// An extension type is one of its storage, which a half float, a dictionary or a view is no more.
		changed := strings.HasPrefix(key, extensionPrefix) && !arrow.TypeEqual(c.Type, t)
		if !changed && !strings.HasPrefix(key, flightSQLPrefix) {
			add(key, c.Metadata.Values()[i])
		}
	}
	if c.Table != "" {
		add(catalogNameKey, catalog.CatalogName)
		add(schemaNameKey, c.Schema)
		add(tableNameKey, c.Table)
	}
	add(typeNameKey, expr.TypeName(t))
	if precision, scale, ok := precisionOf(t); ok {
		add(precisionKey, strconv.Itoa(precision))
		add(scaleKey, strconv.Itoa(scale))
	}
	add(isAutoIncrementKey, "0")
	switch t.ID() {
	case arrow.STRING, arrow.LARGE_STRING, arrow.STRING_VIEW:
		add(isCaseSensitiveKey, "1")
	default:
		add(isCaseSensitiveKey, "0")
	}
	add(isReadOnlyKey, "1")
	add(isSearchableKey, "1")
	return arrow.NewMetadata(keys, values)
}

// precisionOf returns the size of a type as JDBC and ODBC count it: the decimal digits of a number, and the
// characters of a date or time at its full precision, which for times is that of their unit. scale is the
// number of digits behind the point. Texts, binary values, lists and structs have no bound: ok is false.
func precisionOf(t arrow.DataType) (precision, scale int, ok bool) {
	const date, clock = len("2006-01-02"), len("15:04:05")
	fraction := func(unit arrow.TimeUnit, whole int) (int, int, bool) {
		digits := 3 * int(unit)
		if digits == 0 {
			return whole, 0, true
		}
		return whole + len(".") + digits, digits, true
	}
	switch t := t.(type) {
	case arrow.DecimalType:
		return int(t.GetPrecision()), int(t.GetScale()), true
	case *arrow.TimestampType:
		return fraction(t.Unit, date+len(" ")+clock)
	case *arrow.Time32Type:
		return fraction(t.Unit, clock)
	case *arrow.Time64Type:
		return fraction(t.Unit, clock)
	}
	switch t.ID() {
	case arrow.BOOL:
		return 1, 0, true
	case arrow.INT8, arrow.UINT8:
		return 3, 0, true
	case arrow.INT16, arrow.UINT16:
		return 5, 0, true
	case arrow.INT32, arrow.UINT32:
		return 10, 0, true
	case arrow.INT64:
		return 19, 0, true
	case arrow.UINT64:
		return 20, 0, true
	case arrow.FLOAT32:
		return 7, 0, true
	case arrow.FLOAT64:
		return 15, 0, true
	case arrow.DATE32, arrow.DATE64:
		return date, 0, true
	}
	return 0, 0, false
}
