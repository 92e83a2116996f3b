package fn

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Formats of strptime never panic, and what they read strftime writes back.
func FuzzStrptime(f *testing.F) {
	f.Add("2024-02-29 12:34:56", "%Y-%m-%d %H:%M:%S")
	f.Add("29 Feb 24 5:06 PM +05:30", "%d %b %y %I:%M %p %z")
	f.Add("1700000000", "%s")
	f.Add("060", "%j")
	f.Fuzz(func(t *testing.T, text, format string) {
		seconds, nanos, ok, err := scanStrptime(text, format)
		if err != nil || !ok {
			return
		}
		out, err := appendStrftime(nil, "%Y-%m-%d %H:%M:%S.%f", seconds*1e6+nanos/1e3, 1e6, time.UTC, "")
		_ = out
		require.NoError(t, err)
	})
}
