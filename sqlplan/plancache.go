package sqlplan

import (
	"slices"
	"strings"
	"time"

	"lanceflight/internal/cache"
	"lanceflight/sqlplan/bind"
)

// planKey is what a plan is made of, besides the versions that it reads.
type planKey struct{ sql, user, settings, bound string }

func planKeyOf(s Session, sql string, values []bind.Bound) planKey {
	key := planKey{sql: sql, user: s.User, bound: boundKey(values)}
	if len(s.Settings) > 0 {
		all := make([]string, 0, len(s.Settings))
		for name, value := range s.Settings {
			all = append(all, name+"\x00"+value)
		}
		slices.Sort(all)
		key.settings = strings.Join(all, "\x00")
	}
	return key
}

// Bounds of the plans kept. A statement is prepared, ticketed and run within milliseconds, and a dashboard
// repeats a few hundred. A plan that grows old misses what scans have learnt since about the columns, and
// would keep a version of its tables in memory.
const (
	maxPlanBytes  = 16 << 20
	maxPlanAge    = 10 * time.Second
	planFixedCost = 16 << 10 // of a plan besides its literals
)

// planCost estimates the memory of a plan: its text stands in it once, and a number of ten digits or more
// in the text is one or two of eight bytes in the tree and in the plan.
func planCost(sql string) int { return planFixedCost + 3*len(sql) }

// planCache keeps the plans made last, and forgets those that were used least recently and those that are
// old. It is safe for concurrent use.
type planCache struct {
	kept *cache.Cache[planKey, keptPlan]
	now  func() time.Time
}

type keptPlan struct {
	plan *Prepared
	made time.Time
}

func newPlanCache() *planCache {
	return &planCache{now: time.Now, kept: cache.New(cache.Options[planKey, keptPlan]{
		MaxBytes:      maxPlanBytes,
		MaxEntryBytes: maxPlanBytes / 16,
		Cost:          func(key planKey, _ keptPlan) int64 { return int64(planCost(key.sql)) },
	})}
}

func (c *planCache) old(k keptPlan) bool { return c.now().Sub(k.made) > maxPlanAge }

// get returns the plan of a key, or nil.
func (c *planCache) get(key planKey) *Prepared {
	k, ok := c.kept.Get(key)
	if !ok {
		return nil
	}
	if c.old(k) {
		c.kept.Remove(key)
		return nil
	}
	return k.plan
}

// put keeps a plan in the place of the one before. Of the others, those used least recently go if they
// are old.
func (c *planCache) put(key planKey, p *Prepared) {
	c.kept.RemoveOldest(func(_ planKey, k keptPlan) bool { return c.old(k) })
	c.kept.Put(key, keptPlan{plan: p, made: c.now()})
}

func (c *planCache) clear() { c.kept.Clear() }
