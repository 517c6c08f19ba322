package lookup

import "context"

// Carriers knows the names of carriers.
type Carriers struct {
	store Store
}

// Name of a carrier in a language.
func (c *Carriers) Name(ctx context.Context, code, lang string) (string, error) {
	return c.store.CarrierName(ctx, code, lang)
}
