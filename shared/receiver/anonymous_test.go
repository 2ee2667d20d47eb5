package receiver

import (
	"os"
	"path/filepath"
	"testing"
)

// TestAnonymousHasNoCredentials: neither the kubeconfig's nor the Pod's.
func TestAnonymousHasNoCredentials(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, []byte(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://api.example", insecure-skip-tls-verify: true}}]
users: [{name: u, user: {token: secret}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
	t.Setenv("KUBERNETES_SERVICE_PORT", "443")
	for file, host := range map[string]string{kubeconfig: "https://api.example", "": "https://[fd00::1]:443"} {
		cfg, err := anonymous(file, "/ca.crt")
		if err != nil || cfg.Host != host || cfg.BearerToken+cfg.BearerTokenFile+cfg.Username+cfg.Password+cfg.CertFile != "" {
			t.Errorf("%q: %v, %v", file, cfg, err)
		}
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if cfg, err := anonymous("", "/ca.crt"); err == nil {
		t.Errorf("a way to nowhere: %v", cfg)
	}
}
