package flightsrv

import (
	"io"

	"github.com/apache/arrow-go/v18/arrow/flight"

	"lanceflight/internal/fault"
)

// DoPut looks at the first message before arrow-go does, which takes it for granted that the message
// names a command.
func (s *service) DoPut(stream flight.FlightService_DoPutServer) error {
	first, err := stream.Recv()
	switch {
	case err == io.EOF:
		return fault.New(fault.InvalidArgument, "DoPut without a message: the first one names the command")
	case err != nil:
		return err
	case len(first.GetFlightDescriptor().GetCmd()) == 0:
		return fault.New(fault.InvalidArgument, "DoPut without a command in the descriptor of its first message")
	}
	return s.FlightServer.DoPut(&begunPut{FlightService_DoPutServer: stream, first: first})
}

// begunPut is a stream whose first message was read already, and is read once more.
type begunPut struct {
	flight.FlightService_DoPutServer
	first *flight.FlightData
}

func (b *begunPut) Recv() (*flight.FlightData, error) {
	if first := b.first; first != nil {
		b.first = nil
		return first, nil
	}
	return b.FlightService_DoPutServer.Recv()
}
