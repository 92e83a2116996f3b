package flightsrv

import (
	"context"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	flightpb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"lanceflight/flightsrv/ticketpb"
	"lanceflight/internal/fault"
	"lanceflight/internal/sqlname"
	"lanceflight/lancefmt/storage"
	"lanceflight/sqlplan"
	"lanceflight/sqlplan/expr"
)

var errDraining = fault.New(fault.Unavailable, "the server is shutting down")

// prepare plans sql under the call's settings.
func (s *Server) prepare(
	ctx context.Context, sql string, settings map[string]string, pins sqlplan.Pins,
) (*sqlplan.Prepared, error) {
	if s.draining.Load() {
		return nil, errDraining
	}
	return s.engine.Prepare(ctx, sqlplan.Session{Settings: settings, User: userFrom(ctx)}, sql, pins)
}

// plan plans sql for the call that ctx is of, and returns the settings it was planned under.
func (s *Server) plan(ctx context.Context, sql string) (*sqlplan.Prepared, map[string]string, error) {
	settings, err := s.settings(ctx)
	if err != nil {
		return nil, nil, err
	}
	p, err := s.prepare(ctx, sql, settings, nil)
	return p, settings, err
}

// endpoint seals a ticket into an endpoint. It has no location: the client stays on its connection.
func (s *Server) endpoint(t *ticketpb.Ticket) (*flight.FlightEndpoint, error) {
	sealed, err := s.seal.seal(t)
	if err != nil {
		return nil, err
	}
	ticket, err := flightsql.CreateStatementQueryTicket(sealed)
	if err != nil {
		return nil, err
	}
	lifetime := s.opts.TicketTTL
	if isUpdate(t) {
		lifetime = min(lifetime, s.opts.OutcomeAge)
	}
	return &flight.FlightEndpoint{
		Ticket:         &flight.Ticket{Ticket: ticket},
		ExpirationTime: timestamppb.New(time.Unix(t.Issued, 0).Add(lifetime)),
	}, nil
}

// schemaResult answers GetSchema for a planned statement.
func (s *Server) schemaResult(p *sqlplan.Prepared, err error) (*flight.SchemaResult, error) {
	if err != nil {
		return nil, err
	}
	return &flight.SchemaResult{Schema: flight.SerializeSchema(p.Schema(), s.opts.Mem)}, nil
}

// flightInfo answers GetFlightInfo for a planned statement with a ticket. Nothing runs before the ticket
// is fetched.
//
// The schema of a statement that is not a query is left out, although it is known: the ADBC driver then
// opens the stream before its execute returns, and so waits until the statement has run. With a schema
// it would return at once, and end the call unread when the next statement is executed.
func (s *Server) flightInfo(
	ctx context.Context, p *sqlplan.Prepared, t *ticketpb.Ticket, desc *flight.FlightDescriptor,
) (*flight.FlightInfo, error) {
	t.Pins, t.User = sealPins(p.Pins()), userFrom(ctx)
	var schema []byte
	if p.IsQuery() {
		schema = flight.SerializeSchema(p.Schema(), s.opts.Mem)
	} else if err := s.promise(ctx, t); err != nil {
		return nil, err
	}
	endpoint, err := s.endpoint(t)
	if err != nil {
		return nil, err
	}
	return &flight.FlightInfo{
		Schema:           schema,
		FlightDescriptor: desc,
		Endpoint:         []*flight.FlightEndpoint{endpoint}, // one: many clients read only the first
		TotalRecords:     -1,
		TotalBytes:       -1,
		Ordered:          true,
	}, nil
}

// GetFlightInfoStatement plans a statement and issues its ticket.
func (s *Server) GetFlightInfoStatement(
	ctx context.Context, cmd flightsql.StatementQuery, desc *flight.FlightDescriptor,
) (*flight.FlightInfo, error) {
	if len(cmd.GetTransactionId()) > 0 {
		return nil, errTransactions
	}
	p, settings, err := s.plan(ctx, cmd.GetQuery())
	if err != nil {
		return nil, err
	}
	if n := p.ParamSchema().NumFields(); n > 0 {
		return nil, fault.New(fault.InvalidArgument, "the statement has %d parameters; prepare it and bind them", n)
	}
	return s.flightInfo(ctx, p, &ticketpb.Ticket{Sql: cmd.GetQuery(), Settings: settings}, desc)
}

// GetSchemaStatement plans a statement for its schema.
func (s *Server) GetSchemaStatement(
	ctx context.Context, cmd flightsql.StatementQuery, _ *flight.FlightDescriptor,
) (*flight.SchemaResult, error) {
	p, _, err := s.plan(ctx, cmd.GetQuery())
	return s.schemaResult(p, err)
}

