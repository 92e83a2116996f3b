package sqlplan

import (
	"container/list"
	"slices"
	"strings"
	"sync"
	"time"
)

// planKey is what a plan is made of, besides the versions that it reads.
type planKey struct{ sql, user, settings string }

func planKeyOf(s Session, sql string) planKey {
	key := planKey{sql: sql, user: s.User}
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

// Bounds of the plans kept. A statement is prepared, ticketed and run within milliseconds, and a dashboard repeats a few
// hundred; a plan that grows old misses what scans have learnt since about the columns, and would keep a
// version of its tables in memory.
const (
	maxPlanBytes  = 16 << 20
	maxPlanAge    = 10 * time.Second
	planFixedCost = 16 << 10 // of a plan besides its literals
)

// planCost estimates the memory of a plan: its text stands in it once, and a number of ten digits or more in the text is one or
// two of eight bytes in the tree and in the plan.
func planCost(sql string) int { return planFixedCost + 3*len(sql) }

// planCache keeps the plans made last, and forgets those that were used least recently. Safe for concurrent use.
type planCache struct {
	mu    sync.Mutex
	plans map[planKey]*list.Element // of *keptPlan
	order list.List                 // used most recently first
	bytes int
	now   func() time.Time // nil = time.Now
}

type keptPlan struct {
	key  planKey
	plan *Prepared
	made time.Time
}

func (c *planCache) clock() time.Time {
	if c.now != nil {
		return c.now()
	}
	return time.Now()
}

// get returns the plan of a key, or nil.
func (c *planCache) get(key planKey) *Prepared {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.plans[key]
	if e == nil {
		return nil
	}
	k := e.Value.(*keptPlan)
	if c.clock().Sub(k.made) > maxPlanAge {
		c.drop(e)
		return nil
	}
	c.order.MoveToFront(e)
	return k.plan
}

// put keeps a plan in the place of the one before.
func (c *planCache) put(key planKey, p *Prepared) {
	cost := planCost(key.sql)
	if cost > maxPlanBytes/16 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.plans[key]; e != nil {
		c.drop(e)
	}
	if c.plans == nil {
		c.plans = map[planKey]*list.Element{}
	}
	now := c.clock()
	for e := c.order.Back(); e != nil && (c.bytes+cost > maxPlanBytes || now.Sub(e.Value.(*keptPlan).made) > maxPlanAge); e = c.order.Back() {
		c.drop(e)
	}
	c.plans[key] = c.order.PushFront(&keptPlan{key: key, plan: p, made: now})
	c.bytes += cost
}

// drop forgets a plan. The lock is held.
func (c *planCache) drop(e *list.Element) {
	k := c.order.Remove(e).(*keptPlan)
	delete(c.plans, k.key)
	c.bytes -= planCost(k.key.sql)
}

func (c *planCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plans, c.bytes = nil, 0
	c.order.Init()
}
