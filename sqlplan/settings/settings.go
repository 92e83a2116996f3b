package settings

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/catalog"
)

// Setting is one name that SET, Flight session options and x-lance-… headers understand.
type Setting struct {
	Name    string
	Default string
	About   string
	check   func(string) (string, error)
}

// table is the one list of names, in the order SHOW ALL prints them.
var table = []Setting{
	{"catalog", catalog.CatalogName, "current catalog", oneOf(catalog.CatalogName)},
	{"schema", catalog.SchemaName, "current schema", checkSchema},
	{"statement_timeout", "0", "longest run time of a statement: milliseconds, or a duration such as 30s; 0 is none", checkTimeout},
	{"lance.nprobes", "20", "partitions of a vector index to search", checkInt(1, 1<<20)},
	{"lance.max_nprobes", "0",
		"most partitions to go on to where the first nprobes have too few rows, with a filter or without; " +
			"below nprobes it has no effect; 0 is four times nprobes for the rows that a filter leaves, " +
			"and all while there are fewer rows than wanted",
		checkInt(0, 1<<20)},
	{"lance.refine_factor", "10",
		"candidates per wanted row whose distance is recomputed from the vector; 0 is none: " +
			"distances are then the index's estimates",
		checkInt(0, 1<<16)},
	{"lance.ef", "0", "candidates kept while an HNSW graph is walked; 0 is one and a half times the wanted rows, at least 100",
		checkInt(0, 1<<20)},
	{"lance.min_recall", "",
		"share of the true neighbours that a search by index finds, above 0 and up to 1, on average: " +
			"nprobes, refine_factor and ef are then chosen by a calibration on the table's own vectors, " +
			"and 1 is exact search; empty is what these settings say",
		checkRecall},
	{"lance.use_index", "true",
		"whether vector searches may use an index; where it is set to true, " +
			"one that cannot be read is an error, otherwise the search is exact",
		checkBool},
	{"lance.use_scalar_index", "true", "whether filters may use scalar indices", checkBool},
	{"lance.learn_statistics", "true",
		"whether scans remember the bounds of the values they filter, and skip rows by what was remembered", checkBool},
	{"lance.fast_search", "false", "whether vector searches skip rows that no index covers", checkBool},
	{"lance.batch_bytes", "0", "size of result batches; 0 is the server's choice", checkBytes(64<<10, 1<<30)},
	{"lance.memory_limit", "0", "most memory of a statement: bytes, or a size such as 512MB; 0 is the server's limit",
		checkBytes(1<<20, 1<<50)},
	{"lance.as_of", "", "version number, tag or timestamp at which tables are read; empty is the latest version",
		checkAsOf},
	{"lance.max_endpoints", "1", "endpoints that a result may be split into; only 1 is done", checkInt(1, 1)},
}

// unsupportedSettings are names of the surface that have no effect yet; setting one says so.
var unsupportedSettings = map[string]string{
	"lance.blob_mode": "select octet_length(column) for the size alone",
}

func oneOf(values ...string) func(string) (string, error) {
	return func(s string) (string, error) {
		for _, v := range values {
			if strings.EqualFold(s, v) {
				return v, nil
			}
		}
		return "", fault.New(fault.InvalidArgument, "must be %s, got %q", strings.Join(values, " or "), s)
	}
}

// checkSchema takes any name, since namespaces come and go. A statement says when there is none of it.
func checkSchema(s string) (string, error) {
	if s == "" {
		return "", fault.New(fault.InvalidArgument, "must be the name of a schema")
	}
	for _, ours := range []string{catalog.SchemaName, catalog.InformationSchema} {
		if strings.EqualFold(s, ours) {
			return ours, nil
		}
	}
	return s, nil
}

// checkAsOf accepts what may name a version; which of them there are, each table tells.
func checkAsOf(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s != "" && strings.Trim(s, "0") == "" {
		return "", fault.New(fault.InvalidArgument, "there is no version 0; the first version of a table is 1")
	}
	return s, nil
}

