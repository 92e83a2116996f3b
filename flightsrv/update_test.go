package flightsrv

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	flightpb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"lanceflight/sqlplan/exec"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// diary is a table in memory that the statements of these tests write to:
//
//	TEST INSERT                one row changed, none returned
//	TEST INSERT ?              the same with a parameter
//	TEST INSERT RETURNING      one row changed, which is returned
//	TEST INSERT FAIL           an error, and nothing changed
//	TEST INSERT PANIC
//	TEST INSERT SLOW           waits for release or for the end of the statement
type diary struct {
	mu      sync.Mutex
	entries []int64
	started atomic.Int64
	release chan struct{}
}

func newDiary() *diary { return &diary{release: make(chan struct{})} }

func (d *diary) len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.entries)
}

// writes plans the statements above, see sqlplan.NewEngineForTest.
func (d *diary) writes(sql string) *plan.Write {
	how, ok := strings.CutPrefix(sql, "TEST INSERT")
	if !ok {
		return nil
	}
	w := &plan.Write{Change: &diaryInsert{diary: d, how: strings.TrimSpace(how)}}
	if how == " ?" {
		w.Params = []plan.ParamInfo{{Type: arrow.PrimitiveTypes.Int64}}
	}
	return w
}

type diaryInsert struct {
	diary *diary
	how   string
}

var diaryCol = plan.Col{ID: 1, Name: "entry", Type: arrow.PrimitiveTypes.Int64}

func (x *diaryInsert) Verb() string      { return "Insert" }
func (x *diaryInsert) Targets() []string { return []string{"diary"} }
func (x *diaryInsert) Returning() []plan.Col {
	if x.how == "RETURNING" {
		return []plan.Col{diaryCol}
	}
	return nil
}

func (x *diaryInsert) Write(ctx context.Context, _ op.Operator, env *op.Env) (out exec.Written, err error) {
	d := x.diary
	d.started.Add(1)
	value := int64(1)
	switch x.how {
	case "FAIL":
		return out, errors.New("the ink is out")
	case "PANIC":
		panic("the pen broke")
	case "SLOW":
		select {
		case <-d.release:
		case <-ctx.Done():
			return out, ctx.Err()
		}
	case "?":
		l, err := expr.ConstValue(&expr.Param{Slot: 0, T: arrow.PrimitiveTypes.Int64}, env.Params)
		if err != nil {
			return out, err
		}
		if value = l.Value.(int64); value < 0 {
			return out, errors.New("negative entry")
		}
	}
	d.mu.Lock()
	d.entries = append(d.entries, value)
	d.mu.Unlock()
	out.Rows = 1
	if x.how == "RETURNING" {
		b := array.NewInt64Builder(env.Mem)
		defer b.Release()
		b.Append(value)
		a := b.NewArray()
		defer a.Release()
		out.Returned = []arrow.RecordBatch{array.NewRecordBatch(
			arrow.NewSchema([]arrow.Field{{Name: "entry", Type: arrow.PrimitiveTypes.Int64}}, nil), []arrow.Array{a}, 1)}
	}
	return out, nil
}

func startWriter(t *testing.T, opts Options) (*testServer, *diary) {
	d := newDiary()
	return startServerWith(t, opts, d.writes), d
}

// fetch reads a ticket to its end: rows returned, and rows changed as the stream says.
func fetch(ctx context.Context, c *flightsql.Client, info *flight.FlightInfo) (returned, changed int64, err error) {
	stream, err := c.Client.DoGet(ctx, info.Endpoint[0].Ticket)
	if err != nil {
		return 0, 0, err
	}
	rdr, err := flight.NewRecordReader(stream)
	if err != nil {
		return 0, 0, err
	}
	defer rdr.Release()
	// No message means no row: protobuf leaves zeros out.
	var count flightpb.DoPutUpdateResult
	if meta := rdr.LatestAppMetadata(); meta != nil && proto.Unmarshal(meta, &count) == nil {
		changed = count.RecordCount
	}
	for rdr.Next() {
		returned += rdr.RecordBatch().NumRows()
	}
	return returned, changed, rdr.Err()
}

