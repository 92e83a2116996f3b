package flightsrv

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"

	"lanceflight/internal/fault"
)

// An action is something that a client can ask for by DoAction.
type action struct {
	Type, Description string
	// run does it: it gets the body of the request, which the client wrote and nobody has checked, and returns the
	// bodies of the results. It is nil for the actions of Flight SQL itself: arrow-go takes their requests apart and
	// calls the method of Server that has their name.
	run func(ctx context.Context, s *Server, body []byte) (results [][]byte, err error)
}

// actions is the list of what DoAction understands. ListActions shows it.
var actions = []action{
	{Type: flightsql.CreatePreparedStatementActionType, Description: "Plan a statement and keep it under a handle."},
	{Type: flightsql.ClosePreparedStatementActionType, Description: "Forget a prepared statement."},
	{Type: flight.CancelFlightInfoActionType, Description: "End the streams of a FlightInfo."},
	{Type: flightsql.CancelQueryActionType, Description: "The older form of CancelFlightInfo."},
	{Type: flight.RenewFlightEndpointActionType, Description: "Issue an endpoint's ticket anew."},
	{Type: flight.SetSessionOptionsActionType, Description: "Change settings of this connection."},
	{Type: flight.GetSessionOptionsActionType, Description: "Read the settings of this connection."},
	{Type: flight.CloseSessionActionType, Description: "Reset the settings of this connection."},
}

// ListActions names what DoAction understands, the session actions too, which arrow-go leaves out.
func (s *service) ListActions(_ *flight.Empty, stream flight.FlightService_ListActionsServer) error {
	for _, a := range actions {
		if err := stream.Send(&flight.ActionType{Type: a.Type, Description: a.Description}); err != nil {
			return err
		}
	}
	return nil
}

// DoAction runs an action of the list. The actions of transactions, and others that arrow-go would name, are not in
// it (refusals.go).
func (s *service) DoAction(req *flight.Action, stream flight.FlightService_DoActionServer) error {
	i := slices.IndexFunc(actions, func(a action) bool { return a.Type == req.GetType() })
	switch {
	case i < 0 && refusedActions[req.GetType()] != nil:
		return refusedActions[req.GetType()]
	case i < 0:
		return fault.New(fault.Unsupported, "the action %q; ListActions names those that are", req.GetType())
	case actions[i].run == nil:
		return s.FlightServer.DoAction(req, stream)
	}
	results, err := actions[i].run(stream.Context(), s.srv, req.GetBody())
	if err != nil {
		return err
	}
	for _, r := range results {
		if err := stream.Send(&flight.Result{Body: r}); err != nil {
			return err
		}
	}
	return nil
}
