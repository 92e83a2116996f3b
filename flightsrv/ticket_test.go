package flightsrv

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/testing/protocmp"

	"lanceflight/flightsrv/ticketpb"
	"lanceflight/internal/fault"
	"lanceflight/sqlplan"
)

func testSealer(t testing.TB, key string) *sealer {
	s, err := newSealer([]byte(key), time.Hour)
	require.NoError(t, err)
	return s
}

func sampleTicket() *ticketpb.Ticket {
	return &ticketpb.Ticket{
		Sql: "SELECT 1", Parameters: []byte{1, 2, 3}, User: "ann",
		Settings: map[string]string{"lance.nprobes": "7"}, Pins: map[string]*ticketpb.Pin{"train": {Version: 3, Digest: 1<<63 + 5}},
	}
}

func TestTicketRoundTrip(t *testing.T) {
	s := testSealer(t, "0123456789abcdef")
	want := sampleTicket()
	b, err := s.seal(want)
	require.NoError(t, err)
	got, err := s.open(b)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(want, got, protocmp.Transform()))
	require.Len(t, got.Id, 16)
	require.Equal(t, sqlplan.Pins{"train": {Version: 3, Digest: 1<<63 + 5}}, pinsOf(got))
	require.Empty(t, cmp.Diff(want.Pins, sealPins(pinsOf(got)), protocmp.Transform()))

	// A replica with the same key opens it, another server does not.
	_, err = testSealer(t, "0123456789abcdef").open(b)
	require.NoError(t, err)
	_, err = testSealer(t, "another key of 16").open(b)
	require.True(t, fault.Is(err, fault.PermissionDenied), err)
}

// Every single-bit change is refused.
func TestTicketForged(t *testing.T) {
	s := testSealer(t, "0123456789abcdef")
	b, err := s.seal(sampleTicket())
	require.NoError(t, err)
	for i := range b {
		for bit := range 8 {
			forged := bytes.Clone(b)
			forged[i] ^= 1 << bit
			_, err := s.open(forged)
			require.Error(t, err)
		}
	}
	for n := range b {
		_, err := s.open(b[:n])
		require.Error(t, err)
	}
}

func TestTicketExpires(t *testing.T) {
	s := testSealer(t, "0123456789abcdef")
	b, err := s.seal(sampleTicket())
	require.NoError(t, err)
	s.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	_, err = s.open(b)
	require.True(t, fault.Is(err, fault.NotFound), err)
}

func TestTicketTooLarge(t *testing.T) {
	s := testSealer(t, "0123456789abcdef")
	_, err := s.seal(&ticketpb.Ticket{Parameters: make([]byte, MaxTicketBytes)})
	require.True(t, fault.Is(err, fault.ResourceExhausted), err)
}

func TestBearerToken(t *testing.T) {
	s := testSealer(t, "0123456789abcdef")
	token := s.token("ann")
	user, err := s.userOf(token)
	require.NoError(t, err)
	require.Equal(t, "ann", user)
	for _, bad := range []string{"", "None", token[:len(token)-2], "A" + token} {
		_, err := s.userOf(bad)
		require.True(t, fault.Is(err, fault.Unauthenticated), bad)
	}
	// A ticket's signature is of another purpose and never verifies as a token.
	s.now = func() time.Time { return time.Now().Add(2 * bearerTTL) }
	_, err = s.userOf(token)
	require.True(t, fault.Is(err, fault.Unauthenticated), err)
}

func FuzzTicket(f *testing.F) {
	s := testSealer(f, "0123456789abcdef")
	b, err := s.seal(sampleTicket())
	require.NoError(f, err)
	f.Add(b, "token")
	f.Add([]byte{ticketVersion}, s.token("ann"))
	f.Fuzz(func(t *testing.T, raw []byte, token string) {
		if got, err := s.open(raw); err == nil && got.Sql != "SELECT 1" {
			t.Fatalf("a forged ticket verified: %q", got.Sql)
		}
		if user, err := s.userOf(token); err == nil && user != "ann" {
			t.Fatalf("a forged token verified: %q", user)
		}
	})
}