func int64Params(values ...int64) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{{Name: "1", Type: arrow.PrimitiveTypes.Int64}}, nil))
	defer b.Release()
	b.Field(0).(*array.Int64Builder).AppendValues(values, nil)
	return b.NewRecordBatch()
}

func TestWriteRunsWhenItsTicketIsFetched(t *testing.T) {
	s, d := startWriter(t, Options{})
	ctx := context.Background()
	info, err := s.client.Execute(ctx, "TEST INSERT")
	require.NoError(t, err)
	require.Empty(t, info.Schema)
	require.Zero(t, d.len(), "a ticket that nobody fetches runs nothing")
	other := s.dial(t)
	defer other.Close()
	for _, c := range []*flightsql.Client{s.client, s.client, other} {
		returned, changed, err := fetch(ctx, c, info)
		require.NoError(t, err)
		require.Zero(t, returned)
		require.EqualValues(t, 1, changed)
		require.Equal(t, 1, d.len())
	}
	// A transport that lost the reply asks again: another ticket, and the first one is never fetched.
	_, err = s.client.Execute(ctx, "TEST INSERT")
	require.NoError(t, err)
	again, err := s.client.Execute(ctx, "TEST INSERT")
	require.NoError(t, err)
	_, _, err = fetch(ctx, s.client, again)
	require.NoError(t, err)
	require.Equal(t, 2, d.len())
	// Asking for the schema, polling and preparing run nothing either.
	_, err = s.client.GetExecuteSchema(ctx, "TEST INSERT")
	require.NoError(t, err)
	_, err = s.client.Prepare(ctx, "TEST INSERT")
	require.NoError(t, err)
	require.Equal(t, 2, d.len())
	// A renewed ticket is the same statement.
	renewed, err := s.client.RenewFlightEndpoint(ctx, &flight.RenewFlightEndpointRequest{Endpoint: again.Endpoint[0]})
	require.NoError(t, err)
	_, changed, err := fetch(ctx, s.client, &flight.FlightInfo{Endpoint: []*flight.FlightEndpoint{renewed}})
	require.NoError(t, err)
	require.EqualValues(t, 1, changed)
	require.Equal(t, 2, d.len())
}

func TestWriteByDoPut(t *testing.T) {
	s, d := startWriter(t, Options{})
	ctx := context.Background()
	n, err := s.client.ExecuteUpdate(ctx, "TEST INSERT")
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	n, err = s.client.ExecuteUpdate(ctx, "TEST INSERT RETURNING")
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	require.Equal(t, 2, d.len())
	_, err = s.client.ExecuteUpdate(ctx, "TEST INSERT ?")
	require.Equal(t, codes.InvalidArgument, status.Code(err))
	_, err = s.client.ExecuteUpdate(ctx, "TEST INSERT PANIC")
	require.Equal(t, codes.Internal, status.Code(err))
	require.Equal(t, 2, d.len())
}

