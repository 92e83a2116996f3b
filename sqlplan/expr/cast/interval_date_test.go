package cast

import "testing"

// TestIntervalIsNoDate asserts that a date, or a row of bare numbers, is not read as an interval.
func TestIntervalIsNoDate(t *testing.T) {
	for _, s := range []string{"2024-03-05", "1-2-3", "2024-01-01 00:00:00", "1 2 3", "1-2x"} {
		if v, ok := ScanInterval(s, ""); ok {
			t.Errorf("ScanInterval(%q) = %v, want a refusal", s, v)
		}
	}
	for _, s := range []string{"1-2", "1-2 3", "1-2\t3", "1-2 3 04:05:06", "3 4:05:06", "5", "-1-2 +3 -4:05"} {
		if _, ok := ScanInterval(s, ""); !ok {
			t.Errorf("ScanInterval(%q) is refused", s)
		}
	}
}
