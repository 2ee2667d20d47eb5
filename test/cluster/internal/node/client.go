package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sort"
	"strings"
	"time"

	"github.com/kf-tasks/kf-tasks/test/cluster/internal/plan"
)

// Client asks a cluster's pid 1.
type Client struct{ http http.Client }

// NewClient returns the client of a cluster.
func NewClient(p plan.Plan) *Client {
	return &Client{http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", p.Socket())
		}},
	}}
}

// Parts lists the parts by name.
func (c *Client) Parts() ([]State, error) {
	var out []State
	err := c.do(http.MethodGet, "/parts", nil, &out)
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, err
}

// Start runs a part, unless it runs.
func (c *Client) Start(p Part) error { return c.do(http.MethodPost, "/parts", p, nil) }

// StartAgain runs a part that was stopped.
func (c *Client) StartAgain(name string) error {
	return c.do(http.MethodPost, "/parts/"+name+"/start", nil, nil)
}

// Stop ends a part until it is started again.
func (c *Client) Stop(name string) error { return c.do(http.MethodDelete, "/parts/"+name, nil, nil) }

// Kill ends a part with SIGKILL; pid 1 starts it again.
func (c *Client) Kill(name string) error {
	return c.do(http.MethodPost, "/parts/"+name+"/kill", nil, nil)
}

func (c *Client) do(method, path string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequest(method, "http://node"+path, &body)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return fmt.Errorf("%s", strings.TrimSpace(string(b)))
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// copyAndClose carries one direction of a connection and ends it.
func copyAndClose(to, from net.Conn) {
	io.Copy(to, from)
	if c, ok := to.(interface{ CloseWrite() error }); ok {
		c.CloseWrite()
	}
}
