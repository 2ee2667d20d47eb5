// sbom PROGRAM NAME VERSION prints the modules that a program of Go was built of, as an SPDX 2.3 document in JSON. The program says them
// itself (debug/buildinfo), so nothing is asked of a network, and the same program gives the same document. ko does the same of images.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: sbom PROGRAM NAME VERSION")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// The parts of SPDX 2.3 that are used (spdx.github.io/spdx-spec/v2.3).
type (
	document struct {
		Version       string         `json:"spdxVersion"`
		License       string         `json:"dataLicense"`
		ID            string         `json:"SPDXID"`
		Name          string         `json:"name"`
		Namespace     string         `json:"documentNamespace"`
		Creation      creation       `json:"creationInfo"`
		Packages      []spdxPackage  `json:"packages"`
		Relationships []relationship `json:"relationships"`
	}
	creation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}
	spdxPackage struct {
		ID       string     `json:"SPDXID"`
		Name     string     `json:"name"`
		Version  string     `json:"versionInfo"`
		From     string     `json:"downloadLocation"`
		License  string     `json:"licenseConcluded"`
		Analyzed bool       `json:"filesAnalyzed"`
		Sums     []checksum `json:"checksums,omitempty"`
		Refs     []ref      `json:"externalRefs,omitempty"`
	}
	checksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	ref struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	relationship struct {
		Of   string `json:"spdxElementId"`
		Type string `json:"relationshipType"`
		To   string `json:"relatedSpdxElement"`
	}
)

func write(file, name, version string) error {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", " ")
	return enc.Encode(describe(info, name, version, fmt.Sprintf("%x", sha256.Sum256(content))))
}

const program = "SPDXRef-Program"

// describe is the document of a program with a sum of its content. It has no time of its own: what is built again says the same.
func describe(info *debug.BuildInfo, name, version, sum string) document {
	d := document{
		Version: "SPDX-2.3", License: "CC0-1.0", ID: "SPDXRef-DOCUMENT", Name: name,
		Namespace: "https://" + info.Main.Path + "/sbom/" + name + "-" + sum,
		Creation:  creation{"1970-01-01T00:00:00Z", []string{"Tool: " + info.Main.Path + "/hack/sbom"}},
		Packages: []spdxPackage{{ID: program, Name: name, Version: version, From: "NOASSERTION", License: "NOASSERTION",
			Sums: []checksum{{"SHA256", sum}}}},
		Relationships: []relationship{{"SPDXRef-DOCUMENT", "DESCRIBES", program}},
	}
	add := func(path, version, from string) {
		id := fmt.Sprintf("SPDXRef-Package-%x", sha256.Sum256([]byte(path+"@"+version)))
		d.Packages = append(d.Packages, spdxPackage{ID: id, Name: path, Version: version, From: from,
			License: "NOASSERTION", Refs: []ref{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + path + "@" + version}}})
		d.Relationships = append(d.Relationships, relationship{program, "DEPENDS_ON", id})
	}
	add("stdlib", strings.TrimPrefix(info.GoVersion, "go"), "https://go.dev/dl/")
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		add(m.Path, m.Version, "https://pkg.go.dev/"+m.Path+"@"+m.Version)
	}
	return d
}
