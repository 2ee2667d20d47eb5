package events

import (
	"encoding/json"
	"fmt"
	"hash/fnv"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// Shard is the part of all Jobs that one tick is about. Several pings, each with a part of its own, have several instances share the
// work: nobody leads, nothing is kept, and a part that is done twice is done once by the names of Tasks.
type Shard struct {
	Shard uint32 `json:"shard"` // from 0
	Of    uint32 `json:"of"`    // how many there are
}

const maxShards = 64 // each lists all Jobs

// ShardOf is what a ping's data names: {"shard": 1, "of": 4}; all Jobs if it names none.
func ShardOf(e cloudevents.Event) (s Shard, err error) {
	if data := e.Data(); len(data) > 0 {
		err = json.Unmarshal(data, &s)
	}
	if s.Of = max(s.Of, 1); err != nil || s.Shard >= s.Of || s.Of > maxShards {
		return s, fmt.Errorf(`the data of a ping is %.80q: write {"shard": 0, "of": 4} to {"shard": 3, "of": 4}, or nothing`, e.Data())
	}
	return s, nil
}

// Has says whether a Job is of the shard: by its name, so that it is of one only, and always of the same.
func (s Shard) Has(namespace, name string) bool {
	if s.Of == 1 {
		return true
	}
	h := fnv.New32a()
	h.Write([]byte(namespace + "/" + name))
	return h.Sum32()%s.Of == s.Shard
}

// String says which.
func (s Shard) String() string { return fmt.Sprintf("%d of %d", s.Shard, s.Of) }
