// franz-go's administrator of groups.
package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"pyralog.test/kafka/member"
)

type franz struct{ admin *kadm.Client }

func limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 30*time.Second)
}

func connect(bootstrap string) (member.Administrator, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return nil, err
	}
	return &franz{kadm.NewClient(client)}, nil
}

func (f *franz) List() ([]string, error) {
	ctx, cancel := limited()
	defer cancel()
	listed, err := f.admin.ListGroups(ctx)
	return listed.Groups(), err
}

func (f *franz) Describe(name string) (string, int, []string, error) {
	ctx, cancel := limited()
	defer cancel()
	described, err := f.admin.DescribeGroups(ctx, name)
	if err != nil {
		return "", 0, nil, err
	}
	group := described[name]
	var owned []string
	for topic, partitions := range group.AssignedPartitions() {
		for partition := range partitions {
			owned = append(owned, fmt.Sprintf("%s/%d", topic, partition))
		}
	}
	slices.Sort(owned)
	return group.State, len(group.Members), owned, group.Err
}

func (f *franz) Offsets(name string) ([]string, error) {
	ctx, cancel := limited()
	defer cancel()
	fetched, err := f.admin.FetchOffsets(ctx, name)
	var offsets []string
	fetched.Each(func(o kadm.OffsetResponse) {
		if o.At >= 0 {
			offsets = append(offsets, fmt.Sprintf("%s/%d=%d", o.Topic, o.Partition, o.At))
		}
	})
	slices.Sort(offsets)
	return offsets, err
}

func (f *franz) Commit(name, topic string, partition int32, offset int64) error {
	ctx, cancel := limited()
	defer cancel()
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, partition, offset, -1)
	return f.admin.CommitAllOffsets(ctx, name, offsets)
}

func (f *franz) Forget(name, topic string, partition int32) error {
	ctx, cancel := limited()
	defer cancel()
	places := kadm.TopicsSet{}
	places.Add(topic, partition)
	answer, err := f.admin.DeleteOffsets(ctx, name, places)
	if err != nil {
		return err
	}
	return answer.Error()
}

func (f *franz) Delete(name string) error {
	ctx, cancel := limited()
	defer cancel()
	answer, err := f.admin.DeleteGroup(ctx, name)
	if err != nil {
		return err
	}
	return answer.Err
}

func main() {
	member.Administer(connect)
}
