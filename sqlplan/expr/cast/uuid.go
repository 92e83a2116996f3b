package cast

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/sqlplan/expr/value"
)

// castTextToUUID reads texts in any form that PostgreSQL accepts.
func castTextToUUID(c *caster) (arrow.Array, error) {
	x := value.TextsOf(c.Args[0])
	b := array.NewFixedSizeBinaryBuilder(c.Mem(), c.to.(arrow.ExtensionType).StorageType().(*arrow.FixedSizeBinaryType))
	defer b.Release()
	b.Reserve(c.N)
	for i := range c.N {
		if c.Null(i) {
			b.AppendNull()
			continue
		}
		u, ok := value.ParseUUID(string(x.At(i)))
		if !ok {
			if err := c.fails(i, "'"+string(x.At(i))+"'"); err != nil {
				return nil, err
			}
			b.AppendNull()
			continue
		}
		b.Append(u[:])
	}
	storage := b.NewArray()
	defer storage.Release()
	return array.NewExtensionArrayWithStorage(c.to.(arrow.ExtensionType), storage), nil
}