func checkInt(lo, hi int64) func(string) (string, error) {
	return func(s string) (string, error) {
		n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
		if err != nil || n < lo || n > hi {
			return "", fault.New(fault.InvalidArgument, "must be a whole number from %d to %d, got %q", lo, hi, s)
		}
		return strconv.FormatInt(n, 10), nil
	}
}

// checkRecall accepts what a share of found neighbours can be wanted to be; empty and off mean that none is wanted.
func checkRecall(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" || strings.EqualFold(s, "off") {
		return "", nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f > 0 && f <= 1) {
		return "", fault.New(fault.InvalidArgument, "must be a number above 0 and up to 1, got %q", s)
	}
	return strconv.FormatFloat(f, 'g', -1, 64), nil
}

func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "on", "yes", "1", "t":
		return true, true
	case "false", "off", "no", "0", "f":
		return false, true
	}
	return false, false
}

func checkBool(s string) (string, error) {
	v, ok := parseBool(s)
	if !ok {
		return "", fault.New(fault.InvalidArgument, "must be true or false, got %q", s)
	}
	return strconv.FormatBool(v), nil
}

// checkTimeout keeps milliseconds, as PostgreSQL does for a bare number.
func checkTimeout(s string) (string, error) {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 && n <= int64(time.Duration(1<<63-1)/time.Millisecond) {
		return strconv.FormatInt(n, 10), nil
	}
	d, err := time.ParseDuration(strings.ReplaceAll(strings.ReplaceAll(s, " ", ""), "min", "m"))
	if err != nil || d < 0 {
		return "", fault.New(fault.InvalidArgument, "must be milliseconds or a duration such as 30s, got %q", s)
	}
	return strconv.FormatInt((d + time.Millisecond - 1).Milliseconds(), 10), nil
}

var byteUnits = []struct {
	suffix string
	factor int64
}{ // longest suffix first
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1 << 10}, {"mb", 1 << 20}, {"gb", 1 << 30}, {"tb", 1 << 40},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"t", 1 << 40}, {"b", 1},
}

func checkBytes(lo, hi int64) func(string) (string, error) {
	return func(s string) (string, error) {
		text, factor := strings.ToLower(strings.TrimSpace(s)), int64(1)
		for _, u := range byteUnits {
			if strings.HasSuffix(text, u.suffix) {
				text, factor = strings.TrimSpace(strings.TrimSuffix(text, u.suffix)), u.factor
				break
			}
		}
		n, err := strconv.ParseFloat(text, 64)
		bytes := n * float64(factor)
		if err == nil && bytes == 0 {
			return "0", nil
		}
		if err != nil || !(bytes >= float64(lo) && bytes <= float64(hi)) {
			return "", fault.New(fault.InvalidArgument, "must be 0 or a size from %d to %d bytes, such as 512MB, got %q", lo, hi, s)
		}
		return strconv.FormatInt(int64(bytes), 10), nil
	}
}

// All returns the list of all settings.
func All() []Setting { return slices.Clone(table) }

// Names are the names of all settings.
func Names() []string {
	names := make([]string, len(table))
	for i, s := range table {
		names[i] = s.Name
	}
	return names
}

// Find returns the setting with a name, in any case; "search_path" and "database" are the
// names other tools give to schema and catalog. An unknown name is fault.InvalidArgument with the
// nearest names.
func Find(name string) (Setting, error) {
	low := strings.ToLower(name)
	switch low {
	case "search_path", "current_schema":
		low = "schema"
	case "database", "current_catalog":
		low = "catalog"
	}
	for _, s := range table {
		if s.Name == low {
			return s, nil
		}
	}
	if instead, ok := unsupportedSettings[low]; ok {
		return Setting{}, fault.New(fault.Unsupported, "setting %s; %s", low, instead)
	}
	return Setting{}, fault.New(fault.InvalidArgument, "no setting is called %q%s", name, catalog.Hint(low, Names(), "settings"))
}

// CheckSetting checks a value and returns it in the form in which it is kept.
func Check(name, value string) (string, error) {
	s, err := Find(name)
	if err != nil {
		return "", err
	}
	v, err := s.check(value)
	if err != nil {
		return "", fault.New(fault.InvalidArgument, "%s %w", s.Name, err)
	}
	return v, nil
}
