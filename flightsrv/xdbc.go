package flightsrv

import (
	"github.com/apache/arrow-go/v18/arrow/array"
)

// xdbcType is one row of GetXdbcTypeInfo: what ODBC bridges and Power BI read to learn the SQL types.
// Numbers are those of SQLGetTypeInfo in ODBC 3.
type xdbcType struct {
	name        string
	dataType    int32
	size        int32 // digits, characters or bytes; 0 = unknown
	prefix      string
	suffix      string
	params      []string // what stands in parentheses
	searchable  int32    // 0 no, 1 LIKE only, 2 all but LIKE, 3 all
	unsigned    *bool    // NULL for what is not a number
	scaleMax    int32
	radix       int32 // 0 = not a number
	sqlType     int32 // the non-concise type; differs for date and time
	subcode     int32
	caseMatters bool
}

func isUnsigned(b bool) *bool { return &b }

// The order is by data type, then closeness, as SQLGetTypeInfo asks.
var xdbcTypes = []xdbcType{
	{name: "BOOLEAN", dataType: -7, size: 1, searchable: 2, sqlType: -7},
	{name: "TINYINT", dataType: -6, size: 3, searchable: 2, unsigned: isUnsigned(false), radix: 10, sqlType: -6},
	{name: "BIGINT", dataType: -5, size: 19, searchable: 2, unsigned: isUnsigned(false), radix: 10, sqlType: -5},
	{name: "BLOB", dataType: -3, prefix: "X'", suffix: "'", searchable: 2, sqlType: -3},
	{
		name: "DECIMAL", dataType: 3, size: 38, params: []string{"precision", "scale"}, searchable: 2,
		unsigned: isUnsigned(false), scaleMax: 38, radix: 10, sqlType: 3,
	},
	{name: "INTEGER", dataType: 4, size: 10, searchable: 2, unsigned: isUnsigned(false), radix: 10, sqlType: 4},
	{name: "SMALLINT", dataType: 5, size: 5, searchable: 2, unsigned: isUnsigned(false), radix: 10, sqlType: 5},
	{name: "REAL", dataType: 7, size: 7, searchable: 2, unsigned: isUnsigned(false), radix: 10, sqlType: 7},
	{name: "DOUBLE", dataType: 8, size: 15, searchable: 2, unsigned: isUnsigned(false), radix: 10, sqlType: 8},
	{name: "VARCHAR", dataType: 12, prefix: "'", suffix: "'", searchable: 3, sqlType: 12, caseMatters: true},
	{name: "DATE", dataType: 91, size: 10, prefix: "DATE '", suffix: "'", searchable: 2, sqlType: 9, subcode: 1},
	{
		name: "TIMESTAMP", dataType: 93, size: 26, prefix: "TIMESTAMP '", suffix: "'", searchable: 2,
		scaleMax: 6, sqlType: 9, subcode: 3,
	},
}

func (t xdbcType) append(b *array.RecordBuilder) {
	str := func(i int, v string) {
		f := b.Field(i).(*array.StringBuilder)
		if v == "" {
			f.AppendNull()
		} else {
			f.Append(v)
		}
	}
	i32 := func(i int, v int32, null bool) {
		f := b.Field(i).(*array.Int32Builder)
		if null {
			f.AppendNull()
		} else {
			f.Append(v)
		}
	}
	number := t.unsigned != nil
	str(0, t.name)
	i32(1, t.dataType, false)
	i32(2, t.size, t.size == 0)
	str(3, t.prefix)
	str(4, t.suffix)
	params := b.Field(5).(*array.ListBuilder)
	params.Append(t.params != nil)
	for _, p := range t.params {
		params.ValueBuilder().(*array.StringBuilder).Append(p)
	}
	i32(6, 1, false) // nullable
	b.Field(7).(*array.BooleanBuilder).Append(t.caseMatters)
	i32(8, t.searchable, false)
	if number {
		b.Field(9).(*array.BooleanBuilder).Append(*t.unsigned)
	} else {
		b.Field(9).AppendNull()
	}
	b.Field(10).(*array.BooleanBuilder).Append(false)
	b.Field(11).(*array.BooleanBuilder).Append(false)
	str(12, t.name)
	i32(13, 0, !number)
	i32(14, t.scaleMax, !number && t.scaleMax == 0)
	i32(15, t.sqlType, false)
	i32(16, t.subcode, t.subcode == 0)
	i32(17, t.radix, !number)
	b.Field(18).AppendNull()
}
