package settings

import (
	"slices"
	"strconv"
	"strings"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/catalog"
)

func (s Session) SearchOptions() SearchOptions {
	recall, _ := strconv.ParseFloat(s.Get("lance.min_recall"), 64) // checked when it was set; empty is 0
	return SearchOptions{
		MinRecall:    recall,
		NProbes:      s.getInt("lance.nprobes"),
		MaxNProbes:   s.getInt("lance.max_nprobes"),
		RefineFactor: s.getInt("lance.refine_factor"),
		EF:           s.getInt("lance.ef"),
		UseIndex:     s.Get("lance.use_index") != "false",
		MustUse:      s.Values["lance.use_index"] == "true",
		FastSearch:   s.Get("lance.fast_search") == "true",
	}
}

// Set changes one knob by the name that hints, the options string of a distance function and
// vector_search use: the setting's name without "lance.". What min_recall would choose replaces it: of the
// two, the one that comes last counts.
func (o *SearchOptions) Set(name, value string) error {
	low := strings.ToLower(strings.TrimPrefix(strings.ToLower(strings.TrimSpace(name)), "lance."))
	if !slices.Contains(searchOptionNames, low) {
		return fault.New(fault.InvalidArgument, "no search option is called %q%s", name, catalog.Hint(low, searchOptionNames, "options"))
	}
	v, err := Check("lance."+low, strings.TrimSpace(value))
	if err != nil {
		return err
	}
	n, _ := strconv.Atoi(v)
	switch low {
	case "nprobes":
		o.NProbes, o.MinRecall = n, 0
	case "max_nprobes":
		o.MaxNProbes = n
	case "refine_factor":
		o.RefineFactor, o.MinRecall = n, 0
	case "ef":
		o.EF, o.MinRecall = n, 0
	case "min_recall":
		o.MinRecall, _ = strconv.ParseFloat(v, 64) // checked above; empty is 0
	case "use_index":
		o.UseIndex = v == "true"
		o.MustUse = o.UseIndex
	case "fast_search":
		o.FastSearch = v == "true"
	}
	return nil
}

var searchOptionNames = []string{"nprobes", "max_nprobes", "refine_factor", "ef", "min_recall", "use_index", "fast_search"}

// Parse reads 'nprobes=20, refine_factor=10' over the given options.
func (o *SearchOptions) Parse(text string) error {
	for _, item := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' }) {
		if strings.TrimSpace(item) == "" {
			continue
		}
		name, value, ok := strings.Cut(item, "=")
		if !ok {
			return fault.New(fault.InvalidArgument, "search options are written 'name=value, …', got %q", strings.TrimSpace(item))
		}
		if err := o.Set(name, value); err != nil {
			return err
		}
	}
	return nil
}

// SearchOptions are the knobs of one search; zero values mean the session's defaults were applied
// by the binder already, except where 0 is meaningful.
type SearchOptions struct {
	NProbes int
	// MaxNProbes bounds how far a search goes on behind NProbes while it has too few rows, with a filter or without.
	// 0 = four times NProbes for the rows that a filter leaves, and all while there are too few.
	MaxNProbes   int
	RefineFactor int // 0 = none: distances are the quantizer's estimates
	EF           int
	MinRecall    float64 // 0 = none; else NProbes, RefineFactor and EF are chosen to reach it
	UseIndex     bool
	MustUse      bool // use_index=true was asked for: an index that cannot be read is an error
	FastSearch   bool // skip rows no index covers
}
