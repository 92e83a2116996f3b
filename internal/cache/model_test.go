package cache

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// model is what a cache should hold, as simply as it can be said: a list, most recently used first.
type model struct {
	keys     []int
	sizes    map[int]int64
	most     int64
	entries  int
	one      int64
	keepLast bool
}

func (m *model) bytes() (n int64) {
	for _, k := range m.keys {
		n += m.sizes[k]
	}
	return n
}

func (m *model) use(key int) bool {
	i := slices.Index(m.keys, key)
	if i < 0 {
		return false
	}
	m.keys = slices.Insert(slices.Delete(m.keys, i, i+1), 0, key)
	return true
}

func (m *model) remove(key int) {
	m.keys = slices.DeleteFunc(m.keys, func(k int) bool { return k == key })
}

func (m *model) put(key int, size int64) {
	m.remove(key)
	if m.one > 0 && size > m.one || !m.keepLast && (size > m.most || m.most <= 0) {
		return
	}
	m.sizes[key] = size
	m.keys = slices.Insert(m.keys, 0, key)
	m.trim()
}

func (m *model) trim() {
	least := 0
	if m.keepLast {
		least = 1
	}
	for len(m.keys) > least && (m.bytes() > m.most || m.entries > 0 && len(m.keys) > m.entries) {
		m.keys = m.keys[:len(m.keys)-1]
	}
}

// sized is a value that knows whether it is open.
type sized struct {
	size int64
	open bool
}

// TestAgainstModel makes the same calls of a cache and of the model.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{
			sizes:    map[int]int64{},
			most:     rapid.Int64Range(-1, 40).Draw(t, "MaxBytes"),
			entries:  rapid.IntRange(0, 6).Draw(t, "MaxEntries"),
			one:      rapid.Int64Range(0, 30).Draw(t, "MaxEntryBytes"),
			keepLast: rapid.Bool().Draw(t, "KeepLast"),
		}
		opened, closed := 0, 0
		c := NewCounted(Options[int, *sized]{
			MaxBytes: m.most, MaxEntries: m.entries, MaxEntryBytes: m.one, KeepLast: m.keepLast,
			Cost: func(_ int, x *sized) int64 { return x.size },
		}, func(x *sized) {
			if !x.open {
				t.Fatal("closed twice")
			}
			x.open = false
			closed++
		})
		var held []Handle[int, *sized]
		keys := rapid.IntRange(0, 9)
		t.Repeat(map[string]func(*rapid.T){
			"acquire": func(t *rapid.T) {
				key, size := keys.Draw(t, "key"), rapid.Int64Range(0, 20).Draw(t, "size")
				there := m.use(key)
				if !there {
					m.put(key, size)
				}
				loads := 0
				h, err := c.Acquire(ctx, key, func(context.Context) (*sized, error) {
					loads++
					opened++
					return &sized{size, true}, nil
				})
				require.NoError(t, err)
				require.Equal(t, !there, loads == 1)
				held = append(held, h)
			},
			"get": func(t *rapid.T) {
				key := keys.Draw(t, "key")
				h, ok := c.Get(key)
				require.Equal(t, m.use(key), ok)
				if ok {
					held = append(held, h)
				}
			},
			"fail": func(t *rapid.T) {
				key := keys.Draw(t, "key")
				there := m.use(key)
				h, err := c.Acquire(ctx, key, func(context.Context) (*sized, error) { return nil, errors.New("no") })
				require.Equal(t, there, err == nil)
				if err == nil {
					held = append(held, h)
				}
			},
			"release": func(t *rapid.T) {
				if len(held) == 0 {
					t.Skip("nothing is held")
				}
				i := rapid.IntRange(0, len(held)-1).Draw(t, "which")
				held[i].Release()
				held = slices.Delete(held, i, i+1)
			},
			"remove": func(t *rapid.T) {
				key := keys.Draw(t, "key")
				m.remove(key)
				c.Remove(key)
			},
			"resize": func(t *rapid.T) {
				m.most = rapid.Int64Range(0, 40).Draw(t, "MaxBytes")
				m.trim()
				c.Resize(m.most)
			},
			"clear": func(t *rapid.T) {
				m.keys = nil
				c.Clear()
			},
			"": func(t *rapid.T) {
				require.Equal(t, m.bytes(), c.Stats().Bytes)
				var want []int
				for _, k := range m.keys {
					want = append([]int{k}, want...)
				}
				require.Equal(t, want, append([]int(nil), c.kept.Keys()...))
				used := map[*sized]bool{}
				for _, h := range held {
					require.True(t, h.Value().open, "a value that is used is open")
					used[h.Value()] = true
				}
				for _, k := range m.keys {
					e, _ := c.kept.Peek(k)
					require.True(t, e.value.open)
					used[e.value] = true
				}
				require.Equal(t, len(used), opened-closed, "nothing else is open")
			},
		})
		for _, h := range held {
			h.Release()
		}
		c.Close()
		require.Equal(t, opened, closed)
	})
}