func TestPreparedWrite(t *testing.T) {
	s, d := startWriter(t, Options{})
	ctx := context.Background()
	stmt, err := s.client.Prepare(ctx, "TEST INSERT ?")
	require.NoError(t, err)
	require.Nil(t, stmt.DatasetSchema())
	_, err = stmt.ExecuteUpdate(ctx)
	require.Equal(t, codes.InvalidArgument, status.Code(err), "no parameters are bound")

	// DoPut: each binding is a run of its own.
	params := int64Params(10, 20, 30)
	defer params.Release()
	stmt.SetParameters(params)
	n, err := stmt.ExecuteUpdate(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 3, n)
	require.Equal(t, []int64{10, 20, 30}, d.entries)

	// GetFlightInfo: binding and asking runs nothing, the fetch runs once for each binding.
	info, err := stmt.Execute(ctx)
	require.NoError(t, err)
	require.Equal(t, 3, d.len())
	for range 2 {
		_, changed, err := fetch(ctx, s.client, info)
		require.NoError(t, err)
		require.EqualValues(t, 3, changed)
		require.Equal(t, 6, d.len())
	}
	// The same handle executed again is another execution.
	info, err = stmt.Execute(ctx)
	require.NoError(t, err)
	require.NoError(t, stmt.Close(ctx))
	_, _, err = fetch(ctx, s.client, info)
	require.NoError(t, err)
	require.Equal(t, 9, d.len())

	// An error in the middle says what has been done.
	stmt, err = s.client.Prepare(ctx, "TEST INSERT ?")
	require.NoError(t, err)
	bad := int64Params(1, -1, 2)
	defer bad.Release()
	stmt.SetParameters(bad)
	_, err = stmt.ExecuteUpdate(ctx)
	require.ErrorContains(t, err, "run 2 of 3 failed, and what the runs before it did stays done")
	require.Equal(t, 10, d.len())

	// A ticket made of the handle itself has no id, so it could not be told apart from its repetition.
	stmt, err = s.client.Prepare(ctx, "TEST INSERT RETURNING")
	require.NoError(t, err)
	require.Equal(t, "entry", stmt.DatasetSchema().Field(0).Name)
	info, err = stmt.Execute(ctx)
	require.NoError(t, err)
	_, _, err = fetch(ctx, s.client,
		&flight.FlightInfo{Endpoint: []*flight.FlightEndpoint{{Ticket: &flight.Ticket{Ticket: info.FlightDescriptor.Cmd}}}})
	require.Equal(t, codes.InvalidArgument, status.Code(err), err)
	require.Equal(t, 10, d.len())
}

func TestReturningIsReplayed(t *testing.T) {
	s, d := startWriter(t, Options{})
	ctx := context.Background()
	info, err := s.client.Execute(ctx, "TEST INSERT RETURNING")
	require.NoError(t, err)
	for range 3 {
		returned, changed, err := fetch(ctx, s.client, info)
		require.NoError(t, err)
		require.EqualValues(t, 1, returned)
		require.EqualValues(t, 1, changed)
	}
	require.Equal(t, 1, d.len())
}

func TestFailedWriteIsReplayed(t *testing.T) {
	s, d := startWriter(t, Options{})
	ctx := context.Background()
	for _, sql := range []string{"TEST INSERT FAIL", "TEST INSERT PANIC"} {
		info, err := s.client.Execute(ctx, sql)
		require.NoError(t, err)
		before := d.started.Load()
		_, _, first := fetch(ctx, s.client, info)
		require.Error(t, first)
		_, _, second := fetch(ctx, s.client, info)
		require.Equal(t, first.Error(), second.Error())
		require.Equal(t, before+1, d.started.Load())
	}
	require.Zero(t, d.len())
}

func TestTwoClientsRaceForOneTicket(t *testing.T) {
	s, d := startWriter(t, Options{})
	ctx := context.Background()
	other := s.dial(t)
	defer other.Close()
	for range 50 {
		before := d.len()
		info, err := s.client.Execute(ctx, "TEST INSERT RETURNING")
		require.NoError(t, err)
		var wg sync.WaitGroup
		errs := make([]error, 6)
		for i := range errs {
			wg.Go(func() {
				_, _, errs[i] = fetch(ctx, []*flightsql.Client{s.client, other}[i%2], info)
			})
		}
		wg.Wait()
		require.NoError(t, errors.Join(errs...))
		require.Equal(t, before+1, d.len())
	}
}

// waiting waits until the outcome of the only ticket has so many fetchers.
func waiting(t *testing.T, s *testServer, n int) {
	t.Helper()
	require.Eventually(t, func() bool {
		s.outcomes.mu.Lock()
		defer s.outcomes.mu.Unlock()
		for _, o := range s.outcomes.byID {
			if o.waiters == n {
				return true
			}
		}
		return false
	}, 10*time.Second, time.Millisecond)
}

