package flightsrv

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"time"

	"google.golang.org/protobuf/proto"

	"lanceflight/flightsrv/ticketpb"
	"lanceflight/internal/fault"
	"lanceflight/sqlplan"
)

// Layout of a sealed ticket, the statement_handle of a TicketStatementQuery:
//
//	+---------+----------------------+---------------------------+
//	| version | ticketpb.Ticket      | HMAC-SHA256 of all before |
//	| 1 byte  | protobuf             | 32 bytes                  |
//	+---------+----------------------+---------------------------+
//
// The content is readable by whoever holds the ticket (it is their own statement), but cannot be
// changed: otherwise a ticket could name other table versions or another user.
const (
	ticketVersion = 2
	macBytes      = sha256.Size

	// MaxTicketBytes bounds a ticket: it travels in every FlightInfo and DoGet, and drivers keep
	// it in memory. Parameters are what makes it grow (a 768-d vector is 3 KiB).
	MaxTicketBytes = 4 << 20
)

// sealer signs and verifies tickets and bearer tokens with one key.
type sealer struct {
	key []byte
	ttl time.Duration // age at which a ticket is refused
	now func() time.Time
}

// newSealer takes a key shared between replicas, or nil for a random one.
func newSealer(key []byte, ttl time.Duration) (*sealer, error) {
	if key == nil {
		key = make([]byte, 32)
		if _, err := rand.Read(key); err != nil {
			return nil, fault.New(fault.Internal, "draw a ticket key: %w", err)
		}
	}
	if len(key) < 16 {
		return nil, fault.New(fault.InvalidArgument, "ticket key has %d bytes, want at least 16", len(key))
	}
	return &sealer{key: key, ttl: ttl, now: time.Now}, nil
}

// mac signs body under a purpose, so that a token of one kind never verifies as another.
func (s *sealer) mac(purpose string, body []byte) []byte {
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte(purpose))
	m.Write([]byte{0})
	m.Write(body)
	return m.Sum(nil)
}

// seal issues a ticket. It fills Issued and, if empty, Id.
func (s *sealer) seal(t *ticketpb.Ticket) ([]byte, error) {
	t.Issued = s.now().Unix()
	if len(t.Id) == 0 {
		t.Id = make([]byte, 16)
		if _, err := rand.Read(t.Id); err != nil {
			return nil, fault.New(fault.Internal, "draw a ticket id: %w", err)
		}
	}
	out, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend([]byte{ticketVersion}, t)
	if err != nil {
		return nil, fault.New(fault.InvalidArgument, "make a ticket: %w", err)
	}
	if len(out)+macBytes > MaxTicketBytes {
		return nil, fault.New(fault.ResourceExhausted,
			"statement and parameters make a ticket of %d bytes, the limit is %d; bind fewer rows at once",
			len(out)+macBytes, MaxTicketBytes)
	}
	return append(out, s.mac("ticket", out)...), nil
}

// open verifies a ticket. Errors: InvalidArgument for bytes that are no ticket, PermissionDenied for a
// wrong signature, NotFound for one that has expired.
func (s *sealer) open(b []byte) (*ticketpb.Ticket, error) {
	if len(b) > MaxTicketBytes || len(b) < 1+macBytes || b[0] != ticketVersion {
		return nil, fault.New(fault.InvalidArgument, "this is not a ticket of this server")
	}
	body, mac := b[:len(b)-macBytes], b[len(b)-macBytes:]
	if !hmac.Equal(mac, s.mac("ticket", body)) {
		return nil, fault.New(fault.PermissionDenied,
			"the ticket's signature does not verify: it was changed, or another server issued it")
	}
	var t ticketpb.Ticket
	if err := proto.Unmarshal(body[1:], &t); err != nil {
		return nil, fault.New(fault.InvalidArgument, "read ticket: %w", err)
	}
	if age := s.now().Sub(time.Unix(t.Issued, 0)); age > s.ttl {
		return nil, fault.New(fault.NotFound, "the ticket expired %s ago; run the statement again", (age - s.ttl).Round(time.Second))
	}
	return &t, nil
}

// sealPins puts the versions that a statement reads into the form of a ticket, pinsOf takes them out.
func sealPins(pins sqlplan.Pins) map[string]*ticketpb.Pin {
	out := make(map[string]*ticketpb.Pin, len(pins))
	for name, p := range pins {
		out[name] = &ticketpb.Pin{Version: p.Version, Digest: p.Digest}
	}
	return out
}

func pinsOf(t *ticketpb.Ticket) sqlplan.Pins {
	if len(t.Pins) == 0 {
		return nil
	}
	out := make(sqlplan.Pins, len(t.Pins))
	for name, p := range t.Pins {
		out[name] = sqlplan.Pin{Version: p.GetVersion(), Digest: p.GetDigest()}
	}
	return out
}
