package check

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"golang.org/x/sync/errgroup"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/storage"
)

// Options say what is checked, and how hard.
type Options struct {
	// Ref limits the check to one version. The zero Ref means all versions of the main line and of all
	// branches; one with Branch alone the latest of that branch.
	Ref lancefmt.Ref
	// Workers is the number of pages decoded at a time; 0 is one for each core.
	Workers int
	// MaxProblems bounds the problems that the report keeps; 0 is 1,000.
	MaxProblems int
	// Progress, if set, is told how many bytes of pages are decoded of how many. It is called by several
	// goroutines at a time, and shall return at once.
	Progress func(done, total int64)
	Mem      memory.Allocator // for decoded pages; nil is the Go heap
}

const (
	defaultMaxProblems = 1000
	// batchBytes is about how much a worker decodes at a time.
	batchBytes = 8 << 20
)

// Run checks a table. The report has what is wrong with the table; the error is about the check itself: a
// version, tag or branch that Options name and the table lacks (fault.NotFound), or the context's end.
func Run(ctx context.Context, t *lancefmt.Table, opts Options) (*Report, error) {
	if opts.Workers <= 0 {
		opts.Workers = runtime.GOMAXPROCS(0)
	}
	if opts.MaxProblems <= 0 {
		opts.MaxProblems = defaultMaxProblems
	}
	if opts.Mem == nil {
		opts.Mem = memory.DefaultAllocator
	}
	c := &checker{t: t, opts: opts, report: &Report{Table: t.Name(), URI: t.URI(), Problems: []Problem{}, Indexes: []Coverage{}},
		seen: map[placeKey]int{}, names: map[string]bool{}, blobHolders: map[string]bool{}, data: map[fileKey]*dataFacts{},
		deletions: map[fileKey]*deletionFacts{}, columns: map[[32]byte]bool{}, segments: map[fileKey]*segment{},
		rowSets: map[rowSetKey]*rowSet{}, covered: map[coverKey]bool{},
		lacking: map[coverKey]*roaring.Bitmap{},
		blobs:   map[fileKey]int64{}}
	if err := c.run(ctx); err != nil {
		return nil, err
	}
	r := c.report
	r.Problems = sorted(r.Problems)
	r.Checked.Pages, r.Checked.Bytes, r.Checked.Decoded, r.Checked.Blobs = c.pages.Load(), c.done.Load(), c.decoded.Load(), c.blobValues.Load()
	r.OK = r.Checked.Errors == 0
	return r, nil
}

// fileKey names a file wherever it lies.
type fileKey struct {
	store storage.Store
	name  string
}

// placeKey tells problems apart: one that several versions or batches run into is told once.
type placeKey struct {
	code                    Code
	file, column, message   string
	fragment                uint32
	columnIndex, page       int
	index, branch, segment  string
	placed, versioned, frag bool
	version                 uint64
}

type checker struct {
	t      *lancefmt.Table
	opts   Options
	report *Report

	// What is known of the things that versions share. Only the goroutine that walks over the versions
	// touches these.
	data      map[fileKey]*dataFacts
	deletions map[fileKey]*deletionFacts
	columns   map[[32]byte]bool // whose pages are in jobs
	segments  map[fileKey]*segment
	rowSets   map[rowSetKey]*rowSet
	covered   map[coverKey]bool
	lacking   map[coverKey]*roaring.Bitmap // rows that segments lack of fragments, as was told; by these two alone
	// blobHolders are data files with blobs that are not looked at one by one: those of nested columns.
	blobHolders map[string]bool
	names       map[string]bool // in the table's own store, that something names
	jobs        []job
	total       int64 // bytes of jobs
	blind       bool  // some manifest could not be read

	done, pages, decoded, blobValues atomic.Int64

	mu    sync.Mutex // guards what follows, and report while jobs run
	seen  map[placeKey]int
	blobs map[fileKey]int64 // size of files of blobs; -1: missing
}

// job is work that may run beside other jobs.
type job struct {
	bytes int64 // of pages, for the progress
	run   func(ctx context.Context) error
}

func (c *checker) run(ctx context.Context) error {
	versions, err := c.versions(ctx)
	if err != nil {
		return err
	}
	heads := map[string]bool{}
	for _, v := range versions {
		if err := ctx.Err(); err != nil {
			return err
		}
		s, err := c.snapshot(ctx, v)
		if err != nil {
			return err
		}
		if s == nil {
			continue
		}
		if err := c.version(ctx, s, !heads[s.Branch()]); err != nil {
			return err
		}
		heads[s.Branch()] = true
	}
	if err := c.runJobs(ctx); err != nil {
		return err
	}
	// What indices hold is known now; compare it with each version that has them.
	for _, v := range versions {
		if v.indexed {
			s, err := c.t.Snapshot(ctx, v.ref)
			if err != nil {
				return err
			}
			if err := c.indexRows(ctx, s); err != nil {
				return err
			}
			if heads[s.Branch()] {
				heads[s.Branch()] = false
				if err := c.indexValues(ctx, s); err != nil {
					return err
				}
			}
		}
	}
	if c.opts.Ref == (lancefmt.Ref{}) && !c.blind {
		return c.orphans(ctx)
	}
	return nil
}

