package events

import (
	"fmt"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

func TestShards(t *testing.T) {
	for data, want := range map[string]string{
		"": "0 of 1", "{}": "0 of 1", `{"shard":3,"of":4}`: "3 of 4", `{"of":4}`: "0 of 4",
		`{"shard":4,"of":4}`: "", `{"shard":1}`: "", `{"shard":-1,"of":4}`: "", "1/4": "", `{"of":65}`: "", `{"of":4294967296}`: "",
	} {
		e := cloudevents.NewEvent()
		if data != "" {
			if err := e.SetData(cloudevents.ApplicationJSON, []byte(data)); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := ShardOf(e); (err == nil) != (want != "") || err == nil && got.String() != want {
			t.Errorf("%s: %s, %v; want %q", data, got, err, want)
		}
	}
}

// TestEachJobIsOfOneShard, and none has much more than its share.
func TestEachJobIsOfOneShard(t *testing.T) {
	const jobs = 10000
	for _, of := range []uint32{1, 2, 4, 7, 64} {
		count := make([]int, of)
		for i := range jobs {
			n := 0
			for s := range of {
				if (Shard{s, of}).Has(fmt.Sprint("space", i%7), fmt.Sprint("job", i)) {
					count[s]++
					n++
				}
			}
			if n != 1 {
				t.Fatalf("job%d is of %d shards out of %d", i, n, of)
			}
		}
		for s, n := range count {
			if share := float64(n) * float64(of) / jobs; share < 0.6 || share > 1.4 {
				t.Errorf("shard %d of %d has %d of %d", s, of, n, jobs)
			}
		}
	}
}
