package spec

import (
	"flag"
	"fmt"
	"math/rand"
	"os"
	"time"
)

// What Offset asks for, besides times in ms since the epoch.
const (
	Latest       = -1
	Earliest     = -2
	MaxTimestamp = -3
)

// Kafka's error codes that checks ask for.
const (
	unknownTopicOrPartition = 3
	messageTooLarge         = 10
	invalidTopic            = 17
	topicAlreadyExists      = 36
	invalidPartitions       = 37
	invalidConfig           = 40
)

// Options of a producer. Codec is none, gzip, snappy, lz4 or zstd; Acks is 0, 1 or all.
type Options struct {
	Codec, Acks string
	Idempotent  bool
}

// Client is one client library. ErrorCode gives Kafka's number of a refusal, or -1 for any other error. Offsets that Produce
// returns are those acknowledged, in order. Consume starts at an offset or at Earliest. ConsumeNew stands at the end before
// it calls produce.
type Client interface {
	ErrorCode(error) int16
	AsksMaxTimestamp() bool // whether the library can ask for the offset of the largest timestamp
	Create(topic string, partitions int32, config map[string]string) error
	Delete(topic string) error
	Topics() (map[string]int, error)
	AddPartitions(topic string, total int32) error
	AlterConfig(topic string, config map[string]string) error
	DescribeConfig(topic string) (map[string]string, error)
	DeleteRecords(topic string, partition int32, before int64) error
	Offset(topic string, partition int32, which int64) (int64, error)
	Produce(topic string, partition int32, records []Record, options Options) ([]int64, error)
	Consume(topic string, partition int32, start int64, count int) ([]Record, error)
	ConsumeNew(topic string, partition int32, produce func() error, count int) ([]Record, error)
}

var plain = Options{Codec: "none", Acks: "all"}

type run struct {
	client Client
	prefix string
	topics int
}

// Main runs every check against the server that --bootstrap names, and ends the process.
func Main(name string, connect func(bootstrap string) (Client, error)) {
	bootstrap := flag.String("bootstrap", "", "HOST:PORT of the server")
	only := flag.String("check", "", "only checks whose name contains this")
	flag.Parse()
	client, err := connect(*bootstrap)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s could not connect to %s: %v\n", name, *bootstrap, err)
		os.Exit(1)
	}
	suite := &Suite{Only: *only}
	r := &run{client: client, prefix: fmt.Sprintf("%s-%06x", name, rand.Intn(1<<24))}
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		for _, acks := range []string{"0", "1", "all"} {
			suite.Check("roundtrip/"+codec+"/acks="+acks, func() error { return r.roundTrip(codec, acks) })
		}
	}
	suite.Check("produce/idempotent", r.idempotent)
	suite.Check("produce/many_partitions", r.manyPartitions)
	suite.Check("produce/auto_create", r.autoCreate)
	suite.Check("produce/log_append_time", r.logAppendTime)
	suite.Check("consume/from_offset", r.fromOffset)
	suite.Check("consume/from_end", r.fromEnd)
	suite.Check("list_offsets/by_time", r.byTime)
	suite.Check("list_offsets/ends", r.ends)
	suite.Check("admin/create_and_list", r.createAndList)
	suite.Check("admin/add_partitions", r.addPartitions)
	suite.Check("admin/configs", r.configs)
	suite.Check("admin/delete_records", r.deleteRecords)
	suite.Check("admin/delete_and_recreate", r.deleteAndRecreate)
	suite.Check("errors/admin", r.adminErrors)
	suite.Check("errors/too_large", r.tooLarge)
	os.Exit(suite.Finish())
}

func (r *run) newTopic(partitions int32, config map[string]string) (string, error) {
	r.topics++
	topic := fmt.Sprintf("%s.%d", r.prefix, r.topics)
	if err := r.client.Create(topic, partitions, config); err != nil {
		return topic, err
	}
	return topic, r.waitForLeaders(topic, partitions)
}

// waitForLeaders: a topic that was just made may not be led yet; Kafka then answers with a retriable error.
func (r *run) waitForLeaders(topic string, partitions int32) error {
	return waitUntil(func() (bool, error) {
		for p := range partitions {
			if _, err := r.client.Offset(topic, p, Latest); err != nil {
				switch r.client.ErrorCode(err) {
				case 3, 5, 6, 9:
					return false, nil
				}
				return false, err
			}
		}
		return true, nil
	}, topic+" is led")
}

func (r *run) expectOffset(topic string, partition int32, which, expected int64, what string) error {
	offset, err := r.client.Offset(topic, partition, which)
	return first(err, equal(offset, expected, what))
}

func (r *run) expectAll(topic string, partition int32, expected []Record, firstOffset int64, what string) error {
	got, err := r.client.Consume(topic, partition, Earliest, len(expected))
	if err != nil {
		return err
	}
	return expectRecords(got, expected, firstOffset, what)
}