// GetFlightInfo adds two courtesies for plain Flight clients: a path names a table, and a command that
// is no protobuf Any is SQL text.
func (s *service) GetFlightInfo(ctx context.Context, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	if sql, ok := plainSQL(desc); ok {
		return s.srv.GetFlightInfoStatement(ctx, &flightpb.CommandStatementQuery{Query: sql}, desc)
	}
	return s.FlightServer.GetFlightInfo(ctx, desc)
}

// GetSchema accepts the same descriptors as GetFlightInfo.
func (s *service) GetSchema(ctx context.Context, desc *flight.FlightDescriptor) (*flight.SchemaResult, error) {
	if sql, ok := plainSQL(desc); ok {
		return s.srv.GetSchemaStatement(ctx, &flightpb.CommandStatementQuery{Query: sql}, desc)
	}
	return s.FlightServer.GetSchema(ctx, desc)
}

// plainSQL returns the statement that a plain Flight descriptor stands for.
func plainSQL(desc *flight.FlightDescriptor) (string, bool) {
	switch desc.GetType() {
	case flight.DescriptorPATH:
		parts := make([]string, len(desc.GetPath()))
		for i, p := range desc.GetPath() {
			parts[i] = sqlname.Quote(p)
		}
		return "SELECT * FROM " + strings.Join(parts, "."), len(parts) > 0
	case flight.DescriptorCMD:
		var cmd anypb.Any
		if proto.Unmarshal(desc.GetCmd(), &cmd) == nil && strings.HasPrefix(cmd.GetTypeUrl(), "type.googleapis.com/") {
			return "", false
		}
		return string(desc.GetCmd()), len(desc.GetCmd()) > 0 && utf8.Valid(desc.GetCmd())
	}
	return "", false
}

// PollFlightInfo and its kin answer at once with a complete plan: planning is quick, and all progress
// is visible in the stream itself.
func (s *Server) PollFlightInfo(ctx context.Context, desc *flight.FlightDescriptor) (*flight.PollInfo, error) {
	sql, ok := plainSQL(desc)
	if !ok {
		return nil, fault.New(fault.Unsupported, "PollFlightInfo for this descriptor")
	}
	return complete(s.GetFlightInfoStatement(ctx, &flightpb.CommandStatementQuery{Query: sql}, desc))
}

func (s *Server) PollFlightInfoStatement(
	ctx context.Context, cmd flightsql.StatementQuery, desc *flight.FlightDescriptor,
) (*flight.PollInfo, error) {
	return complete(s.GetFlightInfoStatement(ctx, cmd, desc))
}

func (s *Server) PollFlightInfoPreparedStatement(
	ctx context.Context, cmd flightsql.PreparedStatementQuery, desc *flight.FlightDescriptor,
) (*flight.PollInfo, error) {
	return complete(s.GetFlightInfoPreparedStatement(ctx, cmd, desc))
}

func complete(info *flight.FlightInfo, err error) (*flight.PollInfo, error) {
	if err != nil {
		return nil, err
	}
	done := 1.0
	return &flight.PollInfo{Info: info, Progress: &done}, nil
}

// DoGet streams query results itself, frame by frame; catalog commands go to arrow-go's dispatch.
func (s *service) DoGet(ticket *flight.Ticket, stream flight.FlightService_DoGetServer) error {
	var cmd anypb.Any
	if proto.Unmarshal(ticket.GetTicket(), &cmd) != nil {
		return errNoTicket
	}
	switch {
	case cmd.MessageIs((*flightpb.TicketStatementQuery)(nil)):
		t, err := s.srv.openTicket(stream.Context(), ticket)
		if err != nil {
			return err
		}
		return s.srv.streamTicket(t, stream)
	case cmd.MessageIs((*flightpb.CommandPreparedStatementQuery)(nil)):
		var q flightpb.CommandPreparedStatementQuery
		if err := cmd.UnmarshalTo(&q); err != nil {
			return fault.New(fault.InvalidArgument, "read ticket: %w", err)
		}
		h, err := s.srv.handles.get(stream.Context(), q.GetPreparedStatementHandle())
		if err != nil {
			return err
		}
		return s.srv.streamTicket(h.ticket(), stream)
	}
	return s.FlightServer.DoGet(ticket, stream)
}

