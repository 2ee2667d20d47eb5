package image

import (
	"encoding/json"
	"regexp"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// buildMetadata is the label that buildpacks put on what they build (buildpacks/spec, platform.md, io.buildpacks.build.metadata).
const buildMetadata = "io.buildpacks.build.metadata"

// An App's status has room for these: it is for people, and whoever made the image chose them.
const (
	maxProcesses = 32
	maxWords     = 32
	maxWord      = 1024
)

var processType = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// processes are the process types of an image, of those that it may have; what does not decode is none.
func processes(metadata string) (all []v1alpha1.Process) {
	var label struct {
		Processes []struct {
			Type    string          `json:"type"`
			Command json.RawMessage `json:"command"`
			Args    []string        `json:"args"`
		} `json:"processes"`
	}
	if err := json.Unmarshal([]byte(metadata), &label); err != nil {
		return nil
	}
	seen := map[string]bool{".": true, "..": true}
	for _, p := range label.Processes {
		if !processType.MatchString(p.Type) || seen[p.Type] || len(all) == maxProcesses {
			continue
		}
		seen[p.Type] = true
		all = append(all, v1alpha1.Process{Type: p.Type, Command: some(command(p.Command)), Args: some(p.Args)})
	}
	return all
}

// command is a list since Platform API 0.10, and was one string before.
func command(said json.RawMessage) (words []string) {
	if json.Unmarshal(said, &words) == nil {
		return words
	}
	word := ""
	if json.Unmarshal(said, &word) != nil {
		return nil
	}
	return []string{word}
}

func some(words []string) (kept []string) {
	for _, w := range words[:min(len(words), maxWords)] {
		kept = append(kept, w[:min(len(w), maxWord)])
	}
	return kept
}
