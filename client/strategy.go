package client

import (
	"time"

	"github.com/shakenfist/shakenfist/fault"
)

// Strategy says how long to wait for what is not ready yet.
type Strategy string

// The strategies.
const (
	Continue Strategy = "continue" // not at all
	Pause    Strategy = "pause"    // a minute
	Block    Strategy = "block"    // an hour
)

// ParseStrategy returns the strategy of that name. It fails with fault.Invalid if there is none.
func ParseStrategy(name string) (Strategy, error) {
	switch s := Strategy(name); s {
	case Continue, Pause, Block:
		return s, nil
	}
	return "", fault.New("client.ParseStrategy", fault.Invalid, "", "%q is no async strategy: want continue, pause or block", name)
}

// Patience returns how long the strategy waits.
func (s Strategy) Patience() time.Duration {
	switch s {
	case Continue:
		return 0
	case Pause:
		return time.Minute
	case Block:
		return time.Hour
	}
	return 0
}
