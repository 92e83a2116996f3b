package flightsrv

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"

	"lanceflight/internal/fault"
)

// This file answers the requests of Flight and Flight SQL that are not done here. Without it arrow-go
// would answer them in its own words, which name a method of its server and say nothing to a user.

var (
	errTransactions = fault.New(fault.Unsupported, "transactions: each statement reads one snapshot of each table")
	errSavepoints   = fault.New(fault.Unsupported, "savepoints: there are no transactions; each statement reads one snapshot of each table")
	errSubstrait    = fault.New(fault.Unsupported, "Substrait plans; send the statement as SQL")
	errIngest       = fault.New(fault.Unsupported,
		"bulk ingestion (adbc_ingest, to_sql): tables are read-only here; write with pylance or LanceDB")
	errExchange = fault.New(fault.Unsupported, "DoExchange; send SQL by GetFlightInfo and fetch its rows by DoGet")
)

// BeginTransaction is refused.
func (s *Server) BeginTransaction(context.Context, flightsql.ActionBeginTransactionRequest) ([]byte, error) {
	return nil, errTransactions
}

// EndTransaction is refused: there is no transaction that could be named.
func (s *Server) EndTransaction(context.Context, flightsql.ActionEndTransactionRequest) error {
	return errTransactions
}

// BeginSavepoint is refused.
func (s *Server) BeginSavepoint(context.Context, flightsql.ActionBeginSavepointRequest) ([]byte, error) {
	return nil, errSavepoints
}

// EndSavepoint is refused: there is no savepoint that could be named.
func (s *Server) EndSavepoint(context.Context, flightsql.ActionEndSavepointRequest) error {
	return errSavepoints
}

// GetFlightInfoSubstraitPlan is refused.
func (s *Server) GetFlightInfoSubstraitPlan(
	context.Context, flightsql.StatementSubstraitPlan, *flight.FlightDescriptor,
) (*flight.FlightInfo, error) {
	return nil, errSubstrait
}

// PollFlightInfoSubstraitPlan is refused.
func (s *Server) PollFlightInfoSubstraitPlan(
	context.Context, flightsql.StatementSubstraitPlan, *flight.FlightDescriptor,
) (*flight.PollInfo, error) {
	return nil, errSubstrait
}

// GetSchemaSubstraitPlan is refused.
func (s *Server) GetSchemaSubstraitPlan(
	context.Context, flightsql.StatementSubstraitPlan, *flight.FlightDescriptor,
) (*flight.SchemaResult, error) {
	return nil, errSubstrait
}

// CreatePreparedSubstraitPlan is refused.
func (s *Server) CreatePreparedSubstraitPlan(
	context.Context, flightsql.ActionCreatePreparedSubstraitPlanRequest,
) (res flightsql.ActionCreatePreparedStatementResult, err error) {
	return res, errSubstrait
}

// DoPutCommandSubstraitPlan is refused.
func (s *Server) DoPutCommandSubstraitPlan(context.Context, flightsql.StatementSubstraitPlan) (int64, error) {
	return 0, errSubstrait
}

// DoPutCommandStatementIngest is refused before any row is read.
func (s *Server) DoPutCommandStatementIngest(context.Context, flightsql.StatementIngest, flight.MessageReader) (int64, error) {
	return 0, errIngest
}

// DoExchange is refused: Flight SQL has no use for it.
func (s *service) DoExchange(flight.FlightService_DoExchangeServer) error { return errExchange }

// refusedActions are the actions of Flight SQL that are not in the list of actions, with what is said of
// them. Any other name is no action at all.
var refusedActions = map[string]error{
	flightsql.BeginTransactionActionType:            errTransactions,
	flightsql.EndTransactionActionType:              errTransactions,
	flightsql.BeginSavepointActionType:              errSavepoints,
	flightsql.EndSavepointActionType:                errSavepoints,
	flightsql.CreatePreparedSubstraitPlanActionType: errSubstrait,
}
