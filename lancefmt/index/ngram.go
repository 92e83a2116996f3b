package index

import (
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"unicode"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
)

// NGram is the kind of index that has the set of rows of each trigram in strings.
var NGram = Kind{
	Name: "NGRAM", Details: "ngramindexdetails", Version: 0, Open: openNGram,
	Ops: []Op{Contains, Prefix, IsNull}, Rank: 3, ExactNulls: true,
}

// An NGRAM index has a row per trigram that occurs in some string, ngram_postings.lance: tokens |
// posting_list, a set of row ids (decodeTreemap). Token 0 has the rows that are NULL.
//
// The writer lower-cases a string and folds letters to ASCII character by character, and keeps the
// trigrams that are ASCII letters and digits. A row that contains a needle has the trigrams of the
// needle, so the intersection of their sets is all rows that may contain it, in whatever case: the
// answers hold for comparisons without case too. No row is sure.
//
// Writers fold differently: old ones by Lucene's table, 14.0.2 by compatibility decomposition. Only
// letters on which both agree are folded here, others break the needle; that never loses a row.
//
// Sources: docs "index/scalar/ngram"; lance-index 14.0.2, scalar/ngram.rs; lance-tokenizer 14.0.2.
type ngram struct {
	*segment
	postings *keyRows
	nulls    []int32 // the row of token 0, if there is one
}

const ngramPostings = "ngram_postings.lance"

func openNGram(ctx context.Context, s *segment) (Index, error) {
	if t := s.desc.ColumnType; t != nil && t.ID() != arrow.STRING && t.ID() != arrow.LARGE_STRING {
		return nil, fault.New(fault.Unsupported, "an NGRAM index for a column of type %s", t)
	}
	f, err := s.open(ctx, ngramPostings)
	if err != nil {
		return nil, err
	}
	field, err := f.field("tokens", arrow.UINT32)
	if err != nil {
		return nil, err
	}
	typ, err := newKeyType(field.Type)
	if err != nil {
		return nil, err
	}
	postings, err := openKeyRows(ctx, s, f, typ, "tokens", "posting_list", decodeTreemap)
	if err != nil {
		return nil, err
	}
	x := &ngram{segment: s, postings: postings}
	x.nulls = x.rows(0)
	return x, nil
}

// decodeTreemap decodes a 64-bit set as the Rust library roaring stores it:
//
//	u64        number of parts
//	per part:  u32 upper half of the values
//	           portable 32-bit Roaring bitmap of the lower halves
//
// All numbers are little endian. Nothing of b is kept.
func decodeTreemap(b []byte) (*RowSet, error) {
	if len(b) < 8 {
		return nil, fault.Corruptf("a posting list of %d bytes", len(b))
	}
	n := binary.LittleEndian.Uint64(b)
	b = b[8:]
	s := &RowSet{}
	for i := range n {
		if len(b) < 4 {
			return nil, fault.Corruptf("a posting list of %d parts ends in part %d", n, i)
		}
		upper := binary.LittleEndian.Uint32(b)
		bitmap, size, err := decodeRoaringPrefix(b[4:])
		if err != nil {
			return nil, fault.Corruptf("part %d of a posting list: %v", i, err)
		}
		if s.parts[upper] != nil {
			return nil, fault.Corruptf("a posting list has part %d twice", upper)
		}
		if !bitmap.IsEmpty() {
			s.set(upper, bitmap)
		}
		b = b[4+size:]
	}
	if len(b) > 0 {
		return nil, fault.Corruptf("%d bytes follow a posting list", len(b))
	}
	return s, nil
}

const alphabet = 37 // ten digits, 26 letters; 0 stands for no character

