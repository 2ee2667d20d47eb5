package receiver

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// TestBearerToken: the handler of an event gets the token of its request, in every mode that an event may have, and
// credentials that are not one bearer token are refused.
func TestBearerToken(t *testing.T) {
	address, _ := serve(t, func(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
		token, err := BearerToken(ctx)
		if err != nil {
			return nil, err
		}
		reply := cloudevents.NewEvent()
		reply.SetID("token:" + token)
		reply.SetType("t")
		reply.SetSource("/s")
		return &reply, nil
	})
	long := strings.Repeat("x", maxToken)
	for name, c := range map[string]struct {
		headers []string
		token   string
		status  int
	}{
		"none":         {nil, "", 200},
		"one":          {[]string{"Bearer ab.c-d_e~f+g/h=="}, "ab.c-d_e~f+g/h==", 200},
		"lower case":   {[]string{"bearer abc"}, "abc", 200},
		"many spaces":  {[]string{"BEARER   abc"}, "abc", 200},
		"long":         {[]string{"Bearer " + long}, long, 200},
		"too long":     {[]string{"Bearer x" + long}, "", 401},
		"empty":        {[]string{""}, "", 401},
		"scheme alone": {[]string{"Bearer "}, "", 401},
		"Basic":        {[]string{"Basic YTpi"}, "", 401},
		"two":          {[]string{"Bearer abc", "Bearer abc"}, "", 401},
		"two in one":   {[]string{"Bearer abc, Bearer def"}, "", 401},
		"no token":     {[]string{"Bearer a b"}, "", 401},
		"not ASCII":    {[]string{"Bearer é"}, "", 401},
	} {
		for _, mode := range []string{"binary", "structured"} {
			body, contentType := "{}", "application/json"
			if mode == "structured" {
				body, contentType = `{"specversion":"1.0","type":"t","source":"/s","id":"1"}`, cloudevents.ApplicationCloudEventsJSON
			}
			r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header = http.Header{"Content-Type": {contentType}, "Authorization": c.headers}
			if mode == "binary" {
				for k, v := range map[string]string{"Specversion": "1.0", "Type": "t", "Source": "/s", "Id": "1"} {
					r.Header.Set("Ce-"+k, v)
				}
			}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if id := answer.Header.Get("Ce-Id"); answer.StatusCode != c.status || c.status == 200 && id != "token:"+c.token {
				t.Errorf("%s, %s: %s %.40s", name, mode, answer.Status, id)
			}
		}
	}
	if token, err := BearerToken(t.Context()); token != "" || err != nil {
		t.Errorf("no request at all: %q %v", token, err)
	}
}

// FuzzToken: what is taken for a token is exactly what stands in the one header, and is one by RFC 6750.
func FuzzToken(f *testing.F) {
	f.Add("Bearer abc")
	f.Add("Basic YTpi")
	f.Fuzz(func(t *testing.T, header string) {
		token, err := tokenOf([]string{header})
		if (err == nil) != (token != "") {
			t.Errorf("%q: %q %v", header, token, err)
		}
		if err == nil && (!strings.HasSuffix(header, " "+token) || slices.ContainsFunc([]byte(token), func(b byte) bool { return b <= ' ' || b > '~' || b == ',' })) {
			t.Errorf("%q: %q", header, token)
		}
	})
}
