package flightsrv

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc/status"

	"lanceflight/flightsrv/ticketpb"
	"lanceflight/internal/fault"
	"lanceflight/sqlplan"
	"lanceflight/sqlplan/expr"
)

// handle is a prepared statement: its text, the settings it was prepared under, and the parameters
// bound last, as an Arrow IPC stream. The plan is asked for anew per execution, so a statement prepared
// yesterday sees the table of today. While nothing was committed, the engine still has the plan
// (sqlplan.Engine.Prepare).
type handle struct {
	sql      string
	settings map[string]string
	user     string
	used     time.Time
	params   []byte
}

func (h *handle) ticket() *ticketpb.Ticket {
	return &ticketpb.Ticket{Sql: h.sql, Settings: h.settings, Parameters: h.params, User: h.user}
}

// handles are the prepared statements alive, bounded in number; idle ones make room.
type handles struct {
	mu   sync.Mutex
	byID map[string]*handle
	max  int
	idle time.Duration
	now  func() time.Time
}

func newHandles(max int, idle time.Duration) *handles {
	return &handles{byID: map[string]*handle{}, max: max, idle: idle, now: time.Now}
}

func (t *handles) add(h *handle) ([]byte, error) {
	raw := make([]byte, 16)
	if _, err := rand.Read(raw); err != nil {
		return nil, fault.New(fault.Internal, "draw a handle: %w", err)
	}
	id := hex.EncodeToString(raw)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.byID) >= t.max {
		for k, old := range t.byID {
			if t.now().Sub(old.used) > t.idle {
				delete(t.byID, k)
			}
		}
		if len(t.byID) >= t.max {
			return nil, fault.New(fault.ResourceExhausted, "%d prepared statements are open, the limit; close some", t.max)
		}
	}
	h.used = t.now()
	t.byID[id] = h
	return []byte(id), nil
}

// get returns a copy of a handle. Another user's handle does not exist.
func (t *handles) get(ctx context.Context, id []byte) (handle, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h, ok := t.byID[string(id)]
	if !ok || h.user != userFrom(ctx) || t.now().Sub(h.used) > t.idle {
		return handle{}, fault.New(fault.NotFound,
			"unknown prepared statement: it was closed, was idle for more than %s, or belongs to another server", t.idle)
	}
	h.used = t.now()
	return *h, nil
}

func (t *handles) bind(id, params []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h, ok := t.byID[string(id)]; ok {
		h.params = params
	}
}

// drop forgets a handle. Another user's handle stays.
func (t *handles) drop(ctx context.Context, id []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h, ok := t.byID[string(id)]; ok && h.user == userFrom(ctx) {
		delete(t.byID, string(id))
	}
}

func (t *handles) closeAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.byID)
}

// planHandle plans the statement under a handle, on the tables as they are now, for the parameters bound
// to it.
func (s *Server) planHandle(ctx context.Context, id []byte) (handle, *sqlplan.Prepared, error) {
	h, err := s.handles.get(ctx, id)
	if err != nil {
		return handle{}, nil, err
	}
	p, _, err := s.prepareBound(ctx, h.sql, h.settings, nil, h.params)
	return h, p, err
}

// CreatePreparedStatement plans a statement once for its schemas; errors in the text show here. Drivers
// decide between query and update by dataset_schema (JDBC) or is_update (ADBC), so both are filled.
func (s *Server) CreatePreparedStatement(
	ctx context.Context, req flightsql.ActionCreatePreparedStatementRequest,
) (res flightsql.ActionCreatePreparedStatementResult, err error) {
	if len(req.GetTransactionId()) > 0 {
		return res, errTransactions
	}
	p, settings, err := s.plan(ctx, req.GetQuery())
	if err != nil {
		return res, err
	}
	if res.Handle, err = s.handles.add(&handle{sql: req.GetQuery(), settings: settings, user: userFrom(ctx)}); err != nil {
		return res, err
	}
	// A statement that changes something and returns rows is executed as a query, as in PostgreSQL's
	// drivers: the answer to an update has no place for rows.
	update := p.Schema().NumFields() == 0
	res.IsUpdate = &update
	if !update {
		res.DatasetSchema = p.Schema()
	}
	res.ParameterSchema = p.ParamSchema()
	return res, nil
}

// ClosePreparedStatement forgets a handle; closing it twice is no error.
func (s *Server) ClosePreparedStatement(ctx context.Context, req flightsql.ActionClosePreparedStatementRequest) error {
	s.handles.drop(ctx, req.GetPreparedStatementHandle())
	return nil
}

// GetFlightInfoPreparedStatement plans the statement under its handle and issues a ticket that survives
// the handle: ADBC closes a statement before its partitions are read. Bad values of parameters are refused
// here, not in the middle of DoGet.
func (s *Server) GetFlightInfoPreparedStatement(
	ctx context.Context, cmd flightsql.PreparedStatementQuery, desc *flight.FlightDescriptor,
) (*flight.FlightInfo, error) {
	h, p, err := s.planHandle(ctx, cmd.GetPreparedStatementHandle())
	if err != nil {
		return nil, err
	}
	if n := p.ParamSchema().NumFields(); n > 0 && len(h.params) == 0 {
		return nil, fault.New(fault.InvalidArgument, "the statement has %d parameters and none were bound", n)
	}
	return s.flightInfo(ctx, p, h.ticket(), desc)
}

