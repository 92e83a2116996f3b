package settings

import "strconv"

// Session is what a statement sees of the connection: settings by name, with defaults where absent,
// and the name of the server's version.
type Session struct {
	Values  map[string]string
	Version string
	User    string
}

// Get returns the effective value of a setting.
func (s Session) Get(name string) string {
	if v, ok := s.Values[name]; ok {
		return v
	}
	for _, d := range table {
		if d.Name == name {
			return d.Default
		}
	}
	return ""
}

func (s Session) getInt(name string) int {
	n, _ := strconv.Atoi(s.Get(name)) // checked when it was set
	return n
}

// Int64 returns the effective value of a numeric setting.
func (s Session) Int64(name string) int64 {
	n, _ := strconv.ParseInt(s.Get(name), 10, 64) // checked when it was set
	return n
}
