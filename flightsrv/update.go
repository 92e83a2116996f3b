package flightsrv

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	flightpb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"google.golang.org/protobuf/proto"

	"lanceflight/flightsrv/ticketpb"
	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage"
	"lanceflight/sqlplan"
	"lanceflight/sqlplan/expr"
)

// This file runs the statements that are not queries. The rule of when each runs is in doc.go; the
// outcomes that make it hold are in outcome.go.

// promise makes a ticket one of a statement that is not a query: it names this process, and an outcome
// is promised for its id. A SET will change the session of the call.
func (s *Server) promise(ctx context.Context, t *ticketpb.Ticket) error {
	t.Process, t.Id = s.process, make([]byte, 16)
	if _, err := rand.Read(t.Id); err != nil {
		return fault.New(fault.Internal, "draw a ticket id: %w", err)
	}
	return s.outcomes.issue(t.Id, t.User, sessionOf(ctx))
}

// isUpdate reports whether a ticket is one of promise.
func isUpdate(t *ticketpb.Ticket) bool { return len(t.GetProcess()) > 0 }

// streamOutcome answers the ticket of a statement that is not a query. The first call runs the statement,
// every other one waits for the same outcome. The run is not bound to the call that began it: it goes on
// as long as any call waits.
func (s *Server) streamOutcome(t *ticketpb.Ticket, stream flight.FlightService_DoGetServer) error {
	ctx := stream.Context()
	if !bytes.Equal(t.Process, s.process) {
		return errOutcomeUnknown
	}
	o, run, first, err := s.outcomes.claim(ctx, t.Id)
	if err != nil {
		return err
	}
	defer s.outcomes.leave(o)
	if first {
		s.runs.Add(1)
		go func() {
			defer s.runs.Done()
			result, err := s.runUpdateTicket(run, o.session, t)
			s.outcomes.finish(o, result, err)
		}()
	}
	select {
	case <-o.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if o.err != nil {
		return o.err
	}
	return storage.Guard(func() error { return s.sendResult(ctx, &o.result, stream) })
}

// sendResult sends what a statement returned. The stream's schema message carries the number of rows
// changed as its app_metadata, in the message that DoPut answers with.
func (s *Server) sendResult(ctx context.Context, r *updateResult, stream flight.FlightService_DoGetServer) error {
	count, err := proto.Marshal(&flightpb.DoPutUpdateResult{RecordCount: r.rows})
	if err != nil {
		return fault.New(fault.Internal, "write the number of rows: %w", err)
	}
	w, frames := newStreamWriter(stream, r.schema, compression(ctx), s.opts.Mem)
	frames.appMetadata = count // empty, so that nothing is sent, for 0
	for _, rec := range r.batches {
		if err := w.Write(rec); err != nil {
			return err
		}
	}
	return w.Close()
}

// runUpdateTicket runs the statement of a ticket once for each row of its parameters. It always returns:
// it runs outside of an RPC, where a panic would end the server.
func (s *Server) runUpdateTicket(
	ctx context.Context, ses *session, t *ticketpb.Ticket,
) (result updateResult, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("panic in a statement", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			result.release()
			result, err = updateResult{}, fault.New(fault.Internal, "internal error: the server logged the details")
		}
	}()
	p, runs, err := s.prepareBound(ctx, t.Sql, t.Settings, pinsOf(t), t.Parameters)
	if err != nil {
		return updateResult{}, err
	}
	return s.runUpdates(ctx, ses, p, runs, t.Settings)
}

// runUpdates executes a statement that is not a query once for each set of parameters, and keeps the
// settings it changed in the session. All runs together are bounded by statement_timeout. There are no
// transactions: if a run fails, what the runs before it did stays done, and the error says so.
func (s *Server) runUpdates(
	ctx context.Context, ses *session, p *sqlplan.Prepared, runs [][]expr.Literal, settings map[string]string,
) (result updateResult, err error) {
	if p.IsQuery() {
		return updateResult{}, fault.New(fault.InvalidArgument, "the statement returns rows; execute it as a query")
	}
	limit, err := sqlplan.StatementTimeout(settings, s.opts.StatementTimeout)
	if err != nil {
		return updateResult{}, err
	}
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, fault.New(fault.DeadlineExceeded,
			"statement_timeout: the statement ran longer than %s", limit.Round(time.Millisecond)))
		defer cancel()
	}
	result.schema = p.Schema()
	for i, params := range runs {
		if err = s.runUpdate(ctx, ses, p, params, &result); err == nil {
			continue
		}
		result.release()
		// An error that follows from the statement's own end says why it ended.
		if cause := context.Cause(ctx); cause != nil && errors.Is(err, ctx.Err()) {
			err = cause
		}
		if i > 0 {
			err = fault.New(fault.KindOf(err),
				"run %d of %d failed, and what the runs before it did stays done: %w", i+1, len(runs), err)
		}
		return updateResult{}, err
	}
	return result, nil
}

// runUpdate executes a statement once and adds what comes of it to result.
func (s *Server) runUpdate(
	ctx context.Context, ses *session, p *sqlplan.Prepared, params []expr.Literal, result *updateResult,
) error {
	stream, err := p.Execute(ctx, sqlplan.ExecOptions{Params: params})
	if err != nil {
		return err
	}
	defer stream.Close()
	for {
		rec, err := stream.Next(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		result.batches = append(result.batches, rec)
	}
	ses.apply(stream.SettingsChanged())
	result.rows += stream.RowsChanged()
	return nil
}

// DoPutCommandStatementUpdate runs a statement that is not a query and returns the rows it touched.
func (s *Server) DoPutCommandStatementUpdate(ctx context.Context, cmd flightsql.StatementUpdate) (int64, error) {
	if len(cmd.GetTransactionId()) > 0 {
		return 0, errTransactions
	}
	p, settings, err := s.plan(ctx, cmd.GetQuery())
	if err != nil {
		return 0, err
	}
	if n := p.ParamSchema().NumFields(); n > 0 {
		return 0, fault.New(fault.InvalidArgument, "the statement has %d parameters; prepare it and bind them", n)
	}
	return s.countUpdates(ctx, p, [][]expr.Literal{nil}, settings)
}

// countUpdates runs a statement for a DoPut, whose answer is the number of rows alone. For SET it is 0:
// -1, "unknown", makes the JDBC driver look for a result set.
func (s *Server) countUpdates(
	ctx context.Context, p *sqlplan.Prepared, runs [][]expr.Literal, settings map[string]string,
) (int64, error) {
	result, err := s.runUpdates(ctx, sessionOf(ctx), p, runs, settings)
	result.release()
	return result.rows, err
}

// DoPutPreparedStatementUpdate runs a prepared statement that is not a query, once for each row of
// parameters that comes with the call, or once if none come.
func (s *Server) DoPutPreparedStatementUpdate(
	ctx context.Context, cmd flightsql.PreparedStatementUpdate, rdr flight.MessageReader,
) (int64, error) {
	h, err := s.handles.get(ctx, cmd.GetPreparedStatementHandle())
	if err != nil {
		return 0, err
	}
	params, err := s.readParams(rdr)
	if err != nil {
		return 0, err
	}
	p, runs, err := s.prepareBound(ctx, h.sql, h.settings, nil, params)
	if err != nil {
		return 0, err
	}
	return s.countUpdates(ctx, p, runs, h.settings)
}
