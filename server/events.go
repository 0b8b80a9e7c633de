package server

import (
	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/event"
)

// eventArgs are what every events route takes.
var eventArgs = []arg{
	{
		name: "event_type", kind: argText, empty: true, doc: "only events of this type; absent: all",
		among: []string{"audit", "mutate", "status", "usage", "resources", "prune", "historic"},
	},
	{name: "limit", kind: argInt, doc: "at most this many, the newest; absent: 100, negative: all"},
}

// events answers with the events of an object that the caller may see.
func (s *server) events(c *call, kind, id string) (any, error) {
	var t event.Type
	if name := c.args.text("event_type"); name != "" {
		var err error
		if t, err = event.ParseType(name); err != nil {
			return nil, err
		}
	}
	limit := c.args.integer("limit", event.DefaultLimit)
	if limit == 0 {
		return api.List[api.Event]{}, nil
	}
	list, err := s.cloud.Events.List(c.Context(), event.Object{Kind: kind, ID: id}, t, limit)
	if err != nil {
		return nil, err
	}
	views := make(api.List[api.Event], len(list))
	for i, e := range list {
		views[i] = eventView(e)
	}
	return views, nil
}

func eventView(e event.Event) api.Event {
	return api.Event{
		Type: string(e.Type), Timestamp: api.At(e.At), FQDN: e.Node, Duration: (*api.Float)(e.Duration),
		Message: e.Message, Extra: e.Extra,
	}
}