func TestFirstFetcherGoesAway(t *testing.T) {
	s, d := startWriter(t, Options{})
	ctx := context.Background()
	info, err := s.client.Execute(ctx, "TEST INSERT SLOW")
	require.NoError(t, err)
	first, cancel := context.WithCancel(ctx)
	errs := make(chan error, 2)
	go func() { _, _, err := fetch(first, s.client, info); errs <- err }()
	waiting(t, s, 1)
	go func() { _, _, err := fetch(ctx, s.client, info); errs <- err }()
	waiting(t, s, 2)
	// As long as another one waits, the statement goes on.
	cancel()
	require.Equal(t, codes.Canceled, status.Code(<-errs))
	waiting(t, s, 1)
	close(d.release)
	require.NoError(t, <-errs)
	require.Equal(t, 1, d.len())
}

func TestLastFetcherGoesAway(t *testing.T) {
	s, d := startWriter(t, Options{})
	ctx := context.Background()
	info, err := s.client.Execute(ctx, "TEST INSERT SLOW")
	require.NoError(t, err)
	first, cancel := context.WithCancel(ctx)
	errs := make(chan error, 1)
	go func() { _, _, err := fetch(first, s.client, info); errs <- err }()
	waiting(t, s, 1)
	require.Eventually(t, func() bool { return d.started.Load() == 1 }, 10*time.Second, time.Millisecond)
	cancel()
	require.Equal(t, codes.Canceled, status.Code(<-errs))
	// The client knows of its end before the server does. A fetch in between would keep the statement alive.
	waiting(t, s, 0)
	// It was cancelled, which is its outcome from now on.
	_, _, err = fetch(ctx, s.client, info)
	require.Equal(t, codes.Canceled, status.Code(err))
	require.ErrorContains(t, err, "went away")
	require.Zero(t, d.len())
	require.EqualValues(t, 1, d.started.Load())
}

func TestCancelFlightInfoOfAWrite(t *testing.T) {
	s, d := startWriter(t, Options{})
	ctx := context.Background()
	cancelled := func(info *flight.FlightInfo) flight.CancelStatus {
		res, err := s.client.CancelFlightInfo(ctx, &flight.CancelFlightInfoRequest{Info: info})
		require.NoError(t, err)
		return res.Status
	}
	info, err := s.client.Execute(ctx, "TEST INSERT SLOW")
	require.NoError(t, err)
	errs := make(chan error, 1)
	go func() { _, _, err := fetch(ctx, s.client, info); errs <- err }()
	waiting(t, s, 1)
	require.Equal(t, flight.CancelStatusCancelled, cancelled(info))
	require.Equal(t, codes.Canceled, status.Code(<-errs))
	require.Equal(t, flight.CancelStatusNotCancellable, cancelled(info))

	info, err = s.client.Execute(ctx, "TEST INSERT")
	require.NoError(t, err)
	require.Equal(t, flight.CancelStatusCancelled, cancelled(info))
	_, _, err = fetch(ctx, s.client, info)
	require.Equal(t, codes.Canceled, status.Code(err))
	require.Zero(t, d.len())
}

func TestWriteHasATimeout(t *testing.T) {
	s, d := startWriter(t, Options{StatementTimeout: time.Millisecond})
	ctx := context.Background()
	info, err := s.client.Execute(ctx, "TEST INSERT SLOW")
	require.NoError(t, err)
	_, _, err = fetch(ctx, s.client, info)
	require.Equal(t, codes.DeadlineExceeded, status.Code(err), err)
	_, err = s.client.ExecuteUpdate(ctx, "TEST INSERT SLOW")
	require.Equal(t, codes.DeadlineExceeded, status.Code(err), err)
	require.Zero(t, d.len())
}