func dense(offsets []int64, count int) error {
	if err := equal(len(offsets), count, "offsets acknowledged"); err != nil {
		return err
	}
	for i, offset := range offsets {
		if err := equal(offset, int64(i), fmt.Sprintf("offset acknowledged for record %d", i)); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) roundTrip(codec, acks string) error {
	topic, err := r.newTopic(1, nil)
	if err != nil {
		return err
	}
	samples := Samples()
	offsets, err := r.client.Produce(topic, 0, samples, Options{Codec: codec, Acks: acks})
	if err == nil && acks != "0" {
		err = dense(offsets, len(samples))
	}
	if err != nil {
		return err
	}
	return r.expectAll(topic, 0, samples, 0, "from earliest")
}

func (r *run) idempotent() error {
	topic, err := r.newTopic(1, nil)
	if err != nil {
		return err
	}
	var samples []Record
	for range 5 {
		samples = append(samples, Samples()...)
	}
	offsets, err := r.client.Produce(topic, 0, samples, Options{Codec: "none", Acks: "all", Idempotent: true})
	if err = first(err, dense(offsets, len(samples))); err != nil {
		return err
	}
	return r.expectAll(topic, 0, samples, 0, "idempotent")
}

func (r *run) manyPartitions() error {
	topic, err := r.newTopic(4, nil)
	if err != nil {
		return err
	}
	samples := Samples()
	for p := range 4 {
		if _, err := r.client.Produce(topic, int32(p), samples[p*20:p*20+50], plain); err != nil {
			return err
		}
	}
	for p := range 4 {
		if err := r.expectAll(topic, int32(p), samples[p*20:p*20+50], 0, fmt.Sprintf("partition %d", p)); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) autoCreate() error {
	topic, samples := r.prefix+".made.by.use", Samples()[6:16]
	if _, err := r.client.Produce(topic, 0, samples, plain); err != nil {
		return err
	}
	return r.expectAll(topic, 0, samples, 0, "a topic made by its first use")
}

func (r *run) logAppendTime() error {
	topic, err := r.newTopic(1, map[string]string{"message.timestamp.type": "LogAppendTime"})
	if err != nil {
		return err
	}
	samples := Samples()[6:26]
	if _, err = r.client.Produce(topic, 0, samples, Options{Codec: "lz4", Acks: "all"}); err != nil {
		return err
	}
	got, err := r.client.Consume(topic, 0, Earliest, len(samples))
	for _, record := range got {
		if age := time.Now().UnixMilli() - record.Millis; age < -600_000 || age > 600_000 {
			return fmt.Errorf("the client's timestamp was kept at offset %d", record.Offset)
		}
	}
	return first(err, equal(len(got), len(samples), "records"))
}

func (r *run) fromOffset() error {
	topic, err := r.newTopic(1, nil)
	if err != nil {
		return err
	}
	samples := Samples()
	if _, err = r.client.Produce(topic, 0, samples, plain); err != nil {
		return err
	}
	for _, start := range []int{1, 57, len(samples) - 1} {
		got, err := r.client.Consume(topic, 0, int64(start), len(samples)-start)
		if err = first(err, expectRecords(got, samples[start:], int64(start), fmt.Sprintf("from offset %d", start))); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) fromEnd() error {
	topic, err := r.newTopic(1, nil)
	if err != nil {
		return err
	}
	samples := Samples()
	if _, err = r.client.Produce(topic, 0, samples[:20], plain); err != nil {
		return err
	}
	got, err := r.client.ConsumeNew(topic, 0, func() error {
		_, err := r.client.Produce(topic, 0, samples[20:50], plain)
		return err
	}, 30)
	if err != nil {
		return err
	}
	return expectRecords(got, samples[20:50], 20, "from the end")
}

func (r *run) byTime() error {
	topic, err := r.newTopic(1, nil)
	if err != nil {
		return err
	}
	samples := Samples()
	if _, err = r.client.Produce(topic, 0, samples, plain); err != nil {
		return err
	}
	base := samples[0].Millis
	for after, expected := range map[int64]int64{0: 0, -5000: 0, 570: 57, 567: 57, 571: 58} {
		if err := r.expectOffset(topic, 0, base+after, expected, fmt.Sprintf("offset at time base%+d", after)); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) ends() error {
	topic, err := r.newTopic(2, nil)
	if err != nil {
		return err
	}
	samples := Samples()[6:26]
	samples[4].Millis += 100_000
	if _, err = r.client.Produce(topic, 1, samples, plain); err != nil {
		return err
	}
	if r.client.AsksMaxTimestamp() {
		err = r.expectOffset(topic, 1, MaxTimestamp, 4, "largest timestamp")
	}
	return first(err, r.expectOffset(topic, 1, Earliest, 0, "earliest"), r.expectOffset(topic, 1, Latest, 20, "latest"),
		r.expectOffset(topic, 0, Latest, 0, "latest of the other"))
}

func (r *run) listed(topic string, partitions int) error {
	return waitUntil(func() (bool, error) {
		topics, err := r.client.Topics()
		return topics[topic] == partitions, err
	}, fmt.Sprintf("%s listed with %d partitions", topic, partitions))
}

func (r *run) createAndList() error {
	topic, err := r.newTopic(7, nil)
	if err != nil {
		return err
	}
	return r.listed(topic, 7)
}

func (r *run) addPartitions() error {
	topic, err := r.newTopic(2, nil)
	if err != nil {
		return err
	}
	if err = first(r.client.AddPartitions(topic, 5), r.listed(topic, 5), r.waitForLeaders(topic, 5)); err != nil {
		return err
	}
	samples := Samples()[6:16]
	if _, err = r.client.Produce(topic, 4, samples, plain); err != nil {
		return err
	}
	return r.expectAll(topic, 4, samples, 0, "a partition that was added")
}

func (r *run) configs() error {
	topic, err := r.newTopic(1, map[string]string{"retention.ms": "86400000", "max.message.bytes": "2097152"})
	if err != nil {
		return err
	}
	config, err := r.client.DescribeConfig(topic)
	if err = first(err, equal(config["retention.ms"], "86400000", "retention.ms"),
		equal(config["max.message.bytes"], "2097152", "max.message.bytes"),
		equal(config["cleanup.policy"], "delete", "cleanup.policy by default")); err != nil {
		return err
	}
	if err = r.client.AlterConfig(topic, map[string]string{"retention.ms": "123456789"}); err != nil {
		return err
	}
	return waitUntil(func() (bool, error) {
		config, err := r.client.DescribeConfig(topic)
		return config["retention.ms"] == "123456789" && config["max.message.bytes"] == "2097152", err
	}, "configs as altered")
}

func (r *run) deleteRecords() error {
	topic, err := r.newTopic(1, nil)
	if err != nil {
		return err
	}
	samples := Samples()
	if _, err = r.client.Produce(topic, 0, samples, plain); err != nil {
		return err
	}
	if err = first(r.client.DeleteRecords(topic, 0, 30), r.expectOffset(topic, 0, Earliest, 30, "earliest")); err != nil {
		return err
	}
	return r.expectAll(topic, 0, samples[30:], 30, "what is left")
}

func (r *run) deleteAndRecreate() error {
	topic, err := r.newTopic(1, nil)
	if err != nil {
		return err
	}
	samples := Samples()
	if _, err = r.client.Produce(topic, 0, samples[:20], plain); err != nil {
		return err
	}
	if err = first(r.client.Delete(topic), r.listed(topic, 0)); err != nil {
		return err
	}
	if err = first(r.client.Create(topic, 1, nil), r.waitForLeaders(topic, 1)); err != nil {
		return err
	}
	if _, err = r.client.Produce(topic, 0, samples[20:40], plain); err != nil {
		return err
	}
	return r.expectAll(topic, 0, samples[20:40], 0, "the topic made again")
}

func (r *run) refused(code int16, err error, what string) error {
	if err == nil {
		return fmt.Errorf("%s was not refused", what)
	}
	if got := r.client.ErrorCode(err); got != code {
		return fmt.Errorf("%s was refused with error %d (%v), %d was expected", what, got, err, code)
	}
	return nil
}

func (r *run) adminErrors() error {
	topic, err := r.newTopic(3, nil)
	if err != nil {
		return err
	}
	return first(
		r.refused(topicAlreadyExists, r.client.Create(topic, 1, nil), "a topic that exists"),
		r.refused(invalidTopic, r.client.Create("no spaces please", 1, nil), "an illegal name"),
		r.refused(invalidConfig, r.client.Create(r.prefix+".bad", 1, map[string]string{"retention.ms": "soon"}), "a bad config"),
		r.refused(invalidPartitions, r.client.AddPartitions(topic, 2), "fewer partitions"),
		r.refused(unknownTopicOrPartition, r.client.Delete(r.prefix+".never.made"), "deleting an unknown topic"))
}

func (r *run) tooLarge() error {
	topic, err := r.newTopic(1, map[string]string{"max.message.bytes": "1000"})
	if err != nil {
		return err
	}
	large := []Record{{Value: make([]byte, 2000), Millis: time.Now().UnixMilli()}}
	_, err = r.client.Produce(topic, 0, large, plain)
	return first(r.refused(messageTooLarge, err, "a record above max.message.bytes"), r.expectOffset(topic, 0, Latest, 0, "latest"))
}