// streamTicket runs a verified ticket and sends its batches, one execution after the other when several
// rows of parameters were bound. Back-pressure is gRPC's: SendMsg blocks while the client's window is
// closed, and the operators below wait for Next.
func (s *Server) streamTicket(t *ticketpb.Ticket, stream flight.FlightService_DoGetServer) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	if isUpdate(t) {
		return s.streamOutcome(t, stream)
	}
	if d, err := sqlplan.StatementTimeout(t.Settings, s.opts.StatementTimeout); err != nil {
		return err
	} else if d > 0 {
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	defer s.streams.add(t.Id, cancel)()

	start := time.Now()
	err := s.runTicket(ctx, t, stream)
	// An error that follows from the statement's own end says why it ended; if the client went away,
	// nobody listens.
	if err != nil && stream.Context().Err() == nil {
		switch ctx.Err() {
		case context.DeadlineExceeded:
			return fault.New(fault.DeadlineExceeded,
				"statement_timeout: the statement ran longer than %s", time.Since(start).Round(time.Millisecond))
		case context.Canceled:
			return fault.New(fault.Cancelled, "the statement was cancelled")
		}
	}
	return err
}

// runTicket plans a ticket's statement and sends what each execution yields.
func (s *Server) runTicket(ctx context.Context, t *ticketpb.Ticket, stream flight.FlightService_DoGetServer) error {
	start := time.Now()
	p, runs, err := s.prepareBound(ctx, t.Sql, t.Settings, pinsOf(t), t.Parameters)
	if err != nil {
		return err
	}
	if !p.IsQuery() {
		return fault.New(fault.InvalidArgument,
			"the statement is not a query: GetFlightInfo gives a ticket for it, and DoPut runs it")
	}
	// The writer sends the schema with the first batch, or on Close.
	w, frames := newStreamWriter(stream, p.Schema(), compression(ctx), s.opts.Mem)
	var rows int64
	err = storage.Guard(func() error {
		for _, params := range runs {
			if err := s.streamRun(ctx, p, params, func(rec arrow.RecordBatch) error {
				rows += rec.NumRows()
				return w.Write(rec)
			}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	s.log.Debug("streamed", "sql", t.Sql, "rows", rows, "bytes", frames.bytes, "ms", time.Since(start).Milliseconds())
	return nil
}

// streamRun executes a plan once and gives each batch to send, which does not keep it.
func (s *Server) streamRun(
	ctx context.Context, p *sqlplan.Prepared, params []expr.Literal, send func(arrow.RecordBatch) error,
) error {
	result, err := p.Execute(ctx, sqlplan.ExecOptions{Params: params})
	if err != nil {
		return err
	}
	defer result.Close()
	for {
		rec, err := result.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		err = send(rec)
		rec.Release()
		if err != nil {
			return err
		}
	}
}

// compression returns what the client asked for with x-lance-compression: "", "lz4" or "zstd".
func compression(ctx context.Context) string {
	md, _ := metadata.FromIncomingContext(ctx)
	if v := md.Get("x-lance-compression"); len(v) > 0 {
		switch c := strings.ToLower(v[0]); c {
		case "lz4", "zstd":
			return c
		}
	}
	return ""
}

// errNoTicket answers bytes that cannot be a ticket, and requests that lack one.
var errNoTicket = fault.New(fault.InvalidArgument, "this is not a ticket of this server")

// openTicket verifies the ticket of a statement and that it was issued to the user who calls.
func (s *Server) openTicket(ctx context.Context, ticket *flight.Ticket) (*ticketpb.Ticket, error) {
	var cmd anypb.Any
	var q flightpb.TicketStatementQuery
	if proto.Unmarshal(ticket.GetTicket(), &cmd) != nil || cmd.UnmarshalTo(&q) != nil {
		return nil, errNoTicket
	}
	t, err := s.seal.open(q.GetStatementHandle())
	if err != nil {
		return nil, err
	}
	if t.User != userFrom(ctx) {
		return nil, fault.New(fault.PermissionDenied, "the ticket was issued to another user")
	}
	return t, nil
}

// CancelFlightInfo ends the streams of a ticket that run in this process.
func (s *Server) CancelFlightInfo(
	ctx context.Context, req *flight.CancelFlightInfoRequest,
) (flight.CancelFlightInfoResult, error) {
	outcome := flight.CancelStatusNotCancellable
	for _, e := range req.GetInfo().GetEndpoint() {
		t, err := s.openTicket(ctx, e.GetTicket())
		if err != nil {
			return flight.CancelFlightInfoResult{Status: outcome}, err
		}
		if s.streams.stop(t.Id) || isUpdate(t) && s.outcomes.stop(t.Id) {
			outcome = flight.CancelStatusCancelled
		}
	}
	return flight.CancelFlightInfoResult{Status: outcome}, nil
}

// RenewFlightEndpoint issues the endpoint's ticket anew, with the same snapshot.
func (s *Server) RenewFlightEndpoint(
	ctx context.Context, req *flight.RenewFlightEndpointRequest,
) (*flight.FlightEndpoint, error) {
	t, err := s.openTicket(ctx, req.GetEndpoint().GetTicket())
	if err != nil {
		return nil, err
	}
	return s.endpoint(t)
}
