package flightsrv

import (
	"context"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql/schema_ref"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
)

func TestLikePattern(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		match         bool
	}{
		{"%", "anything", true},
		{"tr%", "train", true},
		{"tr%", "atrain", false},
		{"trai_", "train", true},
		{"trai_", "trai", false},
		{`laion\_1m`, "laion_1m", true},
		{`laion\_1m`, "laionx1m", false},
		{"laion_1m", "laion_1m", true},
		{`100\%`, "100%", true},
		{"a.c", "abc", false},
		{"(", "(", true},
		{`a\`, `a\`, true},
		{"train", "Train", false},
		{"%\n%", "a\nb", true},
		{"größe", "größe", true},
		{"gr__e", "große", true},
		{"gr___", "größe", true},
	} {
		require.Equal(t, c.match, likePattern(&c.pattern).MatchString(c.name), "%q on %q", c.pattern, c.name)
	}
	empty := ""
	require.True(t, likePattern(nil).MatchString("x"))
	require.True(t, likePattern(&empty).MatchString("x"))
}

func FuzzLikePattern(f *testing.F) {
	f.Add("a%_\\", "abc")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		likePattern(&pattern).MatchString(name)
	})
}

// Every code goes into the union member that the JDBC driver casts to, and all that it reads are there.
func TestSqlInfo(t *testing.T) {
	alloc := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer alloc.AssertSize(t, 0)
	info := sqlInfo("test")
	b := array.NewRecordBuilder(alloc, schema_ref.SqlInfo)
	defer b.Release()
	codes := sortedKeys(info)
	for _, code := range codes {
		b.Field(0).(*array.Uint32Builder).Append(code)
		appendInfo(b.Field(1).(*array.DenseUnionBuilder), info[code])
	}
	rec := b.NewRecordBatch()
	defer rec.Release()
	require.EqualValues(t, len(info), rec.NumRows())
	require.Less(t, codes[len(codes)-1], uint32(10_000))

	// The members that the getters of the JDBC driver cast to.
	want := map[string][][2]uint32{
		"string": {{0, 1}, {504, 504}, {513, 514}, {529, 531}},
		"bool": {{3, 3}, {515, 516}, {518, 521}, {523, 524}, {527, 527}, {532, 532}, {536, 537}, {539, 539},
			{556, 556}, {563, 563}, {565, 566}, {572, 576}},
		"int32":             {{522, 522}, {525, 526}, {528, 528}, {533, 535}, {538, 538}, {540, 540}, {564, 564}, {567, 567}},
		"int64":             {{541, 555}, {557, 562}},
		"[]string":          {{508, 512}},
		"map[int32][]int32": {{517, 517}},
	}
	for kind, ranges := range want {
		for _, r := range ranges {
			for code := r[0]; code <= r[1]; code++ {
				v, ok := info[code]
				require.True(t, ok, "code %d is missing", code)
				require.Equal(t, kind, kindOf(v), "code %d", code)
			}
		}
	}
}

// A client that names no code gets those that the oldest driver knows: the JDBC drivers of Arrow 10 to 16.1
// stop reading at the first other one. A client that asks for a code gets it.
func TestSqlInfoForOldDrivers(t *testing.T) {
	s := startServer(t, Options{})
	ask := func(codes ...flightsql.SqlInfo) (got []uint32) {
		info, err := s.client.GetSqlInfo(context.Background(), codes)
		require.NoError(t, err)
		rdr, err := s.client.DoGet(context.Background(), info.Endpoint[0].Ticket)
		require.NoError(t, err)
		defer rdr.Release()
		for rdr.Next() {
			got = append(got, rdr.RecordBatch().Column(0).(*array.Uint32).Values()...)
		}
		require.NoError(t, rdr.Err())
		return slices.Clone(got)
	}
	// The enumeration SqlInfo of the driver of Arrow 10.0.0.
	var first []uint32
	for _, r := range [][2]uint32{{0, 9}, {100, 101}, {500, 576}} {
		for code := r[0]; code <= r[1]; code++ {
			first = append(first, code)
		}
	}
	require.Equal(t, first, ask(), "every code of the first driver, and no other")
	ingestion, ingestInTransaction := flightsql.SqlInfoFlightSqlServerBulkIngestion,
		flightsql.SqlInfoFlightSqlServerIngestTransactionsSupported
	require.Equal(t, []uint32{10, 11, 0}, ask(ingestion, ingestInTransaction, flightsql.SqlInfoFlightSqlServerName))
	require.Empty(t, ask(9_999), "a code that nobody registered is left out")
}

func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case bool:
		return "bool"
	case int32:
		return "int32"
	case int64:
		return "int64"
	case []string:
		return "[]string"
	case map[int32][]int32:
		return "map[int32][]int32"
	}
	return "?"
}

func TestXdbcTypes(t *testing.T) {
	alloc := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer alloc.AssertSize(t, 0)
	b := array.NewRecordBuilder(alloc, schema_ref.XdbcTypeInfo)
	defer b.Release()
	last := int32(-1 << 31)
	for _, x := range xdbcTypes {
		require.GreaterOrEqual(t, x.dataType, last, "SQLGetTypeInfo orders by data type")
		last = x.dataType
		x.append(b)
	}
	rec := b.NewRecordBatch()
	defer rec.Release()
	require.EqualValues(t, len(xdbcTypes), rec.NumRows())
	for i, f := range schema_ref.XdbcTypeInfo.Fields() {
		require.True(t, f.Nullable || rec.Column(i).NullN() == 0, "%s holds NULL", f.Name)
	}
}
