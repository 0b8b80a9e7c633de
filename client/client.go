// Package client is the Go client of the REST API.
//
//	c, err := client.New(client.Options{BaseURL: "http://127.0.0.1:13000", Namespace: "demo", Key: key})
//	…
//	i, err := c.CreateInstance(ctx, api.CreateInstance{Name: "web1", CPUs: 1, Memory: 1024, Disk: disks})
//	…
//	i, err = c.WaitInstance(ctx, i.UUID, nil)
//
// The client logs in by itself when it makes its first call, and again when its token is refused. Calls that the server
// answers with "not ready yet" are repeated for as long as Options.Strategy says and ctx lives.
//
// All errors are of package fault. Their text is the server's, their kind follows from the status: 400 fault.Invalid, 401
// fault.Unauthorized, 403 fault.Forbidden, 404 fault.NotFound, 406 fault.NotReady, 409 fault.Conflict, 507
// fault.Exhausted, 500 fault.Internal. fault.Unavailable means that the server did not answer, or is not able to now.
//
// A ref is the UUID or the name of an object.
package client

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/shakenfist/shakenfist/fault"
)

// Options say which server a client talks to, and as whom.
type Options struct {
	BaseURL   string // required; where the API is rooted, such as http://sf.example.com:13000 or https://sf.example.com/api
	Namespace string // whom to log in as; required but for Has
	Key       string // the secret of any key of Namespace

	HTTPClient *http.Client     // nil: one of its own. Redirects are never followed, whatever it says
	UserAgent  string           // put before the client's own, such as "mytool/1.2"; may be empty
	Strategy   Strategy         // how long to repeat calls that are not ready; "" is Block
	Poll       time.Duration    // pause between two looks at an object, and between repeated calls; 0 is 1s
	Trace      func(e Exchange) // told of every request once it is answered; may be nil. May be called concurrently
}

// Exchange is one request and its answer. It holds no headers and no bodies, so that it may be printed.
type Exchange struct {
	Method    string
	URL       string
	Status    int    // 0 if there was no answer
	RequestID string // by which the server's logs and events know the request
	Duration  time.Duration
	Err       error // why there was no answer
}

// Client talks to one server. It is safe for concurrent use.
type Client struct {
	s         *session
	namespace *string // what In was told
}

// New returns a client. It makes no call yet. It fails with fault.Invalid if an option makes no sense.
func New(o Options) (*Client, error) {
	base, err := parseBase(o.BaseURL)
	if err != nil {
		return nil, err
	}
	if o.Strategy == "" {
		o.Strategy = Block
	}
	if _, err := ParseStrategy(string(o.Strategy)); err != nil {
		return nil, err
	}
	if o.Poll == 0 {
		o.Poll = time.Second
	}
	o.UserAgent = strings.TrimSpace(o.UserAgent + " " + UserAgent())
	return &Client{s: newSession(o, base)}, nil
}

// In returns a client that shares everything with c and acts in the given namespace rather than in the one it logged in
// as: it creates there, and looks names up only there. The server decides whether that is allowed. An empty name undoes it.
func (c *Client) In(namespace string) *Client {
	if namespace == "" {
		return &Client{s: c.s}
	}
	return &Client{s: c.s, namespace: &namespace}
}

// parseBase checks a base URL and removes slashes at its end, since paths are appended to it.
func parseBase(text string) (string, error) {
	u, err := url.Parse(text)
	if err == nil && u.User != nil {
		return "", fault.New("client.New", fault.Invalid, "", "the URL of the server holds a user name or password; the API takes neither there")
	}
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.RawQuery != "" || u.Fragment != "" {
		return "", fault.New("client.New", fault.Invalid, "", "%q is not the URL of a server: want something like http://host:13000", text)
	}
	return strings.TrimRight(text, "/"), nil
}
