package sqlplan

import (
	"context"
	"log/slog"
	"maps"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/bind"
	"lanceflight/sqlplan/catalog"
	"lanceflight/sqlplan/exec/search"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/indexes"
	"lanceflight/sqlplan/parse"
	"lanceflight/sqlplan/plan"
	"lanceflight/sqlplan/rewrite"
	"lanceflight/sqlplan/settings"
)

// Options configure an Engine; zero values mean the defaults written behind them.
type Options struct {
	Mem              memory.Allocator // memory.DefaultAllocator
	MemoryLimitBytes int64            // of one statement; 0 = none. lance.memory_limit can only lower it
	IndexCacheBytes  int64            // partitions and centroids of vector indices kept in memory: 256 MiB
	Workers          int              // goroutines per operator that splits its work: GOMAXPROCS
	Version          string           // of the product, for SELECT version(): "dev"
	Log              *slog.Logger     // gets warnings about indices that cannot be read; nil = none
}

const defaultIndexCacheBytes = 256 << 20

// Engine plans and runs statements over the tables of a catalog.
type Engine struct {
	cat     *catalog.Catalog
	opts    Options
	indexes *indexes.Cache
	plans   *planCache
	// testWrites plans the statements that tests write with, see NewEngineForTest; else nil.
	testWrites func(sql string) *plan.Write
}

// NewEngine makes an engine. The catalog stays the caller's to close, after the last stream.
func NewEngine(cat *catalog.Catalog, o Options) *Engine {
	if o.Mem == nil {
		o.Mem = memory.DefaultAllocator
	}
	if o.IndexCacheBytes == 0 {
		o.IndexCacheBytes = defaultIndexCacheBytes
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	return &Engine{cat: cat, opts: o, plans: newPlanCache(), indexes: indexes.New(indexes.Options{
		Bytes: o.IndexCacheBytes, Log: o.Log, Measure: search.Measure,
	})}
}

// NewEngineForTest makes an engine that plans some statements by a function of the test's own instead of
// by parsing them, as long as no SQL writes: writes returns the plan of such a statement, and nil for
// all others.
func NewEngineForTest(cat *catalog.Catalog, o Options, writes func(sql string) *plan.Write) *Engine {
	e := NewEngine(cat, o)
	e.testWrites = writes
	return e
}

// InformationSchemaViews are the names of the views of information_schema, in order.
func InformationSchemaViews() []string { return bind.ViewNames() }

// Close frees the cached indices. Streams still open end first.
func (e *Engine) Close() error {
	e.plans.clear()
	return e.indexes.Close()
}

// Session is what a statement sees of its connection. The engine does not keep or change it.
type Session struct {
	Settings map[string]string // values that CheckSetting accepted, by name; absent ones have their default
	User     string            // for current_user
}

// Pins are versions of tables that a statement reads, see Prepared.Pins.
type Pins = plan.Pins

// Pin is one of them.
type Pin = plan.Pin

// Prepare parses and plans a statement. pins are versions to read, by the names of Prepared.Pins; nil
// reads the current ones. Errors show the place in the text.
//
// A statement comes here several times in its life: when it is prepared, when it gets its ticket and when it
// runs. If its plan is still there from the time before, and reads what it would read if it were made
// now, it is taken again.
func (e *Engine) Prepare(ctx context.Context, s Session, sql string, pins Pins) (*Prepared, error) {
	return e.prepareFor(ctx, s, sql, pins, nil)
}

// prepareFor is Prepare for values of which something is known.
func (e *Engine) prepareFor(
	ctx context.Context, s Session, sql string, pins Pins, values []bind.Bound,
) (*Prepared, error) {
	key := planKeyOf(s, sql, values)
	if p := e.plans.get(key); p != nil && p.plan.Common().UpToDate(ctx, e.cat, pins) {
		return p, nil
	}
	p, err := e.prepare(ctx, s, sql, pins, values)
	if err == nil && p.plan.Common().Reusable {
		e.plans.put(key, p)
	}
	return p, err
}

func (e *Engine) prepare(
	ctx context.Context, s Session, sql string, pins Pins, values []bind.Bound,
) (*Prepared, error) {
	session := settings.Session{Values: s.Settings, Version: e.opts.Version, User: s.User}
	planned, err := e.bind(ctx, session, sql, pins, values)
	if err == nil {
		planned, err = rewrite.Rewrite(ctx, planned, rewrite.Env{Session: session, Indexes: e.indexes})
	}
	if err != nil {
		return nil, fault.WithSQL(err, sql)
	}
	p := &Prepared{engine: e, session: session, sql: sql, plan: planned}
	switch planned := planned.(type) {
	case *plan.Query:
		p.schema = resultSchema(planned.Root.Columns(), planned.Distances)
	case *plan.Explain:
		p.schema = explainSchema
	case *plan.Set:
		p.schema = arrow.NewSchema(nil, nil)
	case *plan.Write:
		p.schema = resultSchema(planned.Change.Returning(), nil)
	}
	return p, nil
}

// bind turns a statement's text into a plan that is not rewritten yet.
func (e *Engine) bind(
	ctx context.Context, session settings.Session, sql string, pins Pins, values []bind.Bound,
) (plan.Plan, error) {
	if e.testWrites != nil {
		if w := e.testWrites(sql); w != nil {
			return w, nil
		}
	}
	stmt, err := parse.Parse(sql)
	if err != nil {
		return nil, err
	}
	return bind.Bind(ctx, stmt, bind.Env{Catalog: e.cat, Session: session, Pins: pins, Bound: values, Mem: e.opts.Mem})
}

// Prepared is a planned statement. It is immutable, and executions may share it.
type Prepared struct {
	engine  *Engine
	session settings.Session
	sql     string
	plan    plan.Plan
	schema  *arrow.Schema
}

// Schema is the schema of the result, and of every batch of it; without fields for a statement that
// returns no rows.
func (p *Prepared) Schema() *arrow.Schema { return p.schema }

// IsQuery reports whether the statement is a query or an EXPLAIN, which may be executed any number of
// times. Each execution of another statement changes something: SET, RESET and USE the session
// (Stream.SettingsChanged), a write its tables.
func (p *Prepared) IsQuery() bool {
	switch p.plan.(type) {
	case *plan.Query, *plan.Explain:
		return true
	}
	return false
}

// SQL is the statement's text.
func (p *Prepared) SQL() string { return p.sql }

// Pins are the versions the statement reads, by the name of the table, with "@" and the version, tag or
// time behind it if the statement names one.
func (p *Prepared) Pins() Pins {
	return maps.Clone(p.plan.Common().Pins)
}

// Plan is the plan, for tests and tools. It is shared; do not change it.
func (p *Prepared) Plan() plan.Plan { return p.plan }

// ExecOptions are what an execution adds to a plan.
type ExecOptions struct {
	Params []expr.Literal // one per parameter, of its type, as ParamsFromRecord makes them
}
