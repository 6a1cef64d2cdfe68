// The franz-go suite: a client that speaks every Kafka API at its newest version.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"pyralog.test/kafka/spec"
)

const waitMax = 30 * time.Second

var codecs = map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}

type franz struct {
	bootstrap string
	admin     *kadm.Client
}

func connect(bootstrap string) (spec.Client, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return nil, err
	}
	return &franz{bootstrap, kadm.NewClient(client)}, nil
}

func limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), waitMax)
}

func (f *franz) ErrorCode(err error) int16 {
	var refusal *kerr.Error
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return -1
}

func (f *franz) AsksMaxTimestamp() bool { return true }

func pointers(config map[string]string) map[string]*string {
	result := map[string]*string{}
	for name, value := range config {
		result[name] = &value
	}
	return result
}

func (f *franz) Create(topic string, partitions int32, config map[string]string) error {
	ctx, cancel := limited()
	defer cancel()
	_, err := f.admin.CreateTopic(ctx, partitions, 1, pointers(config), topic)
	return err
}

func (f *franz) Delete(topic string) error {
	ctx, cancel := limited()
	defer cancel()
	_, err := f.admin.DeleteTopic(ctx, topic)
	return err
}

func (f *franz) Topics() (map[string]int, error) {
	ctx, cancel := limited()
	defer cancel()
	listed, err := f.admin.ListTopics(ctx)
	topics := map[string]int{}
	for name, detail := range listed {
		if detail.Err == nil {
			topics[name] = len(detail.Partitions)
		}
	}
	return topics, err
}

func (f *franz) AddPartitions(topic string, total int32) error {
	ctx, cancel := limited()
	defer cancel()
	answers, err := f.admin.UpdatePartitions(ctx, int(total), topic)
	if err != nil {
		return err
	}
	return answers.Error()
}

func (f *franz) AlterConfig(topic string, config map[string]string) error {
	ctx, cancel := limited()
	defer cancel()
	var changes []kadm.AlterConfig
	for name, value := range pointers(config) {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: value})
	}
	answers, err := f.admin.AlterTopicConfigs(ctx, changes, topic)
	if err == nil && len(answers) == 1 {
		err = answers[0].Err
	}
	return err
}

func (f *franz) DescribeConfig(topic string) (map[string]string, error) {
	ctx, cancel := limited()
	defer cancel()
	answers, err := f.admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return nil, err
	}
	described, err := answers.On(topic, nil)
	config := map[string]string{}
	for _, entry := range described.Configs {
		config[entry.Key] = entry.MaybeValue()
	}
	return config, err
}

func (f *franz) DeleteRecords(topic string, partition int32, before int64) error {
	ctx, cancel := limited()
	defer cancel()
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, partition, before, -1)
	answers, err := f.admin.DeleteRecords(ctx, offsets)
	if err != nil {
		return err
	}
	return answers.Error()
}

func (f *franz) Offset(topic string, partition int32, which int64) (int64, error) {
	ctx, cancel := limited()
	defer cancel()
	var listed kadm.ListedOffsets
	var err error
	switch which {
	case spec.Latest:
		listed, err = f.admin.ListEndOffsets(ctx, topic)
	case spec.Earliest:
		listed, err = f.admin.ListStartOffsets(ctx, topic)
	case spec.MaxTimestamp:
		listed, err = f.admin.ListMaxTimestampOffsets(ctx, topic)
	default:
		listed, err = f.admin.ListOffsetsAfterMilli(ctx, which, topic)
	}
	if err != nil {
		return -1, err
	}
	found, there := listed.Lookup(topic, partition)
	if !there {
		return -1, kerr.UnknownTopicOrPartition
	}
	return found.Offset, found.Err
}

func (f *franz) Produce(topic string, partition int32, records []spec.Record, options spec.Options) ([]int64, error) {
	settings := []kgo.Opt{kgo.SeedBrokers(f.bootstrap), kgo.ProducerBatchCompression(codecs[options.Codec]),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.AllowAutoTopicCreation(), kgo.ProducerBatchMaxBytes(100_000 * 4),
		kgo.ProducerLinger(5 * time.Millisecond)}
	if !options.Idempotent {
		acks := map[string]kgo.Acks{"0": kgo.NoAck(), "1": kgo.LeaderAck(), "all": kgo.AllISRAcks()}[options.Acks]
		settings = append(settings, kgo.DisableIdempotentWrite(), kgo.RequiredAcks(acks))
	}
	client, err := kgo.NewClient(settings...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var sent []*kgo.Record
	for _, record := range records {
		one := &kgo.Record{Topic: topic, Partition: partition, Key: record.Key, Value: record.Value,
			Timestamp: time.UnixMilli(record.Millis)}
		for _, header := range record.Headers {
			one.Headers = append(one.Headers, kgo.RecordHeader{Key: header.Key, Value: header.Value})
		}
		sent = append(sent, one)
	}
	ctx, cancel := limited()
	defer cancel()
	var offsets []int64
	for _, result := range client.ProduceSync(ctx, sent...) {
		if result.Err != nil {
			return nil, result.Err
		}
		offsets = append(offsets, result.Record.Offset)
	}
	return offsets, nil
}

func collect(client *kgo.Client, count int) ([]spec.Record, error) {
	ctx, cancel := limited()
	defer cancel()
	var got []spec.Record
	for len(got) < count {
		fetched := client.PollFetches(ctx)
		if err := fetched.Err(); err != nil {
			return got, fmt.Errorf("%d of %d records arrived: %w", len(got), count, err)
		}
		fetched.EachRecord(func(r *kgo.Record) {
			one := spec.Record{Offset: r.Offset, Key: r.Key, Value: r.Value, Millis: r.Timestamp.UnixMilli()}
			for _, header := range r.Headers {
				one.Headers = append(one.Headers, spec.Header{Key: header.Key, Value: header.Value})
			}
			got = append(got, one)
		})
	}
	return got, nil
}

func (f *franz) consumer(topic string, partition int32, from kgo.Offset) (*kgo.Client, error) {
	return kgo.NewClient(kgo.SeedBrokers(f.bootstrap), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: from}}))
}

func (f *franz) Consume(topic string, partition int32, start int64, count int) ([]spec.Record, error) {
	from := kgo.NewOffset().At(start)
	if start == spec.Earliest {
		from = kgo.NewOffset().AtStart()
	}
	client, err := f.consumer(topic, partition, from)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return collect(client, count)
}

// ConsumeNew resolves the end itself: franz-go would do so at its first poll, which nothing shows from outside.
func (f *franz) ConsumeNew(topic string, partition int32, produce func() error, count int) ([]spec.Record, error) {
	end, err := f.Offset(topic, partition, spec.Latest)
	if err != nil {
		return nil, err
	}
	client, err := f.consumer(topic, partition, kgo.NewOffset().At(end))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	idle, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if early := client.PollFetches(idle).NumRecords(); early != 0 {
		return nil, fmt.Errorf("%d records past the end", early)
	}
	if err := produce(); err != nil {
		return nil, err
	}
	return collect(client, count)
}

func main() {
	spec.Main("franz-go", connect)
}
