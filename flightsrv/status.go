package flightsrv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"lanceflight/internal/fault"
)

// codeOf maps the kinds of errors to gRPC codes.
var codeOf = map[fault.Kind]codes.Code{
	fault.Internal:          codes.Internal,
	fault.InvalidArgument:   codes.InvalidArgument,
	fault.NotFound:          codes.NotFound,
	fault.Unsupported:       codes.Unimplemented,
	fault.Corrupt:           codes.DataLoss,
	fault.ResourceExhausted: codes.ResourceExhausted,
	fault.Unauthenticated:   codes.Unauthenticated,
	fault.PermissionDenied:  codes.PermissionDenied,
	fault.DeadlineExceeded:  codes.DeadlineExceeded,
	fault.Cancelled:         codes.Canceled,
	fault.Aborted:           codes.Aborted,
	fault.Unavailable:       codes.Unavailable,
	fault.AlreadyExists:     codes.AlreadyExists,
}

// maxMessageBytes bounds an error's text on the wire: gRPC carries it in a header, and clients
// refuse large header lists (8 KiB is the smallest default among the drivers).
const maxMessageBytes = 4 << 10

// toStatus turns any error into a gRPC status; nil and statuses pass.
func toStatus(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	msg := err.Error()
	if fault.Is(err, fault.Internal) {
		// Below the first line stands a stack, which is for the log.
		msg, _, _ = strings.Cut(msg, "\n")
	}
	// A statement or a file may have put any bytes into it, and it may be cut inside of a character.
	if msg = strings.ToValidUTF8(msg, "\uFFFD"); len(msg) > maxMessageBytes {
		msg = strings.ToValidUTF8(msg[:maxMessageBytes], "") + "…"
	}
	return status.Error(codeOf[fault.KindOf(err)], msg)
}

// guardUnary and guardStream keep a panic in a handler from ending the server, and log what failed.
func (s *Server) guardUnary(
	ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler,
) (resp any, err error) {
	defer func() { err = s.finish(ctx, info.FullMethod, recover(), err) }()
	return next(ctx, req)
}

func (s *Server) guardStream(
	srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler,
) (err error) {
	defer func() { err = s.finish(stream.Context(), info.FullMethod, recover(), err) }()
	return next(srv, stream)
}

func (s *Server) finish(ctx context.Context, method string, panicked any, err error) error {
	if panicked != nil {
		s.panics.Add(1)
		s.log.Error("panic in handler", "method", method, "panic", fmt.Sprint(panicked), "stack", string(debug.Stack()))
		return status.Error(codes.Internal, "internal error: the server logged the details")
	}
	if err == nil {
		return nil
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		// What the handler says after the client has gone is a consequence, not a cause.
		s.log.Info("cancelled by the client", "method", method)
		return status.Error(codes.Canceled, "cancelled by the client")
	}
	detail := err.Error()
	err = readable(ctx, toStatus(err))
	level := slog.LevelInfo
	if c := status.Code(err); c == codes.Internal || c == codes.DataLoss || c == codes.Unknown {
		level = slog.LevelError
	}
	s.log.Log(ctx, level, "failed", "method", method, "code", status.Code(err).String(), "error", detail)
	return err
}

// readable keeps the text of a status from being garbled by the client. The ADBC driver takes it for a
// format of Go's fmt package (setErr in its go/adbc/pkg/flightsql/driver.go), where every percent sign
// begins a directive: LIKE 'a%' would arrive as LIKE 'a%!'(NOVERB). No way of writing the sign comes
// through there and also in the errors that the same driver passes on as they are, so those clients get
// the full-width sign, which reads the same and means nothing to fmt. All other clients get the text as
// it is.
func readable(ctx context.Context, err error) error {
	st := status.Convert(err)
	if !strings.Contains(st.Message(), "%") {
		return err
	}
	md, _ := metadata.FromIncomingContext(ctx)
	for _, agent := range md.Get("user-agent") {
		if strings.HasPrefix(agent, adbcAgent) {
			return status.Error(st.Code(), strings.ReplaceAll(st.Message(), "%", "％"))
		}
	}
	return err
}

// adbcAgent is how the user-agent header of the ADBC driver begins, in every language that it is for.
const adbcAgent = "ADBC Flight SQL Driver"
