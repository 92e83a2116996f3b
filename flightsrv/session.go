package flightsrv

import (
	"context"
	"strings"
	"sync"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"

	"github.com/apache/arrow-go/v18/arrow/flight"

	"lanceflight/sqlplan"
)

// A session is the settings of one connection. Stock clients open one HTTP/2 connection per
// connection object and keep it (the ADBC driver sends no cookies unless told, JDBC keeps them), so
// the transport itself is the session: no cookie, no table of sessions, nothing to expire. Request
// headers x-lance-NAME override it for one call.
type session struct {
	mu       sync.Mutex
	settings map[string]string
}

type sessionKey struct{}

// sessionTagger puts a session into the context of every RPC of a connection.
type sessionTagger struct{}

func (sessionTagger) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context {
	return context.WithValue(ctx, sessionKey{}, &session{settings: map[string]string{}})
}
func (sessionTagger) HandleConn(context.Context, stats.ConnStats)                     {}
func (sessionTagger) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }
func (sessionTagger) HandleRPC(context.Context, stats.RPCStats)                       {}

// sessionOf returns the session of a call's connection, or an empty one outside a server.
func sessionOf(ctx context.Context) *session {
	if s, ok := ctx.Value(sessionKey{}).(*session); ok {
		return s
	}
	return &session{settings: map[string]string{}}
}

func (s *session) snapshot() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]string, len(s.settings))
	for k, v := range s.settings {
		out[k] = v
	}
	return out
}

// apply takes changes over: a nil value resets the setting.
func (s *session) apply(changed map[string]*string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, v := range changed {
		if v == nil {
			delete(s.settings, k)
		} else {
			s.settings[k] = *v
		}
	}
}

// headerPrefix marks request headers that carry a setting: x-lance-nprobes is lance.nprobes.
const headerPrefix = "x-lance-"

// settings returns the effective settings of a call: the connection's, then its headers. Besides
// x-lance-NAME, the headers that JDBC makes of URL parameters are understood: catalog, database and
// schema. A header with a value that the planner refuses is an error; unknown plain headers are not
// ours.
func (s *Server) settings(ctx context.Context) (map[string]string, error) {
	out := sessionOf(ctx).snapshot()
	md, _ := metadata.FromIncomingContext(ctx)
	for key, values := range md {
		if len(values) == 0 {
			continue
		}
		value := values[len(values)-1]
		var name string
		switch {
		case key == "catalog" || key == "schema":
			name = key
		case key == "x-lance-compression":
			continue // read where the stream is written
		case key == "x-lance-statement-timeout":
			name = "statement_timeout"
		case strings.HasPrefix(key, headerPrefix):
			name = "lance." + strings.ReplaceAll(strings.TrimPrefix(key, headerPrefix), "-", "_")
		default:
			continue
		}
		checked, err := sqlplan.CheckSetting(name, value)
		if err != nil {
			return nil, err
		}
		out[name] = checked
	}
	return out, nil
}

// SetSessionOptions changes the connection's settings. Bad names and values are reported per option.
func (s *Server) SetSessionOptions(
	ctx context.Context, req *flight.SetSessionOptionsRequest,
) (*flight.SetSessionOptionsResult, error) {
	result := &flight.SetSessionOptionsResult{Errors: map[string]*flight.SetSessionOptionsResultError{}}
	changed := map[string]*string{}
	for name, option := range req.GetSessionOptions() {
		text, ok, err := optionText(option)
		if err != nil {
			result.Errors[name] = &flight.SetSessionOptionsResultError{Value: flight.SetSessionOptionsResultErrorInvalidValue}
			continue
		}
		if !sqlplan.IsSetting(name) {
			result.Errors[name] = &flight.SetSessionOptionsResultError{Value: flight.SetSessionOptionsResultErrorInvalidName}
			continue
		}
		if !ok {
			changed[name] = nil // an empty value resets the option
			continue
		}
		checked, err := sqlplan.CheckSetting(name, text)
		if err != nil {
			result.Errors[name] = &flight.SetSessionOptionsResultError{Value: flight.SetSessionOptionsResultErrorInvalidValue}
			continue
		}
		changed[name] = &checked
	}
	sessionOf(ctx).apply(changed)
	return result, nil
}

// GetSessionOptions returns every setting with its effective value; ADBC reads catalog and schema.
func (s *Server) GetSessionOptions(
	ctx context.Context, _ *flight.GetSessionOptionsRequest,
) (*flight.GetSessionOptionsResult, error) {
	set := sqlplan.DefaultSettings()
	for k, v := range sessionOf(ctx).snapshot() {
		set[k] = v
	}
	values := make(map[string]any, len(set))
	for k, v := range set {
		values[k] = v
	}
	options, err := flight.NewSessionOptionValues(values)
	if err != nil {
		return nil, err
	}
	return &flight.GetSessionOptionsResult{SessionOptions: options}, nil
}

// CloseSession forgets the connection's settings.
func (s *Server) CloseSession(ctx context.Context, _ *flight.CloseSessionRequest) (*flight.CloseSessionResult, error) {
	ses := sessionOf(ctx)
	ses.mu.Lock()
	clear(ses.settings)
	ses.mu.Unlock()
	return &flight.CloseSessionResult{Status: flight.CloseSessionResultClosed}, nil
}
