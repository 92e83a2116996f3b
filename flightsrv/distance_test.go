package flightsrv

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
)

// Whether a distance is exact stands in every schema that a client gets of a statement, and in each of them alike: the prepared
// statement's, GetFlightInfo's, GetSchema's and the stream's.
func TestDistanceMetadataIsInEverySchema(t *testing.T) {
	s := startServer(t, Options{})
	ctx := t.Context()
	const search = "SELECT /*+ refine_factor(F) */ key, img_emb <-> (SELECT img_emb FROM train WHERE key = 42) AS d " +
		"FROM train ORDER BY d LIMIT 5"
	for _, c := range []struct{ sql, want string }{
		{strings.Replace(search, "F", "0", 1), " estimate"},
		{strings.Replace(search, "F", "10", 1), " exact"},
		{"WITH near AS (" + strings.Replace(search, "F", "0", 1) + ") SELECT 1 - d AS s, d, key FROM near", "estimate estimate "},
		{"SELECT key, img_emb <=> (SELECT img_emb FROM train WHERE key = 42) AS d FROM train WHERE key < 5", " exact"},
		{"SELECT key FROM train LIMIT 1", ""},
	} {
		stmt, err := s.client.Prepare(ctx, c.sql)
		require.NoError(t, err, c.sql)
		planned := stmt.DatasetSchema()
		var marks []string
		for _, f := range planned.Fields() {
			mark, _ := f.Metadata.GetValue("lance:distance")
			marks = append(marks, mark)
		}
		require.Equal(t, c.want, strings.Join(marks, " "), c.sql)

		prepared, err := stmt.Execute(ctx)
		require.NoError(t, err)
		direct, err := s.client.Execute(ctx, c.sql)
		require.NoError(t, err)
		only, err := s.client.GetExecuteSchema(ctx, c.sql)
		require.NoError(t, err)
		schemas := [][]byte{only.Schema}
		for _, info := range []*flight.FlightInfo{prepared, direct} {
			schemas = append(schemas, info.Schema)
			r, err := s.client.DoGet(ctx, info.Endpoint[0].Ticket)
			require.NoError(t, err)
			require.True(t, r.Next())
			require.Equal(t, planned.String(), r.Schema().String(), c.sql)
			r.Release()
		}
		for _, raw := range schemas {
			got, err := flight.DeserializeSchema(raw, memory.DefaultAllocator)
			require.NoError(t, err)
			require.Equal(t, planned.String(), got.String(), c.sql)
		}
		require.NoError(t, stmt.Close(ctx))
	}
}
