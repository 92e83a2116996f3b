package flightsrv

import (
	"context"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	flightpb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Every method of flightsql.Server is answered here: what is not done is refused in our words, with a
// reason, and nothing is left to arrow-go's base server.
func TestNoMethodIsLeftToTheBaseServer(t *testing.T) {
	s := startServer(t, Options{})
	// service.DoGet streams these itself and never calls them; TestStatement and its kin fetch such tickets.
	streamed := []string{"DoGetStatement", "DoGetPreparedStatement"}
	iface := reflect.TypeOf((*flightsql.Server)(nil)).Elem()
	refused := 0
	for i := range iface.NumMethod() {
		m := iface.Method(i)
		if !m.IsExported() || slices.Contains(streamed, m.Name) {
			continue
		}
		err := call(reflect.ValueOf(s.Server).MethodByName(m.Name))
		if err == nil {
			continue
		}
		require.NotContains(t, err.Error(), "not implemented", m.Name)
		if status.Code(toStatus(err)) == codes.Unimplemented {
			refused++
			require.Regexp(t, `^not supported: .{20,}`, err.Error(), m.Name)
		}
	}
	require.GreaterOrEqual(t, refused, 10)
	require.ErrorContains(t, (&service{srv: s.Server}).DoExchange(nil), "not supported: ")
}

// call calls a handler with empty messages. Its last result is an error.
func call(method reflect.Value) error {
	args := []reflect.Value{reflect.ValueOf(context.Background())}
	for i := 1; i < method.Type().NumIn(); i++ {
		args = append(args, emptyArgument(method.Type().In(i)))
	}
	out := method.Call(args)
	for _, v := range out {
		if ch, ok := v.Interface().(<-chan flight.StreamChunk); ok && ch != nil {
			for chunk := range ch {
				chunk.Data.Release()
			}
		}
	}
	err, _ := out[len(out)-1].Interface().(error)
	return err
}

// emptyArgument makes a request without any field set. Where Flight SQL names an interface, it is made of
// the message that has all of its methods, or of an empty stand-in.
func emptyArgument(t reflect.Type) reflect.Value {
	if t.Kind() == reflect.Pointer {
		return reflect.New(t.Elem())
	}
	if t.Kind() != reflect.Interface {
		return reflect.Zero(t)
	}
	for _, candidate := range []any{
		&flightpb.CommandStatementQuery{}, &flightpb.CommandStatementUpdate{}, &flightpb.CommandPreparedStatementQuery{},
		&flightpb.CommandPreparedStatementUpdate{}, &flightpb.CommandStatementIngest{}, &flightpb.CommandGetSqlInfo{},
		&flightpb.ActionCreatePreparedStatementRequest{}, &flightpb.ActionClosePreparedStatementRequest{},
		&flightpb.ActionBeginTransactionRequest{}, &flightpb.ActionBeginSavepointRequest{},
		&flightpb.ActionEndTransactionRequest{}, &flightpb.ActionEndSavepointRequest{},
		emptyFilter{},
	} {
		if reflect.TypeOf(candidate).Implements(t) {
			return reflect.ValueOf(candidate)
		}
	}
	return reflect.Zero(t)
}

// emptyFilter stands in for the catalog commands, which arrow-go wraps in types of its own.
type emptyFilter struct{}

func (emptyFilter) GetCatalog() *string                { return nil }
func (emptyFilter) GetDBSchemaFilterPattern() *string  { return nil }
func (emptyFilter) GetTableNameFilterPattern() *string { return nil }
func (emptyFilter) GetTableTypes() []string            { return nil }
func (emptyFilter) GetIncludeSchema() bool             { return false }
func (emptyFilter) GetDataType() *int32                { return nil }

// Damaged parameters are an error of the client, and leave no memory behind.
func TestDamagedParameters(t *testing.T) {
	s := startServer(t, Options{})
	ctx := context.Background()
	stmt, err := s.client.Prepare(ctx, "SELECT $1 || 'x', $2 + 1")
	require.NoError(t, err)
	cmd := descriptorOf(&flightpb.CommandPreparedStatementQuery{PreparedStatementHandle: stmt.Handle()})
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "a", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}},
		{Name: "b", Type: arrow.PrimitiveTypes.Int64},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	require.NoError(t, b.Field(0).AppendValueFromString("text"))
	b.Field(1).(*array.Int64Builder).Append(7)
	rec := b.NewRecordBatch()
	defer rec.Release()
	sink := &messages{}
	w := flight.NewRecordWriter(sink, ipc.WithSchema(schema), ipc.WithZstd())
	w.SetFlightDescriptor(cmd)
	require.NoError(t, w.Write(rec))
	require.NoError(t, w.Close())
	c := s.raw(t)
	require.NoError(t, put(c, sink.all...))
	rng := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		damaged := make([]*flight.FlightData, len(sink.all))
		for i, m := range sink.all {
			damaged[i] = proto.CloneOf(m)
		}
		m := damaged[rng.IntN(len(damaged))]
		part := &m.DataHeader
		if rng.IntN(2) == 0 && len(m.DataBody) > 0 {
			part = &m.DataBody
		}
		switch rng.IntN(4) {
		case 0:
			*part = (*part)[:rng.IntN(len(*part))]
		default:
			(*part)[rng.IntN(len(*part))] ^= 1 << rng.IntN(8)
		}
		err := put(c, damaged...)
		require.Zero(t, s.panics.Load(), "%v", damaged)
		blamed := []codes.Code{codes.OK, codes.InvalidArgument, codes.ResourceExhausted, codes.Unimplemented}
		require.Contains(t, blamed, status.Code(err), "%v", err)
	}
}

