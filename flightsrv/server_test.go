package flightsrv

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"lanceflight/internal/sample"
	"lanceflight/sqlplan"
	"lanceflight/sqlplan/catalog"
	"lanceflight/sqlplan/plan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testServer serves the embedded sample on a checked allocator, which must be empty when all is closed.
type testServer struct {
	*Server
	alloc  *memory.CheckedAllocator
	client *flightsql.Client
	addr   string
	table  string // folder of the table that is served
}

func startServer(t testing.TB, opts Options) *testServer {
	t.Helper()
	return startServerWith(t, opts, nil)
}

// startServerWith also plans statements by writes, see sqlplan.NewEngineForTest.
func startServerWith(t testing.TB, opts Options, writes func(sql string) *plan.Write) *testServer {
	t.Helper()
	ctx := context.Background()
	alloc := memory.NewCheckedAllocator(memory.DefaultAllocator)
	path, err := sample.Extract(t.TempDir())
	require.NoError(t, err)
	cat, err := catalog.Open(ctx, []string{path}, catalog.Options{})
	require.NoError(t, err)
	options := sqlplan.Options{Mem: alloc, Workers: 2, MemoryLimitBytes: 1 << 30, Version: "test"}
	engine := sqlplan.NewEngineForTest(cat, options, writes)
	opts.Mem = alloc
	opts.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	srv, err := New(engine, cat, opts)
	require.NoError(t, err)
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	s := &testServer{Server: srv, alloc: alloc, addr: lis.Addr().String(), table: path}
	s.client = s.dial(t)
	t.Cleanup(func() {
		require.NoError(t, s.client.Close())
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		srv.Shutdown(ctx)
		require.NoError(t, <-served)
		engine.Close()
		require.NoError(t, cat.Close())
		alloc.AssertSize(t, 0)
	})
	return s
}

