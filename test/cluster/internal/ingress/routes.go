// Package ingress is a small implementation of Knative's KIngress: it reads Serving's Ingress objects and says where a
// request goes. It serves plain HTTP on one node, which is what a test cluster needs.
package ingress

import (
	"net/http"
	"sort"
	"strings"
	"sync"

	"knative.dev/networking/pkg/apis/networking/v1alpha1"
)

// Class is the ingress class of the objects that this implementation serves.
const Class = "kf.ingress.networking.knative.dev"

// Table holds the routes of all Ingresses. It is safe for concurrent use.
type Table struct {
	mu     sync.RWMutex
	byKey  map[string]*v1alpha1.Ingress
	byHost map[string][]v1alpha1.HTTPIngressPath
}

// NewTable returns an empty table.
func NewTable() *Table {
	return &Table{byKey: map[string]*v1alpha1.Ingress{}, byHost: map[string][]v1alpha1.HTTPIngressPath{}}
}

// Set puts an Ingress in, or in place of its former self.
func (t *Table) Set(ing *v1alpha1.Ingress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byKey[ing.Namespace+"/"+ing.Name] = ing
	t.rebuild()
}

// Delete takes an Ingress out.
func (t *Table) Delete(namespace, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byKey, namespace+"/"+name)
	t.rebuild()
}

// rebuild orders the paths of each host so that the first that matches is the most specific: the longest path, then
// the most headers (KIngress' specification).
func (t *Table) rebuild() {
	t.byHost = map[string][]v1alpha1.HTTPIngressPath{}
	for _, ing := range t.byKey {
		for _, rule := range ing.Spec.Rules {
			if rule.HTTP == nil {
				continue
			}
			for _, host := range rule.Hosts {
				t.byHost[host] = append(t.byHost[host], rule.HTTP.Paths...)
			}
		}
	}
	for _, paths := range t.byHost {
		sort.SliceStable(paths, func(i, j int) bool {
			if len(paths[i].Path) != len(paths[j].Path) {
				return len(paths[i].Path) > len(paths[j].Path)
			}
			return len(paths[i].Headers) > len(paths[j].Headers)
		})
	}
}

// Target is where a request goes.
type Target struct {
	Service, Namespace, Port string
	RewriteHost              string
	Headers                  map[string]string // to be set on the request
}

// Route finds the target of a request; roll, from 0 to 99, chooses among the splits of a route by their percentage.
func (t *Table) Route(host, path string, header http.Header, roll int) (Target, bool) {
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, p := range t.byHost[host] {
		if !strings.HasPrefix(path, p.Path) || !headersMatch(p, header) || len(p.Splits) == 0 {
			continue
		}
		s := p.Splits[len(p.Splits)-1]
		for _, split := range p.Splits {
			if roll < split.Percent {
				s = split
				break
			}
			roll -= split.Percent
		}
		target := Target{
			Service: s.ServiceName, Namespace: s.ServiceNamespace, Port: s.ServicePort.String(),
			RewriteHost: p.RewriteHost, Headers: map[string]string{},
		}
		for k, v := range p.AppendHeaders {
			target.Headers[k] = v
		}
		for k, v := range s.AppendHeaders {
			target.Headers[k] = v
		}
		return target, true
	}
	return Target{}, false
}

func headersMatch(p v1alpha1.HTTPIngressPath, header http.Header) bool {
	for name, match := range p.Headers {
		if header.Get(name) != match.Exact {
			return false
		}
	}
	return true
}
