// Command inproc runs lancefmt inside its own process for bench/inproc.py, which runs pylance inside
// of Python, in turn with it: no wire, and no SQL but for the operation "sql".
//
//	inproc.py ──{"op":"scan","table":…,"columns":[…]}──> stdin ──> lancefmt ──> stdout ──{"seconds":…,"rows":…}──> inproc.py
//
// One request is one line, one reply too. Tables stay open between requests, as a pylance dataset does, unless a
// request says "fresh".
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"golang.org/x/sync/errgroup"

	"lanceflight/internal/recycle"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/storage"
	"lanceflight/sqlplan"
	"lanceflight/sqlplan/catalog"
)

// request is one measurement.
type request struct {
	Op      string   `json:"op"` // open, read, scan, take, sql
	Table   string   `json:"table"`
	Columns []string `json:"columns"`
	Rows    []int64  `json:"rows"`  // of take: row numbers in scan order
	Query   string   `json:"query"` // of sql; the table has the name of its folder
	Fresh   bool     `json:"fresh"` // open the table anew, and count that
	Touch   bool     `json:"touch"` // of scan: read every word of the buffers
	Profile string   `json:"profile"`
	Repeat  int      `json:"repeat"` // under a profile: so many times
}

// reply is what it took.
type reply struct {
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu"` // seconds of processor time, of all threads
	Rows    int64   `json:"rows"`
	Bytes   int64   `json:"bytes"` // of the Arrow buffers
	Sum     uint64  `json:"sum"`
	Error   string  `json:"error,omitempty"`
}

func main() {
	log.SetFlags(0)
	flag.Parse()
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 16<<20)
	out := json.NewEncoder(os.Stdout)
	s := session{tables: map[string]*lancefmt.Table{}, engines: map[string]*sqlplan.Engine{}, mem: recycle.New(memory.DefaultAllocator)}
	for in.Scan() {
		var q request
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			log.Fatal(err)
		}
		r, err := s.serve(context.Background(), q)
		if err != nil {
			r.Error = err.Error()
		}
		if err := out.Encode(r); err != nil {
			log.Fatal(err)
		}
	}
}

type session struct {
	tables  map[string]*lancefmt.Table
	engines map[string]*sqlplan.Engine
	mem     *recycle.Allocator
}

func (s *session) serve(ctx context.Context, q request) (reply, error) {
	if q.Profile != "" {
		w, err := os.Create(q.Profile)
		if err != nil {
			return reply{}, err
		}
		defer w.Close()
		if err := pprof.StartCPUProfile(w); err != nil {
			return reply{}, err
		}
		defer pprof.StopCPUProfile()
	}
	var r reply
	for range max(1, q.Repeat) {
		start, cpu := time.Now(), cpuSeconds()
		var err error
		if r, err = s.once(ctx, q); err != nil {
			return r, err
		}
		r.Seconds, r.CPU = time.Since(start).Seconds(), cpuSeconds()-cpu
	}
	return r, nil
}

// cpuSeconds is the processor time of this process.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

func (s *session) once(ctx context.Context, q request) (reply, error) {
	if q.Op == "sql" {
		return s.sql(ctx, q)
	}
	t := s.tables[q.Table]
	if t == nil || q.Fresh || q.Op == "open" {
		opened, err := lancefmt.Open(ctx, q.Table, lancefmt.Options{})
		if err != nil {
			return reply{}, err
		}
		if q.Fresh || q.Op == "open" {
			defer opened.Close()
		} else {
			s.tables[q.Table] = opened
		}
		t = opened
	}
	snap, err := t.Snapshot(ctx, lancefmt.Ref{})
	if err != nil {
		return reply{}, err
	}
	switch q.Op {
	case "open":
		return reply{Rows: snap.NumRows()}, nil
	case "read":
		return s.read(ctx, snap)
	case "scan":
		return s.scan(ctx, snap, q)
	case "take":
		return s.take(ctx, snap, q)
	}
	return reply{}, fmt.Errorf("no operation is called %q", q.Op)
}

// Morsels about as the SQL scan cuts them.
const (
	morselBytes = 4 << 20
	morselRows  = 128 << 10
)

// scan reads all rows on all cores and drops the batches.
func (s *session) scan(ctx context.Context, snap *lancefmt.Snapshot, q request) (reply, error) {
	type morsel struct {
		fragment *lancefmt.Fragment
		rows     encoding.Range
	}
	var mu sync.Mutex
	fragments := snap.Fragments()
	at, size := int64(0), int64(0)
	reads := lancefmt.Columns(q.Columns...)
	next := func() (m morsel, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		for len(fragments) > 0 {
			f := fragments[0]
			if at == f.NumPhysicalRows() {
				fragments, at = fragments[1:], 0
				continue
			}
			if at == 0 {
				size = max(1, min(morselRows, int64(morselBytes/max(f.BytesPerRow(reads), 0.1))))
			}
			m = morsel{f, encoding.Range{Start: at, End: min(at+size, f.NumPhysicalRows())}}
			at = m.rows.End
			return m, true
		}
		return m, false
	}
	var rows, bytes atomic.Int64
	var sum atomic.Uint64
	group, ctx := errgroup.WithContext(ctx)
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			for {
				m, ok := next()
				if !ok {
					return nil
				}
				b, err := m.fragment.Read(ctx, reads, []encoding.Range{m.rows}, s.mem)
				if err != nil {
					return err
				}
				rows.Add(b.NumRows())
				n, x, err := visit(b, q.Touch)
				b.Release()
				if err != nil {
					return err
				}
				bytes.Add(n)
				sum.Add(x)
			}
		})
	}
	err := group.Wait()
	return reply{Rows: rows.Load(), Bytes: bytes.Load(), Sum: sum.Load()}, err
}