// An outcome that is not kept any more leaves its ticket without an answer: the statement does not run.
func TestDroppedOutcomeIsUnknown(t *testing.T) {
	ctx := context.Background()
	for name, opts := range map[string]Options{
		"by count": {MaxOutcomes: 1},
		"by bytes": {MaxOutcomeBytes: outcomeBytes},
		"by time":  {OutcomeAge: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			s, d := startWriter(t, opts)
			ran, err := s.client.Execute(ctx, "TEST INSERT")
			require.NoError(t, err)
			_, _, err = fetch(ctx, s.client, ran)
			require.NoError(t, err)
			if name == "by time" {
				s.outcomes.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
			}
			_, err = s.client.Execute(ctx, "TEST INSERT") // takes the place, and is never fetched
			require.NoError(t, err)
			for range 2 {
				_, _, err = fetch(ctx, s.client, ran)
				require.Equal(t, codes.NotFound, status.Code(err))
				require.ErrorContains(t, err, "outcome of this statement is unknown")
			}
			require.Equal(t, 1, d.len())
		})
	}
	t.Run("too large to keep", func(t *testing.T) {
		s, d := startWriter(t, Options{MaxOutcomeBytes: outcomeBytes + 1})
		info, err := s.client.Execute(ctx, "TEST INSERT RETURNING")
		require.NoError(t, err)
		returned, _, err := fetch(ctx, s.client, info)
		require.NoError(t, err, "those who wait get it")
		require.EqualValues(t, 1, returned)
		_, _, err = fetch(ctx, s.client, info)
		require.Equal(t, codes.NotFound, status.Code(err))
		require.Equal(t, 1, d.len())
	})
	t.Run("all running", func(t *testing.T) {
		s, d := startWriter(t, Options{MaxOutcomes: 1})
		info, err := s.client.Execute(ctx, "TEST INSERT SLOW")
		require.NoError(t, err)
		errs := make(chan error, 1)
		go func() { _, _, err := fetch(ctx, s.client, info); errs <- err }()
		waiting(t, s, 1)
		_, err = s.client.Execute(ctx, "TEST INSERT")
		require.Equal(t, codes.ResourceExhausted, status.Code(err))
		close(d.release)
		require.NoError(t, <-errs)
	})
}

// Another process with the same key opens the ticket, and does not know whether its statement has run.
func TestWriteTicketOfAServerBefore(t *testing.T) {
	ctx := context.Background()
	opts := Options{TicketKey: []byte("0123456789abcdef")}
	before, d := startWriter(t, opts)
	after := startServerWith(t, opts, d.writes)
	info, err := before.client.Execute(ctx, "TEST INSERT")
	require.NoError(t, err)
	_, _, err = fetch(ctx, after.client, info)
	require.Equal(t, codes.NotFound, status.Code(err))
	_, _, err = fetch(ctx, before.client, info)
	require.NoError(t, err)
	_, _, err = fetch(ctx, after.client, info)
	require.Equal(t, codes.NotFound, status.Code(err))
	require.Equal(t, 1, d.len())
	// A query's ticket is anybody's.
	query, err := before.client.Execute(ctx, "SELECT 1")
	require.NoError(t, err)
	require.EqualValues(t, 1, rows(t, after.client, query))
}

// A SET takes effect when its ticket is first fetched, in the session that asked for the ticket, and an
// old ticket does not undo a newer SET.
func TestSetFollowsTheSameRule(t *testing.T) {
	s := startServer(t, Options{})
	ctx := context.Background()
	other := s.dial(t)
	defer other.Close()
	nprobes := func(c *flightsql.Client) string {
		got, err := c.GetSessionOptions(ctx, &flight.GetSessionOptionsRequest{})
		require.NoError(t, err)
		return got.SessionOptions["lance.nprobes"].GetStringValue()
	}
	info, err := s.client.Execute(ctx, "SET lance.nprobes = 11")
	require.NoError(t, err)
	require.Equal(t, "20", nprobes(s.client))
	_, _, err = fetch(ctx, other, info)
	require.NoError(t, err)
	require.Equal(t, "11", nprobes(s.client))
	require.Equal(t, "20", nprobes(other))
	_, err = s.client.ExecuteUpdate(ctx, "SET lance.nprobes = 12")
	require.NoError(t, err)
	_, changed, err := fetch(ctx, s.client, info)
	require.NoError(t, err)
	require.Zero(t, changed)
	require.Equal(t, "12", nprobes(s.client))

	stmt, err := s.client.Prepare(ctx, "RESET lance.nprobes")
	require.NoError(t, err)
	require.Equal(t, "12", nprobes(s.client))
	n, err := stmt.ExecuteUpdate(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
	require.Equal(t, "20", nprobes(s.client))
	require.NoError(t, stmt.Close(ctx))
}
