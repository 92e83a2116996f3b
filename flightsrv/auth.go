package flightsrv

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/apache/arrow-go/v18/arrow/flight"

	"lanceflight/internal/fault"
)

// Users checks names and passwords. The file has one "name:hash" per line; a hash is bcrypt
// ("$2b$…", as htpasswd -B writes) or argon2id in PHC form ("$argon2id$v=19$m=65536,t=3,p=4$salt$key").
// Empty lines and lines that begin with # are skipped.
type Users struct {
	hash map[string]string
	// checked remembers passwords that verified, as a keyed digest, so that a client which sends
	// Basic on every call does not cost a bcrypt each time.
	mu      sync.Mutex
	checked map[[sha256.Size]byte]bool
	key     []byte
}

// ParseUsers reads a user file.
func ParseUsers(r io.Reader) (*Users, error) {
	u := &Users{hash: map[string]string{}, checked: map[[sha256.Size]byte]bool{}}
	sealer, err := newSealer(nil, 0)
	if err != nil {
		return nil, err
	}
	u.key = sealer.key
	sc := bufio.NewScanner(r)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, hash, ok := strings.Cut(line, ":")
		if !ok || name == "" {
			return nil, fault.New(fault.InvalidArgument, "user file, line %d: want name:hash", n)
		}
		if _, dup := u.hash[name]; dup {
			return nil, fault.New(fault.InvalidArgument, "user file, line %d: user %q appears twice", n, name)
		}
		if _, err := verifyPassword(hash, "probe"); err != nil {
			return nil, fault.New(fault.InvalidArgument, "user file, line %d: %w", n, err)
		}
		u.hash[name] = hash
	}
	if err := sc.Err(); err != nil {
		return nil, fault.New(fault.InvalidArgument, "read user file: %w", err)
	}
	if len(u.hash) == 0 {
		return nil, fault.New(fault.InvalidArgument, "the user file names no user")
	}
	return u, nil
}

// dummyHash is verified for unknown names, so that the time taken does not tell which names exist.
const dummyHash = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"

func (u *Users) verify(name, password string) bool {
	m := hmac.New(sha256.New, u.key)
	m.Write([]byte(name))
	m.Write([]byte{0})
	m.Write([]byte(password))
	digest := [sha256.Size]byte(m.Sum(nil))
	u.mu.Lock()
	known := u.checked[digest]
	u.mu.Unlock()
	if known {
		return true
	}
	hash, ok := u.hash[name]
	if !ok {
		_, _ = verifyPassword(dummyHash, password)
		return false
	}
	good, err := verifyPassword(hash, password)
	if good && err == nil {
		u.mu.Lock()
		u.checked[digest] = true // at most one entry per user and right password
		u.mu.Unlock()
		return true
	}
	return false
}

// verifyPassword compares a password with a bcrypt or argon2id hash; the error says that the hash
// itself is malformed.
func verifyPassword(hash, password string) (bool, error) {
	if !strings.HasPrefix(hash, "$argon2id$") {
		if _, err := bcrypt.Cost([]byte(hash)); err != nil {
			return false, fault.New(fault.InvalidArgument, "neither a bcrypt nor an argon2id hash: %w", err)
		}
		return bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil, nil
	}
	bad := func(what string) (bool, error) {
		return false, fault.New(fault.InvalidArgument, "argon2id hash: %s", what)
	}
	parts := strings.Split(hash, "$") // "", argon2id, v=19, m=…,t=…,p=…, salt, key
	if len(parts) != 6 || parts[2] != "v=19" {
		return bad("want $argon2id$v=19$m=…,t=…,p=…$salt$key")
	}
	params := map[string]uint64{}
	for _, kv := range strings.Split(parts[3], ",") {
		k, v, _ := strings.Cut(kv, "=")
		n, err := strconv.ParseUint(v, 10, 32)
		if err != nil {
			return bad("parameter " + strconv.Quote(kv))
		}
		params[k] = n
	}
	m, t, p := params["m"], params["t"], params["p"]
	// 1 GiB and 64 passes are far above any recommendation; beyond them a log-in is an attack on us.
	if m < 8 || m > 1<<20 || t < 1 || t > 64 || p < 1 || p > 255 {
		return bad("parameters out of range")
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	key, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(key) < 16 || len(key) > 128 {
		return bad("salt or key is not base64 of a sound length")
	}
	got := argon2.IDKey([]byte(password), salt, uint32(t), uint32(m), uint8(p), uint32(len(key)))
	return subtle.ConstantTimeCompare(got, key) == 1, nil
}

// bearerTTL is how long a token of a Handshake is good for; drivers log in again when it is refused.
const bearerTTL = 24 * time.Hour

// token makes a stateless bearer token: base64url(expiry ‖ name ‖ mac).
func (s *sealer) token(user string) string {
	body := binary.BigEndian.AppendUint64(nil, uint64(s.now().Add(bearerTTL).Unix()))
	body = append(body, user...)
	return base64.RawURLEncoding.EncodeToString(append(body, s.mac("bearer", body)...))
}

// userOf verifies a bearer token.
func (s *sealer) userOf(token string) (string, error) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) < 8+macBytes {
		return "", fault.New(fault.Unauthenticated, "malformed bearer token; log in again")
	}
	body, mac := b[:len(b)-macBytes], b[len(b)-macBytes:]
	if !hmac.Equal(mac, s.mac("bearer", body)) {
		return "", fault.New(fault.Unauthenticated, "bearer token does not verify; log in again")
	}
	if s.now().Unix() > int64(binary.BigEndian.Uint64(body)) {
		return "", fault.New(fault.Unauthenticated, "bearer token has expired; log in again")
	}
	return string(body[8:]), nil
}

