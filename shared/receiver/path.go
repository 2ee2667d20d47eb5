package receiver

import (
	"context"
	"net/http"
)

type pathKey struct{}

// Path is the path of the request that an event came with.
func Path(ctx context.Context) string {
	path, _ := ctx.Value(pathKey{}).(string)
	return path
}

// withPath makes the request's path known to the handler of its event.
func withPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), pathKey{}, r.URL.Path)))
	})
}
