package flightsrv

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	flightpb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
)

// raw sends bytes that a client has made up, through every RPC.
type raw struct {
	t      *testing.T
	server *testServer
	flight flightpb.FlightServiceClient
}

func newRaw(t *testing.T) *raw {
	t.Helper()
	s := startServer(t, Options{})
	conn, err := grpc.NewClient(s.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return &raw{t: t, server: s, flight: flightpb.NewFlightServiceClient(conn)}
}

// receiver is the client's end of a stream.
type receiver[M any] interface{ Recv() (M, error) }

// drain reads a stream to its end and returns the error that ended it, nil for io.EOF.
func drain[M any](stream receiver[M], err error) error {
	for err == nil {
		_, err = stream.Recv()
	}
	if err.Error() == "EOF" {
		return nil
	}
	return err
}

// calls are all RPCs, by name, each with some bytes at the place where a request has its content.
func (r *raw) calls(ctx context.Context) map[string]func(body []byte) error {
	out := map[string]func([]byte) error{
		"ListFlights": func(b []byte) error {
			stream, err := r.flight.ListFlights(ctx, &flightpb.Criteria{Expression: b})
			return drain(stream, err)
		},
		"GetFlightInfo": func(b []byte) error {
			_, err := r.flight.GetFlightInfo(ctx, &flightpb.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: b})
			return err
		},
		"GetFlightInfo without type": func(b []byte) error {
			_, err := r.flight.GetFlightInfo(ctx, &flightpb.FlightDescriptor{Cmd: b})
			return err
		},
		"GetFlightInfo of a path": func(b []byte) error {
			path := strings.ToValidUTF8(string(b), "�")
			_, err := r.flight.GetFlightInfo(ctx, &flightpb.FlightDescriptor{Type: flight.DescriptorPATH, Path: []string{path, path}})
			return err
		},
		"PollFlightInfo": func(b []byte) error {
			_, err := r.flight.PollFlightInfo(ctx, &flightpb.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: b})
			return err
		},
		"GetSchema": func(b []byte) error {
			_, err := r.flight.GetSchema(ctx, &flightpb.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: b})
			return err
		},
		"DoGet": func(b []byte) error {
			stream, err := r.flight.DoGet(ctx, &flightpb.Ticket{Ticket: b})
			return drain(stream, err)
		},
		"DoPut without descriptor": func(b []byte) error {
			return r.put(ctx, &flightpb.FlightData{DataHeader: b, DataBody: b, AppMetadata: b})
		},
		"DoPut": func(b []byte) error {
			return r.put(ctx, &flightpb.FlightData{FlightDescriptor: &flightpb.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: b}})
		},
		"DoPut with a schema of rubbish": func(b []byte) error {
			return r.put(ctx, &flightpb.FlightData{
				FlightDescriptor: &flightpb.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: b}, DataHeader: b,
			}, &flightpb.FlightData{DataHeader: b, DataBody: b})
		},
		"DoPut without messages": func([]byte) error { return r.put(ctx) },
		"DoExchange": func(b []byte) error {
			stream, err := r.flight.DoExchange(ctx)
			if err != nil {
				return err
			}
			_ = stream.Send(&flightpb.FlightData{DataHeader: b})
			_ = stream.CloseSend()
			return drain(stream, nil)
		},
		"Handshake": func(b []byte) error {
			stream, err := r.flight.Handshake(ctx)
			if err != nil {
				return err
			}
			_ = stream.Send(&flightpb.HandshakeRequest{Payload: b})
			_ = stream.CloseSend()
			return drain(stream, nil)
		},
		"an unknown action": func(b []byte) error {
			stream, err := r.flight.DoAction(ctx, &flightpb.Action{Type: "unknown", Body: b})
			return drain(stream, err)
		},
	}
	for _, kind := range append(actionTypes(), flightsql.BeginTransactionActionType, flightsql.EndTransactionActionType,
		flightsql.BeginSavepointActionType, flightsql.EndSavepointActionType, flightsql.CreatePreparedSubstraitPlanActionType, "") {
		out["action "+kind] = func(b []byte) error {
			stream, err := r.flight.DoAction(ctx, &flightpb.Action{Type: kind, Body: b})
			return drain(stream, err)
		}
	}
	return out
}

