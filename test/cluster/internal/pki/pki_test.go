package pki

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/kf-tasks/kf-tasks/test/cluster/internal/plan"
)

func certificate(t *testing.T, file string) *x509.Certificate {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestCertificatesOfACluster(t *testing.T) {
	p := plan.Plan{Dir: t.TempDir(), Index: 2}
	now := time.Now()
	if err := Cluster(p, now); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate(t, p.Path("pki", "ca.crt")))
	for file, hosts := range map[string][]string{
		"apiserver.crt":      {p.NodeIP(), p.APIServiceIP(), "127.0.0.1", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
		"kubelet-server.crt": {p.NodeIP(), NodeName},
	} {
		cert := certificate(t, p.Path("pki", file))
		for _, h := range hosts {
			if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: h, CurrentTime: now.AddDate(9, 0, 0)}); err != nil {
				t.Errorf("%s for %s in nine years: %v", file, h, err)
			}
		}
		if cert.VerifyHostname("elsewhere.example") == nil {
			t.Errorf("%s is good for any host", file)
		}
	}
	for file, want := range map[string]Subject{
		p.Kubeconfig():                             {Name: "admin", Groups: []string{"system:masters"}},
		p.Path("pki", "kubelet.kubeconfig"):        {Name: "system:node:" + NodeName, Groups: []string{"system:nodes"}},
		p.Path("pki", "kube-scheduler.kubeconfig"): {Name: "system:kube-scheduler"},
	} {
		cfg, err := clientcmd.BuildConfigFromFlags("", file)
		if err != nil || cfg.Host != p.Server() {
			t.Fatalf("%s: %v %+v", file, err, cfg)
		}
		block, _ := pem.Decode(cfg.CertData)
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if cert.Subject.CommonName != want.Name || len(cert.Subject.Organization) != len(want.Groups) {
			t.Errorf("%s is %v, want %+v", file, cert.Subject, want)
		}
		if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	keys, _ := filepath.Glob(p.Path("pki", "*.key"))
	for _, k := range append(keys, p.Kubeconfig()) {
		if info, err := os.Stat(k); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", k, info.Mode(), err)
		}
	}
	before := certificate(t, p.Path("pki", "apiserver.crt")).SerialNumber
	if err := Cluster(p, now); err != nil || certificate(t, p.Path("pki", "apiserver.crt")).SerialNumber.Cmp(before) != 0 {
		t.Errorf("a second run made new certificates, for which running parts have no authority: %v", err)
	}
}
