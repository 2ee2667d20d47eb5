// Package build is the building of an App's image from source: which build an App asks for, the Tekton PipelineRun that
// does it, and what became of it. It is pure: the same App and settings give the same PipelineRun.
package build
