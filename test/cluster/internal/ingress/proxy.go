package ingress

import (
	"fmt"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"time"
)

// Proxy carries requests to where the table says.
func Proxy(t *Table) http.Handler {
	transport := &http.Transport{
		MaxIdleConnsPerHost: 100, IdleConnTimeout: 30 * time.Second, // many requests go to the one activator
		DisableCompression: true, // the bodies are the services' own
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		target, ok := t.Route(r.Host, r.URL.Path, r.Header, rand.IntN(100))
		if !ok {
			http.Error(w, "no route for "+r.Host+r.URL.Path, http.StatusNotFound)
			return
		}
		(&httputil.ReverseProxy{
			Transport:     transport,
			FlushInterval: -1, // streams, such as a followed log, must not wait for a buffer to fill
			ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
				log.Printf("%s %s to %s.%s: %v", r.Method, r.Host, target.Service, target.Namespace, err)
				w.WriteHeader(http.StatusBadGateway)
			},
			Rewrite: func(pr *httputil.ProxyRequest) {
				pr.Out.URL.Scheme = "http"
				pr.Out.URL.Host = fmt.Sprintf("%s.%s.svc.cluster.local:%s", target.Service, target.Namespace, target.Port)
				pr.Out.Host = pr.In.Host
				if target.RewriteHost != "" {
					pr.Out.Host = target.RewriteHost
				}
				pr.SetXForwarded()
				for k, v := range target.Headers {
					pr.Out.Header.Set(k, v)
				}
			},
		}).ServeHTTP(w, r)
	})
}