// GetSchemaPreparedStatement plans the statement under its handle for its schema.
func (s *Server) GetSchemaPreparedStatement(
	ctx context.Context, cmd flightsql.PreparedStatementQuery, _ *flight.FlightDescriptor,
) (*flight.SchemaResult, error) {
	_, p, err := s.planHandle(ctx, cmd.GetPreparedStatementHandle())
	return s.schemaResult(p, err)
}

// DoPutPreparedStatementQuery binds parameters: each row is one execution.
func (s *Server) DoPutPreparedStatementQuery(
	ctx context.Context, cmd flightsql.PreparedStatementQuery, rdr flight.MessageReader, _ flight.MetadataWriter,
) ([]byte, error) {
	id := cmd.GetPreparedStatementHandle()
	h, err := s.handles.get(ctx, id)
	if err != nil {
		return nil, err
	}
	params, err := s.readParams(rdr)
	if err != nil {
		return nil, err
	}
	if _, _, err := s.prepareBound(ctx, h.sql, h.settings, nil, params); err != nil {
		return nil, err
	}
	s.handles.bind(id, params)
	return id, nil
}

// readParams copies a DoPut stream into IPC bytes, nil if it has no row. The size is bounded by what a
// ticket may carry.
func (s *Server) readParams(rdr flight.MessageReader) ([]byte, error) {
	var buf bytes.Buffer
	var w *ipc.Writer
	rows := int64(0)
	for {
		rec, err := rdr.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, readError(err)
		}
		if rec.NumRows() == 0 {
			continue
		}
		if w == nil {
			// Of malformed arrays the writer panics, and does not free what it holds.
			w = ipc.NewWriter(&buf, ipc.WithSchema(rec.Schema()), ipc.WithAllocator(memory.DefaultAllocator))
		}
		if rows += rec.NumRows(); rows > maxParamRows {
			return nil, fault.New(fault.ResourceExhausted, "more than %d rows of parameters, the limit; bind fewer rows at once", maxParamRows)
		}
		for i, col := range rec.Columns() {
			if err := checkArray(col); err != nil {
				return nil, fault.New(fault.InvalidArgument, "malformed parameter $%d: %w", i+1, err)
			}
		}
		if err := w.Write(rec); err != nil {
			return nil, fault.New(fault.InvalidArgument, "read parameters: %w", err)
		}
		if buf.Len() > MaxTicketBytes {
			return nil, fault.New(fault.ResourceExhausted,
				"parameters take more than %d bytes, the limit; bind fewer rows at once", MaxTicketBytes)
		}
	}
	if w == nil {
		return nil, nil
	}
	if err := w.Close(); err != nil {
		return nil, fault.New(fault.InvalidArgument, "read parameters: %w", err)
	}
	return buf.Bytes(), nil
}

// checkArray verifies the offsets of an array and of the arrays inside of it, which came from a client. If
// they went back and forth, a small list could be read as many large ones.
func checkArray(a arrow.Array) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	if v, ok := a.(interface{ ValidateFull() error }); ok {
		if err := v.ValidateFull(); err != nil {
			return err
		}
	}
	if d, ok := a.(*array.Dictionary); ok {
		return checkArray(d.Dictionary())
	}
	for _, child := range a.Data().Children() {
		inner := array.MakeFromData(child)
		err := checkArray(inner)
		inner.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// readError says why a stream of parameters could not be read. What gRPC says of the stream itself, such as
// that a message is too large, keeps its code. All else is the fault of what the client wrote.
func readError(err error) error {
	var carrier interface{ GRPCStatus() *status.Status }
	if errors.As(err, &carrier) {
		return status.Errorf(carrier.GRPCStatus().Code(), "read parameters: %s", carrier.GRPCStatus().Message())
	}
	kind := fault.InvalidArgument
	if fault.Is(err, fault.ResourceExhausted) {
		kind = fault.ResourceExhausted
	}
	return fault.New(kind, "read parameters: %w", err)
}

// prepareBound plans a statement for the parameters that are bound to it, an Arrow IPC stream, and
// returns the values of each of its rows, which are one run each. Without parameters there is one run.
func (s *Server) prepareBound(
	ctx context.Context, sql string, settings map[string]string, pins sqlplan.Pins, params []byte,
) (p *sqlplan.Prepared, runs [][]expr.Literal, err error) {
	if len(params) == 0 {
		p, err = s.prepare(ctx, sql, settings, pins)
		return p, [][]expr.Literal{nil}, err
	}
	if s.draining.Load() {
		return nil, nil, errDraining
	}
	// The bytes come from a client: arrow-go panics on some malformed buffers.
	defer func() {
		if r := recover(); r != nil {
			p, runs, err = nil, nil, fault.New(fault.InvalidArgument, "malformed parameters: %v", r)
		}
	}()
	rdr, err := ipc.NewReader(bytes.NewReader(params), ipc.WithAllocator(s.opts.Mem))
	if err != nil {
		return nil, nil, fault.New(fault.InvalidArgument, "read parameters: %w", err)
	}
	defer rdr.Release()
	var recs []arrow.RecordBatch
	defer func() {
		for _, rec := range recs {
			rec.Release()
		}
	}()
	for rdr.Next() {
		rec := rdr.RecordBatch()
		rec.Retain()
		recs = append(recs, rec)
	}
	if err := rdr.Err(); err != nil {
		return nil, nil, fault.New(fault.InvalidArgument, "read parameters: %w", err)
	}
	return s.engine.PrepareBound(ctx, sqlplan.Session{Settings: settings, User: userFrom(ctx)}, sql, pins, recs)
}
