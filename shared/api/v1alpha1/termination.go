package v1alpha1

import "encoding/json"

// Finished says that the Task was asked to stop, and that nothing is left to be done about it or its log.
func (t *Termination) Finished() bool {
	return t != nil && t.Log != LogDelivering && t.Log != ""
}

// TerminatedBy is the field manager that set spec.terminated, as the API server recorded it; "" if it did not.
func (t *Task) TerminatedBy() string {
	for _, m := range t.ManagedFields {
		var set struct {
			Spec map[string]json.RawMessage `json:"f:spec"`
		}
		if m.FieldsV1 == nil || m.Subresource != "" || json.Unmarshal(m.FieldsV1.GetRawBytes(), &set) != nil {
			continue
		}
		if _, ok := set.Spec["f:terminated"]; ok {
			return m.Manager
		}
	}
	return ""
}
