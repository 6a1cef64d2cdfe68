// sarama's administrator of groups.
package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/IBM/sarama"
	"pyralog.test/kafka/member"
)

type administrator struct{ admin sarama.ClusterAdmin }

func connect(bootstrap string) (member.Administrator, error) {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	admin, err := sarama.NewClusterAdmin([]string{bootstrap}, config)
	return &administrator{admin}, err
}

func refused(code sarama.KError) error {
	if errors.Is(code, sarama.ErrNoError) {
		return nil
	}
	return code
}

func (a *administrator) List() ([]string, error) {
	listed, err := a.admin.ListConsumerGroups()
	var names []string
	for name := range listed {
		names = append(names, name)
	}
	return names, err
}

func (a *administrator) Describe(name string) (string, int, []string, error) {
	described, err := a.admin.DescribeConsumerGroups([]string{name})
	if err != nil {
		return "", 0, nil, err
	}
	group := described[0]
	var owned []string
	for _, one := range group.Members {
		assignment, err := one.GetMemberAssignment()
		if err != nil {
			return "", 0, nil, err
		}
		if assignment == nil {
			continue
		}
		for topic, partitions := range assignment.Topics {
			for _, partition := range partitions {
				owned = append(owned, fmt.Sprintf("%s/%d", topic, partition))
			}
		}
	}
	slices.Sort(owned)
	return group.State, len(group.Members), owned, refused(group.Err)
}

func (a *administrator) Offsets(name string) ([]string, error) {
	fetched, err := a.admin.ListConsumerGroupOffsets(name, nil)
	if err != nil {
		return nil, err
	}
	var offsets []string
	for topic, partitions := range fetched.Blocks {
		for partition, block := range partitions {
			if block.Offset >= 0 {
				offsets = append(offsets, fmt.Sprintf("%s/%d=%d", topic, partition, block.Offset))
			}
		}
	}
	slices.Sort(offsets)
	return offsets, refused(fetched.Err)
}

func (a *administrator) Commit(name, topic string, partition int32, offset int64) error {
	offsets := map[string]map[int32]sarama.OffsetAndMetadata{topic: {partition: {Offset: offset, LeaderEpoch: -1}}}
	answer, err := a.admin.AlterConsumerGroupOffsets(name, offsets, nil)
	if err != nil {
		return err
	}
	return refused(answer.Errors[topic][partition])
}

func (a *administrator) Forget(name, topic string, partition int32) error {
	return a.admin.DeleteConsumerGroupOffset(name, topic, partition)
}

func (a *administrator) Delete(name string) error {
	return a.admin.DeleteConsumerGroup(name)
}

func main() {
	member.Administer(connect)
}
