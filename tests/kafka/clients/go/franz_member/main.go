// franz-go as a member of a group.
package main

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"pyralog.test/kafka/member"
)

var balancers = map[string]kgo.GroupBalancer{"range": kgo.RangeBalancer(), "roundrobin": kgo.RoundRobinBalancer(),
	"sticky": kgo.StickyBalancer(), "cooperative-sticky": kgo.CooperativeStickyBalancer()}

func main() {
	options := member.Parse()
	gaveUp := func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) { member.GaveUp(partitions) }
	settings := []kgo.Opt{kgo.SeedBrokers(options.Bootstrap), kgo.ClientID("franz-go-member"), kgo.ConsumerGroup(options.Group),
		kgo.ConsumeTopics(options.Topic), kgo.Balancers(balancers[options.Strategy]), kgo.SessionTimeout(options.Session),
		kgo.HeartbeatInterval(member.Heartbeat), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) { member.Gained(partitions) }),
		kgo.OnPartitionsRevoked(gaveUp), kgo.OnPartitionsLost(gaveUp)}
	if options.Instance != "" {
		settings = append(settings, kgo.InstanceID(options.Instance))
	}
	client, err := kgo.NewClient(settings...)
	if err != nil {
		member.Fail(err)
	}
	ctx, leave := context.WithCancel(context.Background())
	member.OnLeave(leave)
	for ctx.Err() == nil {
		soon, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		fetched := client.PollFetches(soon)
		fetched.EachError(func(_ string, _ int32, err error) {
			if soon.Err() == nil {
				member.Complain(err)
			}
		})
		cancel()
		fetched.EachRecord(func(r *kgo.Record) { member.Record(r.Topic, r.Partition, r.Offset, r.Value) })
		// Also what could not be committed after an earlier poll.
		if err := client.CommitUncommittedOffsets(context.Background()); err != nil {
			member.Complain(err)
		}
		client.AllowRebalance()
	}
	client.CloseAllowingRebalance()
}
