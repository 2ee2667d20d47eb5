package main

import (
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
	"github.com/kf-tasks/kf-tasks/shared/retention"
)

type config struct {
	receiver.Env
	// The cluster's policy, in the words of the annotations.
	Retain                string `envconfig:"RETAIN" default:"500"`
	RetainFor             string `envconfig:"RETAIN_FOR" default:"unlimited"`
	RetainSucceededPerJob string `envconfig:"RETAIN_SUCCEEDED_PER_JOB" default:"unlimited"`
	RetainFailedPerJob    string `envconfig:"RETAIN_FAILED_PER_JOB" default:"unlimited"`
	RetainPodsFor         string `envconfig:"RETAIN_PODS_FOR" default:"unlimited"`

	// DeletesPerSecond bounds what all sweeps of this process delete together; DeletesPerSecondBusy does while Tasks
	// come and end. Workers is how many deletions one sweep has under way.
	DeletesPerSecond     float32 `envconfig:"DELETES_PER_SECOND" default:"500"`
	DeletesPerSecondBusy float32 `envconfig:"DELETES_PER_SECOND_BUSY" default:"10"`
	Workers              int     `envconfig:"WORKERS" default:"24"`
	// SweepInterval is the least time between two sweeps of one App; SweepHold how long one request makes them for
	// others.
	SweepInterval time.Duration `envconfig:"SWEEP_INTERVAL" default:"5s"`
	SweepHold     time.Duration `envconfig:"SWEEP_HOLD" default:"30s"`
}

func (c config) policy() (retention.Policy, error) {
	return retention.Default().With(map[string]string{
		v1alpha1.RetainAnnotation:                c.Retain,
		v1alpha1.RetainForAnnotation:             c.RetainFor,
		v1alpha1.RetainSucceededPerJobAnnotation: c.RetainSucceededPerJob,
		v1alpha1.RetainFailedPerJobAnnotation:    c.RetainFailedPerJob,
		v1alpha1.RetainPodsForAnnotation:         c.RetainPodsFor,
	})
}