type userKey struct{}

// userFrom returns the authenticated user of a call, "" on an open server.
func userFrom(ctx context.Context) string {
	name, _ := ctx.Value(userKey{}).(string)
	return name
}

// authenticate finds out who calls. An open server (no users) ignores whatever is sent: flightsql-dbapi
// sends "Bearer None".
func (s *Server) authenticate(ctx context.Context) (context.Context, error) {
	if s.opts.Users == nil {
		return ctx, nil
	}
	user, _, err := s.credentials(ctx)
	if err != nil {
		return nil, err
	}
	return context.WithValue(ctx, userKey{}, user), nil
}

// credentials verifies the authorization header, Basic or Bearer, and returns the user and a bearer
// token for later calls.
func (s *Server) credentials(ctx context.Context) (user, token string, err error) {
	md, _ := metadata.FromIncomingContext(ctx)
	var header string
	if v := md.Get("authorization"); len(v) > 0 {
		header = v[0]
	}
	scheme, credential, _ := strings.Cut(strings.TrimSpace(header), " ")
	credential = strings.TrimSpace(credential)
	switch {
	case strings.EqualFold(scheme, "basic"):
		// ADBC sends base64 without padding, JDBC and pyarrow with.
		raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(credential, "="))
		name, password, ok := strings.Cut(string(raw), ":")
		if err != nil || !ok {
			return "", "", fault.New(fault.Unauthenticated, "malformed Basic credentials")
		}
		if !s.opts.Users.verify(name, password) {
			return "", "", fault.New(fault.Unauthenticated, "wrong user name or password")
		}
		return name, s.seal.token(name), nil
	case strings.EqualFold(scheme, "bearer"):
		user, err := s.seal.userOf(credential)
		return user, credential, err
	default:
		return "", "", fault.New(fault.Unauthenticated, "this server wants a user name and password")
	}
}

// Handshake logs in. The reply's header carries the bearer token, and its payload too. JDBC shakes hands
// even when it was given a token, and every client fails if the method is missing, so an open server
// answers as well.
func (s *service) Handshake(stream flight.FlightService_HandshakeServer) error {
	token := "open"
	if s.srv.opts.Users != nil {
		var err error
		if _, token, err = s.srv.credentials(stream.Context()); err != nil {
			return err
		}
	}
	header := metadata.Pairs("authorization", "Bearer "+token)
	if err := stream.SetHeader(header); err != nil {
		return err
	}
	stream.SetTrailer(header) // arrow-go's own client reads it there
	// pyarrow and JDBC half-close without a message; a client that sends one gets one answer.
	if _, err := stream.Recv(); err == nil {
		return stream.Send(&flight.HandshakeResponse{Payload: []byte(token)})
	} else if err != io.EOF {
		return err
	}
	return nil
}

// authUnary and authStream run before every method but Handshake.
func (s *Server) authUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	ctx, err := s.authenticate(ctx)
	if err != nil {
		return nil, err
	}
	return next(ctx, req)
}

func (s *Server) authStream(
	srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler,
) error {
	if strings.HasSuffix(info.FullMethod, "/Handshake") {
		return next(srv, stream)
	}
	ctx, err := s.authenticate(stream.Context())
	if err != nil {
		return err
	}
	return next(srv, &streamWithContext{ServerStream: stream, ctx: ctx})
}

type streamWithContext struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *streamWithContext) Context() context.Context { return s.ctx }