// Types are nested no deeper than what looks at them by recursion can bear.
func TestDeepParameters(t *testing.T) {
	s := startServer(t, Options{})
	ctx := context.Background()
	stmt, err := s.client.Prepare(ctx, "SELECT CAST(? AS VARCHAR)")
	require.NoError(t, err)
	for depth, want := range map[int]codes.Code{3: codes.OK, 500: codes.InvalidArgument, 60_000: codes.ResourceExhausted} {
		var typ arrow.DataType = arrow.PrimitiveTypes.Int64
		for range depth {
			typ = arrow.ListOf(typ)
		}
		schema := arrow.NewSchema([]arrow.Field{{Name: "1", Type: typ, Nullable: true}}, nil)
		sink := &messages{}
		w := flight.NewRecordWriter(sink, ipc.WithSchema(schema))
		w.SetFlightDescriptor(descriptorOf(&flightpb.CommandPreparedStatementQuery{PreparedStatementHandle: stmt.Handle()}))
		if depth < 60 { // arrow-go writes no deeper batches
			b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
			b.Field(0).AppendNull()
			rec := b.NewRecordBatch()
			require.NoError(t, w.Write(rec))
			rec.Release()
			b.Release()
		}
		require.NoError(t, w.Close())
		err := put(s.raw(t), sink.all...)
		require.Equal(t, want, status.Code(err), "%d levels: %v", depth, err)
	}
}

// A message that is larger than the bound is refused as such, at the start of a stream and within.
func TestOversizedMessages(t *testing.T) {
	s := startServer(t, Options{MaxReceiveBytes: 1 << 20})
	stmt, err := s.client.Prepare(context.Background(), "SELECT ?")
	require.NoError(t, err)
	cmd := descriptorOf(&flightpb.CommandPreparedStatementQuery{PreparedStatementHandle: stmt.Handle()})
	large := make([]byte, 2<<20)
	err = put(s.raw(t), &flight.FlightData{FlightDescriptor: cmd, DataBody: large})
	require.Equal(t, codes.ResourceExhausted, status.Code(err), "%v", err)
	err = put(s.raw(t), &flight.FlightData{FlightDescriptor: cmd}, &flight.FlightData{DataBody: large})
	require.Equal(t, codes.ResourceExhausted, status.Code(err), "%v", err)
}

func FuzzCheckHeader(f *testing.F) {
	sink := &messages{}
	schema := arrow.NewSchema([]arrow.Field{{Name: "1", Type: arrow.ListOf(arrow.PrimitiveTypes.Int64)}}, nil)
	w := flight.NewRecordWriter(sink, ipc.WithSchema(schema))
	require.NoError(f, w.Close())
	f.Add(sink.all[0].DataHeader)
	f.Fuzz(func(_ *testing.T, header []byte) { _ = checkHeader(header) })
}

// messages keeps what a writer sends.
type messages struct{ all []*flight.FlightData }

func (m *messages) Send(d *flight.FlightData) error {
	m.all = append(m.all, proto.CloneOf(d))
	return nil
}

func put(c flight.Client, messages ...*flight.FlightData) error {
	stream, err := c.DoPut(context.Background())
	if err != nil {
		return err
	}
	for _, m := range messages {
		if err := stream.Send(m); err != nil && err != io.EOF { // EOF: the answer is there
			return err
		}
	}
	err = stream.CloseSend()
	for err == nil {
		_, err = stream.Recv()
	}
	return ended(err)
}

func ended(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

func descriptorOf(cmd proto.Message) *flight.FlightDescriptor {
	a, err := anypb.New(cmd)
	if err != nil {
		panic(err)
	}
	raw, err := proto.Marshal(a)
	if err != nil {
		panic(err)
	}
	return &flight.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: raw}
}
