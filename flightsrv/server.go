package flightsrv

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan"
	"lanceflight/sqlplan/catalog"
)

// Options configure a Server; zero values mean the defaults written behind them.
type Options struct {
	Mem              memory.Allocator // memory.DefaultAllocator
	TLS              *tls.Config      // nil = plaintext
	Users            *Users           // nil = open server
	TicketKey        []byte           // nil = random, tickets die with the process
	TicketTTL        time.Duration    // 24 h
	StatementTimeout time.Duration    // 0 = none; SET statement_timeout overrides it
	MaxConnections   int              // 0 = no limit
	MaxReceiveBytes  int              // 64 MiB: DoPut with parameters
	MaxHandles       int              // prepared statements alive at once: 10,000
	HandleIdle       time.Duration    // 1 h: a prepared statement nobody uses is dropped
	MaxOutcomes      int              // outcomes of statements that are not queries, kept for each user: 1,000
	MaxOutcomeBytes  int64            // the memory that they take, for each user: 16 MiB
	OutcomeAge       time.Duration    // how long each is kept: 1 h
	Version          string           // of the product, for SqlInfo
	Log              *slog.Logger     // slog.Default()
}

func (o *Options) defaults() {
	if o.Mem == nil {
		o.Mem = memory.DefaultAllocator
	}
	if o.TicketTTL == 0 {
		o.TicketTTL = 24 * time.Hour
	}
	if o.MaxReceiveBytes == 0 {
		o.MaxReceiveBytes = 64 << 20
	}
	if o.MaxHandles == 0 {
		o.MaxHandles = 10_000
	}
	if o.HandleIdle == 0 {
		o.HandleIdle = time.Hour
	}
	if o.MaxOutcomes == 0 {
		o.MaxOutcomes = 1000
	}
	if o.MaxOutcomeBytes == 0 {
		o.MaxOutcomeBytes = 16 << 20
	}
	if o.OutcomeAge == 0 {
		o.OutcomeAge = time.Hour
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Version == "" {
		o.Version = "dev"
	}
}

// Server answers Flight SQL for one engine. Make it with New, run Serve, end it with Shutdown.
type Server struct {
	flightsql.BaseServer

	engine   *sqlplan.Engine
	catalog  *catalog.Catalog
	opts     Options
	log      *slog.Logger
	seal     *sealer
	handles  *handles
	streams  streams
	process  []byte // random, names this process in tickets of statements that are not queries
	outcomes *outcomes
	runs     sync.WaitGroup // statements that are not queries and run for a ticket
	info     map[uint32]any // SqlInfo by id
	grpc     *grpc.Server
	draining atomic.Bool
	panics   atomic.Int64 // caught in handlers; each is a bug
}

// New makes a server; it listens only in Serve.
func New(engine *sqlplan.Engine, cat *catalog.Catalog, opts Options) (*Server, error) {
	opts.defaults()
	seal, err := newSealer(opts.TicketKey, opts.TicketTTL)
	if err != nil {
		return nil, err
	}
	s := &Server{
		engine: engine, catalog: cat, opts: opts, log: opts.Log, seal: seal,
		handles:  newHandles(opts.MaxHandles, opts.HandleIdle),
		outcomes: newOutcomes(opts.MaxOutcomes, opts.MaxOutcomeBytes, opts.OutcomeAge),
		process:  make([]byte, 16),
		info:     sqlInfo(opts.Version),
	}
	if _, err := rand.Read(s.process); err != nil {
		return nil, fault.New(fault.Internal, "draw a name for the process: %w", err)
	}
	s.Alloc = opts.Mem
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(newFrameCodec()),
		grpc.ChainUnaryInterceptor(s.guardUnary, s.authUnary),
		grpc.ChainStreamInterceptor(s.guardStream, s.authStream),
		grpc.StatsHandler(sessionTagger{}),
		grpc.MaxRecvMsgSize(opts.MaxReceiveBytes),
		grpc.MaxHeaderListSize(64 << 10), // JDBC turns URL parameters into headers
		grpc.InitialWindowSize(1 << 20),
		grpc.InitialConnWindowSize(4 << 20),
		// Frames are handed over whole; a larger write buffer only adds a copy.
		grpc.WriteBufferSize(64 << 10),
		// Calls beyond these get a goroutine of their own, whose stack grows anew. That takes 4 % of the
		// processor time of a short statement.
		grpc.NumStreamWorkers(uint32(8 * runtime.GOMAXPROCS(0))),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		// A client that vanished without closing its connection must not pin a scan for ever.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second}),
	}
	if opts.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(opts.TLS)))
	}
	s.grpc = grpc.NewServer(options...)
	flight.RegisterFlightServiceServer(s.grpc, &service{
		FlightServer: flightsql.NewFlightServerWithAllocator(s, opts.Mem), srv: s,
	})
	return s, nil
}

// service is the Flight service: arrow-go's dispatch of Flight SQL commands, with our own streams,
// courtesies for plain Flight clients, and log-in.
type service struct {
	flight.FlightServer
	srv *Server
}

// Serve answers on lis until Shutdown. It returns nil after a Shutdown.
func (s *Server) Serve(lis net.Listener) error {
	if s.opts.MaxConnections > 0 {
		lis = &limitListener{Listener: lis, slots: make(chan struct{}, s.opts.MaxConnections)}
	}
	if err := s.grpc.Serve(lis); err != nil {
		return fault.New(fault.Unavailable, "serve on %s: %w", lis.Addr(), err)
	}
	return nil
}

// Shutdown drains: new statements are refused with UNAVAILABLE, streams under way may end until ctx is
// done, then they are cut.
func (s *Server) Shutdown(ctx context.Context) {
	s.draining.Store(true)
	done := make(chan struct{})
	go func() {
		s.grpc.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		s.grpc.Stop()
		<-done
	}
	// Nobody waits for them any more, so those that still run have been cancelled.
	s.runs.Wait()
	s.outcomes.clear()
	s.handles.closeAll()
}

// streams are the result streams under way, by ticket id, so that CancelFlightInfo can end one.
type streams struct {
	mu     sync.Mutex
	cancel map[string]map[int]context.CancelFunc
	next   int
}

// add registers a stream and returns how to forget it.
func (t *streams) add(id []byte, cancel context.CancelFunc) (remove func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cancel == nil {
		t.cancel = map[string]map[int]context.CancelFunc{}
	}
	key, n := string(id), t.next
	t.next++
	if t.cancel[key] == nil {
		t.cancel[key] = map[int]context.CancelFunc{}
	}
	t.cancel[key][n] = cancel
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.cancel[key], n)
		if len(t.cancel[key]) == 0 {
			delete(t.cancel, key)
		}
	}
}

// stop cancels the streams of a ticket; false if none runs here.
func (t *streams) stop(id []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	running := t.cancel[string(id)]
	for _, cancel := range running {
		cancel()
	}
	return len(running) > 0
}

// limitListener refuses connections beyond a number by leaving them in the kernel's queue.
type limitListener struct {
	net.Listener
	slots chan struct{}
}

func (l *limitListener) Accept() (net.Conn, error) {
	l.slots <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: c, release: sync.OnceFunc(func() { <-l.slots })}, nil
}

type limitedConn struct {
	net.Conn
	release func()
}

func (c *limitedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
