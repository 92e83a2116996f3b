package sqlplan

import (
	"context"
	"io"
	"os"
	"testing"

	"lanceflight/sqlplan/catalog"
)

func BenchmarkZZ(b *testing.B) {
	cat, err := catalog.Open(context.Background(), []string{"/tmp/laion-100k/train.lance"}, catalog.Options{})
	if err != nil {
		b.Fatal(err)
	}
	e := NewEngine(cat, Options{})
	p, err := e.Prepare(context.Background(), Session{}, os.Getenv("Q"), nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := p.Execute(context.Background(), ExecOptions{})
		if err != nil {
			b.Fatal(err)
		}
		n := int64(0)
		for {
			r, err := s.Next(context.Background())
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			n += r.NumRows()
			r.Release()
		}
		s.Close()
		b.ReportMetric(float64(n), "rows")
	}
}
