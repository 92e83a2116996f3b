package flightsrv

import (
	"io"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	flightpb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

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
	if err := checkHeader(first.GetDataHeader()); err != nil {
		return err
	}
	var cmd anypb.Any
	binds := proto.Unmarshal(first.GetFlightDescriptor().GetCmd(), &cmd) == nil &&
		cmd.MessageIs((*flightpb.CommandPreparedStatementQuery)(nil))
	// The dispatch is no more than a pair of pointers, so that each call has one with a bound of its own.
	dispatch := flightsql.NewFlightServerWithAllocator(s.srv, newBoundedAllocator(int64(s.srv.opts.MaxReceiveBytes)))
	return dispatch.DoPut(&begunPut{FlightService_DoPutServer: stream, first: first, silent: binds})
}

// begunPut is a stream whose first message was read already, and is read once more. A silent one sends no
// result. That of binding parameters would only repeat the handle, which Flight SQL allows to leave out,
// and the JDBC drivers 15 and 16 do not free it: closing a connection then fails.
type begunPut struct {
	flight.FlightService_DoPutServer
	first  *flight.FlightData
	silent bool
}

func (b *begunPut) Send(result *flight.PutResult) error {
	if b.silent {
		return nil
	}
	return b.FlightService_DoPutServer.Send(result)
}

func (b *begunPut) Recv() (*flight.FlightData, error) {
	if first := b.first; first != nil {
		b.first = nil
		return first, nil
	}
	data, err := b.FlightService_DoPutServer.Recv()
	if err != nil {
		return nil, err
	}
	return data, checkHeader(data.GetDataHeader())
}

// boundedAllocator gives out memory for the messages of one DoPut. A compressed buffer says itself how
// large it will be, and arrow-go allocates that much before it looks at the rest: eight damaged bytes
// would end the process. Beyond the bound it panics with an error, which arrow-go's reader returns.
//
// The memory is the garbage collector's, because the reader does not free what it holds when it panics.
type boundedAllocator struct {
	memory.Allocator
	left atomic.Int64
	size int64
}

func newBoundedAllocator(size int64) *boundedAllocator {
	a := &boundedAllocator{Allocator: memory.DefaultAllocator, size: size}
	a.left.Store(size)
	return a
}

func (a *boundedAllocator) take(n int) {
	if left := a.left.Add(-int64(n)); left < 0 {
		a.left.Add(int64(n))
		panic(fault.New(fault.ResourceExhausted, "the messages take more than %d bytes when they are unpacked, the limit", a.size))
	}
}

func (a *boundedAllocator) Allocate(n int) []byte {
	a.take(n)
	return a.Allocator.Allocate(n)
}

func (a *boundedAllocator) Reallocate(n int, b []byte) []byte {
	a.take(n - len(b))
	return a.Allocator.Reallocate(n, b)
}

func (a *boundedAllocator) Free(b []byte) {
	a.left.Add(int64(len(b)))
	a.Allocator.Free(b)
}
