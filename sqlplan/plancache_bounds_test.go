package sqlplan

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPlanCacheIsBounded(t *testing.T) {
	now := time.Unix(1e9, 0)
	c := newPlanCache()
	c.now = func() time.Time { return now }
	text := strings.Repeat("x", 100<<10)
	key := func(i int) planKey { return planKey{sql: fmt.Sprint(text, i)} }
	for i := range 1000 {
		c.put(key(i), &Prepared{})
		require.LessOrEqual(t, c.kept.Stats().Bytes, int64(maxPlanBytes))
		c.get(key(0))
	}
	require.NotNil(t, c.get(key(0)), "used all the time")
	require.NotNil(t, c.get(key(999)))
	require.Nil(t, c.get(key(1)))

	c.put(planKey{sql: strings.Repeat("x", 1<<20)}, &Prepared{})
	require.Nil(t, c.get(planKey{sql: strings.Repeat("x", 1<<20)}), "too large")

	now = now.Add(maxPlanAge + 1)
	require.Nil(t, c.get(key(999)), "too old")
	c.put(key(1), &Prepared{})
	require.Equal(t, 1, c.kept.Stats().Entries, "the old ones make room")
	require.EqualValues(t, planCost(key(1).sql), c.kept.Stats().Bytes)
	c.clear()
	require.Nil(t, c.get(key(1)))
	c.put(key(1), &Prepared{})
	require.NotNil(t, c.get(key(1)))
}

func TestPlanKeyTellsSettingsApart(t *testing.T) {
	a := planKeyOf(Session{Settings: map[string]string{"a": "b", "c": "d"}}, "x", nil)
	require.Equal(t, a, planKeyOf(Session{Settings: map[string]string{"c": "d", "a": "b"}}, "x", nil))
	require.NotEqual(t, a, planKeyOf(Session{Settings: map[string]string{"a": "d", "c": "b"}}, "x", nil))
	require.NotEqual(t, a, planKeyOf(Session{Settings: map[string]string{"a": "b"}}, "x", nil))
	require.Equal(t, planKey{sql: "x"}, planKeyOf(Session{}, "x", nil))
}
