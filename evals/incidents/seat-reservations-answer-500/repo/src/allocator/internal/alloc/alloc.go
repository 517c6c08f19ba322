package alloc

import "sync"

// Seats remembers who holds which seat of a show.
type Seats struct {
	mu   sync.Mutex
	held map[string]map[string]string
}

// New returns an empty book of seats.
func New() *Seats {
	return &Seats{held: map[string]map[string]string{}}
}

// Hold marks a seat of a show as taken by a customer.
func (s *Seats) Hold(show, seat, customer string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, ok := s.held[show]
	if !ok {
		row = map[string]string{}
		s.held[show] = row
	}
	if _, taken := row[seat]; taken {
		return false
	}
	row[seat] = customer
	return true
}
