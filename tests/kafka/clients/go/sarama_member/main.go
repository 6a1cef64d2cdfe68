// sarama as a member of a group.
package main

import (
	"context"
	"time"

	"github.com/IBM/sarama"
	"pyralog.test/kafka/member"
)

var balancers = map[string]func() sarama.BalanceStrategy{"range": sarama.NewBalanceStrategyRange,
	"roundrobin": sarama.NewBalanceStrategyRoundRobin, "sticky": sarama.NewBalanceStrategySticky}

// handler is told of each generation: what it is given at Setup is given up at Cleanup.
type handler struct{}

func (handler) Setup(session sarama.ConsumerGroupSession) error {
	member.Gained(session.Claims())
	return nil
}

func (handler) Cleanup(session sarama.ConsumerGroupSession) error {
	member.GaveUp(session.Claims())
	return nil
}

func (handler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			member.Record(message.Topic, message.Partition, message.Offset, message.Value)
			session.MarkMessage(message, "")
			session.Commit()
		case <-time.After(300 * time.Millisecond):
			session.Commit() // what could not be committed before
		case <-session.Context().Done():
			return nil
		}
	}
}

func main() {
	options := member.Parse()
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.ClientID = "sarama-member"
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.MaxWaitTime = 100 * time.Millisecond
	config.Consumer.Return.Errors = true
	config.Consumer.Group.Session.Timeout = options.Session
	config.Consumer.Group.Heartbeat.Interval = member.Heartbeat
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{balancers[options.Strategy]()}
	config.Consumer.Group.InstanceId = options.Instance
	config.Metadata.Retry.Backoff = 100 * time.Millisecond
	group, err := sarama.NewConsumerGroup([]string{options.Bootstrap}, options.Group, config)
	if err != nil {
		member.Fail(err)
	}
	go func() {
		for err := range group.Errors() {
			member.Complain(err)
		}
	}()
	ctx, leave := context.WithCancel(context.Background())
	member.OnLeave(leave)
	for ctx.Err() == nil { // each call is one generation
		if err := group.Consume(ctx, []string{options.Topic}, handler{}); err != nil && ctx.Err() == nil {
			member.Complain(err)
			time.Sleep(100 * time.Millisecond)
		}
	}
	if err := group.Close(); err != nil {
		member.Complain(err)
	}
}
