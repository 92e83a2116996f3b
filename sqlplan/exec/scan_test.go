package exec

import (
	"cmp"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/exec/scan"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

func TestScanFilters(t *testing.T) {
	for _, name := range laionFixtures {
		t.Run(name, func(t *testing.T) {
			p := planner{t, openFixture(t, name)}
			var want expected
			fixtures.Expected(t, name, &want)
			answers := map[string]int{}
			for i, f := range want.Filters {
				answers[f.Where] = i
			}
			checked := 0
			for _, where := range laionFilters {
				i, ok := answers[where]
				if !ok {
					continue // not asked of this fixture, whose schema differs
				}
				checked++
				f := want.Filters[i]
				environments(t, func(t testing.TB, env *op.Env) {
					op, err := Build(p.scan(where, "key"), env)
					require.NoError(t, err)
					rows := drain(t, op)
					require.Len(t, rows, f.Count, where)
					require.Equal(t, f.SHA256, keysHash(rows), where)
				})
			}
			require.GreaterOrEqual(t, checked, 20)
		})
	}
}

// Late columns must belong to the rows that survived, whatever is read when.
func TestScanLateColumns(t *testing.T) {
	for _, name := range laionFixtures {
		p := planner{t, openFixture(t, name)}
		columns := []string{"caption", "key", "width", "md5", "similarity", lancefmt.RowIDColumn, lancefmt.RowAddrColumn}
		all := map[any][]any{}
		oper, err := Build(p.scan("", columns...), &op.Env{Mem: newChecked(t), Workers: 1})
		require.NoError(t, err)
		for _, row := range drain(t, oper) {
			all[row[1]] = row
		}
		require.Len(t, all, int(p.snap.NumRows()))
		for _, where := range []string{`width > 700`, `caption LIKE '%a%' AND "NSFW" = 0`, `key % 97 = 3 AND similarity > 0.2`} {
			environments(t, func(t testing.TB, env *op.Env) {
				op, err := Build(p.scan(where, columns...), env)
				require.NoError(t, err)
				rows := drain(t, op)
				require.NotEmpty(t, rows)
				for _, row := range rows {
					require.Equal(t, all[row[1]], row)
				}
			})
		}
	}
}

func TestScanOfDeletedRows(t *testing.T) {
	for _, name := range []string{"deletions_arrow_and_bitmap", "all_rows_deleted", "many_small_fragments", "laion_history"} {
		p := planner{t, openFixture(t, name)}
		var want expected
		fixtures.Expected(t, name, &want)
		last := want.Versions[len(want.Versions)-1]
		environments(t, func(t testing.TB, env *op.Env) {
			op, err := Build(p.scan("", "key"), env)
			require.NoError(t, err)
			rows := drain(t, op)
			require.Len(t, rows, int(last.Rows), name)
			require.Equal(t, last.Keys.SHA256, keysHash(rows), name)
		})
	}
}

func TestScanOfNoColumnsReadsNothing(t *testing.T) {
	p := planner{t, openFixture(t, "deletions_arrow_and_bitmap")}
	environments(t, func(t testing.TB, env *op.Env) {
		op, err := Build(p.scan(""), env)
		require.NoError(t, err)
		require.Len(t, drain(t, op), int(p.snap.NumRows()))
		require.Zero(t, op.Stats().BytesRead.Load())
		require.Zero(t, op.Stats().Requests.Load())
	})
}

func TestScanLimit(t *testing.T) {
	p := planner{t, openFixture(t, "laion_v2_2")}
	for _, where := range []string{"", "key % 97 = 3"} {
		oper, err := Build(p.scan(where, "key"), &op.Env{Mem: newChecked(t)})
		require.NoError(t, err)
		all := drain(t, oper)
		for _, limit := range []int64{0, 1, 5, int64(len(all)), 1 << 40} {
			environments(t, func(t testing.TB, env *op.Env) {
				n := p.scan(where, "key")
				n.Limit = limit
				op, err := Build(n, env)
				require.NoError(t, err)
				require.Equal(t, texts(all[:min(limit, int64(len(all)))]), texts(drain(t, op)))
				if limit == 0 {
					require.Zero(t, op.Stats().Requests.Load())
				}
			})
		}
	}
}

func TestScanUnordered(t *testing.T) {
	p := planner{t, openFixture(t, "many_small_fragments")}
	environments(t, func(t testing.TB, env *op.Env) {
		n := p.scan("", "key")
		n.Unordered = true
		op, err := Build(n, env)
		require.NoError(t, err)
		require.Len(t, drain(t, op), int(p.snap.NumRows()))
	})
}

// Tiny batches that are ready together come out together.
func TestScanGathersSmallBatches(t *testing.T) {
	p := planner{t, openFixture(t, "many_small_fragments")}
	env := &op.Env{Mem: newChecked(t), Workers: 2}
	op, err := Build(p.scan("", "key"), env)
	require.NoError(t, err)
	s := op.(*scan.ScanOp)
	require.NoError(t, s.Open(context.Background()))
	s.Start(context.Background())
	require.Eventually(t, func() bool { // as far as the window lets them
		s.Queue.Mu.Lock()
		defer s.Queue.Mu.Unlock()
		return s.Queue.Claimed == s.Queue.Window && s.Queue.Open == 0
	}, 10*time.Second, time.Millisecond)
	rows := drain(t, s)
	require.Len(t, rows, int(p.snap.NumRows()))
	require.Less(t, s.Counters.Batches.Load(), int64(len(p.snap.Fragments())))
}

// A consumer that reads one batch and goes away must leave no goroutine and no memory behind.
func TestScanIsAbandoned(t *testing.T) {
	p := planner{t, openFixture(t, "laion_v2_2")}
	for _, unordered := range []bool{false, true} {
		for batches := range 3 {
			env := &op.Env{Mem: newChecked(t), Budget: op.NewBudget(0), Workers: 4, BatchBytes: 2000}
			n := p.scan("key >= 0", "key", "image")
			n.Unordered = unordered
			op, err := Build(n, env)
			require.NoError(t, err)
			require.NoError(t, op.Open(context.Background()))
			for range batches {
				b, err := op.Next(context.Background())
				require.NoError(t, err)
				b.Release()
			}
			require.NoError(t, op.Close())
			require.Zero(t, env.Budget.Used())
		}
	}
}

func TestScanIsCancelled(t *testing.T) {
	p := planner{t, openFixture(t, "laion_v2_2")}
	env := &op.Env{Mem: newChecked(t), Budget: op.NewBudget(0), Workers: 4, BatchBytes: 2000}
	op, err := Build(p.scan("", "key", "image"), env)
	require.NoError(t, err)
	ctx, cancel := context.WithCancelCause(context.Background())
	require.NoError(t, op.Open(ctx))
	b, err := op.Next(ctx)
	require.NoError(t, err)
	b.Release()
	cancel(fault.New(fault.DeadlineExceeded, "statement timeout"))
	for err == nil {
		if b, err = op.Next(ctx); err == nil {
			b.Release()
		}
	}
	require.ErrorContains(t, err, "statement timeout")
	require.NoError(t, op.Close())
	require.Zero(t, env.Budget.Used())
}

// A consumer that does not take batches must stop the workers, not fill the memory.
func TestScanBackPressure(t *testing.T) {
	s := &op.OpStats{}
	share := &op.Share{Budget: op.NewBudget(0), Counters: s, What: "test"}
	q := op.NewQueue(share, 100, 4, false)
	ctx := context.Background()
	data := []column{ints(1, 2, 3, 4, 5)}
	env := &op.Env{Mem: newChecked(t)}
	m := newMemOp(env, relation(1, data), data, 5, false)
	pushed := make(chan int, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 3 {
			n, ok, err := q.Claim(ctx, func() (bool, error) { return true, nil })
			require.True(t, ok && err == nil)
			for range 5 {
				if q.Push(ctx, n, m.batch(0)) != nil {
					return
				}
				pushed <- n
			}
			q.Finish(n)
		}
	}()
	require.Eventually(t, func() bool { return len(pushed) == 2 }, 10*time.Second, time.Millisecond, "two batches of 40 bytes fit")
	time.Sleep(10 * time.Millisecond)
	require.Len(t, pushed, 2)
	for range 7 {
		b, err := q.Pop(ctx)
		require.NoError(t, err)
		b.Release()
	}
	q.Close()
	<-done
	require.LessOrEqual(t, s.PeakBytes.Load(), int64(120))
	require.Zero(t, share.Held.Load())
}

func TestScanOfMissingColumn(t *testing.T) {
	p := planner{t, openFixture(t, "laion_v2_2")}
	n := p.scan("", "key")
	n.Out = append(n.Out, outCol(77, "x", int64Type))
	_, err := Build(n, &op.Env{Mem: memory.DefaultAllocator})
	require.True(t, fault.Is(err, fault.Internal))
	n = p.scan("", "key")
	n.Read[0].Source = "nope"
	op, err := Build(n, &op.Env{Mem: newChecked(t)})
	require.NoError(t, err)
	_, err = tryDrain(t, op)
	require.True(t, fault.Is(err, fault.NotFound), err)
}

func TestTake(t *testing.T) {
	for _, name := range append(laionFixtures, "many_small_fragments", "laion_history") {
		p := planner{t, openFixture(t, name)}
		columns := []string{"caption", "similarity"}
		all, err := Build(p.scan("", append([]string{lancefmt.RowAddrColumn, "key"}, columns...)...), &op.Env{Mem: newChecked(t)})
		require.NoError(t, err)
		rows := drain(t, all)
		environments(t, func(t testing.TB, env *op.Env) {
			// A descending order makes the addresses go backwards, across fragments.
			scan := p.scan("key % 97 = 3", "key", lancefmt.RowAddrColumn)
			key := scan.Out[0]
			n := &plan.Take{Snap: p.snap, Name: "t", RowAddr: scan.Out[1].ID, Out: []plan.Col{scan.Out[1], key},
				Input: &plan.Sort{Input: scan, Keys: []plan.SortKey{{Expr: &expr.Column{ID: key.ID, Name: "key", T: key.Type}, Desc: true}}}}
			for _, c := range columns {
				n.Fetch = append(n.Fetch, p.column(c))
				n.Out = append(n.Out, p.column(c).Col)
			}
			op, err := Build(n, env)
			require.NoError(t, err)
			var want [][]any
			for i := len(rows) - 1; i >= 0; i-- {
				if rows[i][1].(int64)%97 == 3 {
					want = append(want, rows[i])
				}
			}
			slices.SortStableFunc(want, func(a, b []any) int { return cmp.Compare(b[1].(int64), a[1].(int64)) })
			require.Equal(t, texts(want), texts(drain(t, op)), name)
		})
	}
}

func TestTakeOfBadAddress(t *testing.T) {
	p := planner{t, openFixture(t, "laion_v2_2")}
	env := &op.Env{Mem: newChecked(t)}
	f := scan.NewFetcher(env, p.snap, &op.OpStats{})
	_, err := f.Rows(context.Background(), []uint64{99 << 32}, lancefmt.Columns("key"))
	require.True(t, fault.Is(err, fault.Internal))
	b, err := f.Rows(context.Background(), []uint64{7, 7, 3}, lancefmt.Columns("key"))
	require.NoError(t, err)
	require.Equal(t, []any{int64(7), int64(7), int64(3)}, []any{goValue(b.Column(0), 0), goValue(b.Column(0), 1), goValue(b.Column(0), 2)})
	b.Release()
}

func TestRanges(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		start := rapid.Int64Range(0, 50).Draw(rt, "start")
		end := start + rapid.Int64Range(0, 60).Draw(rt, "rows")
		deleted := roaring.New()
		for _, d := range rapid.SliceOf(rapid.Uint32Range(0, 120)).Draw(rt, "deleted") {
			deleted.Add(d)
		}
		var want []int64
		for i := start; i < end; i++ {
			if !deleted.Contains(uint32(i)) {
				want = append(want, i)
			}
		}
		ranges := scan.Live(deleted, start, end)
		require.Equal(t, want, expand(ranges))
		for i := 1; i < len(ranges); i++ {
			require.Less(t, ranges[i-1].End, ranges[i].Start, "ranges are coalesced")
		}

		var sel []int32
		var picked []int64
		for i, row := range want {
			if rapid.Bool().Draw(rt, "survives") {
				sel = append(sel, int32(i))
				picked = append(picked, row)
			}
		}
		require.Equal(t, picked, expand(scan.Pick(ranges, sel)))

		n := rapid.Int64Range(0, int64(len(want))).Draw(rt, "head")
		head, tail := scan.CutRanges(ranges, n)
		require.Equal(t, want, append(expand(head), expand(tail)...))
		require.EqualValues(t, n, encoding.Count(head))
	})
}

func expand(ranges []encoding.Range) (rows []int64) {
	for _, r := range ranges {
		for i := r.Start; i < r.End; i++ {
			rows = append(rows, i)
		}
	}
	return rows
}