// read sums every word of the data files, as they are mapped, on all cores: what memory gives a loop that does nothing else.
func (s *session) read(ctx context.Context, snap *lancefmt.Snapshot) (r reply, err error) {
	const piece = 4 << 20
	var pieces [][]byte
	for _, f := range snap.Fragments() {
		for _, file := range f.Files() {
			o, err := snap.Table().Store().Open(ctx, "data/"+file.Path, -1)
			if err != nil {
				return r, err
			}
			defer o.Close()
			bufs, err := o.ReadRanges(ctx, []storage.Range{{Length: o.SizeBytes()}})
			if err != nil {
				return r, err
			}
			defer bufs[0].Release()
			for b := bufs[0].Bytes(); len(b) > 0; b = b[min(piece, len(b)):] {
				pieces = append(pieces, b[:min(piece, len(b))])
			}
			r.Bytes += o.SizeBytes()
		}
	}
	var next atomic.Int64
	var sum atomic.Uint64
	g, _ := errgroup.WithContext(ctx)
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			return storage.Guard(func() error {
				for i := next.Add(1) - 1; i < int64(len(pieces)); i = next.Add(1) - 1 {
					sum.Add(sumWords(pieces[i]))
				}
				return nil
			})
		})
	}
	err = g.Wait()
	r.Sum = sum.Load()
	return r, err
}

// sumWords adds the words of b; a rest of less than 64 bytes is left out.
func sumWords(b []byte) uint64 {
	var s [8]uint64
	for ; len(b) >= 64; b = b[64:] {
		for i := range s {
			s[i] += binary.LittleEndian.Uint64(b[8*i:])
		}
	}
	return s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7]
}

func (s *session) take(ctx context.Context, snap *lancefmt.Snapshot, q request) (reply, error) {
	addrs := make([]uint64, len(q.Rows))
	fragments := snap.Fragments()
	for i, row := range q.Rows {
		for _, f := range fragments {
			if row < f.NumPhysicalRows() {
				addrs[i] = uint64(f.ID())<<32 + uint64(row)
				break
			}
			row -= f.NumPhysicalRows()
		}
	}
	b, err := snap.TakeAddresses(ctx, addrs, lancefmt.Columns(q.Columns...), s.mem)
	if err != nil {
		return reply{}, err
	}
	defer b.Release()
	n, x, err := visit(b, true)
	return reply{Rows: b.NumRows(), Bytes: n, Sum: x}, err
}

// sql runs a statement from its text to its last batch.
func (s *session) sql(ctx context.Context, q request) (r reply, err error) {
	e := s.engines[q.Table]
	if e == nil {
		cat, err := catalog.Open(ctx, []string{q.Table}, catalog.Options{})
		if err != nil {
			return r, err
		}
		e = sqlplan.NewEngine(cat, sqlplan.Options{})
		s.engines[q.Table] = e
	}
	p, err := e.Prepare(ctx, sqlplan.Session{}, q.Query, nil)
	if err != nil {
		return r, err
	}
	stream, err := p.Execute(ctx, sqlplan.ExecOptions{})
	if err != nil {
		return r, err
	}
	defer stream.Close()
	for {
		b, err := stream.Next(ctx)
		if errors.Is(err, io.EOF) {
			return r, nil
		}
		if err != nil {
			return r, err
		}
		n, x, err := visit(b, true)
		r.Rows, r.Bytes, r.Sum = r.Rows+b.NumRows(), r.Bytes+n, r.Sum+x
		b.Release()
		if err != nil {
			return r, err
		}
	}
}

// visit counts the bytes of a batch, and sums its words if asked to.
func visit(b arrow.RecordBatch, touch bool) (bytes int64, sum uint64, err error) {
	err = storage.Guard(func() error {
		for _, a := range b.Columns() {
			n, x := visitData(a.Data(), touch)
			bytes += n
			sum += x
		}
		return nil
	})
	return bytes, sum, err
}

func visitData(d arrow.ArrayData, touch bool) (bytes int64, sum uint64) {
	for _, buf := range d.Buffers() {
		if buf == nil {
			continue
		}
		bytes += int64(buf.Len())
		if !touch {
			continue
		}
		p := buf.Bytes()
		for ; len(p) >= 32; p = p[32:] {
			sum += binary.LittleEndian.Uint64(p) + binary.LittleEndian.Uint64(p[8:]) + binary.LittleEndian.Uint64(p[16:]) +
				binary.LittleEndian.Uint64(p[24:])
		}
		for _, x := range p {
			sum += uint64(x)
		}
	}
	for _, c := range d.Children() {
		n, x := visitData(c, touch)
		bytes, sum = bytes+n, sum+x
	}
	if d.DataType().ID() == arrow.DICTIONARY {
		n, x := visitData(d.Dictionary(), touch)
		bytes, sum = bytes+n, sum+x
	}
	return bytes, sum
}
