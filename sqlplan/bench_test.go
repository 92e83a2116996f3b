package sqlplan_test

import (
	"context"
	"io"
	"strconv"
	"strings"
	"testing"

	"lanceflight/internal/fixtures"
	"lanceflight/sqlplan"
	"lanceflight/sqlplan/catalog"
)

// BenchmarkPrepare measures what planning costs beside an RPC: parse, bind, rewrite, pin.
func BenchmarkPrepare(b *testing.B) {
	cat, err := catalog.Open(context.Background(), []string{fixtures.Path(b, "laion_v2_2.lance")}, catalog.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer cat.Close()
	e := sqlplan.NewEngine(cat, sqlplan.Options{})
	vector := "[" + strings.TrimSuffix(strings.Repeat("0.0123456,", 768), ",") + "]"
	for name, sql := range map[string]string{
		"select 1": "SELECT 1 LIMIT 1",
		"filter":   `SELECT key, url, caption FROM laion_v2_2 WHERE "NSFW" = 0 AND similarity > 0.3 AND width >= 512 LIMIT 1`,
		"search":   `SELECT key, caption, img_emb <-> ? AS d FROM laion_v2_2 WHERE width > 512 ORDER BY d LIMIT 10`,
		"literal":  `SELECT key, caption FROM laion_v2_2 ORDER BY img_emb <-> ` + vector + ` LIMIT 10`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				// Each time another text, so that the plan is not the one before.
				if _, err := e.Prepare(context.Background(), sqlplan.Session{}, sql+strconv.Itoa(i), nil); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+" again", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Prepare(context.Background(), sqlplan.Session{}, sql, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCount is the shortest query over a table, end to end.
func BenchmarkCount(b *testing.B) {
	cat, err := catalog.Open(context.Background(), []string{fixtures.Path(b, "laion_v2_2.lance")}, catalog.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer cat.Close()
	e := sqlplan.NewEngine(cat, sqlplan.Options{})
	for b.Loop() {
		p, err := e.Prepare(context.Background(), sqlplan.Session{}, "SELECT count(*) FROM laion_v2_2", nil)
		if err != nil {
			b.Fatal(err)
		}
		s, err := p.Execute(context.Background(), sqlplan.ExecOptions{})
		if err != nil {
			b.Fatal(err)
		}
		for {
			rec, err := s.Next(context.Background())
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			rec.Release()
		}
		s.Close()
	}
}