// trigrams returns the tokens that every string with the needle has, without repetition: base-37 numbers
// of three characters, digits from 1, letters from 11. None if the needle is too short to have any.
func trigrams(needle string) []uint32 {
	var out []uint32
	token, run := uint32(0), 0
	add := func(digit uint32) {
		token = token*alphabet%(alphabet*alphabet*alphabet) + digit
		if run++; run >= 3 {
			out = append(out, token)
		}
	}
	for _, r := range needle {
		if r == '\u0130' { // I with a dot: the one letter whose lower case is two, i and a dot above
			add('i' - 'a' + 11)
			token, run = 0, 0
			continue
		}
		r = unicode.ToLower(r)
		switch {
		case r >= '0' && r <= '9':
			add(uint32(r-'0') + 1)
		case r >= 'a' && r <= 'z':
			add(uint32(r-'a') + 11)
		default:
			folded := foldLetter(r)
			if folded == "" {
				token, run = 0, 0
			}
			for _, c := range folded {
				add(uint32(c-'a') + 11)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// foldLetter returns the ASCII letters that a lower-case letter of the Latin-1 and Latin Extended-A
// blocks folds to by either generation of writers; "" for other characters.
func foldLetter(r rune) string {
	if r < 0xdf || r > 0x17f {
		return ""
	}
	for _, f := range folds {
		if strings.ContainsRune(f.from, r) {
			return f.to
		}
	}
	return ""
}

var folds = []struct{ from, to string }{
	{"àáâãäåāăą", "a"}, {"çćĉċč", "c"}, {"ďđð", "d"}, {"èéêëēĕėęě", "e"}, {"ĝğġģ", "g"}, {"ĥħ", "h"},
	{"ìíîïĩīĭįı", "i"}, {"ĵ", "j"}, {"ķ", "k"}, {"ĺļľł", "l"}, {"ñńņňŋ", "n"}, {"òóôõöøōŏő", "o"},
	{"ŕŗř", "r"}, {"śŝşšſ", "s"}, {"ţťŧ", "t"}, {"ùúûüũūŭůűų", "u"}, {"ŵ", "w"}, {"ýÿŷ", "y"}, {"źżž", "z"},
	{"ß", "ss"}, {"æ", "ae"}, {"œ", "oe"}, {"þ", "th"},
}

// maxTrigrams is how many sets are intersected: more of them hardly narrow the answer.
const maxTrigrams = 24

func (x *ngram) rows(token uint32) []int32 {
	return x.postings.find([]span{{lo: key{word: uint64(token)}, end: key{word: uint64(token) + 1}}})
}

// SizeBytes implements Index.
func (x *ngram) SizeBytes() int64 { return x.postings.sizeBytes() + x.cachedBytes() }

// Supports implements Index: IsNull, exactly, and Contains and Prefix of a needle with a trigram.
func (x *ngram) Supports(p Predicate) bool {
	switch p.Op {
	case IsNull:
		return true
	case Contains, Prefix:
		if len(p.Values) == 1 {
			needle, ok := p.Values[0].(string)
			return ok && len(trigrams(needle)) > 0
		}
	}
	return false
}

// Search implements Index.
func (x *ngram) Search(ctx context.Context, p Predicate) (Answer, error) {
	if !x.Supports(p) {
		return Answer{}, errUnsupportedPredicate
	}
	out := Answer{Sure: &RowSet{}}
	var err error
	if p.Op == IsNull || !p.SkipNulls {
		if out.Nulls, err = x.postings.union(ctx, x.nulls); err != nil {
			return Answer{}, err
		}
		out.NullsKnown = true
	}
	if p.Op == IsNull {
		return Answer{May: out.Nulls, Sure: out.Nulls, Nulls: &RowSet{}, NullsKnown: true}, nil
	}
	out.May, err = x.containing(ctx, p.Values[0].(string))
	return out, err
}

func (x *ngram) containing(ctx context.Context, needle string) (*RowSet, error) {
	tokens := trigrams(needle)
	lists := make([][]int32, len(tokens))
	for i, token := range tokens {
		if lists[i] = x.rows(token); len(lists[i]) == 0 {
			return &RowSet{}, nil
		}
	}
	if len(lists) > maxTrigrams { // spread over the alphabet, since tokens are in order
		some := make([][]int32, maxTrigrams)
		for i := range some {
			some[i] = lists[i*len(lists)/maxTrigrams]
		}
		lists = some
	}
	var out *RowSet
	for _, rows := range lists {
		set, err := x.postings.union(ctx, rows)
		if err != nil {
			return nil, err
		}
		if out == nil {
			out = set
		} else {
			out = out.And(set)
		}
		if out.Len() == 0 {
			break
		}
	}
	return out, nil
}