func actionTypes() (types []string) {
	for _, a := range actions {
		types = append(types, a.Type)
	}
	return types
}

func (r *raw) put(ctx context.Context, messages ...*flightpb.FlightData) error {
	stream, err := r.flight.DoPut(ctx)
	if err != nil {
		return err
	}
	for _, m := range messages {
		if stream.Send(m) != nil {
			break // the server has answered already
		}
	}
	_ = stream.CloseSend()
	return drain(stream, nil)
}

// check calls every RPC with body. Each has to answer with success or with an error that blames the
// request, in our own words.
func (r *raw) check(what string, body []byte) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for name, call := range r.calls(ctx) {
		err := call(body)
		code := status.Code(err)
		if !slices.Contains([]codes.Code{codes.OK, codes.InvalidArgument, codes.NotFound, codes.Unimplemented, codes.PermissionDenied,
			codes.ResourceExhausted}, code) {
			r.t.Errorf("%s with %s: %v", name, what, err)
		}
		if err != nil && (strings.Contains(err.Error(), "not implemented") || code == codes.Unimplemented &&
			!strings.Contains(err.Error(), "desc = not supported: ")) {
			r.t.Errorf("%s with %s: not in our words: %v", name, what, err)
		}
	}
	require.Zero(r.t, r.server.panics.Load(), "%s ended in a panic that was caught", what)
}

// flightMessages are all messages of Flight and Flight SQL.
func flightMessages() (out []proto.Message) {
	for _, file := range []protoreflect.FileDescriptor{flightpb.File_Flight_proto, flightpb.File_FlightSql_proto} {
		for i := range file.Messages().Len() {
			m, err := protoregistry.GlobalTypes.FindMessageByName(file.Messages().Get(i).FullName())
			if err != nil {
				continue
			}
			out = append(out, m.New().Interface())
		}
	}
	return out
}

// fill sets the fields of a message at random, submessages sometimes not at all.
func fill(rng *rand.Rand, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if rng.IntN(3) == 0 || f.IsMap() {
			continue
		}
		if f.IsList() {
			list := m.Mutable(f).List()
			for range rng.IntN(3) {
				if f.Message() == nil {
					list.Append(scalar(rng, f))
					continue
				}
				e := list.NewElement()
				if depth > 0 {
					fill(rng, e.Message(), depth-1)
				}
				list.Append(e)
			}
			continue
		}
		if f.Message() != nil {
			if depth > 0 {
				fill(rng, m.Mutable(f).Message(), depth-1)
			}
			continue
		}
		m.Set(f, scalar(rng, f))
	}
}

func scalar(rng *rand.Rand, f protoreflect.FieldDescriptor) protoreflect.Value {
	texts := []string{"", "x", "%", "train", "SELECT 1", "SELECT key FROM train LIMIT 1", strings.Repeat("a", 3000), "ö\x00"}
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rng.IntN(2) == 0)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(texts[rng.IntN(len(texts))])
	case protoreflect.BytesKind:
		b := make([]byte, rng.IntN(60))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		if rng.IntN(3) == 0 {
			b = []byte(texts[rng.IntN(len(texts))])
		}
		return protoreflect.ValueOfBytes(b)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(rng.IntN(6) - 1))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(rng.NormFloat64())
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(rng.Uint32()))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(rng.Uint32())
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(rng.Uint64())
	default:
		return protoreflect.ValueOfInt64(int64(rng.Uint64()))
	}
}

