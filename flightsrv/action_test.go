package flightsrv

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// Every action that ListActions names is understood, whatever its body is, and no other one is.
func TestActions(t *testing.T) {
	s := startServer(t, Options{})
	ctx := context.Background()
	raw, err := flight.NewClientWithMiddleware(s.addr, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer raw.Close()
	list, err := raw.ListActions(ctx, &flight.Empty{})
	require.NoError(t, err)
	var names []string
	for {
		a, err := list.Recv()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		require.NotEmpty(t, a.Description)
		names = append(names, a.Type)
	}
	require.Len(t, names, len(actions))
	ask := func(name string) error {
		stream, err := raw.DoAction(ctx, &flight.Action{Type: name, Body: []byte{0x0a, 0x01, 'x'}})
		require.NoError(t, err)
		for err == nil {
			_, err = stream.Recv()
		}
		return err
	}
	for _, name := range names {
		require.NotEqual(t, codes.Unimplemented, status.Code(ask(name)), name)
	}
	for _, name := range []string{"", "nope", strings.ToLower(names[0]), "BeginTransaction"} {
		err := ask(name)
		require.Equal(t, codes.Unimplemented, status.Code(err), name)
		require.ErrorContains(t, err, "not supported")
	}
}
