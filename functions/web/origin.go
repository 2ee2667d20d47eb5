package main

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// sameOrigin says of a request that changes something whether the browser says that another site's page sent it. Browsers say where it is
// from (Fetch Metadata; older ones by Origin alone, which is "null" under our own Referrer-Policy). One that says nothing is let by: a
// form's token is asked for in any case.
func sameOrigin(r *http.Request) error {
	switch site := r.Header.Get("Sec-Fetch-Site"); site {
	case "same-origin", "none":
		return nil
	case "":
	default:
		return errors.New("another site's page has sent this (" + site + ")")
	}
	origin := r.Header.Get("Origin")
	if origin == "" || origin == "null" {
		return nil
	}
	// a DomainMapping changes Host on the way, and says what it was
	hosts := []string{r.Host, r.Header.Get("K-Original-Host")}
	if u, err := url.Parse(origin); err != nil || u.Host == "" || !slices.Contains(hosts, u.Host) {
		return errors.New("another site's page has sent this")
	}
	return nil
}

// localPath is an address of this site's to go to, "/" where what is asked for is anything else.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.ContainsAny(next, "\\\r\n\t") || len(next) > 2000 {
		return "/"
	}
	return u.RequestURI()
}
