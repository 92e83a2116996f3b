// Command indexbuild builds a vector index for bench/build.py, and prints what it took as JSON. The index is
// not in any version of the table: the script commits it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"log"
	"os"
	"time"

	"github.com/google/uuid"

	"lanceflight/lancefmt"
	"lanceflight/vecindex"
	"lanceflight/vecindex/lanceidx/build"
)

func main() {
	log.SetFlags(0)
	table := flag.String("table", "", "NAME.lance")
	column := flag.String("column", "", "of vectors")
	kind := flag.String("kind", string(build.IVFPQ), "IVF_PQ, IVF_FLAT, IVF_SQ")
	partitions := flag.Int("partitions", 0, "")
	subVectors := flag.Int("sub-vectors", 0, "")
	memory := flag.Int64("memory", 0, "bytes of sample and shuffle; 0 is the default")
	flag.Parse()
	ctx := context.Background()
	t, err := lancefmt.Open(ctx, *table, lancefmt.Options{})
	check(err)
	defer t.Close()
	snap, err := t.Snapshot(ctx, lancefmt.Ref{})
	check(err)
	vectors, err := build.Column(snap, *column, nil)
	check(err)
	stages := map[string]float64{}
	start, last, stage := time.Now(), time.Now(), ""
	spec := build.Spec{Kind: build.Kind(*kind), Metric: vecindex.L2, Partitions: *partitions, SubVectors: *subVectors, MemoryLimit: *memory,
		Progress: func(p build.Progress) {
			stages[stage] += time.Since(last).Seconds()
			last, stage = time.Now(), p.Stage
		}}
	id := uuid.NewString()
	sum, err := build.Build(ctx, vectors, snap.Store(), "_indices/"+id, spec)
	check(err)
	stages[stage] += time.Since(last).Seconds()
	delete(stages, "")
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"uuid": id, "seconds": time.Since(start).Seconds(), "stages": stages, "rows": sum.Rows, "smallest": sum.Smallest, "largest": sum.Largest,
		"iterations": sum.Iterations, "spilled": sum.Spilled, "sample": sum.SampleVectors,
	}))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
