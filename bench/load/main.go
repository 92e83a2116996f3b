// Command load drives a server with several Flight SQL clients at once, each on its own connection, and
// prints what they reached as JSON. Python cannot produce such a load: its clients would be measured.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"log"
	"os"
	"sort"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

func main() {
	log.SetFlags(0)
	addr := flag.String("addr", "127.0.0.1:32010", "server")
	clients := flag.Int("clients", 8, "connections")
	seconds := flag.Float64("seconds", 5, "length of the run")
	file := flag.String("queries", "", "file with one statement per line, run in turn")
	flag.Parse()

	queries, err := readLines(*file)
	if err != nil {
		log.Fatal(err)
	}
	if len(queries) == 0 {
		log.Fatal("no statements: give -queries")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(*seconds*float64(time.Second)))
	defer cancel()
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		took []time.Duration
		fail error
	)
	start := time.Now()
	for c := range *clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			mine, err := run(ctx, *addr, queries, c)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
			if err != nil && fail == nil {
				fail = err
			}
		}()
	}
	wg.Wait()
	elapsed := time.Since(start).Seconds()
	if fail != nil {
		log.Fatal(fail)
	}
	if len(took) == 0 {
		log.Fatal("no statement finished in time")
	}
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	at := func(q float64) float64 { return took[int(q*float64(len(took)-1))].Seconds() * 1e3 }
	if err := json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"queries": float64(len(took)), "per_second": float64(len(took)) / elapsed, "p50_ms": at(0.5), "p99_ms": at(0.99),
	}); err != nil {
		log.Fatal(err)
	}
}

// run sends statements over one connection until ctx is done, and returns how long each took from the
// request to the last row.
func run(ctx context.Context, addr string, queries []string, offset int) ([]time.Duration, error) {
	client, err := flightsql.NewClient(addr, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var took []time.Duration
	for i := offset; ctx.Err() == nil; i++ {
		start := time.Now()
		err := one(ctx, client, queries[i%len(queries)])
		if ctx.Err() != nil || status.Code(err) == codes.DeadlineExceeded {
			break
		}
		if err != nil {
			return took, err
		}
		took = append(took, time.Since(start))
	}
	return took, nil
}

func one(ctx context.Context, client *flightsql.Client, sql string) error {
	info, err := client.Execute(ctx, sql)
	if err != nil {
		return err
	}
	for _, e := range info.Endpoint {
		rdr, err := client.DoGet(ctx, e.GetTicket())
		if err != nil {
			return err
		}
		for rdr.Next() {
		}
		err = rdr.Err()
		rdr.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

func readLines(name string) ([]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	var out []string
	for sc.Scan() {
		if sc.Text() != "" {
			out = append(out, sc.Text())
		}
	}
	return out, sc.Err()
}