func (s *testServer) dial(t testing.TB) *flightsql.Client {
	t.Helper()
	c, err := flightsql.NewClient(s.addr, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	return c
}

// raw is a client of Flight below Flight SQL, for requests that no driver makes.
func (s *testServer) raw(t testing.TB) flight.Client {
	t.Helper()
	c, err := flight.NewClientWithMiddleware(s.addr, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// ask asks for one action by its name and reads the bodies of its results.
func ask(c flight.Client, name string, body []byte) (results [][]byte, err error) {
	stream, err := c.DoAction(context.Background(), &flight.Action{Type: name, Body: body})
	for err == nil {
		var r *flight.Result
		if r, err = stream.Recv(); err == nil {
			results = append(results, r.GetBody())
		}
	}
	if err == io.EOF {
		err = nil
	}
	return results, err
}

// rows reads all of a FlightInfo and returns the number of rows.
func rows(t *testing.T, c *flightsql.Client, info *flight.FlightInfo) (n int64) {
	t.Helper()
	for _, e := range info.Endpoint {
		rdr, err := c.DoGet(context.Background(), e.Ticket)
		require.NoError(t, err)
		for rdr.Next() {
			n += rdr.RecordBatch().NumRows()
		}
		require.NoError(t, rdr.Err())
		rdr.Release()
	}
	return n
}

func TestStatement(t *testing.T) {
	s := startServer(t, Options{})
	info, err := s.client.Execute(context.Background(), "SELECT key, image, img_emb FROM train")
	require.NoError(t, err)
	require.Len(t, info.Endpoint, 1)
	require.Empty(t, info.Endpoint[0].Location)
	require.EqualValues(t, 1000, rows(t, s.client, info))
	// The ticket is stateless: again, and on another connection.
	other := s.dial(t)
	defer other.Close()
	require.EqualValues(t, 1000, rows(t, other, info))
}

func TestPreparedStatement(t *testing.T) {
	s := startServer(t, Options{})
	ctx := context.Background()
	stmt, err := s.client.Prepare(ctx, "SELECT key FROM train WHERE key >= ? AND key < ? ORDER BY key")
	require.NoError(t, err)
	require.Equal(t, "key", stmt.DatasetSchema().Field(0).Name)
	require.Equal(t, 2, stmt.ParameterSchema().NumFields())
	for _, f := range stmt.ParameterSchema().Fields() {
		require.Equal(t, arrow.INT64, f.Type.ID())
	}

	_, err = stmt.Execute(ctx)
	require.Equal(t, codes.InvalidArgument, status.Code(err), "no parameters are bound")

	b := array.NewRecordBuilder(memory.DefaultAllocator, stmt.ParameterSchema())
	defer b.Release()
	// Two rows: two executions, one after the other.
	b.Field(0).(*array.Int64Builder).AppendValues([]int64{10, 100}, nil)
	b.Field(1).(*array.Int64Builder).AppendValues([]int64{13, 102}, nil)
	params := b.NewRecordBatch()
	defer params.Release()
	stmt.SetParameters(params)
	info, err := stmt.Execute(ctx)
	require.NoError(t, err)
	require.NoError(t, stmt.Close(ctx))
	// The handle is gone, the ticket lives.
	require.EqualValues(t, 5, rows(t, s.client, info))
	require.Empty(t, s.handles.byID)
}

// A ticket is of the table that was there when it was issued. If the table is removed and made anew, with
// versions of the same numbers, the ticket reads nothing, and a new one reads the new table. A prepared
// statement names tables, and so its next execution reads the new one.
func TestTicketOfATableMadeAnew(t *testing.T) {
	s := startServer(t, Options{})
	ctx := context.Background()
	const sql = "SELECT count(*) FROM train"
	old, err := s.client.Execute(ctx, sql)
	require.NoError(t, err)
	stmt, err := s.client.Prepare(ctx, sql)
	require.NoError(t, err)
	defer stmt.Close(ctx)
	prepared, err := stmt.Execute(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, rows(t, s.client, old))

	// Another table whose manifest has the same name, size and time.
	manifests, err := filepath.Glob(filepath.Join(s.table, "_versions", "*.manifest"))
	require.NoError(t, err)
	for _, path := range manifests {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		info, err := os.Stat(path)
		require.NoError(t, err)
		at := bytes.Index(data, []byte(".lance"))
		for at >= 0 && data[at-1] != '1' && data[at-1] != '2' {
			next := bytes.Index(data[at+1:], []byte(".lance"))
			if next < 0 {
				break
			}
			at += 1 + next
		}
		require.Positive(t, at)
		data[at-1] ^= 1 // of the name of a data file
		require.NoError(t, os.Remove(path))
		require.NoError(t, os.WriteFile(path, data, 0o666))
		require.NoError(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
	}
	for _, info := range []*flight.FlightInfo{old, prepared} {
		err := streamError(s.client, info)
		require.Equal(t, codes.NotFound, status.Code(err), "%v", err)
		require.ErrorContains(t, err, "made anew")
	}
	renewed, err := s.client.RenewFlightEndpoint(ctx, &flight.RenewFlightEndpointRequest{Endpoint: old.Endpoint[0]})
	require.NoError(t, err)
	require.Equal(t, codes.NotFound, status.Code(streamError(s.client, &flight.FlightInfo{Endpoint: []*flight.FlightEndpoint{renewed}})))
	fresh, err := s.client.Execute(ctx, sql)
	require.NoError(t, err)
	require.EqualValues(t, 1, rows(t, s.client, fresh))
	again, err := stmt.Execute(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, rows(t, s.client, again))
}

// streamError is the error that the first stream of a FlightInfo ends with.
func streamError(c *flightsql.Client, info *flight.FlightInfo) error {
	r, err := c.DoGet(context.Background(), info.Endpoint[0].Ticket)
	if err != nil {
		return err
	}
	defer r.Release()
	for r.Next() {
	}
	return r.Err()
}

func TestHandlesAreBounded(t *testing.T) {
	s := startServer(t, Options{MaxHandles: 2})
	ctx := context.Background()
	for range 2 {
		_, err := s.client.Prepare(ctx, "SELECT 1")
		require.NoError(t, err)
	}
	_, err := s.client.Prepare(ctx, "SELECT 1")
	require.Equal(t, codes.ResourceExhausted, status.Code(err))
	s.handles.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	_, err = s.client.Prepare(ctx, "SELECT 1")
	require.NoError(t, err, "idle handles make room")
}

// A reader that goes away after the first batch stops the statement: its memory comes back although
// nobody reads the rest.
func TestDroppedStreamFreesItsMemory(t *testing.T) {
	s := startServer(t, Options{})
	info, err := s.client.Execute(context.Background(), "SELECT * FROM train")
	require.NoError(t, err)
	for range 5 {
		ctx, cancel := context.WithCancel(context.Background())
		rdr, err := s.client.DoGet(ctx, info.Endpoint[0].Ticket)
		require.NoError(t, err)
		require.True(t, rdr.Next())
		cancel()
		rdr.Release()
	}
	require.Eventually(t, func() bool {
		s.streams.mu.Lock()
		defer s.streams.mu.Unlock()
		return len(s.streams.cancel) == 0
	}, 30*time.Second, time.Millisecond)
}

func TestCancelFlightInfo(t *testing.T) {
	s := startServer(t, Options{})
	ctx := context.Background()
	info, err := s.client.Execute(ctx, "SELECT * FROM train")
	require.NoError(t, err)
	res, err := s.client.CancelFlightInfo(ctx, &flight.CancelFlightInfoRequest{Info: info})
	require.NoError(t, err)
	require.Equal(t, flight.CancelStatusNotCancellable, res.Status, "nothing runs yet")
}

func TestStatementsThatAreNoQueriesRunOnce(t *testing.T) {
	s := startServer(t, Options{})
	ctx := context.Background()
	info, err := s.client.Execute(ctx, "SET lance.nprobes = 11")
	require.NoError(t, err)
	require.EqualValues(t, 0, rows(t, s.client, info))
	n, err := s.client.ExecuteUpdate(ctx, "SET lance.refine_factor = 3")
	require.NoError(t, err)
	require.EqualValues(t, 0, n)
	got, err := s.client.GetSessionOptions(ctx, &flight.GetSessionOptionsRequest{})
	require.NoError(t, err)
	require.Equal(t, "11", got.SessionOptions["lance.nprobes"].GetStringValue())
	require.Equal(t, "3", got.SessionOptions["lance.refine_factor"].GetStringValue())
	// Another connection is another session.
	other := s.dial(t)
	defer other.Close()
	got, err = other.GetSessionOptions(ctx, &flight.GetSessionOptionsRequest{})
	require.NoError(t, err)
	require.NotEqual(t, "11", got.SessionOptions["lance.nprobes"].GetStringValue())
	_, err = s.client.ExecuteUpdate(ctx, "SELECT 1")
	require.Equal(t, codes.InvalidArgument, status.Code(err))
}

func TestSessionOptions(t *testing.T) {
	s := startServer(t, Options{})
	ctx := context.Background()
	options, err := flight.NewSessionOptionValues(map[string]any{
		"lance.nprobes": int64(5), "lance.use_index": false, "nonsense": "x", "lance.refine_factor": "many",
	})
	require.NoError(t, err)
	res, err := s.client.SetSessionOptions(ctx, &flight.SetSessionOptionsRequest{SessionOptions: options})
	require.NoError(t, err)
	require.Len(t, res.Errors, 2)
	require.Equal(t, flight.SetSessionOptionsResultErrorInvalidName, res.Errors["nonsense"].Value)
	require.Equal(t, flight.SetSessionOptionsResultErrorInvalidValue, res.Errors["lance.refine_factor"].Value)
	got, err := s.client.GetSessionOptions(ctx, &flight.GetSessionOptionsRequest{})
	require.NoError(t, err)
	require.Equal(t, "5", got.SessionOptions["lance.nprobes"].GetStringValue())
	closed, err := s.client.CloseSession(ctx, &flight.CloseSessionRequest{})
	require.NoError(t, err)
	require.Equal(t, flight.CloseSessionResultClosed, closed.Status)
	got, err = s.client.GetSessionOptions(ctx, &flight.GetSessionOptionsRequest{})
	require.NoError(t, err)
	require.NotEqual(t, "5", got.SessionOptions["lance.nprobes"].GetStringValue())
}

func TestErrorsHaveTheirCodes(t *testing.T) {
	s := startServer(t, Options{StatementTimeout: time.Nanosecond})
	ctx := context.Background()
	for sql, want := range map[string]codes.Code{
		"SELEC 1":                codes.InvalidArgument,
		"SELECT nope FROM t":     codes.NotFound,
		"SELECT nope FROM train": codes.InvalidArgument,
		"DELETE FROM train":      codes.Unimplemented,
		"SELECT ?":               codes.InvalidArgument,
	} {
		_, err := s.client.Execute(ctx, sql)
		require.Equal(t, want, status.Code(err), "%s: %v", sql, err)
	}
	info, err := s.client.Execute(ctx, "SELECT * FROM train")
	require.NoError(t, err)
	rdr, err := s.client.DoGet(ctx, info.Endpoint[0].Ticket)
	if err == nil {
		for rdr.Next() {
		}
		err = rdr.Err()
		rdr.Release()
	}
	require.Equal(t, codes.DeadlineExceeded, status.Code(err), err)
	_, err = s.client.BeginTransaction(ctx)
	require.Equal(t, codes.Unimplemented, status.Code(err))
}

func TestDrainingServerRefusesStatements(t *testing.T) {
	s := startServer(t, Options{})
	s.draining.Store(true)
	_, err := s.client.Execute(context.Background(), "SELECT 1")
	require.Equal(t, codes.Unavailable, status.Code(err))
}

// A client may bind values of several types as one union, as flightsql-dbapi binds every value: each row
// has its own type, through DoPut, the ticket and DoGet.
func TestUnionParameters(t *testing.T) {
	s := startServer(t, Options{})
	ctx := context.Background()
	stmt, err := s.client.Prepare(ctx, "SELECT key FROM train WHERE key = ? AND caption LIKE ?")
	require.NoError(t, err)
	defer stmt.Close(ctx)
	dt := arrow.DenseUnionOf([]arrow.Field{
		{Name: "i", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
	}, []arrow.UnionTypeCode{0, 1})
	schema := arrow.NewSchema([]arrow.Field{{Name: "param_0", Type: dt}, {Name: "param_1", Type: dt}}, nil)
	params, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(
		`[{"param_0": [0, 3], "param_1": [1, "%"]}, {"param_0": [1, "7"], "param_1": [1, "%"]}, {"param_0": [0, null], "param_1": [1, "%"]}]`))
	require.NoError(t, err)
	defer params.Release()
	stmt.SetParameters(params)
	info, err := stmt.Execute(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 2, rows(t, s.client, info))

	// No result is sent: drivers of Arrow 15 and 16 do not free it, and cannot close their connection then.
	desc, err := s.client.Client.GetFlightInfo(ctx, info.FlightDescriptor)
	require.NoError(t, err)
	put, err := s.client.Client.DoPut(ctx)
	require.NoError(t, err)
	w := flight.NewRecordWriter(put, ipc.WithSchema(schema))
	w.SetFlightDescriptor(desc.FlightDescriptor)
	require.NoError(t, w.Write(params))
	require.NoError(t, w.Close())
	require.NoError(t, put.CloseSend())
	_, err = put.Recv()
	require.Equal(t, io.EOF, err)

	bad, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(`[{"param_0": [1, "x"], "param_1": [1, "%"]}]`))
	require.NoError(t, err)
	defer bad.Release()
	stmt.SetParameters(bad)
	_, err = stmt.Execute(ctx)
	require.Equal(t, codes.InvalidArgument, status.Code(err))
	require.ErrorContains(t, err, "parameter $1: cannot cast 'x' to BIGINT")
}
