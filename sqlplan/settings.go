package sqlplan

import (
	"strconv"
	"time"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/settings"
)

// DefaultSettings returns the default of every setting.
func DefaultSettings() map[string]string {
	out := map[string]string{}
	for _, s := range settings.All() {
		out[s.Name] = s.Default
	}
	return out
}

// IsSetting reports whether a name is that of a setting.
func IsSetting(name string) bool {
	_, err := settings.Find(name)
	return err == nil
}

// CheckSetting checks a value for a setting and returns it in the form in which sessions keep it.
// fault.InvalidArgument tells what is wrong, or names the settings nearest to an unknown name.
func CheckSetting(name, value string) (string, error) { return settings.Check(name, value) }

// StatementTimeout is the bound on a statement's run time under some settings: statement_timeout if it
// is there, else def; 0 is none.
func StatementTimeout(values map[string]string, def time.Duration) (time.Duration, error) {
	v, ok := values["statement_timeout"]
	if !ok {
		return def, nil
	}
	checked, err := settings.Check("statement_timeout", v)
	if err != nil {
		return 0, err
	}
	ms, err := strconv.ParseInt(checked, 10, 64)
	if err != nil {
		return 0, fault.New(fault.Internal, "statement_timeout %q: %w", checked, err)
	}
	return time.Duration(ms) * time.Millisecond, nil
}