// version checks what a version names, and puts the decoding of pages into jobs.
func (c *checker) version(ctx context.Context, s *lancefmt.Snapshot, head bool) error {
	c.report.Checked.Versions++
	if c.report.Checked.Versions == 1 {
		c.report.Checked.Fragments, c.report.Checked.Rows = len(s.Fragments()), s.NumRows()
	}
	if err := c.manifest(ctx, s); err != nil {
		return err
	}
	for _, f := range s.Fragments() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.fragment(ctx, s, f); err != nil {
			return err
		}
	}
	if err := c.rowIDs(ctx, s); err != nil {
		return err
	}
	return c.indexes(ctx, s, head)
}

func (c *checker) runJobs(ctx context.Context) error {
	g, below := errgroup.WithContext(ctx)
	g.SetLimit(c.opts.Workers)
	for _, j := range c.jobs {
		if below.Err() != nil {
			break
		}
		g.Go(func() error {
			if err := below.Err(); err != nil {
				return err
			}
			return j.run(below)
		})
	}
	c.jobs = nil
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// progress counts bytes of pages that are decoded.
func (c *checker) progress(bytes int64) {
	done := c.done.Add(bytes)
	if c.opts.Progress != nil {
		c.opts.Progress(done, c.total)
	}
}

// add keeps a problem, unless it is known.
func (c *checker) add(p Problem) {
	if p.Severity == "" {
		p.Severity = Error
	}
	key := placeKey{code: p.Code, file: p.File, column: p.Column, fragment: value(p.Fragment), frag: p.Fragment != nil,
		columnIndex: value(p.ColumnIndex), page: value(p.Page), index: p.Index, segment: p.Segment, placed: p.Page != nil}
	if p.Page == nil { // there may be several
		key.message = p.Message
	}
	if p.File == "" && p.Segment == "" {
		key.versioned, key.version, key.branch = true, p.Version, p.Branch
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.seen[key]; ok {
		// Whichever worker was first, the newest version and the first place are told.
		if at >= 0 {
			q := &c.report.Problems[at]
			if p.Version > q.Version || p.Version == q.Version && p.compare(*q) < 0 {
				*q = p
			}
		}
		return
	}
	c.seen[key] = -1
	if p.Severity == Error {
		c.report.Checked.Errors++
	} else {
		c.report.Checked.Warnings++
	}
	if len(c.report.Problems) >= c.opts.MaxProblems {
		c.report.LeftOut++
		return
	}
	c.seen[key] = len(c.report.Problems)
	c.report.Problems = append(c.report.Problems, p)
}

// fail turns an error into a problem: of the given code if bytes are wrong, else by the error's kind. The
// end of the context is no problem, it is returned.
func (c *checker) fail(ctx context.Context, p Problem, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p.Message = err.Error()
	switch fault.KindOf(err) {
	case fault.Corrupt:
		var ce *fault.CorruptError
		if !errors.As(err, &ce) {
			break
		}
		p.Message = ce.Msg
		if ce.File != "" && !strings.HasSuffix(p.File, ce.File) { // which may be outside of the table
			p.File = ce.File
		}
		if errors.As(err, new(valueError)) {
			p.Code = BadValue
		}
		if ce.Column >= 0 {
			p.ColumnIndex = &ce.Column
		}
		if ce.Page >= 0 {
			p.Page = &ce.Page
		}
		if ce.Offset >= 0 {
			p.Offset = &ce.Offset
		}
	case fault.NotFound:
		p.Code = MissingFile
	case fault.Unsupported:
		p.Code, p.Severity = NotSupported, Warning
	case fault.PermissionDenied:
		p.Code = NotAllowed
	case fault.Cancelled, fault.DeadlineExceeded:
		return err
	case fault.ResourceExhausted:
		p.Code, p.Severity = NotSupported, Warning
	default:
		p.Code = Unreadable
	}
	c.add(p)
	return nil
}

// problemAt is a problem in a version.
func problemAt(s *lancefmt.Snapshot, code Code) Problem {
	return Problem{Code: code, Version: s.Version(), Branch: s.Branch()}
}

// in is a problem in a fragment.
func in(f *lancefmt.Fragment, code Code) Problem {
	p := problemAt(f.Snapshot(), code)
	id := f.ID()
	p.Fragment = &id
	return p
}

// fileName names a file for a report, and notes that something names it.
func (c *checker) fileName(store storage.Store, name string) string {
	if store == c.t.Store() {
		c.names[name] = true
		return name
	}
	return store.URI() + "/" + name
}

// stat looks at a file that p.File names. It returns its size, or -1 with the problem told.
func (c *checker) stat(ctx context.Context, store storage.Store, name string, stated int64, p Problem) (int64, error) {
	info, err := storage.Stat(ctx, store, name)
	if err != nil {
		if fault.Is(err, fault.NotFound) {
			p.Code, p.Message = MissingFile, "there is no such file"
			c.add(p)
			return -1, nil
		}
		p.Code = Unreadable
		return -1, c.fail(ctx, p, err)
	}
	if stated >= 0 && info.SizeBytes != stated {
		c.addf(p, FileSize, "the file has %d bytes, the manifest says %d", info.SizeBytes, stated)
	}
	return info.SizeBytes, nil
}

// addf adds a problem of an error's severity with a code and a message.
func (c *checker) addf(p Problem, code Code, format string, args ...any) {
	p.Code, p.Message = code, fmt.Sprintf(format, args...)
	c.add(p)
}