// Every RPC and every action gets every message of the protocol, empty and filled at random, bare and
// in an Any, and cut off. Nothing ends in a panic, not even in one that is caught, and nothing is an
// internal error.
func TestEveryRequestGetsAnAnswer(t *testing.T) {
	r := newRaw(t)
	rng := rand.New(rand.NewPCG(1, 2))
	r.check("nothing", nil)
	r.check("an empty Any", mustMarshal(t, &anypb.Any{}))
	for _, m := range flightMessages() {
		name := string(m.ProtoReflect().Descriptor().Name())
		for variant := range 3 {
			filled := m.ProtoReflect().New().Interface()
			if variant > 0 {
				fill(rng, filled.ProtoReflect(), 3)
			}
			wrapped, err := anypb.New(filled)
			require.NoError(t, err)
			body := mustMarshal(t, wrapped)
			r.check(fmt.Sprintf("%s %d", name, variant), body)
			r.check(fmt.Sprintf("bare %s %d", name, variant), mustMarshal(t, filled))
			if variant > 0 {
				r.check(fmt.Sprintf("a part of %s %d", name, variant), body[:rng.IntN(len(body)+1)])
			}
		}
	}
}

func FuzzRequests(f *testing.F) {
	for _, m := range flightMessages() {
		wrapped, err := anypb.New(m)
		require.NoError(f, err)
		f.Add(mustMarshal(f, wrapped))
	}
	f.Fuzz(func(t *testing.T, body []byte) { newRaw(t).check("fuzzed bytes", body) })
}

func mustMarshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{AllowPartial: true}.Marshal(m)
	require.NoError(t, err)
	return b
}

// A user's tickets and prepared statements are nobody else's, in any request that names them.
func TestHandlesAndTicketsBelongToTheirUser(t *testing.T) {
	s := startServer(t, Options{Users: testUsers(t, "ann", "bob")})
	ann, bob := as(t.Context(), "ann"), as(t.Context(), "bob")
	info, err := s.client.Execute(ann, "SELECT key FROM train")
	require.NoError(t, err)
	_, err = s.client.CancelFlightInfo(bob, &flight.CancelFlightInfoRequest{Info: info})
	require.Equal(t, codes.PermissionDenied, status.Code(err), "%v", err)
	_, err = s.client.RenewFlightEndpoint(bob, &flight.RenewFlightEndpointRequest{Endpoint: info.Endpoint[0]})
	require.Equal(t, codes.PermissionDenied, status.Code(err), "%v", err)
	_, err = s.client.RenewFlightEndpoint(ann, &flight.RenewFlightEndpointRequest{Endpoint: info.Endpoint[0]})
	require.NoError(t, err)

	p, err := s.client.Prepare(ann, "SELECT 1")
	require.NoError(t, err)
	other := flightsql.NewPreparedStatement(s.client, p.Handle())
	_, err = other.Execute(bob)
	require.Equal(t, codes.NotFound, status.Code(err), "%v", err)
	require.NoError(t, other.Close(bob), "closing what does not exist is no error")
	_, err = p.Execute(ann)
	require.NoError(t, err, "it was not closed by somebody else")
}

// Whatever an error says, the ADBC driver, which takes the text for a format, shows what was meant.
func TestErrorsSurviveBeingTakenForAFormat(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	alphabet := []rune("%%%%abdqsvxT+-#0 1.*[]!()'ö\n")
	adbc := metadata.NewIncomingContext(t.Context(), metadata.Pairs("user-agent", "ADBC Flight SQL Driver 1.13.0 grpc-go/1.85.0"))
	other := metadata.NewIncomingContext(t.Context(), metadata.Pairs("user-agent", "grpc-c++/1.60"))
	for range 2000 {
		text := make([]rune, rng.IntN(20))
		for i := range text {
			text[i] = alphabet[rng.IntN(len(alphabet))]
		}
		err := status.Error(codes.InvalidArgument, string(text))
		got := status.Convert(readable(adbc, err))
		require.Equal(t, codes.InvalidArgument, got.Code())
		format := got.Message()
		require.Equal(t, strings.ReplaceAll(string(text), "%", "％"), fmt.Sprintf(format, []any{}...))
		require.Equal(t, string(text), status.Convert(readable(other, err)).Message())
	}
}
