// The sarama suite.
package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"pyralog.test/kafka/spec"
)

const waitMax = 30 * time.Second

var codecs = map[string]sarama.CompressionCodec{"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD}

type client struct {
	bootstrap string
	admin     sarama.ClusterAdmin
}

func settings() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Consumer.Return.Errors = true
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	return config
}

func connect(bootstrap string) (spec.Client, error) {
	admin, err := sarama.NewClusterAdmin([]string{bootstrap}, settings())
	return &client{bootstrap, admin}, err
}

func (c *client) ErrorCode(err error) int16 {
	var code sarama.KError
	if errors.As(err, &code) {
		return int16(code)
	}
	return -1
}

func (c *client) AsksMaxTimestamp() bool { return false }

func pointers(config map[string]string) map[string]*string {
	result := map[string]*string{}
	for name, value := range config {
		result[name] = &value
	}
	return result
}

func (c *client) Create(topic string, partitions int32, config map[string]string) error {
	detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: pointers(config)}
	return c.admin.CreateTopic(topic, detail, false)
}

func (c *client) Delete(topic string) error {
	return c.admin.DeleteTopic(topic)
}

func (c *client) Topics() (map[string]int, error) {
	listed, err := c.admin.ListTopics()
	topics := map[string]int{}
	for name, detail := range listed {
		topics[name] = int(detail.NumPartitions)
	}
	return topics, err
}

func (c *client) AddPartitions(topic string, total int32) error {
	return c.admin.CreatePartitions(topic, total, nil, false)
}

func (c *client) AlterConfig(topic string, config map[string]string) error {
	changes := map[string]sarama.IncrementalAlterConfigsEntry{}
	for name, value := range pointers(config) {
		changes[name] = sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationSet, Value: value}
	}
	return c.admin.IncrementalAlterConfig(sarama.TopicResource, topic, changes, false)
}

func (c *client) DescribeConfig(topic string) (map[string]string, error) {
	entries, err := c.admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic})
	config := map[string]string{}
	for _, entry := range entries {
		config[entry.Name] = entry.Value
	}
	return config, err
}

func (c *client) DeleteRecords(topic string, partition int32, before int64) error {
	return c.admin.DeleteRecords(topic, map[int32]int64{partition: before})
}

func (c *client) Offset(topic string, partition int32, which int64) (int64, error) {
	listed, err := c.admin.ListOffsets(map[string]map[int32]int64{topic: {partition: which}}, nil)
	if err != nil {
		return -1, err
	}
	found := listed[topic][partition]
	if found == nil {
		return -1, sarama.ErrUnknownTopicOrPartition
	}
	if errors.Is(found.Err, sarama.ErrNoError) {
		return found.Offset, nil
	}
	return found.Offset, found.Err
}

// value keeps null and empty apart: a nil Encoder is null.
func value(data []byte) sarama.Encoder {
	if data == nil {
		return nil
	}
	return sarama.ByteEncoder(data)
}

func (c *client) Produce(topic string, partition int32, records []spec.Record, options spec.Options) ([]int64, error) {
	config := settings()
	config.Producer.Compression = codecs[options.Codec]
	config.Producer.RequiredAcks = map[string]sarama.RequiredAcks{"0": sarama.NoResponse, "1": sarama.WaitForLocal,
		"all": sarama.WaitForAll}[options.Acks]
	if options.Idempotent {
		config.Producer.Idempotent = true
		config.Net.MaxOpenRequests = 1 // sarama insists on it
	}
	producer, err := sarama.NewSyncProducer([]string{c.bootstrap}, config)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	var messages []*sarama.ProducerMessage
	for _, record := range records {
		message := &sarama.ProducerMessage{Topic: topic, Partition: partition, Key: value(record.Key), Value: value(record.Value),
			Timestamp: time.UnixMilli(record.Millis)}
		for _, header := range record.Headers {
			message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(header.Key), Value: header.Value})
		}
		messages = append(messages, message)
	}
	if err := producer.SendMessages(messages); err != nil {
		var all sarama.ProducerErrors
		if errors.As(err, &all) && len(all) > 0 {
			return nil, all[0].Err
		}
		return nil, err
	}
	var offsets []int64
	for _, message := range messages {
		offsets = append(offsets, message.Offset)
	}
	return offsets, nil
}

func (c *client) ConsumeNew(topic string, partition int32, produce func() error, count int) ([]spec.Record, error) {
	return c.consume(topic, partition, sarama.OffsetNewest, produce, count)
}

func (c *client) Consume(topic string, partition int32, start int64, count int) ([]spec.Record, error) {
	return c.consume(topic, partition, start, func() error { return nil }, count)
}

func (c *client) consume(topic string, partition int32, start int64, ready func() error, count int) ([]spec.Record, error) {
	consumer, err := sarama.NewConsumer([]string{c.bootstrap}, settings())
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	source, err := consumer.ConsumePartition(topic, partition, start) // resolves "newest" before it returns
	if err != nil {
		return nil, err
	}
	defer source.Close()
	if err := ready(); err != nil {
		return nil, err
	}
	var got []spec.Record
	timeout := time.After(waitMax)
	for len(got) < count {
		select {
		case message := <-source.Messages():
			one := spec.Record{Offset: message.Offset, Key: message.Key, Value: message.Value, Millis: message.Timestamp.UnixMilli()}
			for _, header := range message.Headers {
				one.Headers = append(one.Headers, spec.Header{Key: string(header.Key), Value: header.Value})
			}
			got = append(got, one)
		case failure := <-source.Errors():
			return got, failure
		case <-timeout:
			return got, fmt.Errorf("%d of %d records arrived", len(got), count)
		}
	}
	return got, nil
}

func main() {
	spec.Main("sarama", connect)
}
