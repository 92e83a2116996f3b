package flightsrv

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Every action that ListActions names is understood, whatever its body is, and no other one is.
func TestActions(t *testing.T) {
	s := startServer(t, Options{})
	raw := s.raw(t)
	list, err := raw.ListActions(context.Background(), &flight.Empty{})
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
	body := []byte{0x0a, 0x01, 'x'}
	for _, name := range names {
		_, err := ask(raw, name, body)
		require.NotEqual(t, codes.Unimplemented, status.Code(err), name)
	}
	for _, name := range []string{"", "nope", strings.ToLower(names[0]), "BeginTransaction"} {
		_, err := ask(raw, name, body)
		require.Equal(t, codes.Unimplemented, status.Code(err), name)
		require.ErrorContains(t, err, "not supported")
	}
}
